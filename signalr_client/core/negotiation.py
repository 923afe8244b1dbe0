"""Negotiation: the address to ask, the answer, and which transports it leaves. Room: core, row 1; no I/O, no clock.

Spec: client-behaviour.md, "B2" to "B7".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec

from signalr_client.errors import NegotiationError, TransportError
from signalr_client.types import HttpTransportType, TransferFormat

__all__ = [
    "MAX_REDIRECTS",
    "AvailableTransport",
    "NegotiateResponse",
    "RefreshResponse",
    "candidates",
    "connect_url",
    "negotiate_url",
    "parse_negotiate_response",
    "parse_refresh_response",
    "redact_url",
    "refresh_url",
    "websocket_url",
]

MAX_REDIRECTS: Final = 100
NEGOTIATE_VERSION: Final = 1

_LEGACY_SERVER: Final = (
    "Detected a connection attempt to an ASP.NET SignalR Server. This client only supports connecting to an ASP.NET Core SignalR"
    " Server. See https://aka.ms/signalr-core-differences for details."
)
_SECRETS: Final = frozenset({"id", "access_token"})


class AvailableTransport(msgspec.Struct, frozen=True, rename="camel"):
    """One transport that the server offers, with the transfer formats it carries."""

    transport: str
    transfer_formats: list[str] = []


class NegotiateResponse(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The answer to a negotiate request; members that are not known are passed over.

    ``connection_id`` is public, ``connection_token`` the secret that every later request carries as ``id``.
    """

    connection_id: str | None = None
    connection_token: str | None = None
    negotiate_version: int = 0
    available_transports: list[AvailableTransport] | None = None
    url: str | None = None
    access_token: str | None = None
    error: str | None = None
    use_stateful_reconnect: bool = False
    token_lifetime_seconds: float | None = None
    legacy_protocol_version: object = msgspec.field(default=None, name="ProtocolVersion")

    @property
    def token(self) -> str:
        """The ``id`` of later requests: the connection token, which before version 1 was the connection id."""
        token = self.connection_id if self.negotiate_version == 0 else self.connection_token
        return token or ""


class RefreshResponse(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to an authentication refresh: how long the new authentication lasts, and a token to use from now on."""

    token_lifetime_seconds: float | None = None
    access_token: str | None = None


def negotiate_url(url: str, *, stateful_reconnect: bool = False) -> str:
    """Return where to negotiate for the hub at *url*; its own query is kept."""
    parts = urlsplit(url)
    query = parts.query
    if "negotiateVersion" not in query:  # .NET looks no closer than this either
        query = _append(query, f"negotiateVersion={NEGOTIATE_VERSION}")
    if stateful_reconnect and "useStatefulReconnect" not in query:
        query = _append(query, "useStatefulReconnect=true")
    return urlunsplit(parts._replace(path=_below(parts.path, "negotiate"), query=query, fragment=""))


def refresh_url(url: str, token: str) -> str:
    """Return where the authentication of the connection with this *token* is refreshed."""
    parts = urlsplit(connect_url(url, token))
    return urlunsplit(parts._replace(path=_below(parts.path, "refresh")))


def connect_url(url: str, token: str) -> str:
    """Return where the transports connect: the hub's *url* with the connection *token* as ``id``."""
    parts = urlsplit(url)
    query = _append(parts.query, f"id={quote(token, safe='')}") if token else parts.query
    return urlunsplit(parts._replace(query=query, fragment=""))


def websocket_url(url: str) -> str:
    """Return *url* with the scheme of WebSockets."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return urlunsplit(parts._replace(scheme=scheme))


def redact_url(url: str) -> str:
    """Return *url* as it may be logged: without connection token, access token and password."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    hidden = [(key, "***" if key.lower() in _SECRETS else value) for key, value in pairs]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=urlencode(hidden, safe="*/:"), fragment=""))


def parse_negotiate_response(body: bytes, url: str) -> NegotiateResponse:
    """Return the answer that the server at *url* gave with status 200.

    Raises:
        NegotiationError: the server refused, is not an ASP.NET Core SignalR server, or its answer lacks what is needed.
    """
    shown = redact_url(url)
    try:
        response = _RESPONSE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        hint = (
            "" if body.lstrip().startswith(b"{") else " Either this is not a SignalR endpoint or there is a proxy in between."
        )
        raise NegotiationError(f"Invalid negotiation response received. {exc}.{hint}", shown, 200) from exc
    if response.legacy_protocol_version is not None:
        raise NegotiationError(_LEGACY_SERVER, shown, 200)
    if response.error:
        raise NegotiationError(response.error, shown, 200)
    if response.url:
        try:
            urlsplit(response.url)
        except ValueError as exc:
            text = f"Invalid negotiation response received. The redirect leads nowhere: {exc}."
            raise NegotiationError(text, shown, 200) from exc
        return response
    if not response.connection_id:
        raise NegotiationError("Invalid negotiation response received. Missing required property 'connectionId'.", shown, 200)
    if response.available_transports is None:
        raise NegotiationError(
            "Invalid negotiation response received. Missing required property 'availableTransports'.", shown, 200
        )
    if not response.token:
        raise NegotiationError(
            "Invalid negotiation response received. Missing required property 'connectionToken'.", shown, 200
        )
    return response


def parse_refresh_response(body: bytes) -> RefreshResponse:
    """Return what a server answered to an authentication refresh with a status of success.

    Raises:
        TransportError: it is no such answer.
    """
    try:
        return _REFRESH_RESPONSE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise TransportError(f"Invalid authentication refresh response received. {exc}.") from exc


def candidates(
    response: NegotiateResponse, allowed: HttpTransportType, transfer_format: TransferFormat
) -> Iterator[HttpTransportType | TransportError]:
    """Yield what the server offers, in its order: a transport to try, or why it is passed over.

    Spec: client-behaviour.md, "B6. Transport selection".
    """
    for offer in response.available_transports or []:
        transport = HttpTransportType.from_wire_name(offer.transport)
        if transport is None:
            yield _passed_over(offer.transport, "The transport is not supported by the client.")
        elif transport not in allowed:
            yield _passed_over(offer.transport, "The transport is disabled by the client.")
        elif transfer_format.value not in offer.transfer_formats:
            text = f"The transport does not support the '{transfer_format.value}' transfer format."
            yield _passed_over(offer.transport, text)
        else:
            yield transport


def _passed_over(name: str, reason: str) -> TransportError:
    return TransportError(f"{name} failed: {reason}", name)


def _below(path: str, name: str) -> str:
    return path + name if path.endswith("/") else f"{path}/{name}"


def _append(query: str, pair: str) -> str:
    return f"{query}&{pair}" if query else pair


_RESPONSE: Final = msgspec.json.Decoder(NegotiateResponse)
_REFRESH_RESPONSE: Final = msgspec.json.Decoder(RefreshResponse)

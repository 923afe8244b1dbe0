"""Negotiation: the URLs, the response, and the transports to try. Room: core, row 1; no I/O, no clock.

Spec: TransportProtocols.md of ASP.NET Core, "POST [endpoint-base]/negotiate request".
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
    """A transport that the server offers, with the transfer formats that it supports."""

    transport: str
    transfer_formats: list[str] = []


class NegotiateResponse(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The response to a negotiate request; unknown members are ignored.

    ``connection_id`` is public. ``connection_token`` is the secret that every later request carries as ``id``.
    ``counts_all_stream_items`` is not in the specification: only our server sends it (docs/reconnecting.md, "Stateful reconnect").
    """

    connection_id: str | None = None
    connection_token: str | None = None
    negotiate_version: int = 0
    available_transports: list[AvailableTransport] | None = None
    url: str | None = None
    access_token: str | None = None
    error: str | None = None
    use_stateful_reconnect: bool = False
    counts_all_stream_items: bool = False
    token_lifetime_seconds: float | None = None
    legacy_protocol_version: object = msgspec.field(default=None, name="ProtocolVersion")

    @property
    def token(self) -> str:
        """The ``id`` of later requests: the connection token, or before version 1 the connection id."""
        token = self.connection_id if self.negotiate_version == 0 else self.connection_token
        return token or ""


class RefreshResponse(msgspec.Struct, frozen=True, rename="camel"):
    """The response to an authentication refresh: how long the authentication lasts, and the token to use from now on."""

    token_lifetime_seconds: float | None = None
    access_token: str | None = None


def negotiate_url(url: str, *, stateful_reconnect: bool = False) -> str:
    """Return the negotiate URL for the hub at *url*, whose own query is kept."""
    parts = urlsplit(url)
    query = parts.query
    if "negotiateVersion" not in query:  # the same test as in the .NET client
        query = _append(query, f"negotiateVersion={NEGOTIATE_VERSION}")
    if stateful_reconnect and "useStatefulReconnect" not in query:
        query = _append(query, "useStatefulReconnect=true")
    return urlunsplit(parts._replace(path=_below(parts.path, "negotiate"), query=query, fragment=""))


def refresh_url(url: str, token: str) -> str:
    """Return the URL that refreshes the authentication of the connection with this *token*."""
    parts = urlsplit(connect_url(url, token))
    return urlunsplit(parts._replace(path=_below(parts.path, "refresh")))


def connect_url(url: str, token: str) -> str:
    """Return the URL that transports connect to: the hub's *url* with the connection *token* as ``id``."""
    parts = urlsplit(url)
    query = _append(parts.query, f"id={quote(token, safe='')}") if token else parts.query
    return urlunsplit(parts._replace(query=query, fragment=""))


def websocket_url(url: str) -> str:
    """Return *url* with the scheme ``ws`` or ``wss``."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    return urlunsplit(parts._replace(scheme=scheme))


def redact_url(url: str) -> str:
    """Return *url* for logs and errors: without connection token, access token, user name and password."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    hidden = [(key, "***" if key.lower() in _SECRETS else value) for key, value in pairs]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host, query=urlencode(hidden, safe="*/:"), fragment=""))


def parse_negotiate_response(body: bytes, url: str) -> NegotiateResponse:
    """Return the response that the server at *url* sent with status 200.

    Raises:
        NegotiationError: the server refused, is not an ASP.NET Core SignalR server, or its response is incomplete.
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
        _check_redirect(response.url, shown)
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


def _check_redirect(url: str, shown: str) -> None:
    """Check that a redirect leads to a web server, and not to a Unix socket of this machine, for example.

    Raises:
        NegotiationError: it does not.
    """
    try:
        parts = urlsplit(url)
    except ValueError as exc:
        text = f"Invalid negotiation response received. The redirect URL is not valid: {exc}."
        raise NegotiationError(text, shown, 200) from exc
    if parts.scheme not in ("http", "https") or not parts.netloc.rpartition("@")[2]:
        text = "Invalid negotiation response received. The redirect URL must begin with http:// or https:// and name a host."
        raise NegotiationError(text, shown, 200)


def parse_refresh_response(body: bytes) -> RefreshResponse:
    """Return the response of a server to a successful authentication refresh.

    Raises:
        TransportError: the response cannot be read.
    """
    try:
        return _REFRESH_RESPONSE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise TransportError(f"Invalid authentication refresh response received. {exc}.") from exc


def candidates(
    response: NegotiateResponse, allowed: HttpTransportType, transfer_format: TransferFormat
) -> Iterator[HttpTransportType | TransportError]:
    """Yield for each transport that the server offers, in its order, the transport to try or the reason why it is skipped."""
    for offer in response.available_transports or []:
        transport = HttpTransportType.from_wire_name(offer.transport)
        if transport is None:
            yield _skipped(offer.transport, "The transport is not supported by the client.")
        elif transport not in allowed:
            yield _skipped(offer.transport, "The transport is disabled by the client.")
        elif transfer_format.value not in offer.transfer_formats:
            text = f"The transport does not support the '{transfer_format.value}' transfer format."
            yield _skipped(offer.transport, text)
        else:
            yield transport


def _skipped(name: str, reason: str) -> TransportError:
    return TransportError(f"{name} failed: {reason}", name)


def _below(path: str, name: str) -> str:
    return path + name if path.endswith("/") else f"{path}/{name}"


def _append(query: str, pair: str) -> str:
    return f"{query}&{pair}" if query else pair


_RESPONSE: Final = msgspec.json.Decoder(NegotiateResponse)
_REFRESH_RESPONSE: Final = msgspec.json.Decoder(RefreshResponse)

"""From a URL to an open connection: negotiate, follow redirects, choose a transport, fall back to the next. Room: transports.

A transport has been chosen when the handshake over it was answered: behind a proxy that buffers, transports connect and then stay
silent. The handshake is not this room's, so `Connector.connect` is given a function that performs it.

Spec: transport protocols specification, "`POST [endpoint-base]/negotiate` request"; docs/transports.md, "Which transport".
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from signalr_client.core.negotiation import (
    MAX_REDIRECTS,
    NegotiateResponse,
    candidates,
    connect_url,
    negotiate_url,
    parse_negotiate_response,
    parse_refresh_response,
    redact_url,
    refresh_url,
)
from signalr_client.errors import (
    AggregateTransportError,
    HandshakeTimeoutError,
    InvalidStateError,
    NegotiationError,
    ProtocolError,
    SignalRError,
    TransportError,
)
from signalr_client.transports.base import HttpOptions, Transport
from signalr_client.transports.failures import OVERLOADED, REQUEST_TIMEOUT, NoResponseError, RequestError
from signalr_client.transports.http import HttpClient
from signalr_client.transports.long_polling import LongPollingTransport
from signalr_client.transports.server_sent_events import ServerSentEventsTransport
from signalr_client.transports.websockets import WebSocketTransport
from signalr_client.types import HttpTransportType, TransferFormat

__all__ = ["Connected", "Connector"]

T = TypeVar("T")

_CONNECT: Final[Mapping[HttpTransportType, Callable[[HttpClient, str, TransferFormat, float], Awaitable[Transport]]]] = {
    HttpTransportType.WEB_SOCKETS: WebSocketTransport.connect,
    HttpTransportType.SERVER_SENT_EVENTS: ServerSentEventsTransport.connect,
    HttpTransportType.LONG_POLLING: LongPollingTransport.connect,
}

_ADVICE: Final = {
    404: " Either this is not a SignalR endpoint or there is a proxy blocking the connection.",
    407: " The proxy requires a name and a password: pass proxy_auth=.",
    503: OVERLOADED,
}
_SILENCE: Final = {
    HttpTransportType.WEB_SOCKETS: (
        "It seems that a proxy does not forward WebSockets. Change that (nginx: proxy_http_version 1.1, and the headers Upgrade and"
        " Connection), or exclude WebSockets with transports="
    ),
    HttpTransportType.SERVER_SENT_EVENTS: (
        "It seems that a proxy buffers responses. Change that for the URL of the hub (nginx: proxy_buffering off), or exclude"
        " Server-Sent Events with transports="
    ),
    HttpTransportType.LONG_POLLING: "It seems that a proxy holds back requests or responses, or that the server is overloaded",
}
"""The usual reason for a transport that stays silent although the server answers negotiate requests, and what to do."""

_DISCONNECTED: Final = " without an answer: it may speak only https://, or ask for a client certificate (ssl=)"


@dataclass(frozen=True, slots=True)
class Connected:
    """A connected transport, and what the negotiate response said about the connection.

    Attributes:
        transport: connected.
        connection_id: the public id; None where negotiation was skipped.
        connection_token: the secret one, or empty.
        token_lifetime: seconds for which the server accepts the access token, if it says so.
        url: the URL of the hub, after redirects.
        stateful: the server lets the connection be resumed on another WebSocket.
        counts_all_items: the server counts items of an upload that has ended, too (see core/padding.py).
    """

    transport: Transport
    connection_id: str | None = None
    connection_token: str = field(default="", repr=False)
    token_lifetime: float | None = None
    url: str = ""
    stateful: bool = False
    counts_all_items: bool = False


class Connector:
    """Connects again and again to one hub, with one HTTP client, so that cookies last from one connection to the next."""

    def __init__(
        self, options: HttpOptions, transfer_format: TransferFormat, logger: logging.Logger, *, stateful_reconnect: bool = False
    ) -> None:
        self._options = options
        self._format = transfer_format
        self._stateful = stateful_reconnect  # whether to ask the server for it
        self._log = logger.getChild("transports")
        self._http = HttpClient(options, self._log)

    async def connect(self, open_link: Callable[[Connected, float], Awaitable[T]], handshake_timeout: float) -> T:
        """Connect to the hub, and return what *open_link* has made of the connection; cancelling leaves nothing open.

        Args:
            open_link: is given a connected transport and the seconds that the handshake may take. It raises HandshakeTimeoutError
                if the handshake is not answered, and closes the transport if it fails.
            handshake_timeout: seconds that the handshake may take. A transport that is not the last one has a third of it to
                connect, and a third for the handshake. The last one has all of it for the handshake.

        Raises:
            NegotiationError: the server refused, or is no SignalR server.
            AggregateTransportError: no transport could be used.
            HandshakeTimeoutError: the handshake over the only transport was not answered.
            TransportError: negotiation was skipped and the WebSocket could not be opened.
            InvalidStateError: negotiation is to be skipped, and other transports than WebSockets are allowed.
            Exception: what else *open_link* raised.
        """
        options = self._options
        self._http.tokens.begin()
        if options.skip_negotiation:
            if options.transports is not HttpTransportType.WEB_SOCKETS:
                text = "Negotiation can only be skipped when using the WebSocket transport directly."
                raise InvalidStateError("start", "disconnected", text)
            self._log.debug("= connecting to %s without negotiation", redact_url(options.url))
            transport = await WebSocketTransport.connect(self._http, options.url, self._format)
            return await open_link(Connected(transport), handshake_timeout)
        return await self._choose(*await self._negotiate(options.url), open_link, handshake_timeout)

    async def resume(self, connected: Connected, limit: float) -> Transport:
        """Return a new WebSocket for a stateful connection that has lost its own, within *limit* seconds.

        Raises:
            TransportError: the server refused (status 404: it has forgotten the connection), or was not reached.
        """
        url = connect_url(connected.url, connected.connection_token)
        return await WebSocketTransport.connect(self._http, url, self._format, limit)

    async def refresh(self, connection_token: str) -> float | None:
        """Send a new access token for a connection; return for how many seconds it is accepted, if the server says so.

        The request goes to the hub's own URL even if negotiation was redirected: only that server knows the caller's token.

        Raises:
            TransportError: the server refused, or was not reached.
        """
        answer = await self._http.refresh(refresh_url(self._options.url, connection_token))
        if not answer.accepted:
            raise TransportError(f"The authentication could not be refreshed: {answer}", status=answer.status)
        refreshed = parse_refresh_response(answer.body)
        if refreshed.access_token:
            self._http.tokens.fix(refreshed.access_token)
        return refreshed.token_lifetime_seconds

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self._http.aclose()

    async def _negotiate(self, url: str) -> tuple[NegotiateResponse, str]:
        """Return the final response and the URL that gave it, after any redirects."""
        for _ in range(MAX_REDIRECTS):
            response = await self._ask(url)
            if response.access_token:
                self._http.tokens.fix(response.access_token)
            if not response.url:
                return response, url
            self._log.debug("= redirected to %s", redact_url(response.url))
            url = response.url
        raise NegotiationError("Negotiate redirection limit exceeded.", redact_url(url))

    async def _ask(self, url: str) -> NegotiateResponse:
        """Negotiate once."""
        target = negotiate_url(url, stateful_reconnect=self._stateful)
        shown = redact_url(target)
        self._log.debug("> negotiate %s", shown)
        try:
            answer = await self._http.request("POST", target, fresh=True)
        except (TransportError, ProtocolError) as exc:
            hint = _DISCONNECTED if isinstance(exc, RequestError) and exc.disconnected else ""
            raise NegotiationError(f"Failed to complete negotiation with the server: {exc}{hint}", shown) from exc.__cause__
        if not answer.accepted:
            advice = _ADVICE.get(answer.status, "")
            text = f"Failed to complete negotiation with the server: {answer}{advice}"
            raise NegotiationError(text, shown, answer.status)
        return parse_negotiate_response(answer.body, target)

    async def _choose(
        self,
        response: NegotiateResponse,
        url: str,
        open_link: Callable[[Connected, float], Awaitable[T]],
        handshake_timeout: float,
    ) -> T:
        """Try the transports of the server's offer that may be used, in its order; after a failure, negotiate again."""
        offers = list(candidates(response, self._options.transports, self._format))
        usable = [offer for offer in offers if isinstance(offer, HttpTransportType)]
        errors: list[Exception] = []
        tried = 0
        for candidate in offers:
            if isinstance(candidate, TransportError):
                self._log.debug("= %s", candidate)
                errors.append(candidate)
                continue
            tried += 1
            last = tried == len(usable)
            limit = handshake_timeout if last else handshake_timeout / 3
            try:
                if tried > 1:
                    response = await self._ask(url)
                connected = await self._connect(candidate, response, url, limit, last=last)
            except SignalRError as exc:
                self._report(candidate, exc)
                errors.append(exc)
                continue
            try:
                return await open_link(connected, limit)
            except HandshakeTimeoutError as exc:
                name = candidate.wire_name
                error = NoResponseError(f"{name} failed: {exc}", name)
                self._report(candidate, error)
                errors.append(error)
                if len(usable) == 1:
                    raise
        if not errors:
            raise NegotiationError(
                "None of the transports supported by the client are supported by the server.", redact_url(url), 200
            )
        raise AggregateTransportError(errors)

    async def _connect(
        self, candidate: HttpTransportType, response: NegotiateResponse, url: str, limit: float, *, last: bool
    ) -> Connected:
        """Connect one transport."""
        if last and candidate is not HttpTransportType.SERVER_SENT_EVENTS:  # a proxy may hold back the beginning of a stream
            limit = REQUEST_TIMEOUT
        address, limit = connect_url(url, response.token), min(limit, REQUEST_TIMEOUT)
        transport = await _CONNECT[candidate](self._http, address, self._format, limit)
        self._log.debug("= connected over %s", transport.name)
        return Connected(
            transport,
            response.connection_id,
            response.token,
            response.token_lifetime_seconds,
            url,
            stateful=self._stateful and response.use_stateful_reconnect and candidate is HttpTransportType.WEB_SOCKETS,
            counts_all_items=response.counts_all_stream_items,
        )

    def _report(self, candidate: HttpTransportType, exc: SignalRError) -> None:
        """Log why a transport could not be used."""
        if isinstance(exc, NoResponseError):
            self._log.warning("! %s. %s", str(exc).rstrip("."), _SILENCE[candidate])
        else:
            self._log.debug("! %s", exc)

"""`HttpConnectionDispatcher`: answers the HTTP requests of one mapped hub. Room: server, http.

Status codes and texts are those of ASP.NET Core; see docs/transports.md and the hub transport protocols specification.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from signalr_client.server.http.context import HttpConnectionContext, Serve
from signalr_client.server.http.cors import CrossOrigin
from signalr_client.server.http.door import HttpRequest, HttpResponse, UnsupportedBodyError
from signalr_client.server.http.long_polling import NO_CACHE, LongPollingTransport
from signalr_client.server.http.manager import HttpConnectionManager, TooManyConnectionsError
from signalr_client.server.http.negotiate import (
    NegotiateRefusedError,
    encode_refresh_response,
    encode_refusal,
    encode_response,
    negotiate_version,
)
from signalr_client.server.http.server_sent_events import ServerSentEventsTransport
from signalr_client.server.http.state import State
from signalr_client.server.http.websockets import WebSocketTransport, open_websocket
from signalr_client.server.log import get_logger
from signalr_client.server.options import HubOptions
from signalr_client.server.security.authentication import authenticate
from signalr_client.server.security.authorization import AuthorizeRequirement, is_authorized
from signalr_client.server.security.refresh import AuthenticationRefreshContext, may_refresh, token_lifetime
from signalr_client.server.security.users import User
from signalr_client.types import HttpTransportType

__all__ = ["HttpConnectionDispatcher"]

logger: Final = get_logger("http")

_TICK: Final = 1.0  # seconds between two checks whether the reader of an event stream is still there

_Answer = Callable[[HttpRequest, User], Awaitable[HttpResponse | None]]
"""Answers a request; None if it has been answered by an event stream or a WebSocket."""


class HttpConnectionDispatcher:
    """Answers the requests to one hub's path.

    Args:
        options: of the hub.
        requirements: what `authorize` requires for every request.
        serve: serves a connection: the hub side.
    """

    def __init__(self, options: HubOptions, requirements: Sequence[AuthorizeRequirement], serve: Serve) -> None:
        self.connections: HttpConnectionManager = HttpConnectionManager(options)
        self._options = options
        self._requirements = requirements
        self._serve = serve
        self._cors = CrossOrigin(options.cors_origins)
        self._methods: dict[str, _Answer] = {
            "GET": self._get,
            "CONNECT": self._get,
            "POST": self._post,
            "DELETE": self._delete,
        }

    async def handle(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a request to the hub's path."""
        return await self._answer(request, self._methods.get(request.method))

    async def handle_negotiate(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a request to the negotiate address."""
        return await self._answer(request, self._negotiate if request.method == "POST" else None)

    async def handle_refresh(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a request to the address where authentications are renewed."""
        return await self._answer(request, self._refresh if request.method == "POST" else None)

    async def _answer(self, request: HttpRequest, answer: _Answer | None) -> HttpResponse | None:
        """Authenticate and authorize a request, answer it, and add the headers that a browser needs."""
        if self._cors.is_preflight(request):
            return self._cors.preflight(request)
        if answer is None:
            response: HttpResponse | None = HttpResponse.plain(405)
        else:
            user = await authenticate(self._options.authenticate, request.native)
            response = await self._refuse(user) or await answer(request, user)
        if response is not None:
            response.headers.update(self._cors.headers(request))
        return response

    async def _refuse(self, user: User) -> HttpResponse | None:
        """Return the response for a user who may not use the hub, or None for one who may."""
        if await is_authorized(user, self._requirements):
            return None
        return HttpResponse(403) if user.is_authenticated else HttpResponse(401, headers={"WWW-Authenticate": "Bearer"})

    # the methods

    async def _negotiate(self, request: HttpRequest, user: User) -> HttpResponse:
        try:
            version = negotiate_version(_query(request, "negotiateVersion"), self._options.minimum_protocol_version)
        except NegotiateRefusedError as exc:
            return HttpResponse.json(encode_refusal(str(exc)))
        connection = self._create(version)
        if isinstance(connection, HttpResponse):
            return connection
        connection.resumable = self._options.allow_stateful_reconnects and _asks_for_stateful_reconnect(request)
        lifetime = token_lifetime(user) if self._options.enable_authentication_refresh else None
        return HttpResponse.json(
            encode_response(
                version,
                connection.connection_id,
                connection.token,
                self._options.transports,
                lifetime,
                stateful_reconnect=connection.resumable,
            )
        )

    async def _refresh(self, request: HttpRequest, user: User) -> HttpResponse:
        found = self._find(request, None)
        if isinstance(found, HttpResponse):
            return found
        if found.refreshed is None:  # nothing serves it yet
            return HttpResponse.plain(404, "No Connection with that ID")
        context = AuthenticationRefreshContext(request.native, found.connection_id, found.user, user)
        if not await may_refresh(context, self._options.on_authentication_refresh):
            return HttpResponse.plain(403)
        found.user = user
        if found.refreshed is not None:  # it may have ended while the application decided
            await found.refreshed()
        return HttpResponse.json(encode_refresh_response(token_lifetime(user)))

    async def _get(self, request: HttpRequest, user: User) -> HttpResponse | None:
        transport = _transport_of(request)
        if transport is not HttpTransportType.LONG_POLLING:
            return await self._connect(request, user, transport)
        response = await self._poll(request, user)
        response.headers.update(NO_CACHE)
        return response

    async def _connect(self, request: HttpRequest, user: User, transport: HttpTransportType) -> HttpResponse | None:
        """Answer a request that lasts as long as its connection: an event stream or a WebSocket."""
        is_websocket = transport is HttpTransportType.WEB_SOCKETS
        if is_websocket and not self._cors.allows_websocket(request):
            return HttpResponse.plain(403)
        skips_negotiation = is_websocket and not _token(request) and transport in self._options.transports
        connection = self._create(0) if skips_negotiation else self._find(request, transport)
        if isinstance(connection, HttpResponse):
            return connection
        refusal = connection.attach()  # before anything is awaited: only one request may carry the connection
        if refusal is not None:
            return HttpResponse.plain(refusal)
        if connection.application is not None:
            await self._resume(request, user, connection)
            return None
        try:
            if is_websocket:
                carrier: WebSocketTransport | ServerSentEventsTransport = await open_websocket(request, self._options)
            else:
                carrier = ServerSentEventsTransport(request, self._options, connection.inbound)
            connection.carry(carrier, transport, request, user)
            try:
                await carrier.open(self._cors.headers(request))
            except OSError:  # the client is gone
                connection.dispose()
                return None
        except BaseException:  # the web framework answers it; the connection must not stay negotiated
            connection.dispose()
            raise
        self.connections.watch(connection.start(self._serve))
        await self._stay(request, connection, connection.released)
        return None

    async def _resume(self, request: HttpRequest, user: User, connection: HttpConnectionContext) -> None:
        """Answer a WebSocket with which a client comes back (stateful reconnect)."""
        released = connection.released
        if user.identifier != connection.user.identifier:
            logger.warning("! the user of %s changed with its socket; the hub keeps the first", connection.connection_id)
        carrier = await open_websocket(request, self._options)
        try:
            await carrier.open(self._cors.headers(request))
        except BaseException as exc:  # the client may try again within the disconnect timeout
            if connection.released is released:
                connection.lose()
            if isinstance(exc, OSError):
                return
            raise
        if connection.resume(carrier, request, released):
            await self._stay(request, connection, released)
        else:
            carrier.abort()

    async def _stay(self, request: HttpRequest, connection: HttpConnectionContext, released: asyncio.Future[None]) -> None:
        """Carry a connection to its end, or until its socket is lost and it goes on without this request."""
        application = connection.application
        assert application is not None  # the connection is served
        tick = None if connection.transport is HttpTransportType.WEB_SOCKETS else _TICK
        try:
            while not (application.done() or released.done()):
                await asyncio.wait({application, released}, timeout=tick, return_when=asyncio.FIRST_COMPLETED)
                if request.gone and not released.done():
                    connection.inbound.end()
        finally:
            # Otherwise the request was cancelled: the client is gone, or the application stops.
            if not (application.done() or released.done()):
                connection.abort()

    async def _poll(self, request: HttpRequest, user: User) -> HttpResponse:
        found = self._find(request, HttpTransportType.LONG_POLLING)
        if isinstance(found, HttpResponse):
            return found
        connection = found
        if isinstance(connection.carrier, LongPollingTransport):
            if user.identifier != connection.user.identifier:
                logger.warning("! the user of %s changed between polls; the hub keeps the first", connection.connection_id)
            return await connection.carrier.poll(request)
        refusal = connection.attach()
        if refusal is not None:
            return HttpResponse.plain(refusal)
        carrier = LongPollingTransport(
            self._options,
            connection.inbound,
            attach=connection.attach,
            release=connection.release,
            finished=connection.dispose,
        )
        connection.carry(carrier, HttpTransportType.LONG_POLLING, request, user)
        self.connections.watch(connection.start(self._serve))
        connection.release()  # the first poll only begins the connection
        return HttpResponse(200, b"", "application/octet-stream")

    async def _post(self, request: HttpRequest, _user: User) -> HttpResponse:
        found = self._find(request, None)
        if isinstance(found, HttpResponse):
            return found
        if found.transport is HttpTransportType.WEB_SOCKETS:
            return HttpResponse.plain(405, "POST requests are not allowed for WebSocket connections.")
        async with found.posting:
            try:
                async for chunk in request.body():
                    await found.inbound.write(chunk)
            except UnsupportedBodyError as exc:
                return HttpResponse.plain(415, str(exc))
            except OSError:
                return HttpResponse.plain(400)
        return HttpResponse.plain(404 if found.state is State.DISPOSED else 200)

    async def _delete(self, request: HttpRequest, _user: User) -> HttpResponse:
        found = self._find(request, None)
        if isinstance(found, HttpResponse):
            return found
        if not isinstance(found.carrier, LongPollingTransport):
            return HttpResponse.plain(400, "Cannot terminate this connection using the DELETE endpoint.")
        found.carrier.delete()
        found.dispose()
        return HttpResponse.plain(202)

    def _create(self, version: int) -> HttpConnectionContext | HttpResponse:
        """Return a new connection, or the response that says that there are too many."""
        try:
            return self.connections.create(version)
        except TooManyConnectionsError as exc:
            return HttpResponse.plain(503, str(exc))

    def _find(self, request: HttpRequest, transport: HttpTransportType | None) -> HttpConnectionContext | HttpResponse:
        """Return the connection that a request belongs to, or the response that says why there is none."""
        if transport is not None and transport not in self._options.transports:
            return HttpResponse.plain(404, f"{transport.wire_name} transport not supported by this end point type")
        token = _token(request)
        if not token:
            return HttpResponse.plain(400, "Connection ID required")
        connection = self.connections.get(token)
        if connection is None:
            return HttpResponse.plain(404, "No Connection with that ID")
        if transport is not None and connection.transport not in (HttpTransportType.NONE, transport):
            return HttpResponse.plain(400, "Cannot change transports mid-connection")
        return connection


def _transport_of(request: HttpRequest) -> HttpTransportType:
    """Return the transport that a GET asks for."""
    accepted = [entry.strip() for value in request.header_values("Accept") for entry in value.split(",")]
    if "text/event-stream" in accepted:
        return HttpTransportType.SERVER_SENT_EVENTS
    if (request.header("Upgrade") or "").lower() == "websocket":
        return HttpTransportType.WEB_SOCKETS
    return HttpTransportType.LONG_POLLING


def _token(request: HttpRequest) -> str:
    """Return the connection token that a request names; several make one that does not exist."""
    return ",".join(_query(request, "id"))


def _asks_for_stateful_reconnect(request: HttpRequest) -> bool:
    """Return whether a negotiate request asks for it, in a form that .NET takes for true."""
    return [value.strip().lower() for value in _query(request, "useStatefulReconnect")] == ["true"]


def _query(request: HttpRequest, name: str) -> list[str]:
    """Return the values of a query key; keys are not case-sensitive."""
    return [value for key, value in request.query if key.lower() == name.lower()]

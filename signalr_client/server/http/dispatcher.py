"""The HTTP requests of one mapped hub: negotiate, connect, poll, send, end. Room: server.

Spec: server-behaviour.md, "B. HTTP endpoint behaviour"; the texts and the status codes are its table's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import ClientError, hdrs, web

from signalr_client.server.authentication import authenticate, refuse
from signalr_client.server.authorization import User
from signalr_client.server.connections import Connections, HttpConnection
from signalr_client.server.cors import CrossOrigin
from signalr_client.server.endpoint import HubEndpoint
from signalr_client.server.long_polling import NO_CACHE, LongPollingCarrier, empty_poll
from signalr_client.server.negotiate import (
    NegotiateRefusedError,
    encode_answer,
    encode_refresh_answer,
    encode_refusal,
    negotiate_version,
)
from signalr_client.server.refresh import AuthenticationRefreshContext, may_refresh, token_lifetime
from signalr_client.server.server_sent_events import EventStreamCarrier
from signalr_client.server.websockets import WebSocketCarrier
from signalr_client.types import HttpTransportType

__all__ = ["HttpEndpoint"]

logger = logging.getLogger("signalr_client.server.http")

_TICK: Final = 1.0  # seconds between two looks at whether the reader of an event stream is still there


class HttpEndpoint:
    """Answers the requests to one hub's path."""

    def __init__(self, endpoint: HubEndpoint) -> None:
        self.connections = Connections(endpoint)
        self._endpoint = endpoint
        self._options = endpoint.options
        self._cors = CrossOrigin(self._options.cors_origins)
        self._methods: dict[str, Callable[[web.Request, User], Awaitable[web.StreamResponse]]] = {
            hdrs.METH_GET: self._get,
            hdrs.METH_CONNECT: self._get,
            hdrs.METH_POST: self._post,
            hdrs.METH_DELETE: self._delete,
        }

    def add_routes(self, app: web.Application, path: str) -> None:
        """Answer at *path* and at the addresses below it."""
        app.router.add_route("*", path, self.handle)
        below = path.rstrip("/")
        app.router.add_route("*", f"{below}/negotiate", self.handle_negotiate)
        if self._options.enable_authentication_refresh:
            app.router.add_route("*", f"{below}/refresh", self.handle_refresh)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to the hub's path."""
        return await self._answer(request, self._methods.get(request.method))

    async def handle_negotiate(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to the negotiate address."""
        return await self._answer(request, self._negotiate if request.method == hdrs.METH_POST else None)

    async def handle_refresh(self, request: web.Request) -> web.StreamResponse:
        """Answer a request to the address where authentications are renewed."""
        return await self._answer(request, self._refresh if request.method == hdrs.METH_POST else None)

    async def _answer(
        self, request: web.Request, method: Callable[[web.Request, User], Awaitable[web.StreamResponse]] | None
    ) -> web.StreamResponse:
        """Look who asks, let the method answer, and say what a browser has to hear."""
        if self._cors.is_preflight(request):
            return self._cors.preflight(request)
        if method is None:
            response: web.StreamResponse = _plain(405)
        else:
            user = await authenticate(request, self._options)
            response = await refuse(user, self._endpoint.requirements) or await method(request, user)
        if not response.prepared:
            response.headers.update(self._cors.headers(request))
        return response

    # the methods

    async def _negotiate(self, request: web.Request, user: User) -> web.Response:
        try:
            version = negotiate_version(_query(request, "negotiateVersion"), self._options.minimum_protocol_version)
        except NegotiateRefusedError as exc:
            return web.Response(body=encode_refusal(str(exc)), content_type="application/json")
        connection = self.connections.add(version)
        lifetime = token_lifetime(user, self._options)
        body = encode_answer(version, connection.connection_id, connection.token, self._options.transports, lifetime)
        return web.Response(body=body, content_type="application/json")

    async def _refresh(self, request: web.Request, user: User) -> web.Response:
        found = self._find(request, None)
        if isinstance(found, web.Response):
            return found
        if found.refreshed is None:  # nobody has connected yet
            return _plain(404, "No Connection with that ID")
        context = AuthenticationRefreshContext(request, found.connection_id, found.user, user)
        if not await may_refresh(context, self._options):
            return _plain(403)
        found.user = user
        if found.refreshed is not None:  # it may have ended while the application decided
            await found.refreshed()
        return web.Response(body=encode_refresh_answer(token_lifetime(user, self._options)), content_type="application/json")

    async def _get(self, request: web.Request, user: User) -> web.StreamResponse:
        transport = _transport_of(request)
        if transport is not HttpTransportType.LONG_POLLING:
            return await self._connect(request, user, transport)
        response = await self._poll(request, user)
        response.headers.update(NO_CACHE)
        return response

    async def _connect(self, request: web.Request, user: User, transport: HttpTransportType) -> web.StreamResponse:
        """Answer a request that lasts as long as its connection: an event stream or a WebSocket."""
        if transport is HttpTransportType.WEB_SOCKETS and not self._cors.allows_socket(request):
            return _plain(403)
        if not _token(request) and transport is HttpTransportType.WEB_SOCKETS and transport in self._options.transports:
            connection = self.connections.add(0)  # negotiation was skipped
        else:
            found = self._find(request, transport)
            if isinstance(found, web.Response):
                return found
            connection = found
        if connection.task is not None:
            return _plain(409)
        if transport is HttpTransportType.WEB_SOCKETS:
            carrier: WebSocketCarrier | EventStreamCarrier = WebSocketCarrier(request, self._options)
        else:
            carrier = EventStreamCarrier(request, self._options, connection.inbound)
        connection.carry(carrier, transport, request, user)
        self.connections.hold(connection)
        try:
            await carrier.prepare(self._cors.headers(request))
        except (OSError, ClientError):  # gone before it began
            self.connections.remove(connection)
            return carrier.response
        except web.HTTPException:
            self.connections.remove(connection)
            raise
        task = self.connections.begin(connection)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=None if transport is HttpTransportType.WEB_SOCKETS else _TICK)
                if request.transport is None:
                    connection.inbound.end()
        finally:
            if not task.done():  # the application stops, and this request with it
                connection.abort()
        return carrier.response

    async def _poll(self, request: web.Request, user: User) -> web.Response:
        found = self._find(request, HttpTransportType.LONG_POLLING)
        if isinstance(found, web.Response):
            return found
        connection = found
        if connection.task is None:
            carrier = LongPollingCarrier(self._options, connection.inbound)
            connection.carry(carrier, HttpTransportType.LONG_POLLING, request, user)
            serving = self.connections.begin(connection)
            assert not serving.done()
            self.connections.expect_request(connection)
            return empty_poll()
        assert isinstance(connection.carrier, LongPollingCarrier)
        carrier = connection.carrier
        if user.identifier != connection.user.identifier:
            logger.warning("! the user of %s changed between polls; the hub keeps the first", connection.connection_id)
        self.connections.hold(connection)
        try:
            response = await carrier.poll(request)
        finally:
            if not carrier.polled:
                self.connections.expect_request(connection)
        if carrier.over and response.status == 204:
            self.connections.remove(connection)
        return response

    async def _post(self, request: web.Request, _user: User) -> web.Response:
        found = self._find(request, None)
        if isinstance(found, web.Response):
            return found
        if found.transport is HttpTransportType.WEB_SOCKETS:
            return _plain(405, "POST requests are not allowed for WebSocket connections.")
        async with found.posting:
            try:
                async for chunk in request.content.iter_any():
                    await found.inbound.write(chunk)
            except (OSError, ClientError, web.RequestPayloadError):
                return _plain(400)
        return _plain(404 if found.disposed else 200)

    async def _delete(self, request: web.Request, _user: User) -> web.Response:
        found = self._find(request, None)
        if isinstance(found, web.Response):
            return found
        if found.transport is not HttpTransportType.LONG_POLLING:
            return _plain(400, "Cannot terminate this connection using the DELETE endpoint.")
        self.connections.dispose(found)
        return _plain(202)

    def _find(self, request: web.Request, transport: HttpTransportType | None) -> HttpConnection | web.Response:
        """Return the connection that a request belongs to, or the answer that says why there is none."""
        if transport is not None and transport not in self._options.transports:
            return _plain(404, f"{transport.wire_name} transport not supported by this end point type")
        token = _token(request)
        if not token:
            return _plain(400, "Connection ID required")
        connection = self.connections.get(token)
        if connection is None:
            return _plain(404, "No Connection with that ID")
        if connection.disposed:
            return _plain(404)
        if transport is not None and connection.transport not in (HttpTransportType.NONE, transport):
            return _plain(400, "Cannot change transports mid-connection")
        return connection


def _transport_of(request: web.Request) -> HttpTransportType:
    """Return the transport that a GET asks for."""
    accepted = [entry.strip() for value in request.headers.getall(hdrs.ACCEPT, ()) for entry in value.split(",")]
    if "text/event-stream" in accepted:
        return HttpTransportType.SERVER_SENT_EVENTS
    if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
        return HttpTransportType.WEB_SOCKETS
    return HttpTransportType.LONG_POLLING


def _token(request: web.Request) -> str:
    """Return the connection token that a request names; several are one that nobody has."""
    return ",".join(_query(request, "id"))


def _query(request: web.Request, name: str) -> list[str]:
    """Return the values of a query key, whose case does not matter."""
    return [value for key, value in request.query.items() if key.lower() == name.lower()]


def _plain(status: int, text: str = "") -> web.Response:
    return web.Response(status=status, text=text, content_type="text/plain")

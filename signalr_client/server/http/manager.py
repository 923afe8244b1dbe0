"""The connections of one mapped hub by their tokens: negotiated, served, waiting for their next request, gone. Room: server.

Spec: server-behaviour.md, "Negotiate" and "Long polling" under "B", "Buffers and timers".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from signalr_client.server.authorization import User
from signalr_client.server.negotiate import new_id
from signalr_client.server.pipes import BytePipe
from signalr_client.types import HttpTransportType, seconds

if TYPE_CHECKING:
    from aiohttp import web

    from signalr_client.server.connection import ServerConnection
    from signalr_client.server.options import HubOptions

__all__ = ["Carrier", "Connections", "Endpoint", "HttpConnection"]

logger = logging.getLogger("signalr_client.server.connections")

SHUTDOWN_TIMEOUT: Final = 5.0  # seconds that connections get to end when the application does


class Endpoint(Protocol):
    """What serves a connection: the hub side, as `HubEndpoint`."""

    @property
    def options(self) -> HubOptions:
        """The options of hub and transports."""

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection to its end; it is closed when this returns or raises."""

    def shut_down(self) -> None:
        """Begin to end every connection."""


class Carrier(Protocol):
    """One transport's part of a connection; see `ServerConnection` for what the methods promise."""

    binary: bool
    close_error: BaseException | None

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""

    async def receive(self) -> bytes | None:
        """Return what came next, or None when the client is gone."""

    async def send(self, data: bytes) -> None:
        """Send *data*."""

    async def close(self, *, error: bool) -> None:
        """End the connection after what was sent."""

    def abort(self) -> None:
        """Drop the socket without a word."""


class HttpConnection:
    """One connection from its negotiate request on; it is a `ServerConnection` once a transport carries it."""

    carrier: Carrier

    def __init__(self, options: HubOptions, *, version: int) -> None:
        self.connection_id = new_id()
        self.token = new_id() if version > 0 else self.connection_id
        self.transport = HttpTransportType.NONE
        self.inherent_keep_alive = False
        self.text_only = False
        self.user = User()
        self.features: dict[object, Any] = {}
        self.request: web.Request | None = None
        self.refreshed: Callable[[], Awaitable[None]] | None = None
        self.inbound = BytePipe(options.application_max_buffer_size)
        self.posting = asyncio.Lock()
        self.disposed = False
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def carry(self, carrier: Carrier, transport: HttpTransportType, request: web.Request, user: User) -> None:
        """Let *carrier* carry the connection from here on."""
        self.carrier = carrier
        self.transport = transport
        self.inherent_keep_alive = transport is HttpTransportType.LONG_POLLING
        self.text_only = transport is HttpTransportType.SERVER_SENT_EVENTS
        self.request = request
        self.user = user
        self.features[HttpTransportType] = transport

    @property
    def binary(self) -> bool:
        """Whether frames are sent as binary ones."""
        return self.carrier.binary

    @binary.setter
    def binary(self, binary: bool) -> None:
        self.carrier.binary = binary

    @property
    def close_error(self) -> BaseException | None:
        """What broke the connection, or None."""
        return self.carrier.close_error

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone, though what it sent may not have been received."""
        return self.inbound.ended or self.carrier.gone

    async def receive(self) -> bytes | None:
        """Return what came next, or None when the client's side has ended."""
        return await self.carrier.receive()

    async def send(self, data: bytes) -> None:
        """Send *data*; raises OSError when the connection is gone."""
        await self.carrier.send(data)

    async def close(self, *, error: bool = False) -> None:
        """End the connection after what was sent; never raises."""
        try:
            await self.carrier.close(error=error)
        except (OSError, RuntimeError) as exc:  # it was broken already, which is closed enough
            logger.debug("! closing %s: %s", self.connection_id, exc)

    def abort(self) -> None:
        """Drop the socket without a word."""
        self.carrier.abort()


class Connections:
    """The connections of one mapped hub, and the tasks that serve them."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._by_token: dict[str, HttpConnection] = {}
        self._patience = seconds(endpoint.options.disconnect_timeout)

    def __len__(self) -> int:
        """Return the number of connections, those that were only negotiated included."""
        return len(self._by_token)

    def add(self, version: int) -> HttpConnection:
        """Return a new connection, which is forgotten if nobody connects to it in time."""
        connection = HttpConnection(self._endpoint.options, version=version)
        self._by_token[connection.token] = connection
        self.expect_request(connection)
        return connection

    def get(self, token: str) -> HttpConnection | None:
        """Return the connection with this token, or None."""
        return self._by_token.get(token)

    def begin(self, connection: HttpConnection) -> asyncio.Task[None]:
        """Serve a connection that has a carrier; return the task, which ends with it."""
        self.hold(connection)
        connection.task = asyncio.create_task(self._serve(connection), name=f"signalr server {connection.connection_id}")
        return connection.task

    def hold(self, connection: HttpConnection) -> None:
        """Note that a request of the connection is here."""
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None

    def expect_request(self, connection: HttpConnection) -> None:
        """Give up the connection if no request of it comes in time."""
        self.hold(connection)
        if connection.token in self._by_token:
            connection.timer = asyncio.get_running_loop().call_later(self._patience, self.dispose, connection)

    def dispose(self, connection: HttpConnection) -> None:
        """End a connection: the hub is told that its client has gone."""
        connection.disposed = True
        self.hold(connection)
        connection.inbound.end()
        if connection.task is None or connection.task.done():
            self.remove(connection)
        else:
            connection.abort()  # nobody will fetch what still waits, and whoever waits for room must not wait for ever

    def remove(self, connection: HttpConnection) -> None:
        """Forget a connection."""
        self.hold(connection)
        self._by_token.pop(connection.token, None)

    async def shut_down(self) -> None:
        """End every connection, in good order where the client lets us."""
        self._endpoint.shut_down()
        tasks = {connection.task for connection in self._by_token.values() if connection.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=SHUTDOWN_TIMEOUT)
        for connection in list(self._by_token.values()):
            if connection.task is not None and not connection.task.done():
                connection.abort()
                connection.task.cancel()
            self.remove(connection)
        if tasks:
            await asyncio.wait(tasks)

    async def _serve(self, connection: HttpConnection) -> None:
        try:
            await self._endpoint.serve(connection)
        except Exception:  # code of the hub; the transport was told that something is wrong
            logger.exception("! serving %s failed", connection.connection_id)
        finally:
            connection.inbound.end()
            if connection.transport is HttpTransportType.LONG_POLLING and not connection.disposed:
                if connection.timer is None and not getattr(connection.carrier, "polled", False):
                    self.expect_request(connection)  # the client may still fetch what is left
            else:
                self.remove(connection)

"""`HttpConnectionContext`: one connection, from its negotiate request to its end, whatever requests carry it. Room: server, http."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from signalr_client.server.http.door import HttpRequest
from signalr_client.server.http.negotiate import new_id
from signalr_client.server.http.pipes import BytePipe
from signalr_client.server.http.state import State, Trigger, advance
from signalr_client.server.http.transport import HttpTransport
from signalr_client.server.log import get_logger
from signalr_client.server.options import HubOptions
from signalr_client.server.security.users import User
from signalr_client.server.server_connection import ServerConnection, TransportLostError
from signalr_client.types import HttpTransportType, seconds

__all__ = ["HttpConnectionContext"]

logger: Final = get_logger("http")

Serve = Callable[[ServerConnection], Awaitable[None]]
"""Serves a connection to its end: the hub side."""


class HttpConnectionContext:
    """One connection; a `ServerConnection` once a transport carries it.

    Its state is in ``state``, and only here does it change. While no request carries the connection, a timer runs that disposes of
    it.

    Attributes:
        token: the secret that later requests name it by.
        inbound: what was POSTed and not received yet.
        posting: held by the request whose body is being received.
        carrier: the transport's side of it, once a request has brought one.
        application: the task that serves the connection.
        resumable: whether it may outlive its socket: stateful reconnect was negotiated, and nothing has ended it.
        released: done when the request that carries the connection carries it no longer.
    """

    def __init__(
        self,
        options: HubOptions,
        version: int,
        *,
        on_handshake: Callable[[HttpConnectionContext], None],
        on_disposed: Callable[[HttpConnectionContext], None],
    ) -> None:
        self.connection_id: str = new_id()
        self.token: str = new_id() if version > 0 else self.connection_id
        self.state: State = State.NEGOTIATED
        self.transport: HttpTransportType = HttpTransportType.NONE
        self.inherent_keep_alive: bool = False
        self.text_only: bool = False
        self.binary = False
        self.user: User = User()
        self.features: dict[object, Any] = {}
        self.request: Any = None
        self.refreshed: Callable[[], Awaitable[None]] | None = None
        self.inbound: BytePipe = BytePipe(options.application_max_buffer_size or None)
        self.posting: asyncio.Lock = asyncio.Lock()
        self.application: asyncio.Task[None] | None = None
        self.carrier: HttpTransport | None = None
        self.resumable: bool = False
        self.released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._next: HttpTransport | None = None  # the carrier that the client came back with
        self._came_back = asyncio.Event()
        self._on_handshake = on_handshake
        self._on_disposed = on_disposed
        self._timeout = seconds(options.disconnect_timeout)
        self._timer: asyncio.TimerHandle | None = None
        self._arm_timer()

    # life

    def attach(self) -> int | None:
        """Let a request carry the connection; return the status to refuse it with, or None. Nothing is awaited in between.

        With stateful reconnect a new request takes the connection over: the client has given up the old socket.
        """
        if self.state is State.ACTIVE and not self.lose():
            return 409
        if self.state is State.DISPOSED:
            return 404
        self._advance(Trigger.ATTACH)
        self.released = asyncio.get_running_loop().create_future()
        return None

    def carry(self, carrier: HttpTransport, transport: HttpTransportType, request: HttpRequest, user: User) -> None:
        """Set the transport that carries the connection from now on."""
        self.carrier = carrier
        self.transport = transport
        self.inherent_keep_alive = transport is HttpTransportType.LONG_POLLING
        self.text_only = transport is HttpTransportType.SERVER_SENT_EVENTS
        self.request = request.native
        self.user = user
        self.features[HttpTransportType] = transport
        if transport is not HttpTransportType.WEB_SOCKETS:
            self.resumable = False

    def resume(self, carrier: HttpTransport, request: HttpRequest, released: asyncio.Future[None]) -> bool:
        """Let the hub side go on with *carrier*; return False if the request that brought it has been replaced meanwhile."""
        if self.released is not released or released.done() or self.state is not State.ACTIVE:
            return False
        self.request = request.native
        self._next = carrier
        self._came_back.set()
        return True

    def start(self, serve: Serve) -> asyncio.Task[None]:
        """Serve the connection in a task of its own, and return the task."""
        self.application = asyncio.create_task(self._run(serve), name=f"signalr server {self.connection_id}")
        return self.application

    def release(self) -> None:
        """Note that the request that carried the connection has been answered."""
        if self.state is State.ACTIVE:
            self._advance(Trigger.RELEASE)
        else:  # disposed of meanwhile: nothing that is left will be fetched
            self.abort()

    def dispose(self) -> None:
        """End the connection: the hub is told that its client is gone. Idempotent."""
        if self.state is not State.DISPOSED:
            self._advance(Trigger.DISPOSE)
            self.resumable = False
            self.inbound.end()
            self._came_back.set()
            self._on_disposed(self)

    def expire(self) -> None:
        """Dispose of a connection whose client will not come back, and drop what is left for it."""
        self.dispose()
        self.abort()

    # for the hub side

    @property
    def close_error(self) -> BaseException | None:
        """What broke the connection, or None."""
        return None if self.carrier is None else self.carrier.close_error

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone, even if not everything it sent has been received."""
        return self.inbound.ended or self.carrier is None or (self.carrier.gone and not self.lost.done())

    def note_handshake(self) -> None:
        """Note that the client has completed its handshake."""
        self._on_handshake(self)

    async def receive(self) -> bytes | None:
        """Return the next bytes, or None when the client's side has ended.

        Raises:
            TransportLostError: the socket is lost, and the client may come back.
        """
        carrier = self._carried()
        if not self.lost.done():
            data = await carrier.receive()
            if data is not None:
                return data
            if not self.lost.done() and not (carrier.lost and self.lose()):
                return None
        raise TransportLostError

    async def wait_resumed(self) -> bool:
        """Return whether the client has come back in time; then the new socket is used."""
        while self._next is None:
            if self.state is State.DISPOSED:
                return False
            self._came_back.clear()
            await self._came_back.wait()
        self.carrier, self._next = self._next, None
        self.lost = asyncio.get_running_loop().create_future()
        return True

    def lose(self) -> bool:
        """Give up the socket of a connection that may outlive it; return whether it may."""
        if not self.resumable or self.application is None:
            return False
        if self.state is State.ACTIVE:
            self._advance(Trigger.RELEASE)
            self.released.set_result(None)
            carrier, self._next = self._next or self._carried(), None
            if not self.lost.done():
                self.lost.set_result(None)
            carrier.abort()
        return True

    def forbid_resume(self) -> None:
        """Let the connection end with its socket from now on."""
        self.resumable = False

    async def send(self, data: bytes) -> None:
        """Send *data*; raises OSError if the connection is gone."""
        if self.lost.done():
            raise ConnectionResetError("The socket is lost.")
        await self._carried().send(data, binary=self.binary)

    async def close(self, *, error: bool = False) -> None:
        """End the connection after everything sent so far; never raises."""
        try:
            await self._carried().close(error=error)
        except OSError as exc:  # already closed; ignore
            logger.debug("! closing %s: %s", self.connection_id, exc)
        if self._next is not None:  # the client came back too late
            self._next.abort()

    def abort(self) -> None:
        """Drop the connection at once."""
        for carrier in (self.carrier, self._next):
            if carrier is not None:
                carrier.abort()

    # inside

    async def _run(self, serve: Serve) -> None:
        try:
            await serve(self)
        except Exception:  # code of the hub
            logger.exception("! serving %s failed", self.connection_id)
            await self.close(error=True)  # in most cases it is closed already
        finally:
            if self.transport is HttpTransportType.LONG_POLLING:
                self.inbound.end()  # polls still fetch what is left, until one is answered with 204
            else:
                self.dispose()

    def _advance(self, trigger: Trigger) -> None:
        self.state = advance(self.state, trigger)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.state is State.INACTIVE:
            self._arm_timer()

    def _arm_timer(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._timeout, self.expire)

    def _carried(self) -> HttpTransport:
        assert self.carrier is not None  # the connection is served only once a transport carries it
        return self.carrier

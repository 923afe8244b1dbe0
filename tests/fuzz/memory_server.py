"""The server without a web framework: its own dispatcher of requests and a hub, and requests, streams and WebSockets in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from signalr_client.errors import HubException
from signalr_client.server import Hub, HubOptions, ServiceCollection
from signalr_client.server.connections.handler import HubConnectionHandler
from signalr_client.server.http.dispatcher import HttpConnectionDispatcher
from signalr_client.server.http.door import UnsupportedBodyError, WebSocketClosedError
from signalr_client.server.hubs.descriptor import HubDescriptor
from signalr_client.server.injection.services import build_container
from signalr_client.server.lifetime.memory import InMemoryLifetimeManager
from tests.fuzz.loops import turns

__all__ = ["FuzzHub", "MemoryServer", "MemorySocket", "Request"]


@dataclass
class Point:
    """An argument with a type of its own."""

    x: int
    y: float = 0.0


class Client(Protocol):
    """What the hub calls."""

    async def receive(self, value: object) -> None:
        """Take *value*."""

    async def ask(self, value: object) -> object:
        """Return something."""


class FuzzHub(Hub[Client]):
    """A method of every kind. None of them fails by a defect, so nothing is logged as an error."""

    connected = disconnected = 0

    async def on_connected(self) -> None:
        """Count, and say something at once."""
        FuzzHub.connected += 1
        await self.clients.caller.receive("hello")

    async def on_disconnected(self, error: BaseException | None) -> None:
        """Count."""
        FuzzHub.disconnected += 1

    async def echo(self, value: object) -> object:
        """Return the argument."""
        return value

    async def add(self, a: int, b: int) -> int:
        """Return the sum; Python's own integers know no bound."""
        return (a + b) % 2**31

    async def tell(self, value: object) -> None:
        """Pass the argument on."""
        await self.clients.all.receive(value)

    async def typed(self, point: Point, moment: datetime, items: list[Point] | None) -> list[object]:
        """Return the arguments."""
        return [point, moment, items]

    async def fail(self, text: str) -> None:
        """Fail on purpose."""
        raise HubException(text, code=text, data=[text])

    async def ask(self, value: object) -> object:
        """Ask the client."""
        return await self.clients.caller.ask(value)

    async def count(self, up_to: int) -> AsyncIterator[int]:
        """Return a stream."""
        for number in range(min(up_to, 5)):
            yield number

    async def upload(self, items: AsyncIterator[object], points: AsyncIterator[Point]) -> int:
        """Count the items of two streams."""
        return len([item async for item in items]) + len([point async for point in points])


class MemorySocket:
    """A WebSocket that delivers some pieces, with some turns of the event loop between them, and then ends.

    Attributes:
        sent: what the server has sent.
        code: the code of the server's close frame.
    """

    def __init__(self, pieces: Sequence[bytes], code: int | None, pause: int = 0) -> None:
        self.sent: list[bytes] = []
        self.code: int | None = None
        self._pieces = list(pieces)
        self._end = code
        self._pause = 0
        self._next_pause = pause
        self._aborted = asyncio.Event()

    unsent = 0

    async def open(self, headers: Mapping[str, str]) -> None:
        """Accept."""

    async def receive(self) -> bytes:
        """Return the next piece; after the last one give the server some turns, and end."""
        if self._pieces:
            await turns(count=self._pause)
            self._pause = self._next_pause
            return self._pieces.pop(0)
        await turns(count=20)
        raise WebSocketClosedError(self._end)

    async def send(self, data: bytes, *, binary: bool) -> None:
        """Keep *data*."""
        assert not self._aborted.is_set()
        self.sent.append(data)

    write = send

    async def close(self, code: int = 0) -> None:
        """Keep the code."""
        self.code = code

    def abort(self) -> None:
        """Note the end."""
        self._aborted.set()


class _Stream(MemorySocket):
    """An event stream."""

    async def write(self, data: bytes) -> None:  # type: ignore[override]  # without the kind of frame
        """Keep *data*."""
        self.sent.append(data)


@dataclass
class Request:
    """One request, as the server's own rooms see it."""

    method: str = "GET"
    host: str = "host"
    query: Sequence[tuple[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    pieces: Sequence[bytes] = ()
    close_code: int | None = 1000
    encoded: bool = False
    gone: bool = False
    pause: int = 0
    native: Any = None
    opened: list[MemorySocket] = field(default_factory=list)

    def header_values(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return next(iter(self.header_values(name)), None)

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        if self.encoded:
            raise UnsupportedBodyError("The Content-Encoding 'x' is not supported.")
        for piece in self.pieces:
            yield piece
        if self.close_code is None:
            raise ConnectionResetError("The client broke off.")

    def event_stream(self) -> Any:
        """Return the response as an event stream."""
        self.opened.append(_Stream((), None))
        return self.opened[-1]

    def websocket(self, *, sub_protocol: str | None, close_timeout: float, buffer_size: int | None) -> Any:
        """Return the WebSocket."""
        self.opened.append(MemorySocket(self.pieces, self.close_code, self.pause))
        return self.opened[-1]


class MemoryServer:
    """One hub and its requests."""

    def __init__(self, **options: Any) -> None:
        FuzzHub.connected = FuzzHub.disconnected = 0
        self.options = HubOptions(**options)
        self._handler = HubConnectionHandler(_HUB, self.options)
        self.dispatcher = HttpConnectionDispatcher(self.options, _HUB.requirements, self._handler.serve)

    async def stop(self) -> None:
        """Stop as an application does, and check that nothing is left and that each connection of the hub has ended."""
        self._handler.shut_down()
        await turns(lambda: self._idle)
        self.dispatcher.connections.drop()
        await turns(lambda: self._idle)
        assert not self.dispatcher.connections.serving
        assert not self._handler.tasks
        assert not self._handler._connections
        assert len(self.dispatcher.connections) == 0
        for table in (_MANAGER._connections, _MANAGER._groups, _MANAGER._users, _MANAGER._memberships, _MANAGER._results):
            assert len(table) == 0
        assert FuzzHub.connected == FuzzHub.disconnected

    @property
    def _idle(self) -> bool:
        return not (self.dispatcher.connections.serving or self._handler.tasks)


# Made once, because reading a hub class takes longer than most inputs. `stop` checks that no connection is left in them.
_MANAGER = InMemoryLifetimeManager()
_HUB = HubDescriptor(FuzzHub, build_container(ServiceCollection()), _MANAGER, policies={})

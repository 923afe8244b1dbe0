"""A low-level HTTP and WebSocket server on plain sockets, which may leave requests unread and close frames without a response."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import WSMsgType

from tests.support.leaks import open_sockets
from tests.support.listening import listening

__all__ = ["Connection", "StubbornServer", "stubborn_server"]

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, "Opening Handshake"


class Connection:
    """One accepted connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.method = ""
        self._key = ""
        self._content_length = 0

    async def read_request(self) -> bool:
        """Read the headers of the next request; return False if the client has closed the connection."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return False
        self.method = head.partition(" ")[0]
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:-2])
        self._key = next(
            (line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")), ""
        )
        self.content_length = int(headers.get("content-length", 0))
        return True

    async def read_body(self) -> bytes:
        """Read the body of the current request."""
        return await self.reader.readexactly(self._content_length)

    async def respond(self, body: bytes = b"", status: str = "200 OK", *, headers: str = "", length: int | None = None) -> None:
        """Send a response; with *length*, that Content-Length is sent."""
        size = len(body) if length is None else length
        self.writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body)
        await self.writer.drain()

    async def begin_events(self) -> None:
        """Begin an event stream that lasts until the connection ends."""
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        await self.writer.drain()

    async def upgrade(self) -> None:
        """Accept the requested WebSocket."""
        accept = base64.b64encode(hashlib.sha1((self._key + _GUID).encode()).digest()).decode()
        headers = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        self.writer.write(b"HTTP/1.1 101 Switching Protocols\r\n" + headers.encode())
        await self.writer.drain()

    async def read_frame(self) -> tuple[int, bytes] | None:
        """Return opcode and payload of the client's next frame, or None if it has closed the connection."""
        try:
            first, second = await self.reader.readexactly(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8))
            mask = await self.reader.readexactly(4)
            payload = await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    async def send_frame(self, opcode: WSMsgType, payload: bytes = b"", *, length: int | None = None) -> None:
        """Send a frame; with *length*, that length is sent in its header."""
        size = len(payload) if length is None else length
        head = bytes([0x80 | opcode, size]) if size < 126 else bytes([0x80 | opcode, 127]) + size.to_bytes(8)
        self.writer.write(head + payload)
        await self.writer.drain()


class StubbornServer:
    """A server controlled by the test.

    Attributes:
        url: the URL of the server.
        serve: handles each connection; the connection ends when it returns.
        connections: the open connections.
    """

    def __init__(self) -> None:
        self.url = ""
        self.serve: Callable[[Connection], Awaitable[None]] = self._ignore
        self.connections: set[Connection] = set()
        self._sockets_before: set[str] = set()

    async def run(self, connection: Connection) -> None:
        """Serve one connection."""
        self.connections.add(connection)
        try:
            await self.serve(connection)
        except ConnectionError:
            pass
        finally:
            self.connections.discard(connection)
            connection.writer.transport.abort()

    def watch(self) -> None:
        """Record the currently open sockets, for `clients`."""
        self._sockets_before = open_sockets()

    def clients(self) -> int:
        """Return how many sockets of this process were opened since `watch`, not counting those of the server."""
        return len(open_sockets() - self._sockets_before) - len(self.connections)

    async def _ignore(self, _connection: Connection) -> None:
        await asyncio.get_running_loop().create_future()


@asynccontextmanager
async def stubborn_server() -> AsyncIterator[StubbornServer]:
    """Run a stubborn server during the block."""
    stubborn = StubbornServer()
    async with listening(lambda reader, writer: stubborn.run(Connection(reader, writer)), "stubborn server") as url:
        stubborn.url = url + "/hub"
        stubborn.watch()
        yield stubborn

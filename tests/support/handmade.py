"""A WebSocket client made by hand on a plain socket: unfinished frames, and a client that reads only when a test says so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.raw import HANDSHAKE

__all__ = ["TURNS", "HandmadeSocket", "frame", "frame_header", "handmade", "settle"]

TURNS = 300
"""Turns of the event loop without any change after which nothing more is going to happen."""


def frame_header(length: int, opcode: int = 1) -> bytes:
    """Return the header of a frame of a client; its mask is 0, so that the payload is sent as it is."""
    return bytes([0x80 | opcode, 0x80 | 127]) + length.to_bytes(8) + bytes(4)


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """Return a frame of a client."""
    return frame_header(len(payload), opcode) + payload


class HandmadeSocket:
    """One WebSocket. Nothing is read or buffered unless a test asks for it.

    Attributes:
        sent: bytes that the operating system has taken.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sent = 0
        self._sock = sock
        self._received = b""

    async def shake_hands(self) -> None:
        """Send the handshake of the hub protocol, and read the response."""
        await self.send(frame(HANDSHAKE.encode()))
        assert await self.read_frame() == b"{}\x1e"

    async def send(self, data: bytes) -> None:
        """Send *data* as it is; it is not copied."""
        loop, rest = asyncio.get_running_loop(), memoryview(data)
        while rest:
            try:
                taken = self._sock.send(rest)
            except BlockingIOError:
                writable: asyncio.Future[None] = loop.create_future()
                loop.add_writer(self._sock, lambda: None if writable.done() else writable.set_result(None))  # noqa: B023
                try:
                    await writable
                finally:
                    loop.remove_writer(self._sock)
            else:
                self.sent += taken
                rest = rest[taken:]
                await asyncio.sleep(0)

    def shut_down(self) -> None:
        """Send nothing more; what the server sends can still be read."""
        self._sock.shutdown(socket.SHUT_WR)

    async def read(self, size: int = 65_536) -> bytes:
        """Return what has arrived, *size* bytes at most; empty at the end."""
        if self._received:
            data, self._received = self._received[:size], self._received[size:]
            return data
        return await asyncio.get_running_loop().sock_recv(self._sock, size)

    async def read_exactly(self, size: int) -> bytes:
        """Return the next *size* bytes."""
        parts: list[bytes] = []
        while size:
            part = await self.read(size)
            assert part, "the server has closed the connection"
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    async def read_head(self) -> bytes:
        """Return the head of an HTTP response."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await self.read_exactly(1)
        return head

    async def read_frame(self) -> bytes:
        """Return the payload of the server's next frame."""
        length = (await self.read_exactly(2))[1]
        if length >= 126:
            length = int.from_bytes(await self.read_exactly(2 if length == 126 else 8))
        return await self.read_exactly(length)


@asynccontextmanager
async def handmade(url: str, *, receive_buffer: int | None = None) -> AsyncIterator[HandmadeSocket]:
    """Yield a WebSocket that is open; at the end it is reset.

    Args:
        url: of the hub.
        receive_buffer: bytes that the operating system keeps for a client that does not read.
    """
    parts = urlsplit(url)
    with contextlib.closing(socket.socket()) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, (parts.hostname, parts.port))
        client = HandmadeSocket(sock)
        await client.send(
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert (await client.read_head()).startswith(b"HTTP/1.1 101")
        yield client


async def settle(*clients: HandmadeSocket) -> None:
    """Return when the server has read nothing more of *clients* for many turns of the event loop."""
    seen, quiet = -1, 0
    while quiet < TURNS:
        sent = sum(client.sent for client in clients)
        quiet = quiet + 1 if sent == seen else 0
        seen = sent
        await asyncio.sleep(0)

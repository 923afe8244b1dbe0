"""Bytes that wait between a request and a hub, with a limit. Room: server.

Spec: server-behaviour.md, "Buffers and timers" under "B".
"""

from __future__ import annotations

import asyncio

__all__ = ["BytePipe"]


class BytePipe:
    """One direction of a connection whose two sides do not meet in one request.

    Args:
        limit: bytes from which on a writer waits until no more than half of them are left; 0 for no limit.
    """

    def __init__(self, limit: int) -> None:
        self.ended = False
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    def __len__(self) -> int:
        """Return the bytes that wait."""
        return self._size

    async def write(self, data: bytes) -> None:
        """Add *data*, then wait while too much waits to be read. What comes after the end is dropped."""
        if self.ended or not data:
            return
        self._parts.append(data)
        self._size += len(data)
        self._filled.set()
        if self._limit and self._size >= self._limit:
            while self._size > self._limit // 2 and not self.ended:
                self._emptied.clear()
                await self._emptied.wait()

    def end(self) -> None:
        """Let nothing more in; what waits can still be read."""
        self.ended = True
        self._filled.set()
        self._emptied.set()

    async def read(self) -> bytes | None:
        """Return all that waits, as soon as anything does; None after the end. Cancelling loses nothing."""
        await self.wait()
        return self.take() or None

    async def wait(self) -> None:
        """Return when something waits, or when there will be nothing more."""
        while not self._parts and not self.ended:
            self._filled.clear()
            await self._filled.wait()

    def take(self) -> bytes:
        """Return all that waits now."""
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._emptied.set()
        return data

"""Bytes that wait between a request and a hub connection, with a limit. Room: server, http."""

from __future__ import annotations

import asyncio

from signalr_client.gate import Gate

__all__ = ["BytePipe"]


class BytePipe:
    """One direction of a connection whose two sides are not in the same request.

    Args:
        limit: bytes that may wait before a writer has to; None for no limit.
    """

    def __init__(self, limit: int | None) -> None:
        self.ended: bool = False
        self._gate = Gate(limit)
        self._parts: list[bytes] = []
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        """Return the number of bytes that wait."""
        return self._gate.size

    async def write(self, data: bytes) -> None:
        """Add *data*, then wait while too much is waiting to be read. Data that comes after the end is dropped."""
        if self.ended or not data:
            return
        self._parts.append(data)
        self._gate.add(len(data))
        self._filled.set()
        await self._gate.wait_room()

    def end(self) -> None:
        """Accept nothing more; what waits can still be read. Idempotent."""
        self.ended = True
        self._filled.set()
        self._gate.close()

    async def read(self) -> bytes | None:
        """Return everything that waits, as soon as there is something; None after the end. Cancelling loses nothing."""
        await self.wait()
        return self.take() or None

    async def wait(self) -> None:
        """Return when there is something to read, or nothing will come any more."""
        while not self._parts and not self.ended:
            self._filled.clear()
            await self._filled.wait()

    def take(self) -> bytes:
        """Return everything that waits now."""
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._gate.remove(self._gate.size, len(parts))
        parts.clear()
        return data

"""A gate for back-pressure: it counts what waits, in bytes and in items, and holds up whoever adds more. Room: top.

Everything that may pile up passes through a gate: messages that are not written yet, calls that have not begun, upload items that
have not been read. Adding never fails and never blocks, because a message cannot be taken back half way. Instead the producer looks
at `full` afterwards and waits for room before it produces or reads more, so a gate overshoots by one message at most.
"""

from __future__ import annotations

import asyncio
import math

__all__ = ["Gate"]


class Gate:
    """Counts what waits, for one direction of one connection.

    Once a limit is exceeded the gate stays full until no more than half of the limit waits, as .NET's pipes do: a producer that is
    woken for each byte would do little else.

    Attributes:
        full: whether a producer has to wait.
        size: bytes that wait.
        items: messages or items that wait.

    Args:
        limit: bytes that may wait; None for no limit.
        max_items: messages or items that may wait; None for no limit.
    """

    def __init__(self, limit: int | None, max_items: int | None = None) -> None:
        self.full: bool = False
        self.size: int = 0
        self.items: int = 0
        self._limit = math.inf if limit is None else limit
        self._max_items = math.inf if max_items is None else max_items
        self._reopens_at = math.inf if limit is None else limit // 2
        self._reopens_at_items = math.inf if max_items is None else max_items // 2
        self._closed = False
        self._room = asyncio.Event()
        self._room.set()
        self._emptied: asyncio.Event | None = None  # while somebody waits for it: `add` and `remove` run for every message

    def exceeds(self, factor: int, *, size: int, items: int) -> bool:
        """Return whether *factor* times a limit is exceeded by more than *size* bytes, or more than *items* messages or items."""
        return self.size > factor * self._limit + size or self.items > factor * self._max_items + items

    def add(self, size: int, items: int = 1) -> None:
        """Count what begins to wait."""
        self.size += size
        self.items += items
        if (self.size > self._limit or self.items > self._max_items) and not self.full and not self._closed:
            self.full = True
            self._room.clear()

    def remove(self, size: int, items: int = 1) -> None:
        """Count what waits no longer."""
        self.size -= size
        self.items -= items
        if self.full and self.size <= self._reopens_at and self.items <= self._reopens_at_items:
            self.full = False
            self._room.set()
        if self._emptied is not None and not (self.size or self.items):
            self._wake_for_empty()

    async def wait_room(self) -> None:
        """Return when there is room, or when the gate is closed.

        Somebody else may have filled the gate again by then. Waiting once is enough: a producer that kept waiting until it found
        the gate open could be held up for ever by another one that fills it as soon as it opens.
        """
        if self.full:
            await self._room.wait()

    async def wait_empty(self) -> None:
        """Return when nothing waits, or when the gate is closed."""
        if (self.size or self.items) and not self._closed:
            if self._emptied is None:
                self._emptied = asyncio.Event()
            await self._emptied.wait()

    def close(self) -> None:
        """Let everybody pass from now on: the connection has ended, so nothing will make room any more. Idempotent."""
        self._closed = True
        self.full = False
        self._room.set()
        self._wake_for_empty()

    def _wake_for_empty(self) -> None:
        if self._emptied is not None:
            self._emptied.set()
            self._emptied = None

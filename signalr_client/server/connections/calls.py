"""The calls of one client: which run, which wait their turn, which can still be cancelled. Room: server.

Calls begin in the order in which they came. A plain call takes one of the client's slots; streams and calls with uploads need none
but do not overtake. While calls wait the connection is still read - answers, stream items, cancellations and pings must get through -
until so many wait that it would only fill the memory.
Spec: server-behaviour.md, "D" (concurrency per connection).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from signalr_client.core.messages import Invocation, StreamInvocation
from signalr_client.server.methods import HubMethod
from signalr_client.server.uploads import UploadStream

__all__ = ["Call", "CallQueue"]

MAX_WAITING: Final = 256


class Call:
    """One call of a hub method, from its arrival to its end."""

    __slots__ = (
        "answered",
        "arguments",
        "begun",
        "cancelled",
        "invocation_id",
        "message",
        "method",
        "needs_slot",
        "stream_ids",
        "streaming",
        "task",
        "uploads",
    )

    def __init__(self, message: Invocation | StreamInvocation, method: HubMethod, arguments: Sequence[object]) -> None:
        self.message = message
        self.method = method
        self.arguments = arguments
        self.invocation_id = message.invocation_id or None
        self.streaming = type(message) is StreamInvocation
        self.stream_ids: Sequence[str] = message.stream_ids or ()
        self.uploads: list[UploadStream] = []
        self.needs_slot = not (self.streaming or method.streaming or self.stream_ids or method.stream_types)
        self.task: asyncio.Task[Any] | None = None
        self.begun = False
        self.answered = False
        self.cancelled = False

    def cancel(self) -> None:
        """Cancel the call: its method sees CancelledError where it waits. One that has not begun does not begin."""
        self.cancelled = True
        # a task that is cancelled before its first step never takes it, and its call would never be answered
        if self.task is not None and self.begun:
            self.task.cancel()


class CallQueue:
    """Starts calls in their order, as slots become free.

    Args:
        slots: plain calls that may run at once.
        start: begins a call.
    """

    def __init__(self, slots: int, start: Callable[[Call], None]) -> None:
        self._free = slots
        self._start = start
        self._waiting: deque[Call] = deque()
        self._holding: set[Call] = set()
        self._opened = False
        self._room = asyncio.Event()

    def open(self) -> None:
        """Let calls begin: the hub has accepted the connection."""
        self._opened = True
        self._pump()

    def close(self) -> list[Call]:
        """Let no further call begin; return those that never will."""
        self._opened = False
        waiting = list(self._waiting)
        self._waiting.clear()
        self._room.set()
        return waiting

    def put(self, call: Call) -> None:
        """Take a call; it begins now if nothing is before it."""
        self._waiting.append(call)
        self._pump()

    def release(self, call: Call) -> None:
        """Give back the slot of *call*, if it has one: it has ended, or waits for the client."""
        if call in self._holding:
            self._holding.discard(call)
            self._free += 1
            self._pump()

    @property
    def full(self) -> bool:
        """Whether the client has to wait before more of its calls are read."""
        return len(self._waiting) >= MAX_WAITING

    async def wait_room(self) -> None:
        """Return when the client may go on."""
        await self._wait_shorter_than(MAX_WAITING)

    async def wait_begun(self) -> None:
        """Return when every call has begun."""
        await self._wait_shorter_than(1)

    async def _wait_shorter_than(self, length: int) -> None:
        while len(self._waiting) >= length:
            self._room.clear()
            await self._room.wait()

    def _pump(self) -> None:
        waiting = self._waiting
        while self._opened and waiting and (self._free or not waiting[0].needs_slot):
            call = waiting.popleft()
            if call.needs_slot:
                self._free -= 1
                self._holding.add(call)
            self._start(call)
        self._room.set()

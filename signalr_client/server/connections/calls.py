"""The calls of one client: which are running, which wait for a slot, which can be cancelled. Room: server, connections.

Calls begin in the order they arrived. A plain call takes one of the client's slots. Calls that messages of the client may have to end
need none, but do not overtake: streams, calls with uploads, and calls that the client can cancel. While calls wait, the connection is
still read, because results, stream items, cancellations and pings must get through; what the waiting calls hold in memory is counted by
the connection's incoming gate.

Calls without a slot cannot wait for each other: the items and cancellations that would end the running ones come behind the calls that
wait, which count towards the same gate. So there is a maximum of them, and those above it are refused.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence

from signalr_client.core.messages import Invocation, StreamInvocation
from signalr_client.gate import Gate
from signalr_client.server.connections.uploads import UploadStream
from signalr_client.server.hubs.cancellation import CancellationToken
from signalr_client.server.hubs.methods import HubMethodDescriptor

__all__ = ["Call", "CallQueue"]


class Call:
    """One call of a hub method, from its arrival to its completion.

    Attributes:
        size: bytes of its message, for the incoming gate.
        answered: whether its Completion was sent.
        cancelled: whether its task was cancelled on behalf of the client.
        token: the cancellation token of a method that takes one.
    """

    __slots__ = (
        "_task",
        "answered",
        "arguments",
        "cancelled",
        "invocation_id",
        "message",
        "method",
        "needs_slot",
        "size",
        "stream_ids",
        "streaming",
        "token",
        "uploads",
    )

    def __init__(
        self, message: Invocation | StreamInvocation, method: HubMethodDescriptor, arguments: Sequence[object], size: int
    ) -> None:
        self.message: Invocation | StreamInvocation = message
        self.method: HubMethodDescriptor = method
        self.arguments: Sequence[object] = arguments
        self.size: int = size
        self.invocation_id: str | None = message.invocation_id or None
        self.streaming: bool = type(message) is StreamInvocation
        self.stream_ids: Sequence[str] = message.stream_ids or ()
        self.uploads: list[UploadStream] = []
        self.token: CancellationToken | None = CancellationToken() if method.takes_token else None
        # The cancellation of a call may come behind more waiting calls than the gate has room for, so they must not wait for its slot.
        self.needs_slot: bool = not (self.cancellable or method.streaming or self.stream_ids or method.stream_types)
        self.answered: bool = False
        self.cancelled: bool = False
        self._task: asyncio.Task[object] | None = None

    @property
    def cancellable(self) -> bool:
        """Whether cancelling the call has an effect: a plain method runs to its end unless it asks to be cancelled."""
        return self.streaming or self.method.cancellable or self.token is not None

    def begin(self) -> None:
        """Note that the current task runs the call.

        A call that was cancelled before begins all the same, as in ASP.NET Core: it sees the cancellation where it first waits.
        """
        self._task = asyncio.current_task()
        if self.cancelled and self._task is not None:
            asyncio.get_running_loop().call_soon(self._task.cancel)

    def cancel(self) -> None:
        """Cancel the call for its client. Neither a second request nor one that comes after the result interrupts the cleanup."""
        if self.token is not None:
            self.token.set()
        if (self.streaming or self.method.cancellable) and not (self.cancelled or self.answered):
            self.cancelled = True
            if self._task is not None:
                self._task.cancel()


class CallQueue:
    """Starts calls in order, as slots become free.

    Args:
        slots: the number of plain calls that may run at once.
        waiting: counts the bytes of the calls that have not begun.
        start: starts a call; it is released when it has ended.
        max_beside: the number of calls that may run at once without a slot; None for no limit.
        refuse: fails a call that would be one more.
    """

    def __init__(
        self,
        slots: int,
        waiting: Gate,
        start: Callable[[Call], None],
        *,
        max_beside: int | None = None,
        refuse: Callable[[Call], None] | None = None,
    ) -> None:
        self._free = slots
        self._gate = waiting
        self._start = start
        self._max_beside = math.inf if max_beside is None else max_beside
        self._refuse = refuse
        self._waiting: deque[Call] = deque()
        self._holding: set[Call] = set()  # the calls that have a slot
        self._beside: set[Call] = set()  # the running calls that have none
        self._opened = False
        self._pumping = False
        self._all_begun = asyncio.Event()
        self._all_begun.set()

    def open(self) -> None:
        """Let calls begin: the hub has accepted the connection."""
        self._opened = True
        self._pump()

    def close(self) -> list[Call]:
        """Let no more calls begin, and return those that never will."""
        self._opened = False
        dropped = list(self._waiting)
        self._waiting.clear()
        for call in dropped:
            self._gate.remove(call.size)
        self._all_begun.set()
        return dropped

    def put(self, call: Call) -> None:
        """Add a call; it begins now if no other is waiting and a slot is free."""
        self._waiting.append(call)
        self._gate.add(call.size)
        self._all_begun.clear()
        self._pump()

    def leave_slot(self, call: Call) -> bool:
        """Let *call* go on without its slot, because it invokes a client; return False if too many calls run without one."""
        if call in self._holding:
            if len(self._beside) >= self._max_beside:
                return False
            self._beside.add(call)
            self._return_slot(call)
        return True

    def release(self, call: Call) -> None:
        """Note that *call* has ended; its slot, if it has one, is free."""
        if call in self._holding:
            self._return_slot(call)
        else:
            self._beside.discard(call)

    async def wait_begun(self) -> None:
        """Return when every call has begun, or none will any more."""
        await self._all_begun.wait()

    def _return_slot(self, call: Call) -> None:
        self._holding.discard(call)
        self._free += 1
        self._pump()

    def _pump(self) -> None:
        if self._pumping:  # a call has ended within `start`, as eager tasks do: the loop below goes on with its slot
            return
        waiting = self._waiting
        self._pumping = True
        try:
            while self._opened and waiting and (self._free or not waiting[0].needs_slot):
                call = waiting.popleft()
                self._gate.remove(call.size)
                if call.needs_slot:
                    self._free -= 1
                    self._holding.add(call)
                elif len(self._beside) < self._max_beside:
                    self._beside.add(call)
                else:
                    assert self._refuse is not None  # given with a maximum
                    self._refuse(call)
                    continue
                self._start(call)
        finally:
            self._pumping = False
        if not waiting:
            self._all_begun.set()

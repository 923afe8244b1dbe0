"""The calls whose result the server waits for: which are running, and which wait for their turn. Room: client.

They run beside the queue of the other calls, each in a task of its own, and begin in the order of arrival. Without a maximum, a server
could make the client run any number of tasks.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from signalr_client.core.messages import Invocation
from signalr_client.gate import Gate

__all__ = ["Requests"]

LinkT = TypeVar("LinkT")


@dataclass(slots=True)
class _Frame:
    """The requests of one received frame. Its bytes leave the gate with the last of them.

    Attributes:
        size: bytes of the frame.
        left: the requests that have not been answered.
    """

    size: int
    left: int


class Requests(Generic[LinkT]):
    """Runs requests, up to a maximum at once.

    Args:
        answer: runs the handlers of a request that arrived on a link, and sends the response.
        start: runs a coroutine in a task.
        gate: counts the requests that were not answered.
        limit: how many run at once; None for no limit.
    """

    def __init__(
        self,
        answer: Callable[[LinkT, Invocation], Coroutine[object, object, None]],
        start: Callable[[Coroutine[object, object, None]], None],
        gate: Gate,
        limit: int | None,
    ) -> None:
        self._answer = answer
        self._start = start
        self._gate = gate
        self._free: float = math.inf if limit is None else limit
        self._waiting: deque[tuple[LinkT, Invocation, _Frame]] = deque()
        self._starting = False

    def put(self, link: LinkT, requests: Sequence[Invocation], size: int) -> None:
        """Take the requests of one frame of *size* bytes."""
        frame = _Frame(size, len(requests))
        self._gate.add(size, len(requests))
        self._waiting.extend((link, request, frame) for request in requests)
        self._start_some()

    def drop(self) -> int:
        """Forget the requests that have not begun, and return their number."""
        dropped = len(self._waiting)
        for _link, _request, frame in self._waiting:
            self._remove(frame)
        self._waiting.clear()
        return dropped

    def _start_some(self) -> None:
        if self._starting:  # a request has ended within `start`, as eager tasks do: the loop below goes on
            return
        self._starting = True
        try:
            while self._waiting and self._free:
                link, request, frame = self._waiting.popleft()
                self._free -= 1
                self._start(self._run(link, request, frame))
        finally:
            self._starting = False

    async def _run(self, link: LinkT, request: Invocation, frame: _Frame) -> None:
        try:
            await self._answer(link, request)
        finally:
            self._remove(frame)
            self._free += 1
            self._start_some()

    def _remove(self, frame: _Frame) -> None:
        frame.left -= 1
        self._gate.remove(0 if frame.left else frame.size)

"""What a proxy has seen, and waiting until it has. Room: tools."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["EventKind", "EventLog", "ProxyEvent"]

EventKind = Literal["opened", "half_closed", "closed", "cut", "reset", "refused", "unreachable"]

MAX_EVENTS: Final = 10_000
"""Events that are kept; older ones are counted only."""


@dataclass(frozen=True, slots=True)
class ProxyEvent:
    """Something that happened to a connection.

    Attributes:
        kind: "opened": both sides are connected. "half_closed": by `FaultProxy.half_close`. Then one of "closed": ended by its
            peers, or by stopping the proxy; "cut" or "reset": by the proxy. "refused": by `FaultProxy.refuse`. "unreachable": the
            target could not be reached.
        connection_id: the id of the connection, as in `ProxyConnection.id`.
        at: when, in seconds of the event loop's clock (``loop.time()``).
        bytes_to_server, bytes_to_client: bytes that had passed in each direction.
        detail: more to know, for people: the error of an unreachable target, for example.
    """

    kind: EventKind
    connection_id: int
    at: float
    bytes_to_server: int = 0
    bytes_to_client: int = 0
    detail: str = ""


class EventLog:
    """The events of one proxy, and those who wait for something to happen."""

    def __init__(self) -> None:
        self.latest: deque[ProxyEvent] = deque(maxlen=MAX_EVENTS)
        self.counts: Counter[EventKind] = Counter()
        self._changed = asyncio.Event()
        self._open = True

    def add(self, event: ProxyEvent) -> None:
        """Note an event."""
        self.latest.append(event)
        self.counts[event.kind] += 1
        self.changed()

    def changed(self) -> None:
        """Make those who wait look again."""
        self._changed.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is looked at after every change.

        Raises:
            RuntimeError: the proxy was stopped.
        """
        while not condition():
            if not self._open:
                raise RuntimeError("The proxy was stopped before this happened.")
            self._changed.clear()
            await self._changed.wait()

    def open(self) -> None:
        """Let people wait."""
        self._open = True

    def close(self) -> None:
        """End all waits: nothing happens any more."""
        self._open = False
        self.changed()

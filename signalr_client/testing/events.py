"""The log of what has happened to a proxy's connections, and waiting for it. Room: tools."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["EventKind", "EventLog", "ProxyEvent"]

EventKind = Literal["opened", "half_closed", "closed", "cut", "reset", "refused", "unreachable"]

MAX_EVENTS: Final = 10_000
"""Events that are kept. Older ones are only counted."""


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
        detail: text for people, such as the error of an unreachable target.
    """

    kind: EventKind
    connection_id: int
    at: float
    bytes_to_server: int = 0
    bytes_to_client: int = 0
    detail: str = ""


class EventLog:
    """The events of one proxy. Its waits end when something has happened that satisfies their condition."""

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
        """Make all waits check their conditions again."""
        self._changed.set()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds. It is checked now and after changes.

        Raises:
            RuntimeError: the proxy was stopped.
        """
        while not condition():
            if not self._open:
                raise RuntimeError("The proxy was stopped before this happened.")
            self._changed.clear()
            await self._changed.wait()

    def open(self) -> None:
        """Allow waits: the proxy is running."""
        self._open = True

    def close(self) -> None:
        """End all waits: nothing will happen until the proxy is started again."""
        self._open = False
        self.changed()

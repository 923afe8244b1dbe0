"""The events of a connection: registered callbacks, and running them in order. Room: client."""

from __future__ import annotations

import contextvars
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from signalr_client.client.tasks import TaskSet, counted
from signalr_client.user_code import call

__all__ = ["EventCallback", "EventRunner", "Events", "run_callback"]

EventCallback = Callable[..., object] | Callable[..., Awaitable[object]]
"""A callback of an event; sync or async."""


class Events:
    """The callbacks of each event, in the order of registration. They survive restarts."""

    def __init__(self) -> None:
        self.connected: list[EventCallback] = []
        self.reconnecting: list[EventCallback] = []
        self.reconnected: list[EventCallback] = []
        self.detached: list[EventCallback] = []
        self.resumed: list[EventCallback] = []
        self.close: list[EventCallback] = []
        self.authentication_refreshed: list[EventCallback] = []
        self.authentication_refresh_failed: list[EventCallback] = []


class EventRunner:
    """Runs the callbacks of events one after another, in the order of the events.

    The callbacks run in a task that exists only while there are some to run. A slow callback delays the next event, and nothing
    else.

    Args:
        tasks: owns that task.
        context: the context of the callbacks.
    """

    def __init__(self, tasks: TaskSet, context: contextvars.Context, logger: logging.Logger) -> None:
        self._tasks = tasks
        self._context = context
        self._log = logger
        self._waiting: deque[tuple[EventCallback, object]] = deque()
        self._running = False

    def fire(self, callbacks: Sequence[EventCallback], argument: object) -> None:
        """Call each of *callbacks* with *argument*, after those of earlier events."""
        self._waiting.extend((callback, argument) for callback in callbacks)
        self._start()

    def drop(self) -> None:
        """Forget the callbacks that have not begun; their number is logged."""
        if self._waiting:
            self._log.warning("! dropped %s of events", counted(len(self._waiting), "callback"))
            self._waiting.clear()

    def _start(self) -> None:
        if self._waiting and not self._running:
            self._running = True
            self._tasks.start(self._run(), name="signalr callbacks", context=self._context.copy())

    async def _run(self) -> None:
        try:
            while self._waiting:
                callback, argument = self._waiting.popleft()
                await run_callback(callback, argument, self._log)
        finally:
            self._running = False
            self._start()  # a callback that cancelled its own task must not take the later ones with it


async def run_callback(callback: EventCallback, argument: object, logger: logging.Logger) -> None:
    """Run one callback; what it raises is logged."""
    try:
        await call(callback, argument)
    except Exception:  # the other callbacks and the connection go on
        logger.exception("! a callback of the connection raised an error")

"""Tasks with an owner, and an end to them that takes a bounded time. Room: client.

A task group waits for its tasks however long they take, so a single handler that swallows its cancellation would make `stop()`
wait for ever. A `TaskSet` gives its tasks until a deadline, then cancels them, and soon afterwards abandons those that still run.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

__all__ = ["CANCEL_GRACE", "TaskSet", "counted"]

T = TypeVar("T")

CANCEL_GRACE: Final = 0.5
"""Seconds that cancelled tasks get for their cleanup."""

_abandoned: Final[set[asyncio.Task[Any]]] = set()
"""Abandoned tasks, until they end: an event loop holds only weak references to its tasks."""


class TaskSet:
    """Tasks that end with a link or with a life.

    Args:
        noun: what a task is called in log lines, in the singular: "handler".
    """

    def __init__(self, noun: str, logger: logging.Logger) -> None:
        self._noun = noun
        self._log = logger
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str, context: contextvars.Context | None = None) -> asyncio.Task[T]:
        """Run *work* in a task of this set."""
        task = asyncio.get_running_loop().create_task(work, name=name, context=context)
        if not task.done():  # with an eager task factory it may be
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    def start(self, work: Coroutine[Any, Any, object], *, name: str, context: contextvars.Context | None = None) -> None:
        """Do what `spawn` does, for work that nobody awaits."""
        self.spawn(work, name=name, context=context)  # type: ignore[unused-awaitable]

    def cancel(self) -> None:
        """Cancel every task, without waiting for it."""
        for task in self._tasks:
            task.cancel()

    async def wait(self, deadline: float | None = None) -> bool:
        """Return whether all tasks have ended, once they have or *deadline* (a time of the event loop) has come."""
        loop = asyncio.get_running_loop()
        while tasks := self._tasks.copy():  # a task may start another one
            done, _ = await asyncio.wait(tasks, timeout=None if deadline is None else max(deadline - loop.time(), 0))
            if not done:
                return False
        return True

    async def finish(self, deadline: float, drop: Callable[[], None] = lambda: None) -> None:
        """Wait for the tasks until *deadline*; then cancel those that still run, and abandon those that ignore it.

        *drop* is called before the tasks are cancelled, to discard the work that they would start next.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        if await self.wait(deadline):
            return
        waited = loop.time() - began
        self._log.warning("! %s still running after %.2f s: cancelled", counted(len(self._tasks), self._noun), waited)
        drop()
        self.cancel()
        if await self.wait(loop.time() + CANCEL_GRACE):
            return
        self._log.error(
            "! %s still running after %.2f s were abandoned, because they ignored their cancellation",
            counted(len(self._tasks), self._noun),
            waited + CANCEL_GRACE,
        )
        for task in self._tasks:
            _abandoned.add(task)
            task.add_done_callback(_abandoned.discard)
        self._tasks.clear()


def counted(count: int, noun: str) -> str:
    """Return *count* and *noun*, in the plural if need be."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

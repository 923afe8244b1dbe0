"""One event loop for all inputs of a process, and what must not happen on it."""

from __future__ import annotations

import asyncio
import atexit
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["TURNS", "run", "turns", "watched"]

TURNS = 60
"""Turns of the event loop after which nothing more happens without time passing."""

_loops: list[asyncio.AbstractEventLoop] = []


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run *work*. No task may be left, no exception unhandled and no error logged."""
    if not _loops:
        _loops.append(asyncio.new_event_loop())
        atexit.register(_loops[0].close)
    loop = _loops[0]
    with watched(loop) as problems:
        loop.run_until_complete(work)
        for _ in range(TURNS):
            if not asyncio.all_tasks(loop):
                break
            loop.run_until_complete(asyncio.sleep(0))
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    assert not left, f"left behind: {left}"
    assert not problems, problems


async def turns(until: Callable[[], bool] = lambda: False, count: int = TURNS) -> None:
    """Give the other tasks some turns, until a condition holds."""
    for _ in range(count):
        if until():
            return
        await asyncio.sleep(0)


class _Errors(logging.Handler):
    """Keeps the errors that are logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.problems: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the text of *record*."""
        self.problems.append(self.format(record))


@contextmanager
def watched(loop: asyncio.AbstractEventLoop) -> Iterator[list[str]]:
    """Yield a list of what goes wrong during the block without being raised. Warnings are not logged at all."""
    errors, logger = _Errors(), logging.getLogger("signalr_client")
    level = logger.level
    logger.setLevel(logging.ERROR)
    logger.addHandler(errors)
    loop.set_exception_handler(lambda _loop, context: errors.problems.append(repr(context)))
    try:
        yield errors.problems
    finally:
        loop.set_exception_handler(None)
        logger.removeHandler(errors)
        logger.setLevel(level)

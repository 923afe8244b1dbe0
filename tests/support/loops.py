"""The event loops that the tests can run on: ``pytest --loop NAME``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

TIMER_TOLERANCE = 0.002
"""Seconds by which a timer may seem to run early: uvloop's clock has a resolution of one millisecond."""

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}

if sys.platform != "win32":  # uvloop does not support Windows
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop

if sys.version_info >= (3, 12):

    def eager_loop() -> asyncio.AbstractEventLoop:
        """Return a loop that starts tasks eagerly: a task runs synchronously until it first blocks."""
        loop = asyncio.new_event_loop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop

    LOOPS["eager"] = eager_loop

"""An event loop whose clock jumps to the next timer as soon as nothing else is left to do: minutes pass in no time, and exactly."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

__all__ = ["run_in_virtual_time"]

T = TypeVar("T")

SETTLE = 0.02
"""Real seconds without anything from a socket after which the loop believes that nothing is on its way inside this process."""


class _Selector(selectors.DefaultSelector):
    """Waits for sockets for a moment only, and lets the time pass that the loop would have waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; the time passes if nothing is."""
        if timeout is None or timeout <= 0:
            ready = super().select(timeout)
        else:
            ready = super().select(SETTLE)
            if not ready:
                self.passed += timeout
        found: list[tuple[selectors.SelectorKey, int]] = ready
        return found


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Real sockets, virtual clock: it begins at 0 and moves only while all of the program waits for timers."""

    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the virtual time."""
        return self._clock.passed


def run_in_virtual_time(coroutine: Coroutine[object, object, T]) -> T:
    """Run a test on a loop of its own whose clock is virtual."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)

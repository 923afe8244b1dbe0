"""What has been counted, and what has failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

__all__ = ["Tally"]

_MAX_FAILURES: Final = 10


class Tally:
    """Counts and failures of one run.

    Attributes:
        done: finished operations and received messages, by kind.
        refused: operations that failed in a documented way, by kind and error.
        faults: faults by kind.
        events: resumes, reconnects and other events of connections.
        failures: what must not happen.
        on_hopeless: called when there are so many failures that going on shows nothing new.
        began: when the run began, in seconds of ``time.monotonic()``.
    """

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.failures: list[str] = []
        self.began = time.monotonic()
        self.on_hopeless: Callable[[], None] = lambda: None

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    def fail(self, text: str) -> None:
        """Note a failure, and show it at once."""
        if len(self.failures) < _MAX_FAILURES:
            self.failures.append(text)
            print(f"! {self.elapsed:.1f} s: {text}", flush=True)
            if len(self.failures) == _MAX_FAILURES:
                self.on_hopeless()

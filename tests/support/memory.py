"""How much memory a test allocates; client and server run in its process."""

from __future__ import annotations

import gc
import tracemalloc

__all__ = ["measure", "most_allocated", "stop_measuring"]


def measure() -> None:
    """Begin to count what is allocated."""
    gc.collect()
    tracemalloc.start()


def most_allocated() -> int:
    """Return the bytes that were allocated at most at one time since `measure`."""
    return tracemalloc.get_traced_memory()[1]


def stop_measuring() -> None:
    """End what `measure` began; to be called at the end of a test, because it slows down those that follow."""
    tracemalloc.stop()

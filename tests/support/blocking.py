"""Blocking the event loop, as a program may do by mistake."""

from __future__ import annotations

import time

__all__ = ["block_event_loop"]


def block_event_loop(seconds: float) -> None:
    """Compute something for so long that timers are late and bytes pile up in the sockets."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

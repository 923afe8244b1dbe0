"""Waiting for the end of a program that serves. Room: tools."""

from __future__ import annotations

import asyncio
import signal

__all__ = ["end_signals"]


def end_signals() -> asyncio.Event:
    """Return an event that is set by SIGINT or SIGTERM."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, ended.set)
        except NotImplementedError:  # on Windows, Ctrl+C raises KeyboardInterrupt, which ends asyncio.run
            break
    return ended

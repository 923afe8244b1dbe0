"""The server's loggers, and what the marks in their lines mean. Room: server.

Each line begins with a mark: ``>`` sent, ``<`` received, ``=`` a change of state, ``%`` a timer, ``!`` something went wrong. Lines name
connections and methods, never the contents of messages, and never a token. Names that a client chose are written with ``%.100r``, so
that they can neither forge a line nor fill a log.
"""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["OccasionalLog", "get_logger"]

_INTERVAL: Final = 10.0  # seconds


def get_logger(name: str) -> logging.Logger:
    """Return the logger of one part of the server, ``signalr_client.server.<name>``."""
    return logging.getLogger(f"signalr_client.server.{name}")


class OccasionalLog:
    """Limits what one client can make the server log: one line at most for each interval, which says how many were left out."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._next = 0.0
        self._suppressed = 0

    def warning(self, now: float, text: str, *arguments: object) -> None:
        """Log a warning, unless one was logged a short while before *now* (a time of the event loop's clock)."""
        if now < self._next:
            self._suppressed += 1
            return
        if self._suppressed:
            text = f"{text} ({self._suppressed} similar lines were left out)"
        self._logger.warning(text, *arguments)
        self._next, self._suppressed = now + _INTERVAL, 0

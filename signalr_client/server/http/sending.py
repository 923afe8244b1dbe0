"""`SendWatch`: cuts off a client that takes nothing for the send timeout. Room: server, http.

A slow client is not cut off: what counts is progress, which shows in the bytes that the operating system has not accepted yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["SendWatch"]


class SendWatch:
    """Watches the sends of one connection. It has a timer only while something is being sent.

    Args:
        timeout: seconds without progress after which the client is cut off.
        unsent: returns the bytes that the operating system has not accepted yet; None if that is not known.
        abort: drops the connection, which ends the send with an OSError.
    """

    def __init__(self, timeout: float, unsent: Callable[[], int | None], abort: Callable[[], None]) -> None:
        self._timeout = timeout
        self._unsent = unsent
        self._abort = abort
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._sends = 0  # sends that have begun and that have ended
        self._sending = False
        self._seen: tuple[int, int | None] = (0, None)
        self._since = 0.0
        self.expired: bool = False
        """Whether the client was cut off."""

    async def run(self, send: Awaitable[None]) -> None:
        """Await *send*.

        Raises:
            OSError: the client is gone, or was cut off.
        """
        self._sending = True
        self._sends += 1
        if self._timer is None:
            self._note_progress()
            self._arm()
        try:
            await send
        except OSError as exc:
            if self.expired:
                raise ConnectionAbortedError(f"The client took nothing for {self._timeout:g} s.") from exc
            raise
        finally:
            self._sending = False
            self._sends += 1
        if self.expired:  # the framework did not report the end of the connection
            raise ConnectionAbortedError(f"The client took nothing for {self._timeout:g} s.")

    def stop(self) -> None:
        """Stop watching, because the connection has ended: a timer would keep it in memory. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self._loop.call_later(self._timeout / 4, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._sending:
            return  # the next send arms it again
        if (self._sends, self._unsent()) != self._seen:
            self._note_progress()
        elif self._loop.time() - self._since >= self._timeout:
            self.expired = True
            self._abort()
            return
        self._arm()

    def _note_progress(self) -> None:
        self._seen = self._sends, self._unsent()
        self._since = self._loop.time()

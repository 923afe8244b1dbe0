"""Stateful reconnect: a new WebSocket for a link that has lost its own. Room: client. See docs/reconnecting.md."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Final

from signalr_client.client.tasks import TaskSet
from signalr_client.errors import TransportError
from signalr_client.transports.base import Transport
from signalr_client.user_code import call

__all__ = ["Resumption"]

_WINDOW: Final = 15.0
"""Seconds in which attempts are made: ASP.NET Core's default DisconnectTimeout, for which a server keeps the connection."""

_DELAYS: Final = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds before each attempt; the last one is repeated
_TEMPORARY: Final = (408, 429)  # statuses below 500 after which another attempt makes sense


class Resumption:
    """Opens new WebSockets to the server's end of a connection.

    The attempts of one loss have a time limit. A WebSocket that breaks before anything was received on it continues the same series,
    so that a server or proxy that accepts and drops every WebSocket is not flooded.

    Args:
        connect: opens one; it is given the seconds that this may take.
        tasks: owns the attempts: they call the access token factory, which may not return.
        now: the clock of the event loop.
    """

    def __init__(
        self,
        connect: Callable[[float], Coroutine[object, object, Transport]],
        *,
        tasks: TaskSet,
        now: Callable[[], float],
        logger: logging.Logger,
    ) -> None:
        self._connect = connect
        self._tasks = tasks
        self._now = now
        self._log = logger
        self._attempts = 0
        self._deadline = 0.0

    async def open(self, *, anew: bool) -> Transport:
        """Return a new transport.

        Args:
            anew: begin a new series of attempts, because something was received on the transport that was lost.

        Raises:
            TransportError: the server has forgotten the connection or refuses, or could not be reached in time.
        """
        if anew:
            self._attempts, self._deadline = 0, self._now() + _WINDOW
        while True:
            await asyncio.sleep(_DELAYS[min(self._attempts, len(_DELAYS) - 1)])
            self._attempts += 1
            try:
                transport = await self._attempt(self._deadline - self._now())
            except Exception as exc:  # the access token factory may have raised it
                self._log.debug("! attempt %d to resume failed: %s", self._attempts, exc)
                if _is_final(exc) or self._now() >= self._deadline:
                    raise TransportError(f"Reconnect attempt failed. {exc}", "WebSockets") from exc
            else:
                return transport

    async def _attempt(self, limit: float) -> Transport:
        """Open one WebSocket within *limit* seconds; an attempt that ignores its cancellation is not waited for."""
        if limit <= 0:
            raise TransportError(f"The server was not reached within {_WINDOW:g} seconds.")
        task = self._tasks.spawn(self._connect(limit), name="signalr resuming")
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
        except asyncio.CancelledError:
            self._give_up(task)
            raise
        if done:
            return task.result()
        self._give_up(task)
        raise TransportError(f"The attempt took longer than the {limit:.1f} seconds that were left.")

    def _give_up(self, task: asyncio.Task[Transport]) -> None:
        task.cancel()
        task.add_done_callback(self._discard)

    def _discard(self, task: asyncio.Task[Transport]) -> None:
        """Close what an attempt has opened although nobody waits for it any more."""
        if not task.cancelled() and task.exception() is None:
            self._tasks.start(call(task.result().close), name="signalr close")


def _is_final(error: Exception) -> bool:
    """Whether the server has refused for good: above all 404, for a connection that it does not know any more."""
    status = error.status if isinstance(error, TransportError) else None
    return status is not None and 400 <= status < 500 and status not in _TEMPORARY

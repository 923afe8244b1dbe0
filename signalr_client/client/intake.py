"""The receive limit: when a link stops reading until the handlers have caught up. Room: client.

What the client does not read piles up in the socket, and then at the server: that is the back-pressure of TCP. But a handler may
itself wait for a response of the server, which arrives behind the calls that are not being read. So a link reads on past the limit

- while an invocation waits for its response, and
- while somebody waits for an item of a stream and the handler that is running makes no progress.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from signalr_client.client.dispatch import Dispatcher
from signalr_client.client.invocations import PendingCalls
from signalr_client.client.tasks import counted
from signalr_client.gate import Gate

__all__ = ["Intake"]

_PATIENCE: Final = 1.0  # seconds that one handler may take before the items of streams are read for its sake


class Intake:
    """Decides when the current link may read. It belongs to a life, as the queue of calls does.

    Args:
        gate: counts the calls of the server that wait.
        dispatcher: handles them.
    """

    def __init__(self, gate: Gate, dispatcher: Dispatcher, logger: logging.Logger) -> None:
        self._gate = gate
        self._dispatcher = dispatcher
        self._log = logger.getChild("dispatch")
        self._limited = False
        self._stuck: object = None  # the call whose handler took longer than the patience

    @property
    def limited(self) -> bool:
        """Whether `wait` has to be called before reading."""
        return self._gate.full or self._limited

    async def wait(self, calls: PendingCalls, writer: asyncio.Task[None] | None) -> None:
        """Return when the link with these *calls* may read on.

        Args:
            calls: of the link.
            writer: of a link that can be resumed. Once it has ended, the link has to read to notice that its socket is lost. A handler
                may wait for room for what it sends, and only a new socket makes room.
        """
        if not self._gate.full:
            self._limited = False
            return
        if not self._limited:
            self._limited = True
            self._warn()
        while self._gate.full and not calls.awaits_result and not (writer is not None and writer.done()):
            running = self._dispatcher.awaited
            if running is not None and running is self._stuck and calls.awaits_item:
                return
            self._stuck = None if await self._wait_change(calls, writer) else running

    async def _wait_change(self, calls: PendingCalls, writer: asyncio.Task[None] | None) -> bool:
        """Wait until there is room or an invocation waits for its response; return False if neither happens in time."""
        changes = [
            asyncio.create_task(change, name="signalr receive limit")
            for change in (self._gate.wait_room(), calls.wait_invocation())
        ]
        try:
            waited = changes if writer is None else [*changes, writer]
            done, _ = await asyncio.wait(waited, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for change in changes:
                change.cancel()
        return bool(done)

    def _warn(self) -> None:
        """Report the beginning of an episode, once."""
        running = self._dispatcher.awaited
        self._log.warning(
            "! the receive limit is reached: %s of the server (%s) wait for their handlers%s",
            counted(self._gate.items, "call"),
            counted(self._gate.size, "byte"),
            "" if running is None else f", and the handler of '{running.target}' is still running",
        )

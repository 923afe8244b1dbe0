"""The receive limit: when a link stops reading until handlers and readers of streams have caught up. Room: client.

What the client does not read piles up in the socket, and then at the server: that is the back-pressure of TCP. But the code that has to
catch up may itself wait for the server, whose response arrives behind what is not being read. So a link reads on past the limit

- while an invocation waits for its response,
- while somebody waits for an item of a stream and other streams have unread items, and
- while somebody waits for an item of a stream and the handler that is running makes no progress.

A server that takes advantage of that by never responding would fill the memory, so the connection ends when an overdraft is used up.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from signalr_client.client.backlog import StreamBacklog
from signalr_client.client.dispatch import Dispatcher
from signalr_client.client.invocations import PendingCalls
from signalr_client.client.options import ReceiveLimit
from signalr_client.client.tasks import counted
from signalr_client.errors import ConnectionClosedError
from signalr_client.gate import Gate

__all__ = ["Intake"]

_PATIENCE: Final = 1.0  # seconds that one handler may take before the items of streams are read for its sake

# The overdraft: a multiple of the limit, and something on top, so that a low limit does not end connections.
_FACTOR: Final = 4
_EXTRA_BYTES: Final = 1_048_576
_EXTRA_MESSAGES: Final = 10_000


class Intake:
    """Decides when the current link may read. It belongs to a life, as the queue of calls does.

    Args:
        limit: what may wait.
        gate: counts the calls of the server that wait.
        dispatcher: handles them.
    """

    def __init__(self, limit: ReceiveLimit, gate: Gate, dispatcher: Dispatcher, logger: logging.Logger) -> None:
        self._limit = limit
        self._gate = gate
        self._dispatcher = dispatcher
        self._log = logger.getChild("dispatch")
        self._limited = False
        self._stuck: object = None  # the call whose handler took longer than the patience

    def new_backlog(self) -> StreamBacklog:
        """Return what counts the unread items of a new link's streams."""
        return StreamBacklog(self._limit.gate())

    def limits(self, backlog: StreamBacklog) -> bool:
        """Return whether `wait` has to be called before reading."""
        return self._gate.full or backlog.gate.full or self._limited

    async def wait(self, calls: PendingCalls, backlog: StreamBacklog, writer: asyncio.Task[None] | None) -> None:
        """Return when a link may read on.

        Args:
            calls: of the link.
            backlog: of the link.
            writer: of a link that can be resumed. Once it has ended, the link has to read to notice that its socket is lost. A handler
                may wait for room for what it sends, and only a new socket makes room.

        Raises:
            ConnectionClosedError: the link may not read on, although something waits for it.
        """
        backlog.refresh_all()
        if not (self._gate.full or backlog.gate.full):
            self._limited = False
            return
        if not self._limited:
            self._limited = True
            self._warn(backlog.gate)
        while self._holds_up(calls, backlog) and not (writer is not None and writer.done()):
            running = self._dispatcher.awaited
            self._stuck = None if await self._wait_change(calls, backlog, writer) else running
            backlog.refresh_all()
        for gate in (self._gate, backlog.gate):
            if gate.full and gate.exceeds(_FACTOR, size=_EXTRA_BYTES, items=_EXTRA_MESSAGES):
                raise ConnectionClosedError(
                    f"The server sent more than the client can take: {counted(self._gate.items, 'call')} wait for their handlers,"
                    f" {counted(backlog.gate.items, 'item')} of streams were not read, and a response to a call did not come. The"
                    " limit can be set with with_receive_limit()."
                )

    def _holds_up(self, calls: PendingCalls, backlog: StreamBacklog) -> bool:
        """Return whether the link must not read now."""
        if calls.awaits_result:
            return False
        running = self._dispatcher.awaited
        by_calls = self._gate.full and not (running is not None and running is self._stuck and calls.awaits_item)
        return by_calls or (backlog.gate.full and not calls.awaits_item)

    async def _wait_change(self, calls: PendingCalls, backlog: StreamBacklog, writer: asyncio.Task[None] | None) -> bool:
        """Wait until something has changed that may let the link read on; return False if nothing does in time."""
        waits: list[Coroutine[Any, Any, None]] = [calls.wait_invocation()]
        if self._gate.full:
            waits.append(self._gate.wait_room())
        if backlog.gate.full:
            waits.append(backlog.wait_read(calls.streams.values()))
        changes = [asyncio.create_task(change, name="signalr receive limit") for change in waits]
        try:
            waited = changes if writer is None else [*changes, writer]
            done, _ = await asyncio.wait(waited, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for change in changes:
                change.cancel()
        return bool(done)

    def _warn(self, items: Gate) -> None:
        """Report the beginning of an episode, once."""
        if not self._gate.full:
            self._log.warning(
                "! the receive limit is reached: %s of streams (%s) were not read",
                counted(items.items, "item"),
                counted(items.size, "byte"),
            )
            return
        running = self._dispatcher.awaited
        self._log.warning(
            "! the receive limit is reached: %s of the server (%s) wait for their handlers%s",
            counted(self._gate.items, "call"),
            counted(self._gate.size, "byte"),
            "" if running is None else f", and the handler of '{running.target}' is still running",
        )

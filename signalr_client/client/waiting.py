"""Calls that wait for the connection, with `HubConnectionBuilder.with_calls_while_reconnecting`. Room: client.

A call that waits has not been encoded. It is sent in the context of its caller, because its upload sources run in that context.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Sequence
from typing import Literal

from signalr_client.client.calls import OutgoingCall
from signalr_client.client.invocations import StreamSink
from signalr_client.client.link import HubLink
from signalr_client.errors import InvalidStateError

__all__ = ["Action", "QueuedCall", "WaitingCalls"]

Action = Literal["invoke", "send", "stream"]
Waiter = asyncio.Future[object] | StreamSink


class QueuedCall:
    """A call that had to wait, from the time at which it was made until its caller gives it up."""

    __slots__ = ("_args", "_call", "_context", "_digits", "_queue", "_target", "_waiter", "action")

    def __init__(
        self,
        queue: dict[QueuedCall, None],
        action: Action,
        target: str,
        args: Sequence[object],
        waiter: Waiter,
        *,
        digits: bool,
    ) -> None:
        self.action = action
        self._queue = queue
        self._target = target
        self._args = args
        self._waiter = waiter
        self._digits = digits
        self._context = contextvars.copy_context()
        self._call: OutgoingCall | None = None
        queue[self] = None

    def send(self, link: HubLink) -> None:
        """Send the call on *link*, unless it was cancelled; an error is reported to the caller."""
        if isinstance(self._waiter, asyncio.Future) and self._waiter.done():
            return  # cancelled in this iteration of the event loop, before `cancel` could be called
        try:
            self._call = self._context.run(self._begin, link)
        except Exception as exc:  # a hub protocol may be user code; the calls behind this one must not wait for ever
            self.fail(exc)

    def fail(self, error: Exception) -> None:
        """Report that the call could not be sent."""
        if not isinstance(self._waiter, asyncio.Future):
            self._waiter.finish(error)
        elif not self._waiter.done():
            self._waiter.set_exception(error)

    def cancel(self) -> None:
        """Give the call up: if it is still waiting nothing is sent, otherwise the server is told. Idempotent."""
        self._queue.pop(self, None)
        if self._call is not None:
            self._call.cancel()

    def _begin(self, link: HubLink) -> OutgoingCall:
        waiter = self._waiter
        if self.action == "send":
            assert isinstance(waiter, asyncio.Future)  # see `WaitingCalls.add`
            call = OutgoingCall.begin(link, self._target, self._args, None)
            waiter.set_result(None)
            return call
        streaming = self.action == "stream"
        return OutgoingCall.begin(link, self._target, self._args, waiter, streaming=streaming, digits=self._digits)


class WaitingCalls:
    """The calls that wait, in the order in which they were made. Each belongs to a task or a stream of the application."""

    def __init__(self) -> None:
        self._queue: dict[QueuedCall, None] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, action: Action, target: str, args: Sequence[object], waiter: Waiter, *, digits: bool = False) -> QueuedCall:
        """Let a call wait.

        Args:
            action: the method of `HubConnection` that was called.
            target: name of the hub method.
            args: its arguments, upload streams among them.
            waiter: gets the response, or the error if the call cannot be sent. That of a "send" is done when the message is queued.
            digits: the response needs all digits of its numbers.
        """
        return QueuedCall(self._queue, action, target, args, waiter, digits=digits)

    async def send(self, link: HubLink) -> None:
        """Send the calls on *link*, no faster than it can write; return when none is left or the link has ended."""
        while self._queue and not link.over:
            call = next(iter(self._queue))
            del self._queue[call]
            call.send(link)
            if link.full:
                await link.drain()

    def fail(self, state: str, reason: str, cause: Exception | None) -> None:
        """Fail all calls, because the connection has ended: *reason*."""
        calls = list(self._queue)
        self._queue.clear()
        for call in calls:
            text = f"The '{call.action}' method waited for the connection, and nothing was sent. {reason}"
            error = InvalidStateError(call.action, state, text)
            error.__cause__ = cause
            call.fail(error)

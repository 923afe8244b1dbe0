"""The calls that wait for the server, by invocation id. Room: client.

One table belongs to one physical connection and dies with it: ids begin at "1" again and no call outlives its connection.
Spec: client-behaviour.md, "E3", "E4", "E12".
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from signalr_client.core.messages import UNSET, Completion, StreamItem
from signalr_client.errors import ConnectionClosedError, HubException, ProtocolError, ServerTimeoutError

__all__ = ["PendingCalls", "StreamSink", "closed_error"]


class StreamSink(Protocol):
    """What a streaming call is fed into."""

    def feed(self, item: object) -> None:
        """Take the next item."""

    def finish(self, error: BaseException | None) -> None:
        """Take the end; after the items that came before it."""


class PendingCalls:
    """Futures of invocations and sinks of streams, by invocation id."""

    def __init__(self, logger: logging.Logger) -> None:
        self._log = logger
        self._calls: dict[str, asyncio.Future[object]] = {}
        self.streams: dict[str, StreamSink] = {}
        """Where the items of each streaming call go."""
        self._last_id = 0

    def next_id(self) -> str:
        """Return an id that this connection has not used yet; upload streams take theirs from here too."""
        self._last_id += 1
        return str(self._last_id)

    def add(self, invocation_id: str, call: asyncio.Future[object] | StreamSink) -> None:
        """Let *call* wait for the messages with this id."""
        if isinstance(call, asyncio.Future):
            self._calls[invocation_id] = call
        else:
            self.streams[invocation_id] = call

    def drop(self, invocation_id: str) -> bool:
        """Forget a call; whatever still comes for it is passed over. Returns whether it was still waiting."""
        known = self._calls.pop(invocation_id, None) or self.streams.pop(invocation_id, None)
        return known is not None

    def complete(self, message: Completion) -> None:
        """End the call that *message* answers."""
        call = self._calls.pop(message.invocation_id, None)
        if call is not None:
            if call.done():
                return  # cancelled in this very turn of the loop
            if message.error:
                call.set_exception(HubException(message.error))
            else:
                call.set_result(None if message.result is UNSET else message.result)
            return
        stream = self.streams.pop(message.invocation_id, None)
        if stream is None:  # a late answer to a call that was cancelled, or no answer to anything
            self._log.debug("! dropped unsolicited Completion id=%s", message.invocation_id)
        elif message.error:
            stream.finish(HubException(message.error))
        elif message.result is not UNSET and message.result is not None:
            stream.finish(ProtocolError("Server provided a result in a completion response to a streamed invocation."))
        else:
            stream.finish(None)

    def refuse_item(self, message: StreamItem) -> None:
        """Take an item that no stream waits for: a plain call that gets one fails, others are dropped."""
        call = self._calls.pop(message.invocation_id, None)
        if call is None:
            self._log.debug("! dropped unsolicited StreamItem id=%s", message.invocation_id)
        elif not call.done():
            call.set_exception(ProtocolError("Streaming hub methods must be invoked with the 'stream' method."))

    def fail(self, error: BaseException | None) -> None:
        """End every call because the connection has ended, with *error* or without."""
        calls, self._calls = self._calls, {}
        streams = list(self.streams.values())
        self.streams.clear()
        for call in calls.values():
            if not call.done():
                call.set_exception(closed_error(error))
        for stream in streams:
            stream.finish(closed_error(error))


def closed_error(error: BaseException | None) -> ConnectionClosedError:
    """Return what a call gets when its connection ends with *error*: a new exception each time, since each has its own traceback."""
    match error:
        case None:
            return ConnectionClosedError("Invocation canceled due to the underlying connection being closed.")
        case ServerTimeoutError():
            closed: ConnectionClosedError = ServerTimeoutError(error.server_timeout, error.idle)
        case ConnectionClosedError():
            closed = ConnectionClosedError(error.reason)
        case _:
            closed = ConnectionClosedError(f"Invocation canceled due to the underlying connection being closed: {error}")
    closed.__cause__ = error.__cause__ if isinstance(error, ConnectionClosedError) else error
    return closed

"""The calls that wait for the server, by invocation id. Room: client.

A table belongs to one physical connection and is discarded with it: ids start at "1" again, and no call outlives its connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from signalr_client.client.describe import shown
from signalr_client.client.ends import closed_error
from signalr_client.core.error_header import received_error
from signalr_client.core.messages import UNSET, Completion, StreamItem
from signalr_client.errors import ProtocolError

__all__ = ["PendingCalls", "StreamSink", "Upload"]


class StreamSink(Protocol):
    """Receives the items of a streaming call."""

    @property
    def awaited(self) -> bool:
        """Whether a reader waits for the next item."""

    @property
    def unread(self) -> int:
        """The number of items that have arrived and were not read."""

    def watch(self, changed: asyncio.Event | None) -> None:
        """Set *changed* when a reader has read everything, or has left; None sets nothing any more."""

    def feed(self, item: object) -> None:
        """Take the next item."""

    def finish(self, error: Exception | None) -> None:
        """Take the end of the stream, after all of its items."""


class Upload(Protocol):
    """An upload stream of a call."""

    def stop(self, *, tell_server: bool) -> None:
        """Stop sending."""


class PendingCalls:
    """The futures of invocations and the sinks of streams, by invocation id.

    Attributes:
        streams: where the items of each streaming call go.
        exact: the calls whose results or items need all digits of their numbers; see `ExactNumbers`.
    """

    def __init__(self, logger: logging.Logger, exact: set[str]) -> None:
        self.streams: dict[str, StreamSink] = {}
        self.exact = exact
        self._log = logger
        self._futures: dict[str, asyncio.Future[object]] = {}
        self._uploads: dict[str, Sequence[Upload]] = {}
        self._last_id = 0
        self._added: asyncio.Event | None = None  # created by the reader, while it waits for an invocation

    def next_id(self) -> str:
        """Return an id that this connection has not used yet; upload streams take their ids from here too."""
        self._last_id += 1
        return str(self._last_id)

    def add(self, invocation_id: str, waiter: asyncio.Future[object] | StreamSink, uploads: Sequence[Upload] = ()) -> None:
        """Let *waiter* wait for the messages with this id; *uploads* are stopped when the call has completed."""
        if isinstance(waiter, asyncio.Future):
            self._futures[invocation_id] = waiter
            if self._added is not None:
                self._added.set()
        else:
            self.streams[invocation_id] = waiter
        if uploads:
            self._uploads[invocation_id] = uploads

    def drop(self, invocation_id: str) -> bool:
        """Forget a call that its caller gave up, and return whether it was still waiting; a late response is ignored."""
        known = self._futures.pop(invocation_id, None) or self.streams.pop(invocation_id, None)
        self.exact.discard(invocation_id)
        if self._uploads:
            self._stop_uploads(invocation_id, tell_server=True)
        return known is not None

    def complete(self, message: Completion) -> None:
        """End the call that *message* completes."""
        invocation_id = message.invocation_id
        if self._uploads:  # the server has answered, so it reads them no longer
            self._stop_uploads(invocation_id, tell_server=False)
        future = self._futures.pop(invocation_id, None)
        if future is not None:
            if future.done():
                return  # cancelled in this iteration of the event loop
            if message.error:
                future.set_exception(received_error(message, self._log))
            else:
                future.set_result(None if message.result is UNSET else message.result)
            return
        stream = self.streams.pop(invocation_id, None)
        if stream is None:  # a late response to a cancelled call, or a response to no call at all
            self._log.debug("! dropped unsolicited Completion id=%s", shown(invocation_id))
        elif message.error:
            stream.finish(received_error(message, self._log))
        elif message.result is not UNSET and message.result is not None:
            stream.finish(ProtocolError("Server provided a result in a completion response to a streamed invocation."))
        else:
            stream.finish(None)

    def refuse_item(self, message: StreamItem) -> None:
        """Handle an item that belongs to no stream: an invocation that gets one fails, other items are dropped."""
        future = self._futures.pop(message.invocation_id, None)
        if future is None:
            self._log.debug("! dropped unsolicited StreamItem id=%s", shown(message.invocation_id))
            return
        self._stop_uploads(message.invocation_id, tell_server=True)
        if not future.done():
            future.set_exception(ProtocolError("Streaming hub methods must be invoked with the 'stream' method."))

    def fail(self, error: Exception | None) -> None:
        """End every call because the connection ended, with *error* or without."""
        futures, self._futures = self._futures, {}
        streams = list(self.streams.values())
        self.streams.clear()
        self._uploads.clear()
        for future in futures.values():
            if not future.done():
                future.set_exception(closed_error(error))
        for stream in streams:
            stream.finish(closed_error(error))

    # what the receive limit asks

    @property
    def awaits_result(self) -> bool:
        """Whether an invocation waits for its response."""
        return bool(self._futures)

    @property
    def awaits_item(self) -> bool:
        """Whether somebody waits for the next item of a stream."""
        return any(stream.awaited for stream in self.streams.values())

    async def wait_invocation(self) -> None:
        """Return when an invocation waits for its response. Only the reader may call this."""
        added = self._added = asyncio.Event()
        try:
            while not self._futures:
                added.clear()
                await added.wait()
        finally:
            if self._added is added:
                self._added = None

    def _stop_uploads(self, invocation_id: str, *, tell_server: bool) -> None:
        for upload in self._uploads.pop(invocation_id, ()):
            upload.stop(tell_server=tell_server)

"""Streams from a client to a hub method. Room: server, connections."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

from signalr_client.core.binding import Converter
from signalr_client.core.portable import find_unportable, is_portable_as_typed
from signalr_client.errors import BindingError, ConnectionClosedError, HubException
from signalr_client.gate import Gate
from signalr_client.server.errors import describe

__all__ = ["UploadStream"]

_CLOSED: Final = "The underlying connection was closed."
_UNBOUND: Final = "Failed to bind Stream message."


class UploadStream(AsyncIterator[Any]):
    """What a hub method reads: the items in order, then the end, or the error that ended it.

    It raises HubException if the client ended it with an error or an item does not fit its type, and ConnectionClosedError when the
    connection is lost.

    Attributes:
        gate: full while more than *capacity* items have not been read; the connection is then not read either.
        begun: whether the call has begun. Until then only the bytes of the items count: nobody can read them, and what lets the call
            begin may come behind them.

    Args:
        converter: converts each item to its type; None for anything.
        capacity: items that may wait.
        waiting: the connection's incoming gate, which counts the bytes of the items that have not been read.
        detailed_errors: whether errors that end the stream name their cause.
    """

    def __init__(
        self, converter: Converter[Any] | None, capacity: int, waiting: Gate, *, detailed_errors: bool = False
    ) -> None:
        self.gate: Gate = Gate(None, capacity)
        self.begun = False
        self._converter = converter
        self._waiting = waiting
        self._detailed = detailed_errors
        self._items: deque[tuple[Any, int]] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    # for the client's messages

    def feed(self, item: object, size: int) -> None:
        """Add the next item, of *size* bytes; one that does not fit ends the stream with an error."""
        if self._ended:
            return
        try:
            reason = find_unportable(item)
            if reason is not None and (self._converter is None or not self._converter.needs_digits):
                raise BindingError(reason)
            if self._converter is not None:
                item = self._converter.convert(item, "item")
            if reason is not None and not is_portable_as_typed([item]):
                raise BindingError(reason)
        except BindingError as exc:
            self.end(HubException(describe(_UNBOUND, exc, detailed=self._detailed)))
            return
        if not self._items:
            self._changed.set()
        self._items.append((item, size))
        self._waiting.add(size)
        self.gate.add(size)

    def end(self, error: BaseException | None = None) -> None:
        """End the stream; only the first end counts. Items that came before it are still read."""
        if not self._ended:
            self._ended, self._error = True, error
            self._changed.set()
            self.gate.close()

    def close(self) -> None:
        """End the stream because the connection has ended."""
        self.end(ConnectionClosedError(_CLOSED))

    def release(self) -> None:
        """End the stream because its method has ended; unread and later items are dropped."""
        self.end()
        while self._items:
            self._take()

    # for the hub method

    def __aiter__(self) -> UploadStream:
        """Return the stream itself; it can be read once."""
        return self

    async def __anext__(self) -> Any:
        """Return the next item; cancelling loses none."""
        while not self._items:
            if self._ended:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._take()

    def _take(self) -> Any:
        item, size = self._items.popleft()
        self._waiting.remove(size)
        self.gate.remove(size)
        return item

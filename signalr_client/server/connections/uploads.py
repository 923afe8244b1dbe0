"""Streams from a client to a hub method. Room: server. Spec: server-behaviour.md, "D" (uploads)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

from signalr_client.core.binding import bind
from signalr_client.errors import BindingError, ConnectionClosedError, HubException
from signalr_client.server.errors import describe

__all__ = ["UploadStream"]

_CLOSED: Final = "The underlying connection was closed."


class UploadStream(AsyncIterator[Any]):
    """What a hub method reads: the items in their order, then the end, or the error that ended it.

    It ends with HubException if the client said so or if an item did not fit, and with ConnectionClosedError when the connection was
    lost.

    Args:
        item_type: what each item has to be; object for anything.
        capacity: items that may wait before `has_room` is False and the connection is no longer read.
    """

    def __init__(self, item_type: Any, capacity: int, *, detailed_errors: bool = False) -> None:
        self._item_type = item_type
        self._capacity = capacity
        self._detailed = detailed_errors
        self._items: deque[Any] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    # the side of the client

    def feed(self, item: object) -> None:
        """Take the next item; one that does not fit ends the stream with an error."""
        if self._ended:
            return
        if self._item_type is not object:
            try:
                item = bind(item, self._item_type)
            except BindingError as exc:
                self.end(HubException(describe("Failed to bind Stream message.", exc, detailed=self._detailed)))
                return
        self._items.append(item)
        self._changed.set()

    def end(self, error: BaseException | None = None) -> None:
        """Take the end; only the first counts. Items that came before it are still read."""
        if self._ended:
            return
        self._ended, self._error = True, error
        self._changed.set()
        self._room.set()

    def close(self) -> None:
        """End it because the connection has ended."""
        self.end(ConnectionClosedError(_CLOSED))

    def release(self) -> None:
        """End it because its method has ended: what waits is dropped, what still comes is passed over."""
        self.end()
        self._items.clear()

    @property
    def has_room(self) -> bool:
        """Whether the client may go on."""
        return self._ended or len(self._items) < self._capacity

    async def wait_room(self) -> None:
        """Return when the client may go on."""
        while not self.has_room:
            self._room.clear()
            await self._room.wait()

    # the side of the hub method

    def __aiter__(self) -> UploadStream:
        """Return the stream itself: it can be read once."""
        return self

    async def __anext__(self) -> Any:
        """Return the next item; cancelling loses none."""
        while not self._items:
            if self._ended:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        item = self._items.popleft()
        self._room.set()
        return item

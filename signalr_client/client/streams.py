"""Streams from the server. Room: client. Spec: client-behaviour.md, "E4. invoke / send / stream"."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

from signalr_client.client.calls import OutgoingCall
from signalr_client.client.invocations import StreamSink

__all__ = ["HubStream"]

T_co = TypeVar("T_co", covariant=True)


class _Buffer:
    """What has come of a stream and was not read yet. It knows nothing of its reader, so that a reader can be let go."""

    def __init__(self) -> None:
        self.items: deque[object] = deque()
        self.call: OutgoingCall | None = None
        self.finished = False
        self._error: BaseException | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, item: object) -> None:
        """Take the next item."""
        self.items.append(item)
        if self._waiter is not None:
            self._wake()

    def finish(self, error: BaseException | None) -> None:
        """Take the end."""
        self.finished, self._error = True, error
        if self.call is not None:
            self.call.end()
        self._wake()

    async def wait(self) -> None:
        """Return when there is an item.

        Raises:
            StopAsyncIteration: the stream has ended.
            SignalRError: it ended with this error.
        """
        while not self.items:
            if self.finished:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class HubStream(AsyncIterator[T_co], Generic[T_co]):
    """The items of a streaming hub method, read with ``async for``. Made by `HubConnection.stream`.

    The call is sent when reading begins (or on entering ``async with``), and the items wait here, without a limit, until they are
    read. Leaving early - ``break``, an exception in the loop, a cancelled task, `aclose` - tells the server to stop and ends the
    stream. An error of the server comes after the items that were sent before it.

    Raises (while reading):
        HubException: the method failed.
        ConnectionClosedError: the connection ended first.
        BindingError: an item does not fit ``item_type``; reading may go on behind it.
        InvalidStateError: the connection is not active.

    Spec: client-behaviour.md, "E4. invoke / send / stream".
    """

    def __init__(self, begin: Callable[[StreamSink], OutgoingCall], convert: Callable[[object], T_co] | None = None) -> None:
        self._begin = begin
        self.convert = convert
        self._buffer = _Buffer()
        self.ready = self._buffer.items  # for the reader
        self._call: OutgoingCall | None = None
        self._left = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def __aiter__(self) -> AsyncIterator[T_co]:  # noqa: PYI034  # a reader of its own notices a break
        """Return a reader; letting go of it, as ``break`` does, leaves the stream."""
        return _Reader(self)

    async def __anext__(self) -> T_co:
        """Return the next item; cancelling leaves the stream."""
        if self._call is None:
            self._start()
        buffer = self._buffer
        if not buffer.items:
            try:
                await buffer.wait()
            except asyncio.CancelledError:
                self.leave()
                raise
        item = buffer.items.popleft()
        return item if self.convert is None else self.convert(item)  # type: ignore[return-value]  # without a type: as it came

    async def __aenter__(self) -> Self:
        """Send the call."""
        if self._call is None:
            self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the stream."""
        self.leave()

    async def aclose(self) -> None:
        """Leave the stream: the server is told unless it has ended, items not yet read are dropped. Idempotent."""
        self.leave()

    def leave(self) -> None:
        """What `aclose` does, without ``await``."""
        if self._left:
            return
        self._left = True
        if self._call is not None:
            self._call.leave()
        self._buffer.items.clear()
        self._buffer.finish(None)

    def __del__(self) -> None:
        """Leave a stream that nobody reads any more."""
        self.let_go()

    def let_go(self) -> None:
        """Leave the stream because its reader is gone; the garbage collector may say so in any thread."""
        loop = self._loop
        if self._left or loop is None or self._buffer.finished or loop.is_closed():
            return
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            self.leave()
        else:
            loop.call_soon_threadsafe(self.leave)

    def _start(self) -> None:
        if self._left:
            return
        self._loop = asyncio.get_running_loop()
        self._call = self._buffer.call = self._begin(self._buffer)


class _Reader(AsyncIterator[T_co]):
    """One ``async for`` over a stream. Python tells nobody about a ``break`` but by dropping this object."""

    __slots__ = ("_convert", "_items", "_stream")

    def __init__(self, stream: HubStream[T_co]) -> None:
        self._stream = stream
        self._items, self._convert = stream.ready, stream.convert

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        if self._items:  # already here: the way of most items, so it is a short one
            item = self._items.popleft()
            return item if self._convert is None else self._convert(item)  # type: ignore[return-value]  # as in HubStream
        return await self._stream.__anext__()

    def __del__(self) -> None:
        self._stream.let_go()

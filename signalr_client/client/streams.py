"""Streams from the server. Room: client."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from signalr_client.client.invocations import StreamSink
from signalr_client.errors import InvalidStateError

__all__ = ["HubStream", "StreamCall"]

T_co = TypeVar("T_co", covariant=True)


class StreamCall(Protocol):
    """The call behind a stream."""

    def cancel(self) -> None:
        """Tell the server to stop, unless the stream has ended."""


class _Buffer:
    """Items that have arrived and were not read yet. It holds no reference to its reader, so that the reader can be collected."""

    def __init__(self) -> None:
        self.items: deque[object] = deque()
        self.finished = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._changed: asyncio.Event | None = None

    @property
    def awaited(self) -> bool:
        """Whether a reader waits for the next item."""
        return self._waiter is not None

    @property
    def unread(self) -> int:
        """The number of items that have arrived and were not read."""
        return len(self.items)

    def watch(self, changed: asyncio.Event | None) -> None:
        """Set *changed* when a reader has read everything, or has left; None sets nothing any more."""
        self._changed = changed

    def feed(self, item: object) -> None:
        """Take the next item."""
        self.items.append(item)
        if self._waiter is not None:
            self._wake()

    def finish(self, error: Exception | None) -> None:
        """Take the end."""
        self.finished, self._error = True, error
        self._wake()

    def clear(self) -> None:
        """Drop what was not read."""
        self.items.clear()
        if self._changed is not None:
            self._changed.set()

    async def wait(self) -> None:
        """Return when there is an item.

        Raises:
            StopAsyncIteration: the stream has ended.
            SignalRError: it ended with this error.
        """
        while not self.items:
            if self._changed is not None:
                self._changed.set()
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
    """The items of a streaming hub method, read with ``async for``. Created by `HubConnection.stream`.

    The call is sent when reading begins, or on entering ``async with``. Items wait in the stream until they are read, by one task at a
    time; past a limit the client stops reading from the server, see `HubConnectionBuilder.with_receive_limit`. Leaving early tells the
    server to stop and ends the stream: by ``break``, by an exception in the loop, by cancelling the task, or with `aclose`. An error
    from the server is raised after the items that were sent before it.

    Raises (while reading):
        HubException: the method failed.
        ConnectionClosedError: the connection ended first.
        BindingError: an item does not fit ``item_type``; reading can go on with the next item.
        InvalidStateError: the connection is not active, another task is waiting for the next item, or this is another event loop.
    """

    def __init__(
        self,
        begin: Callable[[StreamSink], StreamCall],
        convert: Callable[[object], T_co] | None = None,
        state: Callable[[], str] = lambda: "Connected",
    ) -> None:
        self._begin = begin
        self._state = state
        self.convert = convert
        self._buffer = _Buffer()
        self.ready: deque[object] = self._buffer.items  # for the readers
        self._call: StreamCall | None = None
        self._left = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers = 0

    def __aiter__(self) -> AsyncIterator[T_co]:  # noqa: PYI034  # a separate reader notices a break
        """Return a reader; the stream is left when its last reader is dropped, as after a ``break``."""
        self._readers += 1
        return _Reader(self)

    async def __anext__(self) -> T_co:
        """Return the next item; cancelling leaves the stream."""
        if self._call is None:
            self._start()
        buffer = self._buffer
        if not buffer.items:
            self._check_use()
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
        await self.aclose()

    async def aclose(self) -> None:
        """Leave the stream: the server is told unless the stream has ended, and items not yet read are dropped. Idempotent."""
        if self._loop is not None and not self._buffer.finished:
            self._check_loop()
        self.leave()

    def leave(self) -> None:
        """Do what `aclose` does, without ``await``."""
        if self._left:
            return
        self._left = True
        if self._call is not None:
            self._call.cancel()
        self._buffer.clear()
        self._buffer.finish(None)

    def __del__(self) -> None:
        """Leave a stream that nobody can read any more."""
        self._leave_from_anywhere()

    def drop_reader(self) -> None:
        """Leave the stream if its last reader was garbage-collected, in whichever thread that happens."""
        self._readers -= 1
        if not self._readers:
            self._leave_from_anywhere()

    def _leave_from_anywhere(self) -> None:
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
        self._call = self._begin(self._buffer)
        self._loop = asyncio.get_running_loop()

    def _check_use(self) -> None:
        """Check that the caller may wait for an item.

        Raises:
            InvalidStateError: it runs in another event loop, or another task waits already.
        """
        if self._loop is not None and not self._buffer.finished:
            self._check_loop()
        if self._buffer.awaited:
            raise InvalidStateError(
                "stream",
                self._state(),
                "Another task is waiting for the next item of this stream; only one can read it at a time.",
            )

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise InvalidStateError("stream", self._state(), "The stream was used from another event loop than its connection.")


class _Reader(AsyncIterator[T_co]):
    """One ``async for`` over a stream. A ``break`` can only be detected when this object is garbage-collected."""

    __slots__ = ("_convert", "_items", "_stream")

    def __init__(self, stream: HubStream[T_co]) -> None:
        self._stream = stream
        self._items, self._convert = stream.ready, stream.convert

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        if self._items:  # most items have arrived already, so this path is short
            item = self._items.popleft()
            return item if self._convert is None else self._convert(item)  # type: ignore[return-value]  # as in HubStream
        return await self._stream.__anext__()

    def __del__(self) -> None:
        self._stream.drop_reader()

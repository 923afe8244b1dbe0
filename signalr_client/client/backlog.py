"""The items of a link's streams that have arrived and were not read. Room: client.

They count towards a limit, as the calls that wait for their handlers do. Reading an item is a hot path, so it is not counted when it
happens: `refresh` looks, once for each frame, how many items a stream still has. Items that are read before the next frame arrives are
never measured one by one.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from signalr_client.client.invocations import StreamSink
from signalr_client.core.messages import HubMessage, StreamItem
from signalr_client.gate import Gate

__all__ = ["StreamBacklog"]


class _Unread:
    """What one stream had not read when it was looked at last: the items of each frame, and their bytes."""

    __slots__ = ("_frames", "_items")

    def __init__(self) -> None:
        self._frames: deque[tuple[int, int]] = deque()
        self._items = 0

    def add(self, items: int, size: int) -> None:
        """Count the items of one frame."""
        self._frames.append((items, size))
        self._items += items

    def remove_read(self, stream: StreamSink | None, gate: Gate) -> bool:
        """Remove the frames that *stream* has read completely from *gate*; return whether there are others.

        Nobody can read a stream that was garbage-collected (None).
        """
        frames = self._frames
        read = self._items - (0 if stream is None else stream.unread)
        while frames and read >= frames[0][0]:
            items, size = frames.popleft()
            self._items -= items
            read -= items
            gate.remove(size, items)
        return bool(frames)


class StreamBacklog:
    """Counts the unread items of the streams of one link.

    Attributes:
        gate: full while too much is unread.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self._unread: dict[weakref.ref[StreamSink], _Unread] = {}  # the first one is looked at next

    def refresh(self) -> bool:
        """Look at the stream that was not looked at for the longest time; return whether anything is unread."""
        if not self._unread:
            return False
        reference = next(iter(self._unread))
        unread = self._unread.pop(reference)
        if unread.remove_read(reference(), self.gate):
            self._unread[reference] = unread
        return bool(self._unread)

    def refresh_all(self) -> None:
        """Look at every stream."""
        for _ in range(len(self._unread)):
            self.refresh()

    def add(
        self, fed: Mapping[str, StreamSink], size: int, messages: Sequence[HubMessage], sizes: Sequence[int] | None
    ) -> None:
        """Count the items of one frame.

        Args:
            fed: the streams that the frame has brought items for, by their invocation ids.
            size: bytes of the frame.
            messages: of the frame.
            sizes: bytes of each message; None if nothing was unread before the frame came, so that they need not be known.
        """
        if sizes is None:
            total = sum(stream.unread for stream in fed.values())
            for stream in fed.values():
                self._add(stream, stream.unread, size * stream.unread // total)
            return
        counts = dict.fromkeys(fed, (0, 0))
        for message, bytes_of_it in zip(messages, sizes, strict=True):
            if type(message) is StreamItem and message.invocation_id in counts:
                items, total = counts[message.invocation_id]
                counts[message.invocation_id] = items + 1, total + bytes_of_it
        for stream_id, stream in fed.items():
            self._add(stream, *counts[stream_id])

    async def wait_read(self, streams: Iterable[StreamSink]) -> None:
        """Return when a reader has read everything that its stream had, or has left it.

        Args:
            streams: those that have not ended.
        """
        changed = asyncio.Event()
        watched = {*streams, *(stream for reference in self._unread if (stream := reference()) is not None)}
        for stream in watched:
            stream.watch(changed)
        try:
            await changed.wait()
        finally:
            for stream in watched:
                stream.watch(None)

    def _add(self, stream: StreamSink, items: int, size: int) -> None:
        reference = weakref.ref(stream)
        unread = self._unread.get(reference)
        if unread is None:
            unread = self._unread[reference] = _Unread()
        unread.add(items, size)
        self.gate.add(size, items)

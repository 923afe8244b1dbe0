"""The text/event-stream format, from bytes of any chunking to events. Room: transports; no I/O.

Spec: HTML Living Standard, "Server-sent events"; transport protocols specification, "Server-Sent Events (Server-to-Client only)".
"""

from __future__ import annotations

import re
from typing import Final

from signalr_client.transports.failures import frame_limit, too_large

__all__ = ["EventStreamParser"]

_BOM: Final = b"\xef\xbb\xbf"
_OVERHEAD: Final = len(_BOM + b"data: ")  # bytes of a line that are not data, at most
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class EventStreamParser:
    """Takes chunks and returns the data of each event that they complete; other fields and comments mean nothing to a hub.

    Each byte is looked at once and copied a fixed number of times, whatever the chunks are, and what has to be kept is bounded.

    Args:
        max_message_size: bytes that one hub message may have; None for no limit. An event may hold several messages, see
            `frame_limit`.
    """

    def __init__(self, max_message_size: int | None = None) -> None:
        self._max_message_size = max_message_size
        self._limit = frame_limit(max_message_size)
        self._line = bytearray()  # of a line whose end has not come
        self._data: list[bytes] = []  # of an event whose end has not come
        self._data_size = 0
        self._first_line = True
        self._skip_newline = False  # the last chunk ended with CR: an LF that follows belongs to it

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that *chunk* completes; the lines of one event are joined with LF.

        Raises:
            ProtocolError: an event, or a line of any kind, is longer than allowed. The parser cannot be used any more.
        """
        if self._skip_newline and chunk:
            chunk, self._skip_newline = chunk.removeprefix(b"\n"), False
        self._skip_newline = self._skip_newline or chunk.endswith(b"\r")
        first, *others = _LINE_END.split(chunk)
        self._line += first
        events: list[bytes] = []
        if others:
            *whole, rest = others
            self._end_line(bytes(self._line), events)
            for line in whole:
                self._end_line(line, events)
            self._line = bytearray(rest)
        self._check(self._data_size + len(self._line) - _OVERHEAD)
        return events

    def _end_line(self, line: bytes, events: list[bytes]) -> None:
        """Take a complete line; an empty one ends an event."""
        if self._first_line:
            line, self._first_line = line.removeprefix(_BOM), False
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data.clear()
                self._data_size = 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._check(self._data_size + len(value))
            self._data_size += len(value) + 1

    def _check(self, size: int) -> None:
        """Raise ProtocolError if *size* bytes are too many for an event."""
        if self._limit is not None and size > self._limit:
            assert self._max_message_size is not None
            raise too_large("an event", self._max_message_size)

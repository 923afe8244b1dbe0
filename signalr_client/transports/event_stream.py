"""The text/event-stream format, from bytes of any chunking to events. Room: transports; no I/O.

Spec: HTML Living Standard, "Server-sent events"; transport protocols specification, "Server-Sent Events (Server-to-Client only)".
"""

from __future__ import annotations

import math
import re
from typing import Final

from signalr_client.errors import ProtocolError
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
        self._limit: float = math.inf if max_message_size is None else frame_limit(max_message_size)
        self._line = bytearray()  # of a line whose end has not come
        self._data: list[bytes] = []  # of an event whose end has not come
        self._data_size = 0
        self._begun = False
        self._skip_newline = False  # the last chunk ended with CR: an LF that follows belongs to it

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that *chunk* completes; the lines of one event are joined with LF.

        Raises:
            ProtocolError: an event, or a line of any kind, is longer than allowed. The parser cannot be used any more.
        """
        if self._skip_newline and chunk:
            chunk, self._skip_newline = chunk.removeprefix(b"\n"), False
        self._skip_newline = self._skip_newline or chunk.endswith(b"\r")
        lines = _LINE_END.split(chunk)
        rest = lines.pop()
        events: list[bytes] = []
        if lines:
            lines[0] = self._first_line(lines[0])
            self._end_lines(lines, events)
        self._line += rest
        if self._data_size + len(self._line) - _OVERHEAD > self._limit:
            raise self._too_large()
        return events

    def _first_line(self, end: bytes) -> bytes:
        """Return the line that *end* completes."""
        if self._line:
            end, self._line = bytes(self._line + end), bytearray()
        if not self._begun:
            end, self._begun = end.removeprefix(_BOM), True
        return end

    def _end_lines(self, lines: list[bytes], events: list[bytes]) -> None:
        """Take complete lines; an empty one ends an event."""
        data = self._data
        for line in lines:
            if not line:
                if data:
                    events.append(b"\n".join(data))
                    data.clear()
                    self._data_size = 0
                continue
            name, _, value = line.partition(b":")
            if name == b"data":
                value = value.removeprefix(b" ")
                size = self._data_size + len(value)
                if size > self._limit:
                    raise self._too_large()
                self._data_size = size + 1
                data.append(value)

    def _too_large(self) -> ProtocolError:
        assert self._max_message_size is not None
        return too_large("an event", self._max_message_size)

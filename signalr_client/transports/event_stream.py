"""The text/event-stream format, from bytes of any chunking to events. Room: transports; no I/O.

Spec: client-behaviour.md, "D2. Server-Sent Events"; HTML Living Standard, "Server-sent events".
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["EventStreamParser"]

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


class EventStreamParser:
    """Takes chunks and gives the data of each event that they complete; other fields and comments mean nothing to a hub."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._begun = False
        self._skip_newline = False  # the last chunk ended with CR: an LF that follows belongs to it

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the data of the events that *chunk* completes; the lines of one event are joined with LF."""
        if self._skip_newline and chunk:
            chunk, self._skip_newline = chunk.removeprefix(b"\n"), False
        text = self._rest + chunk
        if not self._begun:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._rest = text
                return []
            text, self._begun = text.removeprefix(_BOM), True
        self._skip_newline = text.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(text)
        events = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(b"\n".join(self._data))
                    self._data.clear()
                continue
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
        return events

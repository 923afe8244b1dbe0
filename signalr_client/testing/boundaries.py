"""Finds the boundaries between messages in the bytes of an HTTP/1.1 connection, WebSockets included. No I/O. Room: tools.

A message is an HTTP request or response, with its body; a WebSocket message, with all its fragments; a WebSocket control frame between
two messages; or an event of an event stream. The scanner parses what it needs to find their ends: heads, chunk sizes and frame headers.
If the bytes are not HTTP/1.1 (TLS, for example), it gives up and finds no boundaries from there on.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator

__all__ = ["Exchange", "MessageScanner"]

MAX_HEAD = 65_536
"""Bytes of a head or a line. What is longer is not taken for HTTP."""

MAX_PIPELINED = 1_000
"""Requests without a response that the scanner remembers. With more it gives up."""

NEEDS_MORE, BOUNDARY = False, True

Steps = Generator[bool, None, None]
"""A parser that yields BOUNDARY at each boundary, and NEEDS_MORE when it has used up the data."""


class _NotHttp(Exception):
    """The bytes are not HTTP/1.1."""


class Exchange:
    """What the scanners of the two directions of a connection know of each other.

    Attributes:
        methods: the methods of the requests that have no response yet, oldest first.
        upgraded: whether the server has switched to the WebSocket protocol.
    """

    def __init__(self) -> None:
        self.methods: deque[str] = deque()
        self.upgraded = False


class MessageScanner:
    """Finds the boundaries in one direction of a connection.

    Attributes:
        at_boundary: whether all messages so far are complete.
        opaque: whether the scanner has given up, because the bytes are not HTTP/1.1.

    Args:
        exchange: shared with the scanner of the other direction.
        requests: whether this is the direction of the requests.
    """

    def __init__(self, exchange: Exchange, *, requests: bool) -> None:
        self.at_boundary: bool = True
        self.opaque: bool = False
        self._exchange = exchange
        self._data = b""
        self._at = 0
        self._steps = self._safely(self._requests() if requests else self._responses())

    def scan(self, data: bytes) -> list[int]:
        """Take the next bytes. Return the offsets in them at which a message can begin, from 0 to the length of *data*."""
        boundaries = [0] if self.at_boundary else []
        self._data, self._at = data, 0
        while next(self._steps):
            boundaries.append(self._at)
        self.at_boundary = bool(boundaries) and boundaries[-1] == len(data)
        return boundaries

    def _safely(self, steps: Steps) -> Steps:
        """Run the parser. After it has failed, find nothing any more."""
        try:
            yield from steps
        except _NotHttp:
            self.opaque = True
        while True:
            yield NEEDS_MORE

    def _requests(self) -> Steps:
        """Parse requests, and frames after the server has switched to them."""
        while True:
            yield from self._some()
            if self._exchange.upgraded:
                yield from self._frames()
            start, headers = yield from self._head()
            method, _, rest = start.partition(" ")
            if not (method.isalpha() and method.isupper() and " HTTP/1." in rest) or method == "CONNECT":
                raise _NotHttp
            if len(self._exchange.methods) >= MAX_PIPELINED:
                raise _NotHttp
            self._exchange.methods.append(method)
            yield from self._body(headers, "0")
            yield BOUNDARY

    def _responses(self) -> Steps:
        """Parse responses, and frames after a response that has switched to them."""
        while True:
            start, headers = yield from self._head()
            status = start.partition(" ")[2].partition(" ")[0]
            if not (start.startswith("HTTP/1.") and re.fullmatch("[1-5][0-9][0-9]", status)):
                raise _NotHttp
            if status == "101":
                if headers.get("upgrade", "").lower() != "websocket":
                    raise _NotHttp
                self._exchange.upgraded = True
                yield BOUNDARY
                yield from self._frames()
            if status.startswith("1"):  # 100 Continue and the like: the response is still to come
                continue
            method = self._exchange.methods.popleft() if self._exchange.methods else "GET"
            if method != "HEAD" and status not in {"204", "304"}:
                yield from self._body(headers, None)
            yield BOUNDARY

    def _body(self, headers: dict[str, str], default: str | None) -> Steps:
        """Skip a body. Without a length it has that of *default*, or lasts until the connection ends."""
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            yield from self._chunks(events=headers.get("content-type", "").startswith("text/event-stream"))
            return
        length = headers.get("content-length", default)
        if length is None:
            while True:
                self._at = len(self._data)
                yield NEEDS_MORE
        if not re.fullmatch(r"[0-9]{1,18}", length):
            raise _NotHttp
        yield from self._skip(int(length))

    def _chunks(self, *, events: bool) -> Steps:
        """Skip a chunked body. In an event stream, the end of a chunk is a boundary if an event ends there."""
        tail = b""
        while True:
            line = yield from self._line()
            digits = line.partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", digits):
                raise _NotHttp
            size = int(digits, 16)
            if size == 0:
                break
            if events:
                kept = yield from self._take(min(4, size), skip=max(0, size - 4))
                tail = (tail + kept)[-4:]
            else:
                yield from self._skip(size)
            yield from self._skip(2)
            if events and tail.endswith((b"\n\n", b"\r\n\r\n", b"\r\r")):
                yield BOUNDARY
        while (yield from self._line()).strip():  # trailers
            pass

    def _frames(self) -> Steps:
        """Parse WebSocket frames, without end. Spec: RFC 6455, "Base Framing Protocol"."""
        fragmented = False
        while True:
            first, second = yield from self._take(2)
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes((yield from self._take(2 if length == 126 else 8)))
            yield from self._skip(length + (4 if second & 0x80 else 0))
            if not first & 0x08:  # a control frame may come between two fragments
                fragmented = not first & 0x80
            if not fragmented:
                yield BOUNDARY

    def _head(self) -> Generator[bool, None, tuple[str, dict[str, str]]]:
        """Return the first line and the headers, names in lower case."""
        start = b""
        while not start.strip():  # empty lines before a message are allowed
            start = yield from self._line()
        headers: dict[str, str] = {}
        size = len(start)
        while (line := (yield from self._line())).strip():
            size += len(line)
            if size > MAX_HEAD:
                raise _NotHttp
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return start.decode("latin-1").strip(), headers

    def _line(self) -> Generator[bool, None, bytes]:
        """Return the bytes up to and including the next line feed."""
        pieces, size = [], 0
        while True:
            end = self._data.find(b"\n", self._at) + 1
            piece = self._data[self._at : end or len(self._data)]
            self._at += len(piece)
            size += len(piece)
            if size > MAX_HEAD:
                raise _NotHttp
            pieces.append(piece)
            if end:
                return b"".join(pieces)
            yield NEEDS_MORE

    def _take(self, size: int, *, skip: int = 0) -> Generator[bool, None, bytes]:
        """Return *size* bytes, after *skip* others."""
        if skip:
            yield from self._skip(skip)
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        while len(taken) < size:
            yield NEEDS_MORE
            more = self._data[self._at : self._at + size - len(taken)]
            self._at += len(more)
            taken += more
        return taken

    def _skip(self, size: int) -> Steps:
        """Skip *size* bytes."""
        while size > len(self._data) - self._at:
            size -= len(self._data) - self._at
            self._at = len(self._data)
            yield NEEDS_MORE
        self._at += size

    def _some(self) -> Steps:
        """Wait for at least one byte."""
        while self._at == len(self._data):
            yield NEEDS_MORE

"""The client's event streams."""

from __future__ import annotations

import re
from typing import Final

from signalr_client.errors import ProtocolError
from signalr_client.server.http.server_sent_events import format_event
from signalr_client.transports.event_stream import EventStreamParser
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.seeds import JSON, JSON_WORDS, streams

CONTROL: Final = 2
SEEDS: Final = [
    *(format_event(stream) for stream in streams(JSON)[:6]),
    b"\xef\xbb\xbf:\r\n\r\ndata: a\ndata:b\r\rid: 1\nevent: x\nretry: 5\ndata\n\ndata: c",
    b"data: a\r\r\ndata: b\r\n\r\n",
]
WORDS: Final = [b"data:", b"data: ", b"\r\n\r\n", b"\r", b"\n", b":", b"\xef\xbb\xbf", b"event: x\n", *JSON_WORDS[:4]]


def target(data: bytes) -> None:
    """Any pieces give the events that a plain reading of the specification gives, and no more bytes than came in."""
    choices = Choices(data)
    parser, pattern, stream = EventStreamParser(choices.pick((None, 10))), choices.pick(PATTERNS), choices.rest()
    events: list[bytes] = []
    try:
        for piece in cut(stream, pattern):
            events += parser.feed(piece)
    except ProtocolError as exc:
        raise AssertionError("an event is not too large before it has a megabyte") from exc
    assert events == read_plainly(stream)
    assert sum(map(len, events)) + parser._data_size + len(parser._line) <= len(stream)


def read_plainly(stream: bytes) -> list[bytes]:
    """Return the events of a whole stream, as the specification describes them: line by line, and a field at a time."""
    lines = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf") if re.search(rb"[\r\n]", stream) else b"")
    events: list[bytes] = []
    data: list[bytes] = []
    for line in lines[:-1]:  # the last one has no end
        if not line and data:
            events.append(b"\n".join(data))
            data = []
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value[1:] if value.startswith(b" ") else value)
    return events

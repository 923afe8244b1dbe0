"""The text/event-stream format. Spec: HTML Living Standard, "Server-sent events"."""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalr_client import ProtocolError
from signalr_client.transports import event_stream
from signalr_client.transports.event_stream import EventStreamParser
from signalr_client.transports.failures import FRAME_SLACK


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"", []),
        (b"data: one\n\n", [b"one"]),
        (b"data: one\r\n\r\n", [b"one"]),
        (b"data: one\r\r", [b"one"]),
        (b"data:one\n\n", [b"one"]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"data: a\ndata: b\r\ndata: c\rdata: d\n\n", [b"a\nb\nc\nd"]),
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b":\r\ndata: behind the preamble\r\n\r\n", [b"behind the preamble"]),
        (b": a comment\n: another\n\ndata: x\n\n", [b"x"]),
        (b"event: message\nid: 7\nretry: 100\ndata: x\nnonsense\n\n", [b"x"]),
        (b"event: no data\n\n", []),
        (b"Data: case counts\ndataset: no\n\n", []),
        (b"\n\n\n", []),
        (b"\xef\xbb\xbfdata: behind a BOM\n\n", [b"behind a BOM"]),
        (b"data: \xef\xbb\xbf\n\n", [b"\xef\xbb\xbf"]),
        ("data: ü \u2028 x\n\n".encode(), ["ü \u2028 x".encode()]),
        (b"data: not ended\n", []),
        (b"data: not ended", []),
        (b'data: {"type":6}\x1e{"type":7}\x1e\r\n\r\n', [b'{"type":6}\x1e{"type":7}\x1e']),
    ],
)
def test_a_stream_is_parsed_into_events(stream: bytes, events: list[bytes]) -> None:
    """All at once, byte by byte, and split at each position."""
    assert EventStreamParser().feed(stream) == events
    parser = EventStreamParser()
    assert [event for byte in stream for event in parser.feed(bytes([byte]))] == events
    for cut in range(len(stream)):
        parser = EventStreamParser()
        assert parser.feed(stream[:cut]) + parser.feed(stream[cut:]) == events


lines = st.lists(st.sampled_from([b"data: a", b"data:b", b"data", b": c", b"id: 1", b"", b"data: \xc3\xbc"]), max_size=12)
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(data=st.data(), texts=lines, begun=st.booleans())
def test_chunking_does_not_change_the_events(data: st.DataObject, texts: list[bytes], begun: bool) -> None:
    stream = (b"\xef\xbb\xbf" if begun else b"") + b"".join(text + data.draw(ends) for text in texts)
    whole = EventStreamParser().feed(stream)
    parser, got, rest = EventStreamParser(), [], stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        got += parser.feed(rest[:size])
        rest = rest[size:]
    assert got == whole


@given(st.lists(st.binary(max_size=20)))
def test_arbitrary_bytes_are_not_an_error(chunks: list[bytes]) -> None:
    """Invalid lines are ignored."""
    parser = EventStreamParser()
    for chunk in chunks:
        assert all(isinstance(event, bytes) for event in parser.feed(chunk))


# cost and limits

LARGEST = 100
LIMIT = LARGEST + FRAME_SLACK


def chunks(stream: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(stream), size):
        yield stream[start : start + size]


class CountingPattern:
    """A line end pattern that counts the bytes it is applied to, as a measure of the parser's work."""

    def __init__(self, pattern: re.Pattern[bytes]) -> None:
        self._pattern = pattern
        self.seen = 0

    def split(self, text: bytes) -> list[bytes]:
        """Count and split."""
        self.seen += len(text)
        return self._pattern.split(text)


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("kind", ["one line", "many lines", "many events"])
def test_each_byte_is_searched_once_for_any_chunk_size(monkeypatch: pytest.MonkeyPatch, size: int, kind: str) -> None:
    pattern = CountingPattern(re.compile(rb"\r\n|\r|\n"))
    monkeypatch.setattr(event_stream, "_LINE_END", pattern)
    for length in (2**13, 2**15):
        stream = {
            "one line": b"data: " + b"x" * length + b"\n\n",
            "many lines": b"data: xx\n" * (length // 9) + b"\n",
            "many events": b"data: xx\r\n\r\n" * (length // 12),
        }[kind]
        parser, pattern.seen = EventStreamParser(), 0
        events = [event for chunk in chunks(stream, size) for event in parser.feed(chunk)]
        assert events
        assert pattern.seen <= len(stream)


def copied(length: int, size: int) -> int:
    """Return the bytes allocated for the chunks of one long line. Copies of the data received so far would show here."""
    parser = EventStreamParser()
    total = 0
    for chunk in chunks(b"data: " + b"x" * length, size):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        parser.feed(chunk)
        total += tracemalloc.get_traced_memory()[1] - before
    return total


def test_a_long_line_is_not_copied_with_each_chunk() -> None:
    """The cost is linear: four times the data costs about four times as much, not sixteen times."""
    tracemalloc.start()
    try:
        once, four_times = copied(2**16, 256), copied(2**18, 256)
    finally:
        tracemalloc.stop()
    assert four_times < 8 * once


@pytest.mark.parametrize(
    "begin", [b"data: ", b"data: x\ndata: ", b": ", b"id: ", b""], ids=["data", "data lines", "comment", "field", "name"]
)
def test_an_endless_line_is_rejected_soon_after_the_limit(begin: bytes) -> None:
    parser = EventStreamParser(LARGEST)
    parser.feed(begin)
    fed = 0
    with pytest.raises(ProtocolError, match="an event of more than 1,048,676 bytes: max_message_size=100 allows"):
        while fed < 2 * LIMIT:
            fed += 2**16
            parser.feed(b"x" * 2**16)
    assert fed <= LIMIT + 2**16


@pytest.mark.parametrize("line", [b"data: " + b"x" * 1000 + b"\n", b"data\n", b"data: x\r\n"])
def test_an_event_whose_lines_exceed_the_limit_together_is_rejected(line: bytes) -> None:
    parser = EventStreamParser(LARGEST)
    with pytest.raises(ProtocolError, match="max_message_size=100"):
        for _ in range(LIMIT):
            parser.feed(line * 1000)


@given(data=st.data(), excess=st.integers(-3, 3))
def test_chunking_does_not_change_the_limit(data: st.DataObject, excess: int) -> None:
    """The limit applies to the data of an event without field names."""
    size = LIMIT + excess
    stream = b"data: x\n\ndata:" + data.draw(st.sampled_from([b"", b" "])) + b"x" * size + b"\n\n"
    parser, events = EventStreamParser(LARGEST), []
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    try:
        for piece in pieces:
            events += parser.feed(piece)
    except ProtocolError:
        assert excess > 0
    else:
        assert excess <= 0
        assert events == [b"x", b"x" * size]


def test_earlier_events_do_not_count_towards_the_limit() -> None:
    parser = EventStreamParser(LARGEST)
    event = b"data: " + b"x" * (2**19) + b"\n\n"
    assert sum(len(parser.feed(event)) for _ in range(20)) == 20
    assert len(parser.feed(event * 20)) == 20

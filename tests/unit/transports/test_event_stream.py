"""The text/event-stream format. Spec: client-behaviour.md, "D2. Server-Sent Events"; HTML Living Standard, "Server-sent events"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalr_client.transports.event_stream import EventStreamParser


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
def test_what_a_stream_says(stream: bytes, events: list[bytes]) -> None:
    """Whole, byte by byte, and cut at each place."""
    assert EventStreamParser().feed(stream) == events
    parser = EventStreamParser()
    assert [event for byte in stream for event in parser.feed(bytes([byte]))] == events
    for cut in range(len(stream)):
        parser = EventStreamParser()
        assert parser.feed(stream[:cut]) + parser.feed(stream[cut:]) == events


lines = st.lists(st.sampled_from([b"data: a", b"data:b", b"data", b": c", b"id: 1", b"", b"data: \xc3\xbc"]), max_size=12)
ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@given(data=st.data(), texts=lines, begun=st.booleans())
def test_any_cutting_gives_the_same_events(data: st.DataObject, texts: list[bytes], begun: bool) -> None:
    stream = (b"\xef\xbb\xbf" if begun else b"") + b"".join(text + data.draw(ends) for text in texts)
    whole = EventStreamParser().feed(stream)
    parser, got, rest = EventStreamParser(), [], stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        got += parser.feed(rest[:size])
        rest = rest[size:]
    assert got == whole


@given(st.lists(st.binary(max_size=20)))
def test_no_bytes_are_an_error(chunks: list[bytes]) -> None:
    """What means nothing is passed over."""
    parser = EventStreamParser()
    for chunk in chunks:
        assert all(isinstance(event, bytes) for event in parser.feed(chunk))

"""The fault proxy: where messages end in the bytes of an HTTP connection, WebSockets included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from signalr_client.testing.boundaries import Exchange, MessageScanner
from tests.fuzz.inputs import PATTERNS, Choices, cut

CONTROL: Final = 3

_UPGRADE: Final = b"GET /hub HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_SWITCH: Final = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
SEEDS: Final = [
    b"POST /hub HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /x HTTP/1.0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: x\n\n\r\n4\r\n: \r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end",
    _UPGRADE + b"\x81\x83\x01\x02\x03\x04abc",
    _SWITCH + b"\x81\x03abc\x01\x01a\x89\x00\x80\x01b\x82\x7e\x00\x80" + bytes(128),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]
WORDS: Final = [
    b"\r\n\r\n", b"\r\n", b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n",
    b"Content-Type: text/event-stream\r\n", b"ffffffffffffffff\r\n", b"99999999999999999999", b"HEAD ", b"\x81\x7f" + b"\xff" * 8,
    _SWITCH,
]  # fmt: skip


def target(data: bytes) -> None:
    """Pieces have the boundaries of the whole; these are inside the data and in order; little is kept."""
    choices = Choices(data)
    requests, upgraded, pattern = choices.flag(), choices.flag(), choices.pick(PATTERNS)
    stream = choices.rest()

    def new_scanner() -> MessageScanner:
        exchange = Exchange()
        exchange.upgraded = upgraded and requests
        if upgraded and not requests:
            exchange.methods.extend(["HEAD", "POST"])
        return MessageScanner(exchange, requests=requests)

    whole, pieces = new_scanner(), new_scanner()
    expected = whole.scan(stream)
    assert expected[0] == 0
    check_order(expected, len(stream))
    found, start = {0}, 0
    for piece in cut(stream, pattern):
        boundaries = pieces.scan(piece)
        check_order(boundaries, len(piece))
        found.update(start + boundary for boundary in boundaries)
        start += len(piece)
    assert sorted(found) == sorted(set(expected))
    assert (pieces.opaque, pieces.at_boundary) == (whole.opaque, whole.at_boundary or not stream)


def check_order(boundaries: Iterable[int], size: int) -> None:
    """Offsets are in order and inside of *size* bytes."""
    previous = 0
    for boundary in boundaries:
        assert previous <= boundary <= size
        previous = boundary

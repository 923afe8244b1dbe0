"""Where messages end in HTTP/1.1 and WebSocket bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalr_client.testing.boundaries import MAX_HEAD, MAX_PIPELINED, Exchange, MessageScanner


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True, masked: bool = False) -> bytes:
    """Return a WebSocket frame."""
    mask = b"\1\2\3\4" if masked else b""
    size = len(payload)
    if size < 126:
        length = bytes([size | (0x80 if masked else 0)])
    elif size < 65_536:
        length = bytes([126 | (0x80 if masked else 0)]) + size.to_bytes(2)
    else:
        length = bytes([127 | (0x80 if masked else 0)]) + size.to_bytes(8)
    return bytes([opcode | (0x80 if fin else 0)]) + length + mask + payload


def chunks(*bodies: bytes) -> bytes:
    """Return the chunks of a body, without the last."""
    return b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in bodies)


GET = b"GET /hub?id=1 HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /hub HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /"
CHUNKED_POST = b"POST /hub HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n" + chunks(b"abc", b"d" * 20) + b"0\r\nX: y\r\n\r\n"
UPGRADE = b"GET /hub HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

REQUESTS = {
    "requests without and with a body": [GET, POST, CHUNKED_POST, POST, GET],
    "empty lines between requests": [GET, b"\r\n" + GET],
    "bare line feeds": [b"DELETE /hub HTTP/1.1\nHost: a\n\n", GET],
    "an upgrade that was refused": [UPGRADE, GET],
}
RESPONSES = {
    "lengths and chunks": (
        ["GET", "GET"],
        [OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"ab") + b"0\r\n\r\n"],
    ),
    "no body": (
        ["GET", "HEAD", "GET"],
        [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 304 Same\r\n\r\n"],
    ),
    "100 Continue belongs to the response": (["POST"], [b"HTTP/1.1 100 Continue\r\n\r\n" + OK]),
    "events": (
        ["GET"],
        [EVENTS + chunks(b"data: 1\r\n\r\n"), chunks(b"data: ", b"2\n\n"), chunks(b"\n" * 2), chunks(b":\r\r")],
    ),
    "frames": (
        ["GET"],
        [
            SWITCHED,
            frame(b"a"),
            frame(b"b" * 126),
            frame(b"c" * 70_000),
            frame(b"d", fin=False) + frame(b"ping", 9) + frame(b"e", 0, fin=False) + frame(b"", 0),
            frame(b"", 10),
            frame(b"\3\xe8", 8),
        ],
    ),
}


def ends(messages: list[bytes]) -> list[int]:
    """Return the offset before each message and after the last."""
    found = [0]
    for message in messages:
        found.append(found[-1] + len(message))
    return found


def scan_all(scanner: MessageScanner, pieces: list[bytes]) -> list[int]:
    """Return the boundaries in all the pieces together."""
    found: set[int] = set()
    at = 0
    for piece in pieces:
        found |= {at + boundary for boundary in scanner.scan(piece)}
        at += len(piece)
        assert scanner.at_boundary is (at in found)
    return sorted(found)


def cut_up(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the pieces of the data, none of them empty."""
    edges = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


some_cuts = st.lists(st.integers(0, 1_000_000), max_size=20)


@pytest.mark.parametrize("messages", REQUESTS.values(), ids=REQUESTS)
@given(cuts=some_cuts)
def test_the_ends_of_requests_are_found_however_they_arrive(messages: list[bytes], cuts: list[int]) -> None:
    scanner = MessageScanner(Exchange(), requests=True)
    assert scan_all(scanner, cut_up(b"".join(messages), cuts)) == ends(messages)


@pytest.mark.parametrize(("methods", "messages"), RESPONSES.values(), ids=RESPONSES)
@given(cuts=some_cuts)
def test_the_ends_of_responses_are_found_however_they_arrive(
    methods: list[str], messages: list[bytes], cuts: list[int]
) -> None:
    exchange = Exchange()
    exchange.methods.extend(methods)
    scanner = MessageScanner(exchange, requests=False)
    assert scan_all(scanner, cut_up(b"".join(messages), cuts)) == ends(messages)


def test_byte_by_byte() -> None:
    """The way in which the proxy itself cuts things up."""
    messages = RESPONSES["frames"][1]
    scanner = MessageScanner(Exchange(), requests=False)
    data = b"".join(messages)
    assert scan_all(scanner, [data[i : i + 1] for i in range(len(data))]) == ends(messages)


@pytest.mark.parametrize("masked", [True, False])
def test_after_the_server_has_agreed_requests_are_followed_by_frames(masked: bool) -> None:
    exchange = Exchange()
    requests, responses = MessageScanner(exchange, requests=True), MessageScanner(exchange, requests=False)
    assert requests.scan(UPGRADE) == [0, len(UPGRADE)]
    assert responses.scan(SWITCHED) == [0, len(SWITCHED)]
    first, second = frame(b"GET / HTTP/1.1\r\n\r\n", masked=masked), frame(b"x", masked=masked)
    assert requests.scan(first + second) == [0, len(first), len(first + second)]


@pytest.mark.parametrize(
    ("data", "requests"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\n\n", True),  # TLS
        (b"get / HTTP/1.1\r\n\r\n", True),
        (b"GET / SPDY/3\r\n\r\n", True),
        (b"CONNECT a:1 HTTP/1.1\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", True),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n", True),
        (b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEAD + b"\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MAX_HEAD, True),
        (b"a" * (MAX_HEAD + 1), True),
        (GET * (MAX_PIPELINED + 1), True),
        (b"RFB 003.008\n\n", False),
        (b"HTTP/1.1 2000 OK\r\n\r\n", False),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n", False),
    ],
)
def test_what_is_not_http_has_no_boundaries(data: bytes, requests: bool) -> None:
    scanner = MessageScanner(Exchange(), requests=requests)
    scanner.scan(data)
    assert scanner.opaque
    assert not scanner.at_boundary
    assert scanner.scan(GET) == []


def test_a_body_without_a_length_lasts_until_the_connection_ends() -> None:
    scanner = MessageScanner(Exchange(), requests=False)
    assert scanner.scan(b"HTTP/1.0 200 OK\r\n\r\nabc") == [0]
    assert scanner.scan(OK) == []
    assert not scanner.opaque


@given(st.lists(st.binary(min_size=1), max_size=30), st.booleans())
def test_any_bytes_can_be_scanned(pieces: list[bytes], requests: bool) -> None:
    """Nothing is raised, and boundaries lie inside of what was given, in order."""
    scanner = MessageScanner(Exchange(), requests=requests)
    for piece in pieces:
        found = scanner.scan(piece)
        assert found == sorted(found)
        assert all(0 <= boundary <= len(piece) for boundary in found)

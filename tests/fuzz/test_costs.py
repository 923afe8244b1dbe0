"""What hostile input costs: time that grows no faster than the input, and memory that does not follow announced lengths.

Time is the CPU time of this process. Four times the input may cost eight times as much: what is linear costs four times as much, what
is quadratic sixteen times. Each is the best of several runs.
"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

import pytest
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol

from signalr_client.core import handshake
from signalr_client.core.framing import BinaryFramer, TextFramer, write_varint
from signalr_client.core.handshake import HandshakeBuffer
from signalr_client.core.messages import Ack, Invocation, Ping, StreamItem
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.session import HubSession, Role, SessionOptions
from signalr_client.errors import ProtocolError
from signalr_client.server.http.frames import FrameDecoder
from signalr_client.testing.boundaries import Exchange, MessageScanner
from signalr_client.transports.event_stream import EventStreamParser
from tests.fuzz.seeds import JSON, MESSAGEPACK, PROTOCOLS, record
from tests.fuzz.targets.frames import frame

REPEATS: Final = 2
AT_MOST: Final = 8.0
SHORT, LONG = 2**15, 2_500_000  # bytes; four times as many in the larger run
A_MEGABYTE: Final = 2**20

both_roles = pytest.mark.parametrize("role", Role)
both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS, ids=["json", "messagepack"])


class Sink(Protocol):
    """A parser."""

    def __call__(self, data: bytes, /) -> object:
        """Take the next bytes."""


def open_session(protocol: HubProtocol, role: Role, *, stateful: bool = False) -> HubSession:
    """Return a session that has completed its handshake."""
    options = SessionOptions(replay_limit=100_000 if stateful else None, measure=role is Role.SERVER)
    if role is Role.CLIENT:
        session = HubSession.client(protocol, options, 0.0)
        session.receive(handshake.encode_response(), 0.0)
    else:
        session = HubSession.server(PROTOCOLS, options, 0.0)
        session.receive(handshake.encode_request(protocol.name, 2 if stateful else 1), 0.0)
    return session


def cpu_time(work: Callable[[], object]) -> float:
    """Return the CPU time of *work* in seconds."""
    gc.collect()
    gc.disable()  # a collection costs as much as there are objects, whoever made them
    try:
        began = time.process_time()
        work()
        return time.process_time() - began
    finally:
        gc.enable()


def assert_linear(prepare: Callable[[int], Callable[[], object]], size: int, repeats: int = REPEATS) -> None:
    """Check that the work which *prepare* returns for a size grows no faster than the size."""
    once = min(cpu_time(prepare(size)) for _ in range(repeats))
    four_times = min(cpu_time(prepare(4 * size)) for _ in range(repeats))
    assert four_times <= AT_MOST * max(once, 0.001), f"{once:.4f} s for {size}, {four_times:.4f} s for {4 * size}"


def in_single_bytes(sink: Sink, stream: bytes) -> None:
    """Feed one byte at a time."""
    for index in range(len(stream)):
        sink(stream[index : index + 1])


def session_sink(session: HubSession) -> Sink:
    """Return the `receive` of a session, at a fixed time."""
    return lambda data: session.receive(data, 0.0)


def tls_scanner() -> Sink:
    """Return a scanner of requests."""
    return MessageScanner(Exchange(), requests=True).scan


HUGE: Final = write_varint(10**9)
SINKS: Final[dict[str, tuple[Callable[[], Sink], Callable[[int], bytes]]]] = {
    "text": (lambda: TextFramer().feed, lambda size: b"x" * size),
    "binary": (lambda: BinaryFramer().feed, lambda size: write_varint(10**9) + b"x" * size),
    "lengths": (lambda: BinaryFramer().feed, lambda size: b"\x81\x00x" * (size // 3)),
    "handshake": (lambda: HandshakeBuffer(10**9).feed, lambda size: b"x" * size),
    "json client": (lambda: session_sink(open_session(JSON, Role.CLIENT)), lambda size: b'{"type":6,"x":"' + b"x" * size + b'"}\x1e'),
    "json server": (lambda: session_sink(open_session(JSON, Role.SERVER)), lambda size: b'{"type":6}\x1e' * (size // 11)),
    "messagepack client": (lambda: session_sink(open_session(MESSAGEPACK, Role.CLIENT)), lambda size: HUGE + bytes(size)),
    "messagepack server": (lambda: session_sink(open_session(MESSAGEPACK, Role.SERVER)), lambda size: b"\x02\x91\x06" * (size // 3)),
    "event": (lambda: EventStreamParser().feed, lambda size: b"data: " + b"x" * size),
    "lines": (lambda: EventStreamParser().feed, lambda size: b"data:x\r\n" * (size // 8)),
    "line ends": (lambda: EventStreamParser().feed, lambda size: b"\r\n" * (size // 2)),
    "frame": (lambda: FrameDecoder().feed, lambda size: frame(b"x" * size)),
    "frames": (lambda: FrameDecoder().feed, lambda size: frame(b"", 0x89) * (size // 6)),
    "request": (tls_scanner, lambda size: b"POST / HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n" + b"x" * size),
    "chunks": (tls_scanner, lambda size: b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * (size // 6)),
    "no line end": (tls_scanner, lambda size: b"x" * size),
}  # fmt: skip


@pytest.mark.parametrize("name", SINKS)
def test_single_bytes_cost_linear_time(name: str, pytestconfig: pytest.Config) -> None:
    """With ``--long``, of ten megabytes."""
    new_sink, stream = SINKS[name]

    def prepare(size: int) -> Callable[[], object]:
        sink, data = new_sink(), stream(size)
        return lambda: in_single_bytes(sink, data)

    if pytestconfig.getoption("--long"):
        assert_linear(prepare, LONG, repeats=1)  # it takes long enough to be measured once
    else:
        assert_linear(prepare, SHORT)


_STATEFUL: Final = frozenset({"item", "ack"})
TINY: Final[dict[str, Callable[[HubProtocol], bytes]]] = {
    "ping": lambda protocol: protocol.encode(Ping()),
    "call": lambda protocol: protocol.encode(Invocation(target="T", arguments=[])),
    "item": lambda protocol: protocol.encode(StreamItem(invocation_id="1", item=None)),
    "ack": lambda protocol: protocol.encode(Ack(sequence_id=0)),
    "unknown": lambda protocol: b'{"type":42}\x1e' if protocol is JSON else b"\x02\x91\x2a",
}


@pytest.mark.parametrize("kind", TINY)
@both_roles
@both_protocols
def test_tiny_messages_in_one_frame_cost_linear_time(protocol: HubProtocol, role: Role, kind: str) -> None:
    """A hundred thousand of them."""
    message, stateful = TINY[kind](protocol), kind in _STATEFUL

    def prepare(size: int) -> Callable[[], object]:
        session, data = open_session(protocol, role, stateful=stateful), message * size

        def work() -> None:
            messages = session.receive(data, 0.0)
            assert session.error is None
            assert len(messages) + session.skipped == (size if kind in ("call", "item", "unknown") else 0)

        return work

    assert_linear(prepare, 25_000)


def test_tiny_frames_cost_linear_time() -> None:
    def prepare(size: int) -> Callable[[], object]:
        decoder, data = FrameDecoder(), (frame(b"x") + frame(b"", 0x89)) * size
        return lambda: decoder.feed(data)

    assert_linear(prepare, 10_000)


_PRECISE: Final = b"\xd7\xff\x00\x00\x00\x2c" + bytes(4)  # makes msgpack read the message, as well as msgspec
NESTED: Final[dict[str, tuple[HubProtocol, Callable[[int], bytes]]]] = {
    "lists": (JSON, lambda size: b'{"type":1,"target":"T","arguments":[' + b"[" * size + b"]" * size + b"]}"),
    "maps": (JSON, lambda size: b'{"type":2,"invocationId":"1","item":' + b'{"":' * size + b"1" + b"}" * size + b"}"),
    "unclosed lists": (JSON, lambda size: b"[" * size),
    "unclosed maps": (JSON, lambda size: b'{"":' * size),
    "unknown member": (JSON, lambda size: b'{"type":6,"x":' + b"[" * size + b"]" * size + b"}"),
    "arrays": (MESSAGEPACK, lambda size: b"\x95\x01\x80\xc0\xa1T\x91" + b"\x91" * size + b"\xc0"),
    "map values": (MESSAGEPACK, lambda size: b"\x94\x02\x80\xa11" + b"\x81\x00" * size + b"\xc0"),
    "map keys": (MESSAGEPACK, lambda size: b"\x94\x02\x80\xa11" + b"\x81" * size + b"\xc0" * (size + 1)),
    "array keys": (MESSAGEPACK, lambda size: b"\x94\x02\x80\xa11" + b"\x81\x91" * size + b"\xc0" * (size + 1)),
    "with a timestamp": (MESSAGEPACK, lambda size: b"\x94\x02\x80\xa11\x92" + _PRECISE + b"\x91" * size + b"\xc0"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("size", [60, 65, 200, 900, 1_100, 100_000, 1_000_000])
def test_deep_nesting_is_a_protocol_error_and_cheap(kind: str, size: int) -> None:
    """At any depth: below Python's recursion limit, around it, and far beyond it."""
    protocol, nested = NESTED[kind]
    data = nested(size)
    try:
        with peak_memory() as peak:
            message = protocol.decode(data)
    except ProtocolError:
        assert size > 60 or kind.startswith("unclosed") or kind.endswith("keys")
        assert peak() < A_MEGABYTE
    else:
        assert size == 60 or kind == "unknown member"
        assert message is not None


def test_deep_nesting_costs_linear_time() -> None:
    def prepare(size: int) -> Callable[[], object]:
        data = [nested(size) for _, nested in NESTED.values()]

        def work() -> None:
            for protocol, text in zip([protocol for protocol, _ in NESTED.values()], data, strict=True):
                with suppress(ProtocolError):
                    protocol.decode(text)

        return work

    assert_linear(prepare, 250_000)


# announced lengths


@contextmanager
def peak_memory() -> Iterator[Callable[[], int]]:
    """Yield a function that returns the most memory, in bytes, that Python has allocated in the block."""
    tracemalloc.start()
    peak = 0
    try:
        yield lambda: peak
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


_HUGE: Final = {
    "str 32": b"\xdb\xff\xff\xff\xff",
    "bin 32": b"\xc6\xff\xff\xff\xff",
    "array 32": b"\xdd\xff\xff\xff\xff",
    "map 32": b"\xdf\xff\xff\xff\xff",
    "ext 32": b"\xc9\xff\xff\xff\xff\x05",
    "timestamp of 4 GiB": b"\xc9\xff\xff\xff\xff\xff",
    "array 32 of 100 million": b"\xdd\x05\xf5\xe1\x00",
    "map 32 of 100 million": b"\xdf\x05\xf5\xe1\x00",
    "arrays in arrays": b"\xdd\x00\xff\xff\xff" * 50,
    "after a timestamp": b"\x92" + _PRECISE + b"\xdd\x05\xf5\xe1\x00",
}
_PLACES: Final = {
    "the message": b"",
    "the headers": b"\x94\x02",
    "the id": b"\x94\x02\x80",
    "the item": b"\x94\x02\x80\xa11",
    "the target": b"\x96\x01\x80\xc0",
    "the arguments": b"\x96\x01\x80\xc0\xa1T",
    "an argument": b"\x96\x01\x80\xc0\xa1T\x91",
    "the stream ids": b"\x96\x01\x80\xc0\xa1T\x90",
    "an unknown item": b"\x93\x06\xc0",
}


@pytest.mark.parametrize("length", _HUGE)
@pytest.mark.parametrize("place", _PLACES)
@both_roles
def test_an_announced_length_takes_no_memory(role: Role, place: str, length: str) -> None:
    data = _PLACES[place] + _HUGE[length]
    session = open_session(MESSAGEPACK, role)
    with peak_memory() as peak:
        assert session.receive(write_varint(len(data)) + data, 0.0) == []
    assert isinstance(session.error, ProtocolError)
    assert peak() < A_MEGABYTE


@both_roles
@pytest.mark.parametrize("prefix", [b"\xff\xff\xff\xff\x07", b"\xff\xff\xff\xff\x7f", b"\xff" * 10, b"\x80\x80\x80\x80\x08"])
def test_an_announced_record_takes_no_memory(role: Role, prefix: bytes) -> None:
    session = open_session(MESSAGEPACK, role)
    with peak_memory() as peak:
        assert session.receive(prefix + b"x" * 1000, 0.0) == []
        session.receive_end()
    assert isinstance(session.error, ProtocolError)
    assert peak() < A_MEGABYTE


@pytest.mark.parametrize("first", [0x81, 0x82, 0x01])
def test_an_announced_frame_takes_no_memory(first: int) -> None:
    decoder = FrameDecoder()
    with peak_memory() as peak:
        pieces = decoder.feed(bytes([first, 0xFF]) + (2**63 - 1).to_bytes(8) + bytes(4) + b"x" * 1000)
    assert [len(piece.payload) for piece in pieces] == [1000]
    assert peak() < A_MEGABYTE


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nContent-Length: 999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    ],
)
def test_an_announced_body_takes_no_memory_in_the_fault_proxy(head: bytes) -> None:
    scanner = MessageScanner(Exchange(), requests=True)
    with peak_memory() as peak:
        for _ in range(100):
            scanner.scan(head + b"x" * 1000)
            head = b""
    assert not scanner.opaque
    assert peak() < A_MEGABYTE


@both_protocols
@both_roles
def test_what_is_not_complete_takes_little_more_memory_than_its_bytes(role: Role, protocol: HubProtocol) -> None:
    session = open_session(protocol, role)
    stream = b"\xff\xff\xff\x07" + b"x" * (2 * A_MEGABYTE) if protocol is MESSAGEPACK else b"x" * (2 * A_MEGABYTE)
    with peak_memory() as peak:
        for start in range(0, len(stream), 4096):
            session.receive(stream[start : start + 4096], 0.0)
    assert session.error is None
    assert peak() < 3 * A_MEGABYTE


def test_the_messages_of_these_tests_are_valid() -> None:
    """Otherwise they would show nothing."""
    for protocol in PROTOCOLS:
        for kind, encode in TINY.items():
            [found] = protocol.framer().feed(encode(protocol))
            assert (protocol.decode(found) is None) == (kind == "unknown")
        assert record(protocol, Ping())


@pytest.mark.parametrize("length", [2**63 - 1, 2**31, 2**24])
async def test_a_frame_that_a_server_announces_takes_no_memory(length: int) -> None:
    """aiohttp assembles the frames for the client; without a limit of ours it must not take the announced length for granted."""
    loop = asyncio.get_running_loop()
    reader = WebSocketReader(WebSocketDataQueue(BaseProtocol(loop), 2**16, loop=loop), 0, compress=False, decode_text=False)
    with peak_memory() as peak:
        reader.feed_data(b"\x82\x7f" + length.to_bytes(8) + b"x" * 1000)
    assert peak() < A_MEGABYTE

"""Every member of every message with a value of every type, in both hub protocols, for the client's session and the server's.

The real server's and the .NET client's answers to wrong types are in the vectors; here nothing may go wrong with any of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from signalr_client.core.messages import HubMessage
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.session import HubSession, Phase, Role
from signalr_client.errors import ProtocolError
from tests.fuzz.loops import run
from tests.fuzz.memory_server import MemoryServer, Request
from tests.fuzz.properties import check_error, check_record
from tests.fuzz.seeds import HANDSHAKES, JSON, MESSAGEPACK
from tests.fuzz.targets import load
from tests.fuzz.targets.hub import check_output
from tests.fuzz.test_costs import open_session

both_roles = pytest.mark.parametrize("role", Role)

JSON_VALUES: Final = [
    b"null", b"true", b"false", b"0", b"-1", b"1.5", b"-0.0", b"1e308", b"1e999", b"9223372036854775808", b"-9223372036854775809",
    b"9" * 100, b"9" * 5000, b'""', b'"1"', b'"x"', b'"\\u0000"', b'"\\ud800"', b'"' + b"x" * 1000 + b'"', b"[]", b"[1]", b'["1"]',
    b"[null]", b"[[]]", b"{}", b'{"a":1}', b'{"":""}', b'{"a":{"b":[]}}', b"NaN", b"Infinity", b"undefined", b"", b"'x'",
]  # fmt: skip

JSON_MESSAGES: Final[list[dict[str, bytes]]] = [
    {"type": b"1", "headers": b"{}", "invocationId": b'"1"', "target": b'"add"', "arguments": b"[1,2]", "streamIds": b'["2"]'},
    {"type": b"2", "headers": b"{}", "invocationId": b'"1"', "item": b"1"},
    {"type": b"3", "headers": b"{}", "invocationId": b'"1"', "result": b"1"},
    {"type": b"3", "headers": b"{}", "invocationId": b'"1"', "error": b'"x"'},
    {"type": b"4", "headers": b"{}", "invocationId": b'"1"', "target": b'"count"', "arguments": b"[1]", "streamIds": b'["2"]'},
    {"type": b"5", "headers": b"{}", "invocationId": b'"1"'},
    {"type": b"6"},
    {"type": b"7", "error": b'"x"', "allowReconnect": b"true"},
    {"type": b"8", "sequenceId": b"0"},
    {"type": b"9", "sequenceId": b"1"},
    {"protocol": b'"json"', "version": b"1"},
    {"error": b'"x"', "type": b"null"},
]

MESSAGEPACK_VALUES: Final = [
    b"\xc0", b"\xc2", b"\xc3", b"\x00", b"\xff", b"\xcc\xff", b"\xcd\xff\xff", b"\xce" + b"\xff" * 4, b"\xcf" + b"\xff" * 8,
    b"\xd0\x80", b"\xd1\x80\x00", b"\xd2\x80" + bytes(3), b"\xd3\x80" + bytes(7), b"\xca\x3f\xc0\x00\x00",
    b"\xcb" + struct.pack(">d", 1.5), b"\xcb" + struct.pack(">d", float("nan")), b"\xcb" + struct.pack(">d", float("-inf")),
    b"\xa0", b"\xa11", b"\xa3add", b"\xa2\xff\xfe", b"\xd9\x011", b"\xda\x00\x011", b"\xdb\x00\x00\x00\x011", b"\xa3\xed\xa0\x80",
    b"\xc4\x00", b"\xc4\x01x", b"\xc5\x00\x01x", b"\xc6\x00\x00\x00\x01x", b"\x90", b"\x91\x01", b"\x91\xa11", b"\x91\xc0",
    b"\xdc\x00\x01\x01", b"\xdd\x00\x00\x00\x01\x01", b"\x80", b"\x81\xa1a\xa1b", b"\x81\xa1a\x01", b"\x81\x01\xa1b", b"\x81\xa0\xa0",
    b"\x81\xc0\xc0", b"\x81\x90\xc0", b"\x81\x80\xc0", b"\xde\x00\x00", b"\xdf\x00\x00\x00\x00", b"\xd4\x05x", b"\xd5\x05xy",
    b"\xd6\xff\x00\x00\x00\x01", b"\xd6\xff\xff\xff\xff\xff", b"\xd7\xff" + bytes(8), b"\xd7\xff" + b"\xff" * 8,
    b"\xd8\x05" + bytes(16),
    b"\xc7\x00\x05", b"\xc7\x0c\xff" + bytes(12), b"\xc7\x0c\xff" + b"\xff" * 12, b"\xc7\x05\xff" + bytes(5), b"\xc8\x00\x01\x05x",
    b"\xc9\x00\x00\x00\x01\x05x", b"\xc1", b"",
]  # fmt: skip

MESSAGEPACK_MESSAGES: Final[list[list[bytes]]] = [
    [b"\x01", b"\x80", b"\xa11", b"\xa3add", b"\x92\x01\x02", b"\x91\xa12"],
    [b"\x01", b"\x80", b"\xc0", b"\xa4echo", b"\x91\x01", b"\x90"],
    [b"\x02", b"\x80", b"\xa11", b"\x01"],
    [b"\x03", b"\x80", b"\xa11", b"\x01", b"\xa1x"],
    [b"\x03", b"\x80", b"\xa11", b"\x02"],
    [b"\x03", b"\x80", b"\xa11", b"\x03", b"\x01"],
    [b"\x04", b"\x80", b"\xa11", b"\xa5count", b"\x91\x01", b"\x91\xa12"],
    [b"\x05", b"\x80", b"\xa11"],
    [b"\x06"],
    [b"\x07", b"\xa1x", b"\xc3"],
    [b"\x08", b"\x00"],
    [b"\x09", b"\x01"],
]


def json_records() -> Iterator[bytes]:
    """Yield each message with each member replaced, left out, and there twice."""
    for members in JSON_MESSAGES:
        for changed in members:
            kept = [b'"%s":%s' % (name.encode(), value) for name, value in members.items() if name != changed]
            yield b"{" + b",".join(kept) + b"}"
            for value in JSON_VALUES:
                new = b'"%s":%s' % (changed.encode(), value)
                yield b"{" + b",".join([*kept, new]) + b"}"
                yield b"{" + b",".join([new, *kept, b'"%s":%s' % (changed.encode(), members[changed])]) + b"}"
    yield from JSON_VALUES


def messagepack_records() -> Iterator[bytes]:
    """Yield each message with each item replaced, left out, and with more items than it has."""
    for items in MESSAGEPACK_MESSAGES:
        for length in range(10):
            yield bytes([0x90 | length]) + b"".join((items * 2)[:length])
        for index in range(len(items)):
            for value in MESSAGEPACK_VALUES:
                changed = [*items[:index], value, *items[index + 1 :]]
                yield bytes([0x90 | len(changed)]) + b"".join(changed)
    yield from MESSAGEPACK_VALUES


RECORDS: Final[dict[str, tuple[HubProtocol, list[bytes]]]] = {
    "json": (JSON, list(json_records())),
    "messagepack": (MESSAGEPACK, list(messagepack_records())),
}
both_protocols = pytest.mark.parametrize("name", RECORDS)


def framed(protocol: HubProtocol, record: bytes) -> bytes:
    """Return *record* with its framing."""
    return record + b"\x1e" if protocol is JSON else bytes([0x80 | len(record) & 0x7F, len(record) >> 7]) + record


@both_protocols
def test_a_message_with_a_wrong_type_is_decoded_or_a_protocol_error(name: str) -> None:
    protocol, records = RECORDS[name]
    decoded = [check_record(protocol, record) for record in records]
    assert 0 < sum(message is not None for message in decoded) < len(decoded)


@both_protocols
@both_roles
def test_a_session_returns_a_wrong_message_or_ends_with_a_protocol_error(name: str, role: Role) -> None:
    protocol, records = RECORDS[name]
    outcomes: dict[bool, int] = {True: 0, False: 0}
    for stateful in (False, True):
        for record in records:
            session = open_session(protocol, role, stateful=stateful)
            messages = session.receive(framed(protocol, record), 1.0)
            outcomes[session.error is None] += 1
            check_end(session, messages, record)
    assert min(outcomes.values()) > 100


def check_end(session: HubSession, messages: list[HubMessage], record: bytes) -> None:
    """Check that a session is either open or has ended, and sends what its peer can read."""
    if session.error is not None:
        assert isinstance(session.error, ProtocolError)
        check_error(session.error, len(record))
        assert messages == []
        assert session.phase is Phase.ENDED
    sent = session.data_to_send()
    _, _, rest = sent.partition(b"\x1e")  # a client's handshake, or a server's
    framer = session.protocol.framer()
    for answer in framer.feed(rest):
        assert session.protocol.decode(answer) is not None
    assert framer.pending == 0


@pytest.mark.parametrize("role", Role)
def test_a_handshake_with_a_wrong_type_is_accepted_or_a_handshake_error(role: Role) -> None:
    target = load("handshake")
    for record in RECORDS["json"][1]:
        target.run(bytes(target.control) + record + b"\x1e")


@both_protocols
def test_a_client_gets_over_every_wrong_message(name: str, pytestconfig: pytest.Config) -> None:
    """The whole client above the transport. With ``--long`` all of them, else one of eleven."""
    target, (protocol, records) = load("client"), RECORDS[name]
    control = bytes([0 if protocol is JSON else 1, 1, 0, 0, 5, 0])
    for record in records[:: step(pytestconfig)]:
        target.run(control + framed(protocol, record))


@both_protocols
def test_a_server_gets_over_every_wrong_message(name: str, pytestconfig: pytest.Config) -> None:
    """The whole server above the web framework, with many clients, each of which makes a valid call first."""
    protocol, records = RECORDS[name]
    call = protocol.encode(MESSAGE_BEFORE)
    handshake = HANDSHAKES[0] if protocol is JSON else HANDSHAKES[1]

    async def serve() -> None:
        server = MemoryServer(enable_detailed_errors=True, maximum_receive_message_size=None)
        for record in records[:: step(pytestconfig)]:
            pieces = [handshake + call, framed(protocol, record)]
            request = Request(headers=[("Upgrade", "websocket")], pieces=pieces, pause=20)
            assert await server.dispatcher.handle(request) is None
            [socket] = request.opened
            sent = b"".join(socket.sent)
            assert ANSWER[name] in sent
            check_output(sent)
        await server.stop()

    run(serve())


def step(config: pytest.Config) -> int:
    """Return the distance of the records to use."""
    return 1 if config.getoption("--long") else 11


MESSAGE_BEFORE: Final[Any] = msgspec.convert(
    {"type": 1, "invocationId": "before", "target": "add", "arguments": [20, 22]}, HubMessage
)
ANSWER: Final = {"json": b'"before","result":42}', "messagepack": b"\xa6before\x03\x2a"}

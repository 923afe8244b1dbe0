"""Property-based tests with Hypothesis."""

from __future__ import annotations

import struct
from collections.abc import Sequence as Items
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate, cycle, pairwise, takewhile
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalr_client.core import handshake, negotiation
from signalr_client.core.binding import bind
from signalr_client.core.framing import read_varint, write_varint
from signalr_client.core.messages import (
    UNSET,
    Ack,
    CancelInvocation,
    Close,
    Completion,
    HubMessage,
    Invocation,
    Ping,
    Sequence,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.portable import find_unportable
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.session import HubSession, Phase, Role, SessionOptions
from signalr_client.errors import BindingError, HandshakeError, NegotiationError, ProtocolError

JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()
both_protocols = pytest.mark.parametrize("protocol", [JSON, MESSAGEPACK], ids=["json", "messagepack"])

# values and messages

ALPHABET: Final = 'ab1 "\\\x00\n\x1e\x7f\u2028é日🎉'
short_text: Final = st.text(ALPHABET, max_size=4)
name: Final = st.text(ALPHABET, min_size=1, max_size=4)
scalars: Final = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | short_text
)
json_values: Final = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(short_text, inner, max_size=2), max_leaves=3
)
messagepack_values: Final = st.recursive(
    scalars
    | st.floats(allow_nan=False)
    | st.binary(max_size=6)
    | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  # UTC is added
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(short_text | st.integers(-9, 300), inner, max_size=2),
    max_leaves=3,
)


def messages(values: st.SearchStrategy[object]) -> st.SearchStrategy[HubMessage]:
    """Return messages of all types, as decoded from the wire."""
    headers = st.just(UNSET) | st.dictionaries(name, name, min_size=1, max_size=2)
    arguments = st.lists(values, max_size=2)
    stream_ids = st.just(UNSET) | st.lists(name, min_size=1, max_size=2)
    sequence_ids = st.integers(0, 2**63 - 1)
    return st.one_of(
        st.builds(
            Invocation,
            headers=headers,
            invocation_id=st.just(UNSET) | name,
            target=name,
            arguments=arguments,
            stream_ids=stream_ids,
        ),
        st.builds(StreamItem, headers=headers, invocation_id=name, item=values),
        st.builds(Completion, headers=headers, invocation_id=name, error=st.just(UNSET) | name),
        st.builds(Completion, headers=headers, invocation_id=name, result=values),
        st.builds(
            StreamInvocation, headers=headers, invocation_id=name, target=name, arguments=arguments, stream_ids=stream_ids
        ),
        st.builds(CancelInvocation, headers=headers, invocation_id=name),
        st.just(Ping()),
        st.builds(Close, error=st.just(UNSET) | name, allow_reconnect=st.booleans()),
        st.builds(Ack, sequence_id=sequence_ids),
        st.builds(Sequence, sequence_id=sequence_ids),
    )


MESSAGES: Final[dict[HubProtocol, st.SearchStrategy[HubMessage]]] = {
    JSON: messages(json_values),
    MESSAGEPACK: messages(messagepack_values),
}

# arbitrary bytes

MEMBERS: Final = [
    "type", "headers", "invocationId", "target", "arguments", "streamIds", "item", "error", "result", "allowReconnect",
    "sequenceId", "protocol", "version", "connectionId", "connectionToken", "negotiateVersion", "availableTransports",
    "transport", "transferFormats", "url", "accessToken", "useStatefulReconnect", "ProtocolVersion", "x"
]  # fmt: skip
types: Final = st.integers(-1, 10) | json_values
json_objects: Final = st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=6)
json_garbage: Final = (
    st.binary(max_size=40)
    | st.builds(msgspec.json.encode, json_values)
    | st.builds(msgspec.json.encode, json_objects)
    | st.builds(lambda kind, rest: msgspec.json.encode(rest | {"type": kind}), types, json_objects)
)
# MessagePack assembled from parts, including forms that our encoder never writes: extensions, long encodings, unusual keys
extensions: Final = st.builds(
    lambda code, data: struct.pack(">BBb", 0xC7, len(data), code) + data, st.integers(-2, 2), st.binary(max_size=14)
)
timestamps: Final = st.builds(
    lambda nanoseconds, seconds: struct.pack(">bbbIq", -57, 12, -1, nanoseconds, seconds),
    st.integers(0, 1_000_000_100),
    st.integers(-62_135_596_801, 253_402_300_800) | st.integers(-(2**63), 2**63 - 1),
)
parts: Final = st.recursive(
    st.builds(msgspec.msgpack.encode, scalars) | extensions | timestamps | st.binary(min_size=1, max_size=1),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda items: b"\xdc" + struct.pack(">H", len(items)) + b"".join(items)),
        st.lists(st.tuples(inner, inner), max_size=2).map(
            lambda items: b"\xde" + struct.pack(">H", len(items)) + b"".join(key + value for key, value in items)
        ),
    ),
    max_leaves=4,
)
messagepack_garbage: Final = (
    st.binary(max_size=40)
    | st.builds(msgspec.msgpack.encode, messagepack_values)
    | st.builds(
        lambda kind, rest: msgspec.msgpack.encode([kind, *rest]),
        st.integers(-1, 10) | messagepack_values,
        st.lists(st.just({}) | messagepack_values, max_size=6),
    )
    | st.builds(lambda tail: b"\x94\x02\x80\xa11" + tail, parts | st.binary(max_size=12))
)
GARBAGE: Final[dict[HubProtocol, st.SearchStrategy[bytes]]] = {JSON: json_garbage, MESSAGEPACK: messagepack_garbage}


def framed(protocol: HubProtocol, record: bytes) -> bytes:
    return record + b"\x1e" if protocol is JSON else write_varint(len(record)) + record


@st.composite
def streams(draw: st.DrawFn, protocol: HubProtocol) -> bytes:
    """Return a stream of messages, invalid records and arbitrary bytes."""
    message = MESSAGES[protocol].map(protocol.encode)
    broken = GARBAGE[protocol].map(lambda record: framed(protocol, record))
    return b"".join(draw(st.lists(message | message | broken | st.binary(max_size=3), max_size=4)))


def cut(data: bytes, sizes: Items[int]) -> list[bytes]:
    """Return *data* in pieces of these sizes, repeated as needed."""
    ends = list(takewhile(lambda end: end < len(data), accumulate(cycle(sizes))))
    return [data[start:end] for start, end in pairwise([0, *ends, len(data)])]


cuts: Final = st.lists(st.integers(1, 30), min_size=1, max_size=3)


def open_session(protocol: HubProtocol, role: Role, max_size: int | None = None) -> HubSession:
    """Return a session that has completed the handshake."""
    options = SessionOptions(max_message_size=max_size)
    if role is Role.CLIENT:
        session = HubSession.client(protocol, SessionOptions(), 0.0)
        session.receive(b"{}\x1e", 0.0)
    else:
        session = HubSession.server([protocol], SessionOptions(), 0.0)
        session.receive(handshake.encode_request(protocol.name, 1), 0.0)
    assert session.phase is Phase.OPEN
    session.options = options
    session._framer = protocol.framer(max_size)  # a limit below the size of the handshake would end the session too early
    return session


def well_formed(message: HubMessage) -> bool:
    """Return whether each member has the type declared by its class."""
    given_members = {
        field.encode_name: value
        for field in msgspec.structs.fields(message)
        if (value := getattr(message, field.name)) is not UNSET
    }
    return bool(msgspec.convert(given_members, type(message)) == message)


@both_protocols
@given(data=st.data())
def test_encoded_messages_decode_to_the_same(protocol: HubProtocol, data: st.DataObject) -> None:
    message = data.draw(MESSAGES[protocol])
    wire = protocol.encode(message)
    framer = protocol.framer(len(wire))
    [record] = framer.feed(wire)
    assert protocol.decode(record) == message
    assert (framer.error, framer.pending) == (None, 0)


@both_protocols
@given(data=st.data())
def test_chunking_does_not_change_the_messages(protocol: HubProtocol, data: st.DataObject) -> None:
    sent = data.draw(st.lists(MESSAGES[protocol], max_size=3))
    stream = b"".join(protocol.encode(message) for message in sent)
    framer = protocol.framer()
    pieces = cut(stream, data.draw(cuts))
    assert [protocol.decode(record) for piece in pieces for record in framer.feed(piece)] == sent
    assert (framer.error, framer.pending) == (None, 0)


@both_protocols
@given(data=st.data())
def test_chunking_of_arbitrary_bytes_does_not_change_messages_or_error(protocol: HubProtocol, data: st.DataObject) -> None:
    stream = data.draw(streams(protocol))
    role, max_size = data.draw(st.sampled_from(Role)), data.draw(st.none() | st.integers(1, 60))
    whole, pieces = open_session(protocol, role, max_size), open_session(protocol, role, max_size)
    expected = whole.receive(stream, 0.0)
    assert [message for piece in cut(stream, data.draw(cuts)) for message in pieces.receive(piece, 0.0)] == expected
    whole.receive_end()
    pieces.receive_end()
    assert (type(pieces.error), str(pieces.error)) == (type(whole.error), str(whole.error))


@both_protocols
@given(data=st.data())
def test_arbitrary_bytes_decode_to_a_message_or_a_protocol_error(protocol: HubProtocol, data: st.DataObject) -> None:
    record = data.draw(GARBAGE[protocol])
    try:
        message = protocol.decode(record)
    except ProtocolError:
        return
    assert message is None or well_formed(message)


@given(
    role=st.sampled_from(Role),
    pieces=st.lists(st.binary(max_size=30) | json_garbage.map(lambda text: text + b"\x1e"), max_size=4),
)
def test_receive_never_raises(role: Role, pieces: list[bytes]) -> None:
    options = SessionOptions(max_message_size=200)
    session = (
        HubSession.client(MESSAGEPACK, options, 0.0)
        if role is Role.CLIENT
        else HubSession.server([JSON, MESSAGEPACK], options, 0.0)
    )
    for now, piece in enumerate(pieces):
        session.receive(piece, float(now))
        session.handle_timeout(float(now))
        assert (session.error is None) or session.phase is Phase.ENDED
    session.receive_end()
    assert session.phase is Phase.ENDED


@given(text=json_garbage)
def test_arbitrary_bytes_decode_to_a_handshake_or_a_handshake_error(text: bytes) -> None:
    for decode in (handshake.decode_request, handshake.decode_response):
        with suppress(HandshakeError):
            decode(text)


@given(protocol=short_text, version=st.integers(-(2**31), 2**31), error=st.none() | short_text, rest=st.binary(max_size=5))
def test_encoded_handshakes_decode_to_the_same(protocol: str, version: int, error: str | None, rest: bytes) -> None:
    parts = handshake.HandshakeBuffer(100).feed(handshake.encode_request(protocol, version) + rest)
    assert parts is not None
    assert (handshake.decode_request(parts[0]), parts[1]) == (handshake.HandshakeRequest(protocol, version), rest)
    parts = handshake.HandshakeBuffer(100).feed(handshake.encode_response(error) + rest)
    assert parts is not None
    assert (handshake.decode_response(parts[0]).error, parts[1]) == (error, rest)


@given(body=json_garbage)
def test_arbitrary_bytes_decode_to_a_negotiate_response_or_a_negotiation_error(body: bytes) -> None:
    try:
        response = negotiation.parse_negotiate_response(body, "http://host/hub")
    except NegotiationError:
        return
    assert response.url or response.token


@given(length=st.integers(0, 2**31 - 1), rest=st.binary(max_size=6))
def test_encoded_lengths_decode_to_the_same(length: int, rest: bytes) -> None:
    prefix = write_varint(length)
    assert read_varint(prefix + rest) == (length, len(prefix))


@given(data=st.binary(max_size=8))
def test_arbitrary_bytes_are_a_length_or_incomplete_or_a_protocol_error(data: bytes) -> None:
    try:
        found = read_varint(data)
    except ProtocolError:
        return
    if found is None:
        assert len(data) < 5
    else:
        length, size = found
        assert 0 <= length < 2**31
        assert data[size - 1] < 0x80


SENDABLE_OR_NOT: Final = st.recursive(
    messagepack_values
    | st.integers()
    | st.floats()
    | st.text("a\ud800\udfff", max_size=3)
    | st.complex_numbers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([object(), object, Decimal, range(2), b"".join, memoryview(b"x")])
    | st.frozensets(st.integers(), max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.none() | short_text | st.booleans(), inner, max_size=2),
    max_leaves=4,
)


@both_protocols
@given(value=SENDABLE_OR_NOT)
def test_any_value_is_encoded_correctly_or_is_a_binding_error(protocol: HubProtocol, value: object) -> None:
    try:
        wire = protocol.encode(StreamItem(invocation_id="1", item=value))
    except BindingError:
        return
    [record] = protocol.framer().feed(wire)
    assert isinstance(protocol.decode(record), StreamItem)


def deep(value: bytes, levels: int, protocol: HubProtocol) -> bytes:
    """Return *value* nested in this many arrays."""
    return b"[" * levels + value + b"]" * levels if protocol is JSON else b"\x91" * levels + value


# Any value that a peer may send, including values that our encoder rejects.
received_json: Final = st.recursive(
    st.builds(msgspec.json.encode, json_values | st.integers() | st.integers(2**63 - 2, 2**64 + 1) | st.floats())
    | st.sampled_from([b"1e308", b"-0", b"123456789012345678901.5", b'"\\u0000"', b'"\\ud83c\\udf89"', b'"\\ud800"', b"NaN"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda items: b"[" + b",".join(items) + b"]"),
        st.tuples(short_text, inner).map(lambda pair: b"{" + msgspec.json.encode(pair[0]) + b":" + pair[1] + b"}"),
    ),
    max_leaves=3,
)
RECEIVED: Final = {JSON: received_json, MESSAGEPACK: st.builds(msgspec.msgpack.encode, messagepack_values) | parts}


def received(protocol: HubProtocol, value: bytes) -> Invocation | None:
    """Return the call that a client sends with one argument, or None if it is rejected."""
    wire = b'{"type":1,"target":"T","arguments":[%s]}' % value if protocol is JSON else b"\x95\x01\x80\xc0\xa1T\x91" + value
    try:
        message = protocol.decode(wire)
    except ProtocolError:
        return None
    assert isinstance(message, Invocation)
    return message


@both_protocols
@given(data=st.data())
def test_a_portable_value_can_be_forwarded_in_every_protocol(protocol: HubProtocol, data: st.DataObject) -> None:
    """Because of `find_unportable`, forwarding a value never disconnects a recipient."""
    levels = data.draw(st.integers(0, 3) | st.integers(55, 64))
    call = received(protocol, deep(data.draw(RECEIVED[protocol]), levels, protocol))
    if call is None or find_unportable(call.arguments[0]) is not None:
        return
    [value] = call.arguments
    relayed: list[HubMessage] = [
        Invocation(target="T", arguments=[value]),
        StreamItem(invocation_id="1", item=value),
        Completion(invocation_id="1", result=value),
    ]
    for recipient in (JSON, MESSAGEPACK):
        for message in relayed:
            [record] = recipient.framer().feed(recipient.encode(message))
            assert type(recipient.decode(record)) is type(message)
    [record] = protocol.framer().feed(protocol.encode(call))
    again = protocol.decode(record)
    assert isinstance(again, Invocation)
    assert repr(again.arguments) == repr(call.arguments)  # compared as text, because NaN is not equal to NaN


@given(
    value=messagepack_values,
    wanted=st.sampled_from(
        [int, str, bytes, float, datetime, Decimal, list[int], dict[str, int], int | None, object, Invocation]
    ),
)
def test_any_value_is_converted_or_is_a_binding_error(value: object, wanted: Any) -> None:
    with suppress(BindingError):
        bind(value, wanted)


@given(
    secret=st.text("abcdef0123456789+/=&#%é", min_size=12, max_size=20),
    key=st.sampled_from(["id", "ID", "access_token", "Access_Token"]),
    before=st.dictionaries(name, short_text, max_size=2),
    after=st.dictionaries(name, short_text, max_size=2),
)
def test_a_redacted_url_never_contains_the_secret(secret: str, key: str, before: dict[str, str], after: dict[str, str]) -> None:
    query = "&".join(part for part in (urlencode(before), f"{key}={quote(secret, safe='')}", urlencode(after)) if part)
    shown = negotiation.redact_url(f"https://user:{quote(secret, safe='')}@host/hub?{query}")
    assert secret not in shown
    assert quote(secret, safe="") not in shown
    assert negotiation.redact_url(shown) == shown

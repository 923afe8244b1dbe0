"""Messages of up to 64 levels are accepted in both directions and protocols, deeper ones are rejected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pytest

from signalr_client.core.messages import Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.protocols.nesting import json_may_exceed_depth, messagepack_may_exceed_depth
from signalr_client.errors import BindingError, ProtocolError

JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()
both_protocols = pytest.mark.parametrize("protocol", [JSON, MESSAGEPACK], ids=["json", "messagepack"])

TOO_DEEP: Final = {
    JSON.name: "Error reading JSON. The maximum configured depth of 64 has been exceeded.",
    MESSAGEPACK.name: "Invalid MessagePack message: it is nested more than 64 levels deep.",
}


def nested(levels: int, inner: object = None) -> Any:
    """Return *levels* alternating lists and dicts around *inner*."""
    value = inner
    for level in range(levels):
        value = {"a": value} if level % 2 else [0, value, "x"]
    return value


# Constructors of messages that take a value, and the number of levels that the value may have.
MESSAGES: Final = [
    (lambda value: Invocation(target="T", arguments=[1, value]), 62),
    (lambda value: Invocation(target="T", invocation_id="1", arguments=[value], headers={"a": "b"}, stream_ids=["1"]), 62),
    (lambda value: StreamInvocation(target="T", invocation_id="1", arguments=[value]), 62),
    (lambda value: StreamItem(invocation_id="1", item=value), 63),
    (lambda value: Completion(invocation_id="1", result=value), 63),
]
of_every_type = pytest.mark.parametrize(("make", "levels"), MESSAGES)


def record(protocol: HubProtocol, message: HubMessage) -> bytes:
    """Return the record of *message* as encoded by a peer that has no limit."""
    if protocol is JSON:
        return msgspec.json.encode(message)
    members = [message.headers or {}, message.invocation_id or None]  # type: ignore[union-attr]  # all of these messages have both members
    match message:
        case Invocation() | StreamInvocation():
            kind = 1 if isinstance(message, Invocation) else 4
            return msgspec.msgpack.encode([kind, *members, message.target, message.arguments, message.stream_ids or []])
        case StreamItem():
            return msgspec.msgpack.encode([2, *members, message.item])
        case Completion():
            return msgspec.msgpack.encode([3, *members, 3, message.result])
        case _:
            raise AssertionError(message)


@both_protocols
@of_every_type
def test_a_message_of_64_levels_is_accepted_in_both_directions(protocol: HubProtocol, make: Any, levels: int) -> None:
    message = make(nested(levels))
    [wire] = protocol.framer().feed(protocol.encode(message))
    assert protocol.decode(wire) == message
    assert protocol.decode(record(protocol, message)) == message


@both_protocols
@of_every_type
@pytest.mark.parametrize("more", [1, 2, 100, 800])
def test_a_received_message_over_64_levels_is_rejected(protocol: HubProtocol, make: Any, levels: int, more: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        protocol.decode(record(protocol, make(nested(levels + more))))
    assert str(caught.value) == TOO_DEEP[protocol.name]


@both_protocols
@of_every_type
@pytest.mark.parametrize("more", [1, 2, 100, 800])
def test_a_message_over_64_levels_cannot_be_sent(protocol: HubProtocol, make: Any, levels: int, more: int) -> None:
    """A hub may add levels to a value from a client. The call that does so fails, and no recipient is disconnected."""
    with pytest.raises(BindingError, match=r"nested more than 64 levels deep\.$"):
        protocol.encode(make(nested(levels + more)))


SHORTEST: Final = [  # records whose middle part, only brackets, has 64 levels in total, or 65 with one more pair
    (JSON, b'{"type":1,"target":"","arguments":[', b"[", 62, b"]", b"]}"),
    (JSON, b'{"type":2,"invocationId":"","item":', b"[", 63, b"]", b"}"),
    (JSON, b'{"type":3,"invocationId":"","result":', b"[", 63, b"]", b"}"),
    (MESSAGEPACK, b"\x95\x01\x80\xc0\xa1T\x91", b"\x91", 61, b"", b"\x90"),
    (MESSAGEPACK, b"\x94\x02\x80\xa11", b"\x91", 62, b"", b"\x90"),
    (MESSAGEPACK, b"\x95\x03\x80\xa11\x03", b"\x91", 62, b"", b"\x90"),
]


@pytest.mark.parametrize(("protocol", "head", "opener", "levels", "closer", "tail"), SHORTEST)
def test_the_shortest_records_that_are_too_deep_are_rejected(
    protocol: HubProtocol, head: bytes, opener: bytes, levels: int, closer: bytes, tail: bytes
) -> None:
    assert protocol.decode(head + opener * levels + closer * levels + tail)
    levels += 1
    with pytest.raises(ProtocolError) as caught:
        protocol.decode(head + opener * levels + closer * levels + tail)
    assert str(caught.value) == TOO_DEEP[protocol.name]


@both_protocols
@pytest.mark.parametrize(
    "value",
    [
        "[{" * 1000,
        ["]" * 300, "\\" * 101, '"[' * 300],
        [[] for _ in range(1000)],
        [{"id": number, "tags": [{}, [[]]]} for number in range(300)],
        "日本語" * 400,
        "日本語" * 30,  # fewer bytes, but as many of them look like the start of an array
        [number * 1.1 for number in range(300)],
    ],
)
def test_values_that_only_look_deep_are_accepted(protocol: HubProtocol, value: object) -> None:
    message = StreamItem(invocation_id="1", item=value)
    [wire] = protocol.framer().feed(protocol.encode(message))
    assert protocol.decode(wire) == message


def test_binary_values_with_any_bytes_are_accepted() -> None:
    message = StreamItem(invocation_id="1", item=bytes(range(256)) * 20)
    [wire] = MESSAGEPACK.framer().feed(MESSAGEPACK.encode(message))
    assert MESSAGEPACK.decode(wire) == message


@both_protocols
def test_one_deep_value_among_many_is_found(protocol: HubProtocol) -> None:
    wide: list[object] = [{"id": number, "items": [number]} for number in range(500)]
    wide.insert(250, nested(62))
    with pytest.raises(ProtocolError):
        protocol.decode(record(protocol, Invocation(target="T", arguments=[wide])))


@both_protocols
def test_brackets_in_strings_do_not_hide_a_deep_value(protocol: HubProtocol) -> None:
    value = ["]" * 200, '\\"' * 50, nested(63), "[" * 200]
    with pytest.raises(ProtocolError):
        protocol.decode(record(protocol, StreamItem(invocation_id="1", item=value)))


@dataclass
class Node:
    """A value whose depth is visible only in its encoded form."""

    child: object
    padding: str = ""


def nodes(levels: int) -> object:
    """Return *levels* nested dataclasses."""
    value: object = None
    for _ in range(levels):
        value = Node(value)
    return value


@both_protocols
def test_dataclasses_count_as_levels(protocol: HubProtocol) -> None:
    padding = ["[" * 100]  # enough brackets to require the full check
    assert protocol.encode(StreamItem(invocation_id="1", item=[padding, nodes(62)]))
    with pytest.raises(BindingError, match="nested more than 64 levels deep"):
        protocol.encode(StreamItem(invocation_id="1", item=[padding, nodes(63)]))
    assert protocol.encode(StreamItem(invocation_id="1", item=Node(nested(62), "[" * 100)))
    with pytest.raises(BindingError, match="nested more than 64 levels deep"):
        protocol.encode(StreamItem(invocation_id="1", item=Node(nested(63), "[" * 100)))


def test_a_timestamp_finer_than_a_microsecond_does_not_hide_a_deep_value() -> None:
    """Records with such timestamps are decoded by another library."""
    moment = msgspec.msgpack.Ext(-1, bytes.fromhex("000001916553f100"))
    good, bad = (StreamItem(invocation_id="1", item=[moment, nested(levels)]) for levels in (62, 63))
    assert isinstance(MESSAGEPACK.decode(record(MESSAGEPACK, good)), StreamItem)
    with pytest.raises(ProtocolError, match="nested more than 64"):
        MESSAGEPACK.decode(record(MESSAGEPACK, bad))


def test_ordinary_messages_are_not_checked_in_full() -> None:
    """Their bytes show that they cannot be too deep."""
    message = Invocation(target="Send", arguments=["user", "x" * 300, {"a": [1, 2, {"b": [3.5] * 20}]}])
    assert not json_may_exceed_depth(JSON.encode(message))
    assert not messagepack_may_exceed_depth(MESSAGEPACK.encode(message))

"""The MessagePack hub protocol: accepted variants that .NET does not write, errors for invalid messages, and encoding of values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Final
from uuid import UUID

import msgspec
import pytest

from signalr_client.core.framing import BinaryFramer
from signalr_client.core.messages import (
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
from signalr_client.core.protocols import HubProtocol, MessagePackHubProtocol
from signalr_client.errors import BindingError, ProtocolError
from signalr_client.types import TransferFormat

PROTOCOL: Final = MessagePackHubProtocol()


class Color(Enum):
    GREEN = "Green"


class Size(IntEnum):
    LARGE = 3


@dataclass
class Point:
    x: int
    y: int


class Opaque:
    """A type without a MessagePack representation."""


def test_the_protocol_is_messagepack_version_2_with_binary_format() -> None:
    assert isinstance(PROTOCOL, HubProtocol)
    assert (PROTOCOL.name, PROTOCOL.version, PROTOCOL.transfer_format) == ("messagepack", 2, TransferFormat.BINARY)
    assert repr(PROTOCOL) == "MessagePackHubProtocol()"


def test_the_framer_applies_the_size_limit() -> None:
    framer = PROTOCOL.framer(5)
    assert isinstance(framer, BinaryFramer)
    framer.feed(b"\x05")
    assert framer.error is not None
    assert PROTOCOL.framer().feed(b"\x0512345") == [b"12345"]


SPEC: Final[list[tuple[str, HubMessage]]] = [  # hub protocol specification, "MessagePack (MsgPack) encoding"
    ("96 01 80 a3 78 79 7a a6 6d 65 74 68 6f 64 91 2a 90", Invocation(invocation_id="xyz", target="method", arguments=[42])),
    ("96 01 80 c0 a6 6d 65 74 68 6f 64 91 2a 90", Invocation(target="method", arguments=[42])),
    ("96 01 80 c0 a6 6d 65 74 68 6f 64 90 90", Invocation(target="method", arguments=[])),
    (
        "96 01 80 a3 78 79 7a a6 6d 65 74 68 6f 64 90 91 a1 31",
        Invocation(invocation_id="xyz", target="method", arguments=[], stream_ids=["1"]),
    ),
    ("94 02 80 a3 78 79 7a 2a", StreamItem(invocation_id="xyz", item=42)),
    # five items, as its first byte says; the text of the specification wrongly gives 0x94
    ("95 03 80 a3 78 79 7a 01 a5 45 72 72 6f 72", Completion(invocation_id="xyz", error="Error")),
    ("94 03 80 a3 78 79 7a 02", Completion(invocation_id="xyz")),
    ("95 03 80 a3 78 79 7a 03 2a", Completion(invocation_id="xyz", result=42)),
    (
        "96 04 80 a3 78 79 7a a6 6d 65 74 68 6f 64 91 2a 90",
        StreamInvocation(invocation_id="xyz", target="method", arguments=[42]),
    ),
    ("93 05 80 a3 78 79 7a", CancelInvocation(invocation_id="xyz")),
    ("91 06", Ping()),
    ("93 07 a3 78 79 7a c3", Close(error="xyz", allow_reconnect=True)),
    ("92 08 cc ce", Ack(sequence_id=206)),
    ("92 09 cd 03 e8", Sequence(sequence_id=1000)),
]


@pytest.mark.parametrize(("wire", "message"), SPEC)
def test_the_examples_of_the_specification_encode_and_decode(wire: str, message: HubMessage) -> None:
    body = bytes.fromhex(wire)
    assert PROTOCOL.encode(message) == bytes([len(body)]) + body
    assert PROTOCOL.decode(body) == message


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        # the TypeScript client sends five items if there are no streams, and two for a Close
        ("95 01 80 c0 a1 54 90", Invocation(target="T", arguments=[])),
        ("95 04 80 a1 31 a1 54 91 c0", StreamInvocation(invocation_id="1", target="T", arguments=[None])),
        ("92 07 c0", Close()),
        ("92 07 a1 65", Close(error="e")),
        # additional items, which later versions may define
        ("97 01 80 c0 a1 54 90 90 2a", Invocation(target="T", arguments=[])),
        ("95 02 80 a1 31 01 02", StreamItem(invocation_id="1", item=1)),
        ("96 03 80 a1 31 03 01 02", Completion(invocation_id="1", result=1)),
        ("95 03 80 a1 31 02 01", Completion(invocation_id="1")),
        ("94 05 80 a1 31 c0", CancelInvocation(invocation_id="1")),
        ("92 06 c0", Ping()),
        ("94 07 c0 c2 01", Close()),
        ("93 08 01 02", Ack(sequence_id=1)),
        # an empty id is treated as absent
        ("96 01 80 a0 a1 54 90 90", Invocation(target="T", arguments=[])),
        # nil instead of an empty array of stream ids
        ("96 01 80 c0 a1 54 90 c0", Invocation(target="T", arguments=[])),
        # the same messages in longer encodings
        ("dc 00 03 05 de 00 00 d9 01 31", CancelInvocation(invocation_id="1")),
        ("dd 00 00 00 01 d3 00 00 00 00 00 00 00 06", Ping()),
        # plain values
        ("94 02 80 a1 31 c4 02 00 ff", StreamItem(invocation_id="1", item=b"\x00\xff")),
        ("94 02 80 a1 31 ca 3f c0 00 00", StreamItem(invocation_id="1", item=1.5)),
        ("94 02 80 a1 31 cf ff ff ff ff ff ff ff ff", StreamItem(invocation_id="1", item=2**64 - 1)),
        ("94 02 80 a1 31 82 01 a1 61 c2 c3", StreamItem(invocation_id="1", item={1: "a", False: True})),
        ("94 02 80 a1 31 81 90 01", StreamItem(invocation_id="1", item={(): 1})),
        ("94 02 80 a1 31 d6 ff 00 00 00 01", StreamItem(invocation_id="1", item=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))),
    ],
)
def test_all_variants_that_peers_send_are_accepted(wire: str, message: HubMessage) -> None:
    assert PROTOCOL.decode(bytes.fromhex(wire)) == message


@pytest.mark.parametrize("wire", ["91 0a", "91 00", "91 ff", "94 7f c0 c0 c0", "91 cf ff ff ff ff ff ff ff ff"])
def test_unknown_message_type_is_none(wire: str) -> None:
    assert PROTOCOL.decode(bytes.fromhex(wire)) is None


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        ("90", "Reading 'message type' as Int32 failed: the message is an empty array."),
        ("91 c0", "Reading 'message type' as Int32 failed: it is NoneType."),
        ("91 a1 36", "Reading 'message type' as Int32 failed: it is str."),
        ("91 c2", "Reading 'message type' as Int32 failed: it is bool."),
        ("96 c3 80 c0 a1 54 90 90", "Reading 'message type' as Int32 failed: it is bool."),  # True equals 1
        ("94 ca 40 00 00 00 80 a1 31 01", "Reading 'message type' as Int32 failed: it is float."),  # 2.0 equals 2
        ("91 90", "Reading 'message type' as Int32 failed: it is list."),
        ("91 80", "Reading 'message type' as Int32 failed: it is dict."),
        ("91 01", "A message of type 1 with 1 items is too short."),
        ("94 01 80 c0 a1 54", None),
        ("93 02 80 a1 31", "A message of type 2 with 3 items is too short."),
        ("93 03 80 a1 31", "A message of type 3 with 3 items is too short."),
        ("94 03 80 a1 31 01", "A message of type 3 with 4 items is too short."),
        ("94 03 80 a1 31 03", "A message of type 3 with 4 items is too short."),
        ("94 04 80 a1 31 a1 54", None),
        ("92 05 80", "A message of type 5 with 2 items is too short."),
        ("91 07", "A message of type 7 with 1 items is too short."),
        ("91 08", "A message of type 8 with 1 items is too short."),
        ("91 09", "A message of type 9 with 1 items is too short."),
        ("96 01 80 01 a1 54 90 90", "Reading 'invocationId' as String failed: it is int."),
        ("96 01 80 c0 c0 90 90", "Reading 'target' as str failed: it is NoneType."),
        ("96 01 80 c0 a0 90 90", "Reading 'target' as String failed: it is empty."),
        ("96 01 80 c0 a1 54 c0 90", "Reading 'arguments' as list failed: it is NoneType."),
        ("96 01 80 c0 a1 54 80 90", "Reading 'arguments' as list failed: it is dict."),
        ("96 01 80 c0 a1 54 90 01", "Reading 'streamIds' as list failed: it is int."),
        ("96 01 80 c0 a1 54 90 91 01", "Reading 'streamIds' as an array of strings failed at 1."),
        ("96 01 80 c0 a1 54 90 91 a0", "Reading 'streamIds' as an array of strings failed at ''."),
        ("96 01 c0 c0 a1 54 90 90", "Reading 'headers' as dict failed: it is NoneType."),
        ("96 01 90 c0 a1 54 90 90", "Reading 'headers' as dict failed: it is list."),
        ("96 01 81 a1 61 01 c0 a1 54 90 90", "Reading 'headers' as a map of strings failed at 'a'."),
        ("96 01 81 01 a1 61 c0 a1 54 90 90", "Reading 'headers' as a map of strings failed at 1."),
        ("94 02 80 c0 01", "Reading 'invocationId' as String failed: it is None."),
        ("94 02 80 a0 01", "Reading 'invocationId' as String failed: it is ''."),
        ("94 02 80 01 01", "Reading 'invocationId' as String failed: it is 1."),
        ("94 03 80 a1 31 c0", "Reading 'result kind' as int failed: it is NoneType."),
        ("94 03 80 a1 31 c3", "Reading 'result kind' as int failed: it is bool."),
        ("94 03 80 a1 31 00", "Invalid invocation result kind. It is 0; 1 to 3 are known."),
        ("95 03 80 a1 31 04 c0", "Invalid invocation result kind. It is 4; 1 to 3 are known."),
        ("95 03 80 a1 31 01 c0", "Reading 'error' as str failed: it is NoneType."),
        ("96 04 80 c0 a1 54 90 90", "Reading 'invocationId' as String failed: it is None."),
        ("93 07 01 c2", "Reading 'error' as str failed: it is int."),
        ("93 07 c0 c0", "Reading 'allowReconnect' as bool failed: it is NoneType."),
        ("92 08 a1 31", "Reading 'sequenceId' as int failed: it is str."),
        ("92 09 c3", "Reading 'sequenceId' as int failed: it is bool."),
    ],
)
def test_an_invalid_message_is_an_error_with_the_reason(wire: str, text: str | None) -> None:
    body = bytes.fromhex(wire)
    with pytest.raises(ProtocolError) as caught:
        PROTOCOL.decode(body)
    assert str(caught.value) == (text or f"A message of type {body[1]} with {body[0] - 0x90} items is too short.")


@pytest.mark.parametrize(
    "wire",
    [
        "",
        "06",
        "80",
        "c0",
        "a1 61",
        "c1",
        "93 05 80",
        "91 06 00",  # data after the message
        "94 02 80 a1 31 a1 ff",  # not UTF-8
        "94 02 80 a1 31 81 80 01",  # a map as a key
        "94 02 80 a1 31 c7 0c ff 00 00 00 00 7f ff ff ff ff ff ff ff",  # a time after the year 9999
        "94 02 80 a1 31 d7 ff ff ff ff ff ff ff ff ff",  # nanoseconds past a second
        "94 02 80 a1 31 c7 03 ff 00 00 00",  # a timestamp of three bytes
        "94 02 80 a1 31 dd ff ff ff ff",  # lengths without the corresponding data
        "94 02 80 a1 31 df ff ff ff ff",
        "94 02 80 a1 31 db ff ff ff ff",
        "dd ff ff ff ff",
        pytest.param("94 02 80 a1 31" + "91" * 100_000 + "c0", id="deep"),
    ],
)
def test_a_record_that_is_not_messagepack_is_an_error(wire: str) -> None:
    with pytest.raises(ProtocolError, match=r"^Invalid MessagePack message: "):
        PROTOCOL.decode(bytes.fromhex(wire))


def test_the_error_of_the_decoder_is_the_cause() -> None:
    with pytest.raises(ProtocolError) as caught:
        PROTOCOL.decode(b"\xc1")
    assert isinstance(caught.value.__cause__, msgspec.DecodeError)


# encoding


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (None, "c0"),
        (True, "c3"),
        (127, "7f"),
        (-1, "ff"),
        (2**64 - 1, "cf ff ff ff ff ff ff ff ff"),
        (-(2**63), "d3 80 00 00 00 00 00 00 00"),
        (1.5, "cb 3f f8 00 00 00 00 00 00"),
        (float("inf"), "cb 7f f0 00 00 00 00 00 00"),
        ("é", "a2 c3 a9"),
        ("\x1e", "a1 1e"),
        (b"\x00\xff", "c4 02 00 ff"),
        (bytearray(b"\x01"), "c4 01 01"),
        (Decimal("0.10"), "a4 30 2e 31 30"),
        (datetime(2016, 4, 5, 6, 7, 8, tzinfo=UTC), "d6 ff 57 03 56 0c"),
        (UUID("00010203-0405-0607-0706-050403020100"), "d9 24" + b"00010203-0405-0607-0706-050403020100".hex()),
        (Color.GREEN, "a5 47 72 65 65 6e"),
        (Size.LARGE, "a5 4c 61 72 67 65"),
        ([1, [2]], "92 01 91 02"),
        ((1, "a"), "92 01 a1 61"),
        ({"b": 1, "a": {}}, "82 a1 62 01 a1 61 80"),
        ({1: "a"}, "81 01 a1 61"),
        (Point(1, 2), "82 a1 58 01 a1 59 02"),
    ],
)
def test_values_are_encoded_as_messagepack(value: object, wire: str) -> None:
    encoded = PROTOCOL.encode(StreamItem(invocation_id="1", item=value))
    assert encoded[1:] == bytes.fromhex("94 02 80 a1 31" + wire)
    assert encoded[0] == len(encoded) - 1


@pytest.mark.parametrize(
    ("message", "same"),
    [
        (
            Invocation(headers={}, invocation_id="", target="T", arguments=[], stream_ids=[]),
            Invocation(target="T", arguments=[]),
        ),
        (StreamItem(headers={}, invocation_id="1", item=1), StreamItem(invocation_id="1", item=1)),
        (Close(error=None), Close()),
        (Close(error=""), Close()),
    ],
)
def test_empty_members_are_encoded_like_absent_ones(message: HubMessage, same: HubMessage) -> None:
    assert PROTOCOL.encode(message) == PROTOCOL.encode(same)


def test_an_error_takes_precedence_over_a_result() -> None:
    both, error = Completion(invocation_id="1", error="e", result=1), Completion(invocation_id="1", error="e")
    assert PROTOCOL.encode(both) == PROTOCOL.encode(error)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Invocation(target="T", arguments=[Opaque()]),
         f"Cannot send Invocation as MessagePack: arguments[0]: a value of type {__name__}.Opaque has no MessagePack form"),
        (StreamItem(invocation_id="1", item={"deep": [Opaque()]}),
         f"Cannot send StreamItem as MessagePack: item['deep'][0]: a value of type {__name__}.Opaque has no MessagePack form"),
        (Completion(invocation_id="1", result=object()),
         "Cannot send Completion as MessagePack: result: a value of type builtins.object has no MessagePack form"),
        (StreamInvocation(invocation_id="1", target="T", arguments=[1j]),
         "Cannot send StreamInvocation as MessagePack: a value of type builtins.complex has no MessagePack form"),
    ],
)  # fmt: skip
def test_the_error_names_the_type_of_a_value_that_messagepack_does_not_support(message: HubMessage, text: str) -> None:
    with pytest.raises(BindingError) as caught:
        PROTOCOL.encode(message)
    assert str(caught.value) == text


@pytest.mark.parametrize("value", ["\ud800", 2**64, -(2**63) - 1, (item for item in "abc"), Opaque])
def test_a_value_that_cannot_be_encoded_is_a_binding_error(value: object) -> None:
    with pytest.raises(BindingError, match=r"^Cannot send StreamItem as MessagePack: "):
        PROTOCOL.encode(StreamItem(invocation_id="1", item=value))


def test_a_recursive_value_is_a_binding_error() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(BindingError, match="nested more than 64 levels deep"):
        PROTOCOL.encode(StreamItem(invocation_id="1", item=value))

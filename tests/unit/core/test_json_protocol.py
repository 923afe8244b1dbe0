"""The JSON hub protocol: accepted variants that .NET does not write, errors for invalid messages, and encoding of values."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Final
from uuid import UUID

import msgspec
import pytest

from signalr_client.core.framing import TextFramer
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
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol
from signalr_client.errors import BindingError, ProtocolError
from signalr_client.types import TransferFormat

PROTOCOL: Final = JsonHubProtocol()


class Color(Enum):
    GREEN = 1


class Size(IntEnum):
    LARGE = 3


@dataclass
class Point:
    x: int
    y: int


class Record(msgspec.Struct, rename="camel"):
    first_name: str


class Opaque:
    """A type without a JSON representation."""


def test_the_protocol_is_json_version_2_with_text_format() -> None:
    assert isinstance(PROTOCOL, HubProtocol)
    assert (PROTOCOL.name, PROTOCOL.version, PROTOCOL.transfer_format) == ("json", 2, TransferFormat.TEXT)
    assert repr(PROTOCOL) == "JsonHubProtocol()"


def test_the_framer_applies_the_size_limit() -> None:
    framer = PROTOCOL.framer(5)
    assert isinstance(framer, TextFramer)
    framer.feed(b"123456")
    assert framer.error is not None
    assert PROTOCOL.framer().feed(b"12345\x1e") == [b"12345"]


# decoding


@pytest.mark.parametrize(
    ("record", "message"),
    [
        # members in any order, unknown members, whitespace
        (b'{"arguments":[1],"target":"T","type":1}', Invocation(target="T", arguments=[1])),
        (b'{"result":1,"invocationId":"1","type":3}', Completion(invocation_id="1", result=1)),
        (b'{"type":6,"sentAt":[1,{"a":null}]}', Ping()),
        (b' {\n\t"type" : 6 } \r\n', Ping()),
        (b'{"t\\u0079pe":6}', Ping()),
        (b'{"type":3,"invocationId":"1","error":"e","Result":1}', Completion(invocation_id="1", error="e")),
        # empty values that differ from absent ones
        (b'{"type":1,"target":"T","arguments":[],"streamIds":[]}', Invocation(target="T", arguments=[], stream_ids=[])),
        (b'{"type":5,"invocationId":"1","headers":{}}', CancelInvocation(invocation_id="1", headers={})),
        (b'{"type":7,"error":null}', Close(error=None)),
        (b'{"type":7,"allowReconnect":false}', Close()),
        # plain values
        (b'{"type":2,"invocationId":"1","item":{"a":[1,-1.5,true,false,null,"x"]}}',
         StreamItem(invocation_id="1", item={"a": [1, -1.5, True, False, None, "x"]})),
        (b'{"type":2,"invocationId":"1","item":"2016-04-05T06:07:08Z"}',
         StreamItem(invocation_id="1", item="2016-04-05T06:07:08Z")),
        (b'{"type":2,"invocationId":"1","item":18446744073709551616}', StreamItem(invocation_id="1", item=2**64)),
        (b'{"type":2,"invocationId":"1","item":1e3}', StreamItem(invocation_id="1", item=1000.0)),
        (b'{"type":2,"invocationId":"1","item":"\\u001e\\ud83c\\udf89"}', StreamItem(invocation_id="1", item="\x1e🎉")),
        (b'{"type":4,"invocationId":"1","target":"T","arguments":[[]],"streamIds":["s"]}',
         StreamInvocation(invocation_id="1", target="T", arguments=[[]], stream_ids=["s"])),
        (b'{"type":8,"sequenceId":0}', Ack(sequence_id=0)),
        (b'{"type":9,"sequenceId":9223372036854775807}', Sequence(sequence_id=2**63 - 1)),
    ],
)  # fmt: skip
def test_all_variants_that_peers_send_are_accepted(record: bytes, message: HubMessage) -> None:
    assert PROTOCOL.decode(record) == message


@pytest.mark.parametrize(
    "record",
    [b'{"type":10}', b'{"type":0,"target":1}', b'{"type":-1}', b'{"type":12345678901234567890123}', b'{"a":"b","type":99}'],
)
def test_unknown_message_type_is_none(record: bytes) -> None:
    assert PROTOCOL.decode(record) is None


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (b"[]", "Unexpected JSON Token Type 'array'. Expected a JSON Object."),
        (b"null", "Unexpected JSON Token Type 'null'. Expected a JSON Object."),
        (b"1.5", "Unexpected JSON Token Type 'number'. Expected a JSON Object."),
        (b'"x"', "Unexpected JSON Token Type 'string'. Expected a JSON Object."),
        (b"true", "Unexpected JSON Token Type 'boolean'. Expected a JSON Object."),
        (b"{}", "Missing required property 'type'."),
        (b'{"Type":6}', "Missing required property 'type'."),
        (b'{"type":"6"}', "Expected 'type' to be of type Number."),
        (b'{"type":null}', "Expected 'type' to be of type Number."),
        (b'{"type":true}', "Expected 'type' to be of type Number."),
        (b'{"type":1.5}', "Expected 'type' to be of type Number."),
        (b'{"type":[6]}', "Expected 'type' to be of type Number."),
        (b'{"type":1,"arguments":[]}', "Missing required property 'target'."),
        (b'{"type":1,"target":"T"}', "Missing required property 'arguments'."),
        (b'{"type":1,"target":"T","arguments":null}', "Expected 'arguments' to be of type Array."),
        (b'{"type":1,"target":"T","arguments":{}}', "Expected 'arguments' to be of type Array."),
        (b'{"type":1,"target":1,"arguments":[]}', "Expected 'target' to be of type String."),
        (b'{"type":1,"target":null,"arguments":[]}', "Expected 'target' to be of type String."),
        (b'{"type":2,"item":1}', "Missing required property 'invocationId'."),
        (b'{"type":2,"invocationId":"1"}', "Missing required property 'item'."),
        (b'{"type":2,"invocationId":1,"item":1}', "Expected 'invocationId' to be of type String."),
        (b'{"type":3}', "Missing required property 'invocationId'."),
        (b'{"type":3,"invocationId":null}', "Expected 'invocationId' to be of type String."),
        (b'{"type":4,"target":"T","arguments":[]}', "Missing required property 'invocationId'."),
        (b'{"type":4,"invocationId":"1","arguments":[]}', "Missing required property 'target'."),
        (b'{"type":4,"invocationId":"1","target":"T"}', "Missing required property 'arguments'."),
        (b'{"type":5}', "Missing required property 'invocationId'."),
        (b'{"type":5,"invocationId":{}}', "Expected 'invocationId' to be of type String."),
        (b'{"type":8}', "Missing required property 'sequenceId'."),
        (b'{"type":9,"sequenceId":"1"}', "Expected 'sequenceId' to be of type Number."),
        (b'{"type":3,"invocationId":"1","error":"e","result":1}', "The 'error' and 'result' properties are mutually exclusive."),
        (b'{"type":3,"invocationId":"1","error":"e","result":null}',
         "The 'error' and 'result' properties are mutually exclusive."),
    ],
)  # fmt: skip
def test_an_invalid_message_raises_the_error_of_the_official_client(record: bytes, text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        PROTOCOL.decode(record)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("record", "member"),
    [
        (b'{"type":1,"invocationId":1,"target":"T","arguments":[]}', "invocationId"),
        (b'{"type":1,"target":"T","arguments":[],"streamIds":[1]}', "streamIds"),
        (b'{"type":1,"target":"T","arguments":[],"streamIds":"s"}', "streamIds"),
        (b'{"type":3,"invocationId":"1","error":1}', "error"),
        (b'{"type":5,"invocationId":"1","headers":[]}', "headers"),
        (b'{"type":5,"invocationId":"1","headers":{"a":1}}', "headers"),
        (b'{"type":7,"error":1}', "error"),
        (b'{"type":7,"allowReconnect":"yes"}', "allowReconnect"),
        (b'{"type":8,"sequenceId":1.5}', "sequenceId"),
    ],
)
def test_the_error_names_a_member_of_the_wrong_type(record: bytes, member: str) -> None:
    with pytest.raises(ProtocolError, match=rf"^Invalid message of type \d: .*\$\.{member}"):
        PROTOCOL.decode(record)


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"type":6}{"type":6}',
        b'{"type":6,}',
        b'{"type":6} // ping',
        b'\xef\xbb\xbf{"type":6}',
        b"\x91\x06",
        b'{"type":1,"target":"\xff","arguments":[]}',
        b'{"type":1,"target":"T","arguments":[NaN]}',
        b'{"type":1,"target":"T","arguments":["\\ud800"]}',
        b'{"type":1,"target":"T","arguments":[1e999]}',
        pytest.param(b'{"type":1,"target":"T","arguments":[' + b"9" * 5_000 + b"]}", id="long"),
        pytest.param(b'{"type":1,"target":"T","arguments":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep"),
    ],
)  # fmt: skip
def test_a_record_that_is_not_json_is_an_error(record: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"^Error reading JSON\. "):
        PROTOCOL.decode(record)


def test_the_error_of_the_decoder_is_the_cause() -> None:
    with pytest.raises(ProtocolError) as caught:
        PROTOCOL.decode(b'{"type":3}')
    assert isinstance(caught.value.__cause__, msgspec.ValidationError)


# encoding


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (2**64 - 1, "18446744073709551615"),
        (-(2**63), "-9223372036854775808"),
        (0.1, "0.1"),
        (3.0, "3.0"),
        ("é🎉<>&'", '"é🎉<>&\'"'),
        ('\x1e\x00\n"\\', '"\\u001e\\u0000\\n\\"\\\\"'),
        (b"\x01\x02\xff", '"AQL/"'),
        (bytearray(b"\x01"), '"AQ=="'),
        (Decimal("0.10"), "0.10"),
        (datetime(2016, 4, 5, 6, 7, 8, 123456, tzinfo=UTC), '"2016-04-05T06:07:08.123456Z"'),
        (date(2024, 2, 29), '"2024-02-29"'),
        (UUID("00010203-0405-0607-0706-050403020100"), '"00010203-0405-0607-0706-050403020100"'),
        (Color.GREEN, "1"),
        (Size.LARGE, "3"),
        ([1, [2]], "[1,[2]]"),
        ((1, "a"), '[1,"a"]'),
        ({1}, "[1]"),
        (range(3), "[0,1,2]"),
        ({"b": 1, "a": {}}, '{"b":1,"a":{}}'),
        ({1: "a"}, '{"1":"a"}'),
        (OrderedDict(a=1), '{"a":1}'),
        (Point(1, 2), '{"x":1,"y":2}'),
        (Record("Ada"), '{"firstName":"Ada"}'),
    ],
)  # fmt: skip
def test_values_are_encoded_as_json(value: object, text: str) -> None:
    wire = PROTOCOL.encode(StreamItem(invocation_id="1", item=value))
    assert wire.decode() == '{"type":2,"invocationId":"1","item":' + text + "}\x1e"


@pytest.mark.parametrize("value", ["\x1e", ["\x1e"], {"\x1e": "\x1e"}, b"\x1e", "\x1e" * 100])
def test_the_separator_never_occurs_inside_a_message(value: object) -> None:
    wire = PROTOCOL.encode(Invocation(target="\x1e", arguments=[value], headers={"\x1e": "\x1e"}))
    assert wire.index(b"\x1e") == len(wire) - 1


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (Invocation(target="T", arguments=[Opaque()]),
         f"Cannot send Invocation as JSON: arguments[0]: a value of type {__name__}.Opaque has no JSON form"),
        (StreamItem(invocation_id="1", item={"deep": [Opaque()]}),
         f"Cannot send StreamItem as JSON: item['deep'][0]: a value of type {__name__}.Opaque has no JSON form"),
        (Completion(invocation_id="1", result=object()),
         "Cannot send Completion as JSON: result: a value of type builtins.object has no JSON form"),
        (StreamInvocation(invocation_id="1", target="T", arguments=[1j]),
         "Cannot send StreamInvocation as JSON: a value of type builtins.complex has no JSON form"),
    ],
)  # fmt: skip
def test_the_error_names_the_type_of_a_value_that_json_does_not_support(message: HubMessage, text: str) -> None:
    with pytest.raises(BindingError) as caught:
        PROTOCOL.encode(message)
    assert str(caught.value) == text


@pytest.mark.parametrize("value", ["\ud800", {None: 1}, {(1, 2): 1}, (item for item in "abc"), Opaque])
def test_a_value_that_cannot_be_encoded_is_a_binding_error(value: object) -> None:
    with pytest.raises(BindingError, match=r"^Cannot send StreamItem as JSON: "):
        PROTOCOL.encode(StreamItem(invocation_id="1", item=value))


def test_a_recursive_value_is_a_binding_error() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(BindingError, match="nested more than 64 levels deep"):
        PROTOCOL.encode(StreamItem(invocation_id="1", item=value))


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), [Decimal("-Infinity")]])
def test_a_number_that_json_does_not_support_is_a_binding_error(value: object) -> None:
    """If it were written, the peer would end the connection."""
    with pytest.raises(BindingError, match="Cannot send Invocation as JSON"):
        JsonHubProtocol().encode(Invocation(target="T", arguments=[value]))


def test_strings_may_contain_the_names_of_such_numbers() -> None:
    assert JsonHubProtocol().encode(Invocation(target="T", arguments=["NaN", "Infinity"])).endswith(b'["NaN","Infinity"]}\x1e')

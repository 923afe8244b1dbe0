"""The message types: members, absent members, and immutability."""

from __future__ import annotations

import copy
from typing import Any, Final

import msgspec
import pytest

from signalr_client.core.messages import (
    UNSET,
    VOID,
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

SMALLEST: Final[list[tuple[int, HubMessage, dict[str, object]]]] = [
    (1, Invocation(target="T", arguments=[]), {"target": "T", "arguments": []}),
    (2, StreamItem(invocation_id="1", item=None), {"invocationId": "1", "item": None}),
    (3, Completion(invocation_id="1"), {"invocationId": "1"}),
    (
        4,
        StreamInvocation(invocation_id="1", target="T", arguments=[]),
        {"invocationId": "1", "target": "T", "arguments": []},
    ),
    (5, CancelInvocation(invocation_id="1"), {"invocationId": "1"}),
    (6, Ping(), {}),
    (7, Close(), {}),
    (8, Ack(sequence_id=1), {"sequenceId": 1}),
    (9, Sequence(sequence_id=1), {"sequenceId": 1}),
]
each_type = pytest.mark.parametrize(
    ("number", "message", "members"), SMALLEST, ids=[type(message).__name__ for _, message, _ in SMALLEST]
)


@each_type
def test_absent_members_are_not_encoded(number: int, message: HubMessage, members: dict[str, object]) -> None:
    assert msgspec.to_builtins(message) == {"type": number} | members


@each_type
def test_the_type_is_the_first_member(number: int, message: HubMessage, members: dict[str, object]) -> None:
    assert next(iter(msgspec.to_builtins(message))) == "type"


@each_type
def test_messages_are_equal_by_value(number: int, message: HubMessage, members: dict[str, object]) -> None:
    assert copy.copy(message) == message
    assert message not in [other for other_number, other, _ in SMALLEST if other_number != number]


@each_type
def test_messages_are_immutable(number: int, message: HubMessage, members: dict[str, object]) -> None:
    for field in message.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(message, field, "other")
    with pytest.raises(AttributeError):
        setattr(message, "misspelled", 1)  # noqa: B010  # mypy would reject the plain assignment


@each_type
def test_members_are_keyword_only(number: int, message: HubMessage, members: dict[str, object]) -> None:
    make: Any = type(message)
    with pytest.raises(TypeError):
        make("1")


def test_members_are_encoded_in_the_order_of_dotnet() -> None:
    message = Invocation(stream_ids=["s"], arguments=[1], target="T", invocation_id="1", headers={"a": "b"})
    assert list(msgspec.to_builtins(message)) == ["type", "headers", "invocationId", "target", "arguments", "streamIds"]
    completion = Completion(result=1, error="e", invocation_id="1", headers={"a": "b"})
    assert list(msgspec.to_builtins(completion)) == ["type", "headers", "invocationId", "error", "result"]
    close = Close(allow_reconnect=True, error="e")
    assert list(msgspec.to_builtins(close)) == ["type", "error", "allowReconnect"]


def test_an_absent_member_is_false_in_a_condition() -> None:
    message = Invocation(target="T", arguments=[])
    assert not message.headers
    assert not message.invocation_id
    assert not message.stream_ids
    assert not Close().error


def test_a_void_result_differs_from_null() -> None:
    assert Completion(invocation_id="1").result is VOID is UNSET
    assert Completion(invocation_id="1", result=None).result is None
    assert Completion(invocation_id="1") != Completion(invocation_id="1", result=None)


def test_a_close_does_not_allow_a_reconnect_by_default() -> None:
    assert Close().allow_reconnect is False
    assert Close(allow_reconnect=True).allow_reconnect is True


def test_the_union_contains_every_message_type() -> None:
    assert (
        HubMessage == Invocation | StreamItem | Completion | StreamInvocation | CancelInvocation | Ping | Close | Ack | Sequence
    )

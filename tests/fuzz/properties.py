"""Properties that several targets check."""

from __future__ import annotations

from typing import Any

import msgspec

from signalr_client.core.messages import COUNTED, UNSET, Close, Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from signalr_client.core.portable import find_unportable
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.protocols.nesting import MAX_DEPTH
from signalr_client.errors import ProtocolError
from tests.fuzz.seeds import PROTOCOLS

__all__ = ["check_error", "check_record", "depth", "same", "values"]


def same(one: object, other: object) -> bool:
    """Return whether two decoded values are equal; NaN equals NaN."""
    if one == other:
        return True
    if type(one) is not type(other):
        return False
    match one, other:
        case float(), float():
            return one != one and other != other  # only NaN differs from itself
        case ((list() | tuple()), (list() | tuple())):
            return len(one) == len(other) and all(map(same, one, other))
        case dict(), dict():
            return same(list(one.items()), list(other.items()))
        case msgspec.Struct(), msgspec.Struct():
            return all(same(getattr(one, name), getattr(other, name)) for name in one.__struct_fields__)
        case _:
            return False


def check_error(error: Exception, size: int) -> None:
    """Check that the text of an error for an input of *size* bytes can be logged."""
    assert len(str(error)) <= 10 * size + 500


def depth(value: object) -> int:
    """Return how many levels of lists and maps *value* has, without recursion."""
    levels, level = 0, [value]
    while containers := [item for item in level if isinstance(item, list | dict | tuple)]:
        levels += 1
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return levels


def values(message: HubMessage) -> list[Any]:
    """Return the values in *message* that hub methods and handlers get."""
    match message:
        case Invocation() | StreamInvocation():
            return message.arguments
        case StreamItem():
            return [message.item]
        case Completion() if message.result is not UNSET:
            return [message.result]
        case _:
            return []


def check_record(protocol: HubProtocol, data: bytes) -> HubMessage | None:
    """Check that *data* is decoded to a message, to None or to a ProtocolError, and that a message can be encoded again."""
    try:
        message = protocol.decode(data)
    except ProtocolError as exc:
        check_error(exc, len(data))
        return None
    if message is None:
        return None
    check_types(message)
    parts = values(message)
    is_call = isinstance(message, Invocation | StreamInvocation)
    assert depth(parts) + (1 if is_call else 0) <= MAX_DEPTH
    encoded = protocol.encode(message)
    [again] = protocol.framer().feed(encoded)
    decoded = protocol.decode(again)
    assert decoded is not None
    assert same(without_empty_error(decoded), without_empty_error(message))
    if type(message) in COUNTED and all(find_unportable(part) is None for part in parts):
        for other in PROTOCOLS:
            assert other.encode(message)
    return message


def without_empty_error(message: HubMessage) -> HubMessage:
    """Return *message* as it is sent: an empty error means that there is none, as in the .NET client."""
    if isinstance(message, Close | Completion) and not message.error:
        return msgspec.structs.replace(message, error=UNSET)
    return message


def check_types(message: HubMessage) -> None:
    """Check that each member has the type that its class declares."""
    members = {
        field.encode_name: value
        for field in msgspec.structs.fields(message)
        if (value := getattr(message, field.name)) is not UNSET
    }
    assert same(msgspec.convert(members, type(message)), message)

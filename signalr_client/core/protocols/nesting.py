"""How deeply the values of a message may be nested. Room: core, row 1; no I/O, no clock.

Both protocols refuse a message of more than `MAX_DEPTH` levels, in both directions. The limit is that of System.Text.Json, the
message itself counted: ``{"arguments":[[]]}`` has three levels. Without it a peer could send a value that is decoded just below
Python's recursion limit and can then be neither converted nor passed on.

The limit must cost next to nothing for ordinary messages, so the cheapest questions come first: is the message too short to be deep,
does it have few opening brackets? Only the rest is walked over, level by level and without recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from msgspec import UnsetType
from msgspec.msgpack import Ext

from signalr_client.core.messages import Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from signalr_client.core.timestamps import PreciseDatetime

__all__ = [
    "MAX_DEPTH",
    "SHORTEST_JSON",
    "SHORTEST_MESSAGEPACK",
    "exceeds_depth",
    "json_may_exceed_depth",
    "messagepack_may_exceed_depth",
    "payload",
]

MAX_DEPTH: Final = 64

SHORTEST_JSON: Final = 162
"""Bytes of the shortest JSON message that is too deep: an Invocation without a target, and brackets. To be compared first."""

SHORTEST_MESSAGEPACK: Final = 69
"""Bytes of the shortest MessagePack message that is too deep: a StreamItem with a one-character id. To be compared first."""

_LARGE: Final = 1024  # bytes from which walking over the values costs no more than counting brackets

# All bytes but those that begin a container: two brackets; fixmap, fixarray, array 16, array 32, map 16 and map 32.
_NO_JSON_OPENERS: Final = bytes(set(range(256)) - set(b"[{"))
_NO_MESSAGEPACK_OPENERS: Final = bytes(set(range(256)) - {*range(0x80, 0xA0), *range(0xDC, 0xE0)})

_CONTAINERS: Final = frozenset({list, dict, tuple})
_LEAVES: Final = frozenset(
    {str, int, float, bool, type(None), bytes, datetime, PreciseDatetime, date, time, timedelta, Decimal, UUID, Ext, UnsetType}
)


def json_may_exceed_depth(record: bytes) -> bool:
    """Return False if the brackets of a JSON text show that it has at most `MAX_DEPTH` levels; else `exceeds_depth` tells."""
    return len(record) > _LARGE or len(record.translate(None, _NO_JSON_OPENERS)) > MAX_DEPTH


def messagepack_may_exceed_depth(record: bytes) -> bool:
    """Return False if the bytes of a message show that it has at most `MAX_DEPTH` levels; else `exceeds_depth` tells."""
    return len(record) > _LARGE or len(record.translate(None, _NO_MESSAGEPACK_OPENERS)) > MAX_DEPTH


def exceeds_depth(message: Sequence[Any]) -> bool | None:
    """Return whether a message has more than `MAX_DEPTH` levels, *message* being the first of them; map keys are not looked at.

    None means that it holds a value whose own levels are not known here, a dataclass for example. What a protocol has decoded holds
    no such value.
    """
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for container in level
            for child in (container.values() if type(container) is dict else container)
            if type(child) not in _LEAVES
        ]
        if not level:
            return False
        if not _CONTAINERS.issuperset(map(type, level)):
            return None
    return True


def payload(message: HubMessage) -> list[Any]:
    """Return the values of *message*, for `exceeds_depth`: a list that is nested as deeply as the message is on the wire."""
    match message:
        case Invocation() | StreamInvocation():
            return [message.arguments]
        case StreamItem():
            return [message.item]
        case Completion():
            return [message.result]
        case _:
            return []

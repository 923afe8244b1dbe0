"""Received values: how deep they are, whether every protocol can carry them, and their conversion to the types that were asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Final, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec

from signalr_client.core.binding import bind
from signalr_client.core.messages import StreamItem
from signalr_client.core.portable import find_unportable, find_unportable_from_json
from signalr_client.core.protocols.nesting import (
    MAX_DEPTH,
    exceeds_depth,
    json_may_exceed_depth,
    messagepack_may_exceed_depth,
)
from signalr_client.errors import BindingError
from tests.fuzz.inputs import Choices
from tests.fuzz.properties import check_error, depth
from tests.fuzz.properties import values as values_of
from tests.fuzz.seeds import JSON_WORDS, MESSAGEPACK_WORDS, MESSAGES, PROTOCOLS


class Color(Enum):
    RED = "red"
    BLUE = 2


class Level(IntEnum):
    LOW = 1


@dataclass
class Point:
    x: int
    y: float = 0.0
    tags: frozenset[str] = frozenset()


class Pair(NamedTuple):
    first: int
    second: datetime


class Options(TypedDict, total=False):
    name: str
    inner: list[Point]


class Node(msgspec.Struct):
    value: object = None
    next: Node | None = None


TYPES: Final[tuple[Any, ...]] = (
    object, bool, int, float, str, bytes, bytearray, Decimal, UUID, datetime, date, time, timedelta, complex, type(None),
    list[int], set[object], frozenset[str], dict[str, int], dict[int, object], dict[float, UUID], tuple[int, ...], tuple[int, str],
    int | None, int | str | None, float | list[float], Literal["a", 1], Color, Level, Point, Pair, Options, Node, list[Point | None],
    dict[str, dict[str, list[datetime]]],
)  # fmt: skip

CONTROL: Final = 2
_VALUES: Final = [value for message in MESSAGES for value in values_of(message)]
SEEDS: Final = [
    *(msgspec.msgpack.encode(value) for value in [*range(3), "2020-01-01T00:00:00Z", {"x": 1, "y": 2}, {"value": {}, "next": None}]),
    *(msgspec.msgpack.encode(value, enc_hook=str) for value in _VALUES),
    *(b"[" * size + b"]" * size for size in (1, 62, 63, 64, 65)),
    *(b"\x91" * size + b"\xc0" for size in (62, 63, 64, 65, 66)),
    b'{"x":1e308,"y":[123456789012345678901234567890]}',
    b'"P1DT25H"', b'"00:00:00.5"', b'"1e400"', b"1e-400",
]  # fmt: skip
WORDS: Final = [*JSON_WORDS, *MESSAGEPACK_WORDS, b'"x":', b'"next":', b"red", b"1970-01-01T00:00:00Z"]


def target(data: bytes) -> None:
    """The quick answers agree with the careful ones, portable values can be sent everywhere, and binding raises BindingError only."""
    choices = Choices(data)
    from_json, wanted, record = choices.flag(), choices.pick(TYPES), choices.rest()
    try:
        value = msgspec.json.decode(record) if from_json else msgspec.msgpack.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError):
        return
    check_depth(value, record, from_json=from_json)
    reason = find_unportable(value)
    if reason is None:
        for protocol in PROTOCOLS:
            assert protocol.encode(StreamItem(invocation_id="1", item=value))
    else:
        assert reason.isprintable()
        assert len(reason) < 500
    if from_json and depth([value]) <= MAX_DEPTH - 1:
        assert find_unportable_from_json([value], MAX_DEPTH - 1) == find_unportable([value], MAX_DEPTH - 1)
    try:
        bind(value, wanted)
    except BindingError as exc:
        check_error(exc, len(record))


def check_depth(value: object, record: bytes, *, from_json: bool) -> None:
    """Compare with a count that knows no shortcut. Map keys have no levels of their own."""
    may_exceed = json_may_exceed_depth if from_json else messagepack_may_exceed_depth
    levels = depth(value)
    if isinstance(value, list):
        assert exceeds_depth(value) is (levels > MAX_DEPTH)
    if not may_exceed(record):
        assert levels <= MAX_DEPTH

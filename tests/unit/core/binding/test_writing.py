"""Writing values: what the encoder of each protocol gets, and what cannot be sent."""

from __future__ import annotations

import math
from array import array
from collections import Counter, OrderedDict, UserList, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import msgspec
import pytest
from msgspec.msgpack import Ext

from signalr_client.core.binding import PLAIN, TooDeep, json_binding, messagepack_binding
from signalr_client.core.messages import Completion, Invocation, StreamItem
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.timestamps import DateTimeOffset, PreciseDatetime
from signalr_client.errors import BindingError

JSON: Final = json_binding()
MESSAGEPACK: Final = messagepack_binding()
LEVELS: Final = 60

GUID: Final = UUID("00010203-0405-0607-0706-050403020100")
MOMENT: Final = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
NAIVE: Final = MOMENT.replace(tzinfo=None)
PLUS_TWO: Final = timezone(timedelta(hours=2))


class Color(Enum):
    DARK_RED = 1


class Level(IntEnum):
    HIGH = 10


class Shade(StrEnum):
    LIGHT = "light"


class Fraction(Enum):
    HALF = 0.5


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Timestamp(datetime):
    """As in pandas: a datetime with nanoseconds."""

    nanosecond = 700


@dataclass
class Point:
    x: int
    y: Any = None


SAME: Final[list[object]] = [
    None, True, 1, 1.5, "a", b"\x01", math.inf, [1, [2, {"a": None}]], (1, "a"), {"a": [1]}, {1: 2}, [], {}, (), {1}, frozenset({"a"}),
]  # fmt: skip

WRITTEN: Final[list[tuple[object, object, object]]] = [
    (Color.DARK_RED, 1, "DarkRed"),
    (Level.HIGH, 10, "High"),
    (Shade.LIGHT, "light", "light"),
    (Fraction.HALF, "Half", "Half"),
    (GUID, str(GUID), str(GUID)),
    (Decimal("1.50"), Decimal("1.50"), "1.50"),
    (Decimal("1E+3"), Decimal("1E+3"), "1000"),
    (Decimal("1E-3"), Decimal("0.001"), "0.001"),
    (Decimal("1E+99"), Decimal("1E+99"), "1E+99"),
    (MOMENT, MOMENT, MOMENT),
    (NAIVE, NAIVE, MOMENT),
    (PreciseDatetime.of(MOMENT, 700), "2020-01-02T03:04:05.0000007Z", Ext(-1, bytes.fromhex("00000af0 5e0d5da5"))),
    (Timestamp(2020, 1, 2, 3, 4, 5, tzinfo=UTC), "2020-01-02T03:04:05.0000007Z", Ext(-1, bytes.fromhex("00000af0 5e0d5da5"))),
    (MOMENT.astimezone(PLUS_TWO), MOMENT, MOMENT),
    (DateTimeOffset.of(MOMENT.astimezone(PLUS_TWO)), MOMENT, [MOMENT + timedelta(hours=2), 120]),
    (date(2024, 2, 29), "2024-02-29", 738_944),
    (time(13, 14, 15, 500_000), "13:14:15.5000000", 476_555_000_000),
    (timedelta(days=1, seconds=-1), "23:59:59", 863_990_000_000),
    (timedelta(days=-1, microseconds=-1), "-1.00:00:00.0000010", -864_000_000_010),
    (bytearray(b"\x01"), b"\x01", b"\x01"),
    (memoryview(b"\x01"), b"\x01", b"\x01"),
    ({GUID}, [str(GUID)], [str(GUID)]),
    (frozenset({GUID}), [str(GUID)], [str(GUID)]),
    (deque([1]), [1], [1]),
    (range(2), [0, 1], [0, 1]),
    (UserList([1]), [1], [1]),
    (OrderedDict(a=1), {"a": 1}, {"a": 1}),
    (defaultdict(int, a=1), {"a": 1}, {"a": 1}),
    (Counter("a"), {"a": 1}, {"a": 1}),
    (MappingProxyType({"a": 1}), {"a": 1}, {"a": 1}),
    (Text("a"), "a", "a"),
    (Number(1), 1, 1),
    ([Point(1), {"p": Point(2)}], [{"x": 1, "y": None}, {"p": {"x": 2, "y": None}}], [{"X": 1, "Y": None}, {"p": {"X": 2, "Y": None}}]),
    ((Point(1),), [{"x": 1, "y": None}], [{"X": 1, "Y": None}]),
    (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}, {"X": 1, "Y": {"X": 2, "Y": None}}),
    ({Color.DARK_RED: 1, Shade.LIGHT: 2}, {"DarkRed": 1, "light": 2}, {"DarkRed": 1, "light": 2}),
    ({GUID: 1}, {str(GUID): 1}, {str(GUID): 1}),
    ({1.5: GUID}, {"1.5": str(GUID)}, {1.5: str(GUID)}),
    ({date(2024, 2, 29): 1}, {"2024-02-29": 1}, {738_944: 1}),
    ({Decimal("1.5"): 1}, {"1.5": 1}, {"1.5": 1}),
    ({MOMENT: 1}, {"2020-01-02T03:04:05Z": 1}, {MOMENT: 1}),
    ({"first_name": Point(1)}, {"first_name": {"x": 1, "y": None}}, {"first_name": {"X": 1, "Y": None}}),
]  # fmt: skip


@pytest.mark.parametrize("value", SAME)
def test_plain_values_are_not_copied(value: object) -> None:
    for binding in (JSON, MESSAGEPACK):
        assert binding.write(value, "value", LEVELS) is value
        assert binding.write_arguments([value], LEVELS)[0] is value


def comparable(value: object) -> object:
    """Return a value that can be compared: extensions are only equal to themselves."""
    return (value.code, bytes(value.data)) if isinstance(value, Ext) else value


@pytest.mark.parametrize(("value", "json", "messagepack"), WRITTEN)
def test_values_are_written_as_each_protocol_spells_them(value: object, json: object, messagepack: object) -> None:
    for binding, expected in ((JSON, json), (MESSAGEPACK, messagepack)):
        written = binding.write(value, "value", LEVELS)
        assert comparable(written) == comparable(expected)
        assert type(written) is type(expected)
        assert comparable(*binding.write([value], "value", LEVELS)) == comparable(expected)
        assert comparable(binding.write({"key": value}, "value", LEVELS)["key"]) == comparable(expected)


@pytest.mark.parametrize("protocol", [JsonHubProtocol(), MessagePackHubProtocol()])
@pytest.mark.parametrize("value", [value for value, _, _ in WRITTEN])
def test_what_is_written_can_be_encoded_in_every_message(protocol: HubProtocol, value: object) -> None:
    for message in (
        Invocation(target="T", arguments=[1, value]),
        StreamItem(invocation_id="1", item=value),
        Completion(invocation_id="1", result=value),
    ):
        [record] = protocol.framer().feed(protocol.encode(message))
        assert type(protocol.decode(record)) is type(message)


class Opaque:
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Opaque(), f"value: a value of type {__name__}.Opaque has no {{}} form"),
        (Opaque, "value: a value of type builtins.type has no {} form"),
        ([1, Opaque()], f"value[1]: a value of type {__name__}.Opaque has no {{}} form"),
        ({"a": {"b": Opaque()}}, f"value['a']['b']: a value of type {__name__}.Opaque has no {{}} form"),
        ([Point(1, [Opaque()])], f"value[0].y[0]: a value of type {__name__}.Opaque has no {{}} form"),
        ((item for item in "a"), "value: a value of type builtins.generator has no {} form"),
        (Decimal("NaN"), "value: the Decimal NaN has no form in .NET"),
        ([Decimal("-Infinity")], "value[0]: the Decimal -Infinity has no form in .NET"),
        (timedelta.max, "value: a timedelta longer than a TimeSpan of .NET can be"),
        (time(1, tzinfo=UTC), "value: a time with a time zone has no form in .NET"),
        ({(1, Opaque()): GUID}, f"value[(1, <{__name__}.Opaque object at 0"),
        ({Opaque(): 1}, f"value[<{__name__}.Opaque object at 0"),
    ],
)
def test_a_value_that_cannot_be_sent_is_an_error_with_its_path(value: object, text: str) -> None:
    for binding, form in ((JSON, "JSON"), (MESSAGEPACK, "MessagePack")):
        with pytest.raises(BindingError) as caught:
            binding.write(value, "value", LEVELS)
        assert str(caught.value).startswith(text.replace("{}", form))


def test_a_datetimeoffset_without_an_offset_cannot_be_sent_or_made() -> None:
    naive = DateTimeOffset(2020, 1, 2)  # on purpose
    with pytest.raises(BindingError, match="value: A DateTimeOffset needs an offset from UTC"):
        MESSAGEPACK.write(naive, "value", LEVELS)
    with pytest.raises(ValueError, match="A DateTimeOffset needs an offset from UTC"):
        DateTimeOffset.of(NAIVE)


def test_a_value_that_contains_itself_is_too_deep() -> None:
    point = Point(1)
    point.y = [point]
    items: list[object] = [GUID]
    items.append(items)
    for value in (point, items, {"a": point}):
        for binding in (JSON, MESSAGEPACK):
            with pytest.raises(TooDeep):
                binding.write(value, "value", LEVELS)


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}, lambda value: Point(1, value)])
def test_levels_are_counted_in_every_container(wrap: Any) -> None:
    value: Any = GUID
    for _ in range(5):
        value = wrap(value)
    JSON.write(value, "value", 5)
    with pytest.raises(TooDeep):
        JSON.write(value, "value", 4)


def test_an_encoder_needs_nothing_but_plain_types() -> None:
    """What is left is encoded by msgspec as .NET does: these, and datetimes."""
    for value, _, _ in WRITTEN:
        written = MESSAGEPACK.write([value], "value", LEVELS)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(written)) is not None
        if type(written[0]) not in PLAIN:
            assert type(written[0]) in (list, dict, datetime, Ext, bytearray, memoryview)


def test_an_array_of_numbers_is_a_list() -> None:
    for binding in (JSON, MESSAGEPACK):
        assert binding.write(array("h", [1, -2]), "value", LEVELS) == [1, -2]
    for protocol in (JsonHubProtocol(), MessagePackHubProtocol()):
        [record] = protocol.framer().feed(protocol.encode(StreamItem(invocation_id="1", item=[array("h", [1, -2])])))
        message = protocol.decode(record)
        assert isinstance(message, StreamItem)
        assert message.item == [[1, -2]]


def test_a_time_finer_than_a_microsecond_can_be_a_key() -> None:
    moment = PreciseDatetime.of(datetime(2024, 2, 29, tzinfo=UTC), 100)
    protocol = MessagePackHubProtocol()
    [record] = protocol.framer().feed(protocol.encode(StreamItem(invocation_id="1", item={moment: 1})))
    message = protocol.decode(record)
    assert isinstance(message, StreamItem)
    assert {key.nanosecond for key in message.item} == {100}  # type: ignore[attr-defined]  # it is a dict
    assert JSON.write({moment: 1}, "value", LEVELS) == {"2024-02-29T00:00:00.0000001Z": 1}


def test_a_datetimeoffset_is_a_key_over_json_only() -> None:
    moment = DateTimeOffset.of(datetime(2024, 2, 29, tzinfo=UTC))
    assert JSON.write({moment: 1}, "value", LEVELS) == {"2024-02-29T00:00:00Z": 1}
    with pytest.raises(BindingError, match=r"a key of type .*DateTimeOffset has no MessagePack form"):
        MESSAGEPACK.write({moment: 1}, "value", LEVELS)


def test_an_array_is_a_key_over_messagepack_only() -> None:
    assert MESSAGEPACK.write({(1, (Color.DARK_RED, "a")): GUID}, "value", LEVELS) == {(1, ("DarkRed", "a")): str(GUID)}
    with pytest.raises(BindingError, match=r"^value\[\(1, 2\)\]: a key of type builtins.tuple has no JSON form"):
        JSON.write({(1, 2): GUID}, "value", LEVELS)

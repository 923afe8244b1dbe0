"""Reading values as types: what fits, what does not, and what the error says. Both spellings."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from typing import Any, Final, Literal, NewType, Optional, Union
from uuid import UUID

import pytest
from msgspec.msgpack import Ext

from signalr_client.core.binding import Binding, bind, json_binding, messagepack_binding, type_name
from signalr_client.core.timestamps import DateTimeOffset, PreciseDatetime
from signalr_client.errors import BindingError, UnsupportedTypeError

JSON: Final = json_binding()
MESSAGEPACK: Final = messagepack_binding()

GUID: Final = UUID("00010203-0405-0607-0706-050403020100")
MOMENT: Final = datetime(2016, 4, 5, 6, 7, 8, tzinfo=UTC)
PLUS_TWO: Final = timezone(timedelta(hours=2))


class Color(Enum):
    GREEN = 1
    DARK_RED = 2


class Level(IntEnum):
    LOW = 0
    HIGH = 10


class Shade(StrEnum):
    LIGHT = "light"
    DARK = "very dark"


class Access(IntFlag):
    READ = 1
    WRITE = 2


class Mixed(Enum):
    TUPLE = (1, 2)
    NONE = None


class Lenient(Enum):
    OTHER = 0

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        return cls.OTHER


@dataclass
class Point:
    x: int
    y: int = 0


@dataclass
class Tree:
    points: dict[str, list[Point]]
    color: Color | None = None
    parent: Tree | None = None


UserId = NewType("UserId", int)

BOTH: Final[list[tuple[object, Any, object]]] = [
    (1, int, 1),
    (2**70, int, 2**70),
    (1, float, 1.0),
    (1.5, float, 1.5),
    ("1", str, "1"),
    (None, type(None), None),
    (None, None, None),
    (True, bool, True),
    (7, UserId, 7),
    ([1, "a", None], object, [1, "a", None]),
    ({"a": 1}, Any, {"a": 1}),
    ([1, 2], list[int], [1, 2]),
    ([1, "a"], list, [1, "a"]),
    ([1, 2], tuple[int, ...], (1, 2)),
    ([1, "a"], tuple[int, str], (1, "a")),
    ([], tuple[()], ()),
    ([1, "a"], tuple, (1, "a")),
    ({"item1": 1, "Item2": "a"}, tuple[int, str], (1, "a")),
    ([1, 2, 2], set[int], {1, 2}),
    ([1, 2, 2], frozenset[int], frozenset({1, 2})),
    ([1, 2], deque[int], deque([1, 2])),
    ([1], Sequence[int], [1]),
    ([1], MutableSequence[int], [1]),
    ([1], Iterable[int], [1]),
    ([1], Collection[int], [1]),
    ([1], AbstractSet[int], {1}),
    ([1, 2.5], list[float], [1.0, 2.5]),
    ({"a": 1}, dict[str, int], {"a": 1}),
    ({"a": 1}, dict, {"a": 1}),
    ({"a": 1}, Mapping[str, float], {"a": 1.0}),
    ({"a": 1}, MutableMapping[str, int], {"a": 1}),
    ({"a": 1}, OrderedDict[str, int], OrderedDict(a=1)),
    ({"1": "a"}, dict[int, str], {1: "a"}),
    ({"1.5": "a"}, dict[float, str], {1.5: "a"}),
    ({"True": "a"}, dict[bool, str], {True: "a"}),
    ({"1.50": "a"}, dict[Decimal, str], {Decimal("1.50"): "a"}),
    ({str(GUID): 1}, dict[UUID, int], {GUID: 1}),
    ({"DarkRed": 1, "1": 2}, dict[Color, int], {Color.DARK_RED: 1, Color.GREEN: 2}),
    ({"2016-04-05": 1}, dict[date, int], {date(2016, 4, 5): 1}),
    (None, int | None, None),
    (1, Optional[int], 1),  # noqa: UP045  # the older spelling, too
    (1, Union[int, str], 1),  # noqa: UP007  # the older spelling, too
    ("a", int | str, "a"),
    ("a", Literal["a", "b"], "a"),
    (1, Literal[1, "b"], 1),
    (None, Literal["a", None], None),  # noqa: PYI061  # the other spelling, too
    (1, Literal[Color.GREEN], Color.GREEN),
    ({"x": 1, "y": 2}, Point, Point(1, 2)),
    ({"x": 1, "z": 3}, Point, Point(1)),
    ({"X": 1, "Y": 2}, Point, Point(1, 2)),
    ({"points": {"k": [{"x": 3, "y": 4}]}, "color": 2}, Tree, Tree({"k": [Point(3, 4)]}, Color.DARK_RED)),
    ({"points": {}, "parent": {"points": {}}}, Tree, Tree({}, parent=Tree({}))),
    (2, Color, Color.DARK_RED),
    ("DarkRed", Color, Color.DARK_RED),
    ("dark_red", Color, Color.DARK_RED),
    ("GREEN", Color, Color.GREEN),
    (0, Level, Level.LOW),
    ("High", Level, Level.HIGH),
    ("light", Shade, Shade.LIGHT),
    ("very dark", Shade, Shade.DARK),
    ("Dark", Shade, Shade.DARK),
    (3, Access, Access.READ | Access.WRITE),
    (0, Access, Access(0)),
    ("Read, Write", Access, Access.READ | Access.WRITE),
    ("Tuple", Mixed, Mixed.TUPLE),
    ("anything", Lenient, Lenient.OTHER),
    ("2016-04-05T06:07:08Z", datetime, MOMENT),
    ("2016-04-05T08:07:08+02:00", datetime, datetime(2016, 4, 5, 8, 7, 8, tzinfo=PLUS_TWO)),
    ("2016-04-05T06:07:08", datetime, datetime(2016, 4, 5, 6, 7, 8)),  # noqa: DTZ001
    ("2016-04-05T06:07:08.1", datetime, datetime(2016, 4, 5, 6, 7, 8, 100_000)),  # noqa: DTZ001
    ("2016-04-05", datetime, datetime(2016, 4, 5)),  # noqa: DTZ001
    ("2016-04-05", date, date(2016, 4, 5)),
    ("13:14:15.5000000", time, time(13, 14, 15, 500_000)),
    ("13:14:15", time, time(13, 14, 15)),
    ("13:14:15.1234567", time, time(13, 14, 15, 123_456)),
    ("1.02:03:04.0050000", timedelta, timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
    ("-00:00:01", timedelta, timedelta(seconds=-1)),
    ("00:00:00.0000019", timedelta, timedelta(microseconds=1)),
    ("-00:00:00.0000019", timedelta, timedelta(microseconds=-1)),
    (str(GUID), UUID, GUID),
    ("1.250", Decimal, Decimal("1.250")),
    (10**28, Decimal, Decimal(10**28)),
    (1.25, Decimal, Decimal("1.25")),
]

JSON_ONLY: Final[list[tuple[object, Any, object]]] = [
    ("AQL/", bytes, b"\x01\x02\xff"),
    ("AQL/", bytearray, bytearray(b"\x01\x02\xff")),
    ("Infinity", float, math.inf),
    ("-Infinity", float, -math.inf),
]

MESSAGEPACK_ONLY: Final[list[tuple[object, Any, object]]] = [
    (b"\x01", bytes, b"\x01"),
    (b"\x01", bytearray, bytearray(b"\x01")),
    (math.inf, float, math.inf),
    (MOMENT, datetime, MOMENT),
    (MOMENT, date | datetime, MOMENT),
    ([MOMENT, 120], datetime, DateTimeOffset(2016, 4, 5, 6, 7, 8, tzinfo=PLUS_TWO)),
    ([MOMENT, 120], DateTimeOffset, DateTimeOffset(2016, 4, 5, 6, 7, 8, tzinfo=PLUS_TWO)),
    (MOMENT, DateTimeOffset, DateTimeOffset.of(MOMENT)),
    (738_944, date, date(2024, 2, 29)),
    (476_555_000_000, time, time(13, 14, 15, 500_000)),
    (937_840_050_000, timedelta, timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
    (-19, timedelta, timedelta(microseconds=-1)),
    ({1: "a"}, dict[int, str], {1: "a"}),
    (Ext(5, b"x"), Ext, Ext(5, b"x")),
]

CASES: Final = [
    *[(binding, *case) for binding in (JSON, MESSAGEPACK) for case in BOTH],
    *[(JSON, *case) for case in JSON_ONLY],
    *[(MESSAGEPACK, *case) for case in MESSAGEPACK_ONLY],
]


@pytest.mark.parametrize(("binding", "value", "wanted", "expected"), CASES)
def test_a_suitable_value_is_converted(binding: Binding, value: object, wanted: Any, expected: object) -> None:
    bound = bind(value, wanted, binding)
    assert bound == expected
    assert type(bound) is type(expected)


def test_the_seventh_digit_of_a_datetime_is_kept() -> None:
    moment = bind("2016-04-05T06:07:08.1234567Z", datetime)
    assert isinstance(moment, PreciseDatetime)
    assert moment.nanosecond == 700
    offset = bind([PreciseDatetime.of(MOMENT, 100), -90], DateTimeOffset, MESSAGEPACK)
    assert (offset.nanosecond, offset.utcoffset()) == (100, timedelta(minutes=-90))
    assert offset.wall_clock == MOMENT


def test_nan_is_read_in_both_protocols() -> None:
    assert math.isnan(bind("NaN", float))
    assert math.isnan(bind(math.nan, float, MESSAGEPACK))


MISFITS: Final[list[tuple[object, Any, str]]] = [
    ("1", int, "value: expected int, got str"),
    (1, str, "value: expected str, got int"),
    (True, int, "value: expected int, got bool"),
    (1, bool, "value: expected bool, got int"),
    (None, int, "value: expected int, got None"),
    (1.0, int, "value: expected int, got float"),
    ("1", float, "value: expected float, got str"),
    (True, float, "value: expected float, got bool"),
    (10**400, float, "value: expected float, got an invalid int"),
    (0, None, "value: expected None, got int"),
    ([1, "2"], list[int], "value[1]: expected int, got str"),
    ({"a": 1}, list[int], "value: expected list[int], got dict"),
    ([[1], [2, None]], list[list[int]], "value[1][1]: expected int, got None"),
    ([1], tuple[int, str], "value: expected 2 items, got 1"),
    ([1, 2], tuple[int, str], "value[1]: expected str, got int"),
    ([[1]], set[list[int]], "value: expected set[list[int]], got a list whose items cannot be in a set"),
    ({"a": "b"}, dict[str, int], "value['a']: expected int, got str"),
    ({"a": 1}, dict[int, int], "value['a']: expected int, got an invalid str"),
    ({"a" * 99: "b"}, dict[str, int], "value['" + "a" * 59 + "...]: expected int, got str"),
    ({"\n\x00é": "b"}, dict[str, int], r"value['\n\x00\xe9']: expected int, got str"),
    ([], dict[str, int], "value: expected dict[str, int], got list"),
    ({}, Point, "value: member 'x' of Point is missing"),
    ({"x": 1, "y": None}, Point, "value.y: expected int, got None"),
    ([1, 2], Point, "value: expected Point, got list"),
    ({"points": {"k": [{"x": "3"}]}}, Tree, "value.points['k'][0].x: expected int, got str"),
    ({"points": {}, "parent": {"points": {"a": [1]}}}, Tree, "value.parent.points['a'][0]: expected Point, got int"),
    (3, Color, "value: expected Color, got an invalid int"),
    ("Grey", Color, "value: expected Color, got an invalid str"),
    (None, Color, "value: expected Color, got None"),
    (True, Level, "value: expected Level, got bool"),
    ("Read, Nothing", Access, "value: expected Access, got an invalid str"),
    ("c", Literal["a", "b"], "value: expected Literal['a', 'b'], got an invalid str"),
    (True, Literal[1], "value: expected Literal[1], got bool"),
    (2, Literal[Color.GREEN], "value: expected Literal[Color.GREEN], got an invalid int"),
    ("x", int | None, "value: expected int | None, got str"),
    ([1, "a"], list[int | None], "value[1]: expected int | None, got str"),
    ({"x": "a"}, Point | None, "value.x: expected int, got str"),
    ([], int | str, "value: expected int | str, got list"),
    ("nonsense", UUID, "value: expected UUID, got an invalid str"),
    ("2016-04-05 06:07:08", datetime, "value: expected datetime, got an invalid str"),
    ("2016-13-05T06:07:08", datetime, "value: expected datetime, got an invalid str"),
    ("2016-W14-2", date, "value: expected date, got an invalid str"),
    ("25:00:00", time, "value: expected time, got an invalid str"),
    ("24:00:00", timedelta, "value: expected timedelta, got an invalid str"),
    ("PT1S", timedelta, "value: expected timedelta, got an invalid str"),
    (1.5, timedelta, "value: expected timedelta, got float"),
    ("NaN", Decimal, "value: expected Decimal, got an invalid str"),
    ("1_0", Decimal, "value: expected Decimal, got an invalid str"),
    (math.nan, Decimal, "value: expected Decimal, got float"),
    (True, Decimal, "value: expected Decimal, got bool"),
]


@pytest.mark.parametrize(("value", "wanted", "text"), MISFITS)
def test_an_unsuitable_value_is_an_error_with_path_and_reason(value: object, wanted: Any, text: str) -> None:
    with pytest.raises(BindingError) as caught:
        bind(value, wanted)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("binding", "value", "wanted", "text"),
    [
        (JSON, "???", bytes, "value: expected bytes in base64, got an invalid str"),
        (JSON, [1], bytes, "value: expected bytes in base64, got list"),
        (JSON, "2020-01-01T05:06:07", DateTimeOffset, "value: expected DateTimeOffset with an offset, got an invalid str"),
        (JSON, 5, timedelta, "value: expected timedelta, got int"),
        (JSON, 5, date, "value: expected date, got int"),
        (MESSAGEPACK, "AQL/", bytes, "value: expected bytes, got str"),
        (MESSAGEPACK, [MOMENT, 9999], datetime, "value: expected datetime, got an invalid list"),
        (MESSAGEPACK, [MOMENT, "x"], datetime, "value: expected datetime, got list"),
        (MESSAGEPACK, 10**9, date, "value: expected date, got an invalid int"),
        (MESSAGEPACK, -1, time, "value: expected time, got an invalid int"),
        (MESSAGEPACK, 2**80, timedelta, "value: expected timedelta, got an invalid int"),
        (MESSAGEPACK, "NaN", float, "value: expected float, got str"),
        (MESSAGEPACK, {b"k": 1}, dict[str, int], "value[b'k']: expected str, got bytes"),
    ],
)
def test_what_only_one_protocol_spells_so_is_an_error_in_the_other(
    binding: Binding, value: object, wanted: Any, text: str
) -> None:
    with pytest.raises(BindingError) as caught:
        bind(value, wanted, binding)
    assert str(caught.value) == text


def test_an_error_never_contains_the_value() -> None:
    every: list[Any] = [int, UUID, Color, datetime, Literal["a"], Point, list[int], bytes, int | None, Decimal]
    for wanted in every:
        with pytest.raises(BindingError) as caught:
            bind("hunter2!", wanted)
        assert "hunter2" not in str(caught.value)


class Opaque:
    """A class without fields."""


@pytest.mark.parametrize("wanted", [Opaque, Opaque | None, Opaque | int])
def test_an_instance_of_a_class_without_fields_is_returned_unchanged(wanted: Any) -> None:
    """A hub protocol of the user may decode values to such instances."""
    opaque = Opaque()
    assert bind(opaque, wanted) is opaque
    assert bind([opaque], list[wanted]) == [opaque]


@pytest.mark.parametrize("wanted", [Opaque, Opaque | int])
@pytest.mark.parametrize("value", ["a", {"a": 1}, None])
def test_a_class_without_fields_is_named_in_the_error(value: object, wanted: Any) -> None:
    with pytest.raises(BindingError, match="Opaque"):
        bind(value, wanted)


@pytest.mark.parametrize("wanted", ["Point", list["Point"], 5, Ellipsis, Callable[[], int], AsyncIterator[int], type[int]])
def test_what_is_not_a_type_is_refused_when_it_is_named(wanted: Any) -> None:
    with pytest.raises(UnsupportedTypeError) as caught:
        JSON.converter(wanted)
    assert isinstance(caught.value, BindingError)
    assert isinstance(caught.value, TypeError)


def test_a_result_has_the_official_text_before_the_path() -> None:
    with pytest.raises(BindingError) as caught:
        JSON.converter(Tree).convert_result({"points": 1})
    assert str(caught.value) == (
        "Error trying to deserialize result to Tree. result.points: expected dict[str, list[Point]], got int"
    )
    with pytest.raises(BindingError, match=r"to int\. item: expected int, got str"):
        JSON.converter(int).convert_item("x")


@pytest.mark.parametrize(
    ("wanted", "name"),
    [(int, "int"), (Point, "Point"), (list[int], "list[int]"), (int | None, "int | None"), (Any, "Any"), (None, "None")],
)
def test_type_names_are_written_as_in_source_code(wanted: Any, name: str) -> None:
    assert type_name(wanted) == name


@dataclass
class Money:
    amount: Decimal
    factor: float
    note: object = None
    parts: list[Decimal | None] = field(default_factory=list)


def test_a_type_with_a_decimal_asks_for_all_digits_in_json_only() -> None:
    assert JSON.converter(Money).needs_digits
    assert JSON.converter(dict[str, list[Money | None]]).needs_digits
    assert not JSON.converter(Tree).needs_digits
    assert not MESSAGEPACK.converter(Money).needs_digits


def test_only_decimals_get_the_digits() -> None:
    """Beside a Decimal, floats are floats and values without a type are as always."""
    value = {
        "amount": Decimal("0.12345678901234567890"),
        "factor": Decimal("0.1"),
        "note": [Decimal("0.5"), {"a": Decimal("1E+2")}],
        "parts": [Decimal("1.10"), None, 3],
    }
    money = JSON.converter(Money).convert(value, "value")
    assert money == Money(Decimal("0.12345678901234567890"), 0.1, [0.5, {"a": 100.0}], [Decimal("1.10"), None, Decimal(3)])
    assert [type(money.factor), type(money.note[0]), str(money.parts[0])] == [float, float, "1.10"]  # type: ignore[index]
    with pytest.raises(BindingError, match=r"value\.factor: expected float, got str"):
        JSON.converter(Money).convert({"amount": 1, "factor": "x"}, "value")
    with pytest.raises(BindingError, match=r"value\.amount: expected Decimal, got list"):
        JSON.converter(Money).convert({"amount": [], "factor": 1}, "value")

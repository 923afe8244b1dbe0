"""Values are compared with an annotation before they are sent: what a type checker accepts and the wire can carry is accepted."""

from __future__ import annotations

import array
import collections
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, NotRequired, SupportsInt, TypedDict, TypeVar
from typing import Protocol as TypingProtocol
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypeAliasType

from signalr_client.core.binding import checker
from signalr_client.core.timestamps import DateTimeOffset
from signalr_client.errors import BindingError, UnsupportedTypeError
from tests.unit.core.binding.test_round_trips import TYPES, Protocol, each_protocol, received

T = TypeVar("T")


class Color(Enum):
    RED = 0


class Number(IntEnum):
    ONE = 1


class Word(StrEnum):
    A = "a"


@dataclass
class Point:
    x: int
    y: float = 0.0


@dataclass
class Point3D(Point):
    z: int = 0


@dataclass
class Shape(Generic[T]):
    points: dict[str, Point]
    mark: T
    inner: Shape[T] | None = None
    cached: object = field(init=False, default=None)


@attrs.define
class AttrsPoint:
    x: int


class StructPoint(msgspec.Struct):
    x: int
    y: int | msgspec.UnsetType = msgspec.UNSET


class ModelPoint(pydantic.BaseModel):
    x: int


class Entry(NamedTuple):
    key: str
    value: int


class Options(TypedDict):
    size: int
    name: NotRequired[str]


class Opaque:
    pass


class Closeable(TypingProtocol):
    def close(self) -> None: ...


class Source:
    def __aiter__(self) -> AsyncIterator[int]:
        raise NotImplementedError


Identity = NewType("Identity", int)
Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | None")
Positive = Annotated[int, msgspec.Meta(gt=0), "metadata"]
Unhashable = Annotated[int, []]


def require(wanted: Any, value: object) -> None:
    """Check a value against a type."""
    found = checker(wanted)
    if found is not None:
        found.require(value, "value")


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        (int, 5),
        (int, Identity(5)),
        (Identity, 5),
        (float, 5),
        (float, 1.5),
        (str, Word.A),
        (bytes, bytearray(b"a")),
        (bytes, memoryview(b"a")),
        (None, None),
        (Decimal, Decimal(1)),
        (UUID, UUID(int=1)),
        (datetime, datetime.now(UTC)),
        (datetime, DateTimeOffset.of(datetime.now(UTC))),
        (date, date(2024, 2, 29)),
        (time, time(1)),
        (timedelta, timedelta(1)),
        (Color, Color.RED),
        (Number, Number.ONE),
        (Literal["a", Color.RED] | None, Color.RED),
        (Literal["a", Color.RED] | None, None),
        (int | None, None),
        (int | None, 5),
        (str | list[int], [1]),
        (int | Any, "a"),
        (list[int], [1, 2]),
        (list[int], []),
        (list[Any], [object()]),
        (list, [1]),
        (list[float], [1, 1.5]),
        (list[str], ["a", Word.A]),
        (Sequence[int], (1, 2)),
        (Iterable[int], {1, 2}),
        (Iterable[int], collections.deque([1])),
        (AbstractSet[int], {1: "a"}.keys()),
        (frozenset[str], frozenset("a")),
        (tuple[int, str], (1, "a")),
        (tuple[()], ()),
        (tuple[int, ...], (1, 2, 3)),
        (tuple, (1, "a")),
        (dict[str, int], {"a": 1}),
        (Mapping[str, int], collections.OrderedDict(a=1)),
        (dict[Color, list[int]], {Color.RED: [1]}),
        (Point, Point(1, 2)),
        (Point, Point3D(1, 2, 3)),
        (Shape[int], Shape({"a": Point(1)}, 5, Shape({}, 6))),
        (AttrsPoint, AttrsPoint(1)),
        (StructPoint, StructPoint(1)),
        (StructPoint, StructPoint(1, 2)),
        (ModelPoint, ModelPoint(x=1)),
        (Entry, Entry("a", 1)),
        (Options, {"size": 1}),
        (Options, {"size": 1, "name": "a", "more": 2}),
        (Opaque, Opaque()),
        (Closeable, 5),
        (SupportsInt, 5),
        (Json, {"a": [1, None, {"b": "c"}]}),
        (Positive, 1),
        (Unhashable, 1),
        (list[Unhashable], [1]),
        (AsyncIterator[int], Source()),
        (AsyncIterable[int], Source()),
        (AsyncIterator[int] | None, None),
        (T, "anything"),
        (Any, object()),
        (object, object()),
    ],
)
def test_a_value_that_fits_is_accepted(wanted: Any, value: object) -> None:
    require(wanted, value)


NOT_FITTING: list[tuple[Any, object, str]] = [
    (int, "5", "value: expected int, got str"),
    (int, 5.0, "value: expected int, got float"),
    (int, True, "value: expected int, got bool"),
    (int, None, "value: expected int, got None"),
    (int, Number.ONE, "value: expected int, got Number (an enum: send its value)"),
    (float, Decimal(1), "value: expected float, got Decimal"),
    (float, False, "value: expected float, got bool"),
    (str, b"a", "value: expected str, got bytes"),
    (bool, 1, "value: expected bool, got int"),
    (bytes, "a", "value: expected bytes, got str"),
    (None, 0, "value: expected None, got int"),
    (Decimal, 1, "value: expected Decimal, got int"),
    (UUID, "00000000-0000-0000-0000-000000000001", "value: expected UUID, got str"),
    (date, datetime.now(UTC), "value: expected date, got datetime"),
    (datetime, date(2024, 2, 29), "value: expected datetime, got date"),
    (DateTimeOffset, datetime.now(UTC), "value: expected DateTimeOffset, got datetime"),
    (Color, 0, "value: expected Color, got int"),
    (Literal["a", 1], "b", "value: expected Literal['a', 1], got another str"),
    (Literal["a", 1], True, "value: expected Literal['a', 1], got another bool"),
    (Literal["a", 1], [], "value: expected Literal['a', 1], got another list"),
    (Literal["a", 1], ([],), "value: expected Literal['a', 1], got another tuple"),
    (int | None, "a", "value: expected int | None, got str"),
    (str | list[int], ["a"], "value[0]: expected int, got str"),
    (str | list[int], 5, "value: expected str | list[int], got int"),
    (list[int], (1,), "value: expected list[int], got tuple"),
    (list[int], [1, "a"], "value[1]: expected int, got str"),
    (Sequence[str], "text", "value: expected Sequence[str], got str"),
    (Sequence[int], b"bytes", "value: expected Sequence[int], got bytes"),
    (Iterable[int], iter([1]), "value: expected Iterable[int], got list_iterator"),
    (Iterable[str], {"a": 1}, "value: expected Iterable[str], got dict"),
    (set[int], {1, "a"}, "expected int, got str"),
    (tuple[int, str], (1,), "value: expected 2 items, got 1"),
    (tuple[int, str], (1, 2), "value[1]: expected str, got int"),
    (tuple[int, str], [1, "a"], "value: expected tuple[int, str], got list"),
    (tuple[int, ...], (1, "a"), "value[1]: expected int, got str"),
    (tuple, [1], "value: expected tuple, got list"),
    (dict[str, int], {"a": "b"}, "value['a']: expected int, got str"),
    (dict[str, int], {1: 1}, "value[1]: expected str, got int"),
    (dict[str, list[Point]], {"a": [Point(1), Point("b")]}, "value['a'][1].x: expected int, got str"),  # type: ignore[arg-type]  # wrong on purpose
    (dict[str, int], [], "value: expected dict[str, int], got list"),
    (Point, {"x": 1}, "value: expected Point, got dict"),
    (Point, Point3D("a"), "value.x: expected int, got str"),  # type: ignore[arg-type]  # the same
    (Shape[int], Shape({}, "a"), "value.mark: expected int, got str"),
    (Shape[str], Shape({}, "a", Shape({"k": Point(None)}, "b")), "value.inner.points['k'].x: expected int, got None"),  # type: ignore[arg-type]  # the same
    (AttrsPoint, AttrsPoint("a"), "value.x: expected int, got str"),  # type: ignore[arg-type]  # the same
    (StructPoint, StructPoint(1, "a"), "value.y: expected int | UnsetType, got str"),  # type: ignore[arg-type]  # the same
    (ModelPoint, {"x": 1}, "value: expected ModelPoint, got dict"),
    (Entry, ("a", 1), "value: expected Entry, got tuple"),
    (Entry, Entry("a", "b"), "value.value: expected int, got str"),  # type: ignore[arg-type]  # the same
    (Options, {"name": "a"}, "value: the required key ['size'] is missing"),
    (Options, {"size": "a"}, "value['size']: expected int, got str"),
    (Options, None, "value: expected Options, got None"),
    (Opaque, 5, "value: expected Opaque, got int"),
    (Json, {"a": [1.5]}, "value['a'][0]: expected"),
    (Positive, 0, "value: expected `int` >= 1"),
    (Positive, "a", "value: expected int, got str"),
    (AsyncIterator[int], [1], "value: expected AsyncIterator[int], got list"),
    (list[Point], array.array("b"), "value: expected list[Point], got array"),
]


@pytest.mark.parametrize(("wanted", "value", "text"), NOT_FITTING)
def test_a_value_that_does_not_fit_is_refused_with_its_path(wanted: Any, value: object, text: str) -> None:
    with pytest.raises(BindingError) as refused:
        require(wanted, value)
    assert text in str(refused.value)


@pytest.mark.parametrize(
    "wanted", [Callable[[], None], list[Callable[[], int]], Iterator[int], type[int], "Point", list["Point"]]
)
def test_a_type_whose_values_cannot_be_sent_is_refused(wanted: Any) -> None:
    with pytest.raises(UnsupportedTypeError):
        checker(wanted)


def test_a_field_without_a_value_is_left_to_the_writer() -> None:
    """It has an error for that."""
    require(Point, Point.__new__(Point))


def test_what_contains_itself_is_left_to_the_writer() -> None:
    """The hub protocol says that it is nested too deeply."""
    around: list[Any] = []
    around.append(around)
    require(Json, around)
    shape: Shape[int] = Shape({}, 1)
    shape.inner = shape
    require(Shape[int], shape)


def test_a_type_is_compiled_once() -> None:
    assert checker(Shape[int]) is checker(Shape[int])
    assert checker(Any) is None


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3)
    | st.uuids() | st.binary(max_size=3) | st.datetimes(timezones=st.just(UTC)) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(-5, 5), inner, max_size=3)
    | st.tuples(inner, inner),
    max_leaves=5,
)  # fmt: skip


@each_protocol
@given(value=plain, wanted=st.sampled_from(TYPES))
def test_what_is_accepted_is_received_as_the_same_type(protocol: Protocol, value: object, wanted: Any) -> None:
    with suppress(BindingError):
        require(wanted, value)
        received(protocol, value, protocol.binding.converter(wanted))
        return
    with pytest.raises(BindingError):  # it was refused; what was accepted is always received
        require(wanted, value)

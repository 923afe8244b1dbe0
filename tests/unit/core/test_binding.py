"""Conversion of decoded values to the requested types."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pytest

from signalr_client.core.binding import bind, type_name
from signalr_client.errors import BindingError


class Color(Enum):
    GREEN = 1
    BLUE = 2


class Shade(Enum):
    LIGHT = "light"


@dataclass
class Point:
    x: int
    y: int = 0


class Record(msgspec.Struct, rename="camel"):
    first_name: str


class Pair(NamedTuple):
    left: int
    right: str


class Options(TypedDict, total=False):
    size: int


@dataclass
class Tree:
    points: dict[str, list[Point]]
    color: Color | None = None


class Opaque:
    """A type that msgspec does not support."""


class Other:
    """Another unsupported type, because msgspec rejects a union of two in a different way."""


FITS: Final[list[tuple[object, Any, object]]] = [
    (1, int, 1),
    (1, float, 1.0),
    (1.5, float, 1.5),
    ("1", str, "1"),
    (None, type(None), None),
    (True, bool, True),
    ([1, "a", None], object, [1, "a", None]),
    ({"a": 1}, Any, {"a": 1}),
    ([1, 2], list[int], [1, 2]),
    ([1, 2], tuple[int, ...], (1, 2)),
    ([1, 2, 2], set[int], {1, 2}),
    (None, int | None, None),
    (1, int | str, 1),
    ("a", Literal["a", "b"], "a"),
    ({"x": 1, "y": 2}, Point, Point(1, 2)),
    ({"x": 1, "z": 3}, Point, Point(1)),  # unknown members are ignored
    ({"firstName": "Ada"}, Record, Record("Ada")),
    ([1, "a"], Pair, Pair(1, "a")),
    ({"size": 1}, Options, {"size": 1}),
    ({"points": {"k": [{"x": 3, "y": 4}]}, "color": 2}, Tree, Tree({"k": [Point(3, 4)]}, Color.BLUE)),
    (2, Color, Color.BLUE),
    ("light", Shade, Shade.LIGHT),
    ("2016-04-05T06:07:08Z", datetime, datetime(2016, 4, 5, 6, 7, 8, tzinfo=UTC)),
    ("2016-04-05", date, date(2016, 4, 5)),
    ("00010203-0405-0607-0706-050403020100", UUID, UUID("00010203-0405-0607-0706-050403020100")),
    ("1.25", Decimal, Decimal("1.25")),
    (1.25, Decimal, Decimal("1.25")),
    ("AQL/", bytes, b"\x01\x02\xff"),
    (b"\x01", bytes, b"\x01"),
]


@pytest.mark.parametrize(("value", "wanted", "expected"), FITS)
def test_a_suitable_value_is_converted(value: object, wanted: Any, expected: object) -> None:
    bound = bind(value, wanted)
    assert bound == expected
    assert type(bound) is type(expected)


@pytest.mark.parametrize(
    ("value", "wanted", "text"),
    [
        ("1", int, "Error trying to deserialize result to int. Expected `int`, got `str`"),
        (1, str, "Error trying to deserialize result to str. Expected `str`, got `int`"),
        (True, int, "Error trying to deserialize result to int. Expected `int`, got `bool`"),
        (None, int, "Error trying to deserialize result to int. Expected `int`, got `null`"),
        (1.5, int, "Error trying to deserialize result to int. Expected `int`, got `float`"),
        ([1, "2"], list[int], "Error trying to deserialize result to list[int]. Expected `int`, got `str` - at `$[1]`"),
        ({}, Point, "Error trying to deserialize result to Point. Object missing required field `x`"),
        ({"points": {"k": [{"x": "3"}]}}, Tree,
         "Error trying to deserialize result to Tree. Expected `int`, got `str` - at `$.points[...][0].x`"),
        (3, Color, "Error trying to deserialize result to Color. Invalid enum value 3"),
        ("x", int | None, "Error trying to deserialize result to int | None. Expected `int | null`, got `str`"),
        ("nonsense", UUID, "Error trying to deserialize result to UUID. Invalid UUID"),
    ],
)  # fmt: skip
def test_an_unsuitable_value_is_an_error_with_path_and_reason(value: object, wanted: Any, text: str) -> None:
    with pytest.raises(BindingError) as caught:
        bind(value, wanted)
    assert str(caught.value) == text


@pytest.mark.parametrize("wanted", [Opaque, Opaque | None, Opaque | Other])
def test_an_instance_of_an_unsupported_type_is_returned_unchanged(wanted: Any) -> None:
    opaque = Opaque()
    assert bind(opaque, wanted) is opaque


@pytest.mark.parametrize("wanted", [Opaque, Opaque | Other])
@pytest.mark.parametrize("value", [1, {"a": 1}, None])
def test_an_unsupported_type_is_named_in_the_error(value: object, wanted: Any) -> None:
    with pytest.raises(BindingError, match="Opaque"):
        bind(value, wanted)


@pytest.mark.parametrize(
    ("wanted", "name"), [(int, "int"), (Point, "Point"), (list[int], "list[int]"), (int | None, "int | None"), (Any, "Any")]
)
def test_type_names_are_written_as_in_source_code(wanted: Any, name: str) -> None:
    assert type_name(wanted) == name

"""Which member of a union a value becomes: it does not depend on the order in which the union was written."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, Union
from uuid import UUID

import pytest

from signalr_client.core.binding import Binding, bind, json_binding, messagepack_binding
from signalr_client.errors import BindingError

JSON: Final = json_binding()
MESSAGEPACK: Final = messagepack_binding()
GUID: Final = UUID("00010203-0405-0607-0706-050403020100")


class Color(Enum):
    RED = 1


@dataclass
class Cat:
    name: str
    lives: int


@dataclass
class Dog:
    name: str
    breed: str | None = None


@dataclass
class Left:
    kind: Literal["left"]
    value: int


@dataclass
class Right:
    kind: Literal["right"]
    value: int


CASES: Final[list[tuple[tuple[Any, ...], object, object]]] = [
    ((int, str), 1, 1),
    ((int, str), "1", "1"),
    ((int, float), 1, 1),
    ((int, float), 1.0, 1.0),
    ((bool, int), True, True),
    ((bool, int), 1, 1),
    ((float, None), 1, 1.0),
    ((int, float, str, None), None, None),
    ((str, UUID), str(GUID), GUID),
    ((str, UUID), "plain", "plain"),
    ((str, datetime, date), "2020-01-02", date(2020, 1, 2)),
    ((str, datetime, date), "2020-01-02T00:00:00Z", datetime(2020, 1, 2, tzinfo=UTC)),
    ((str, datetime, date), "yesterday", "yesterday"),
    ((Color, int), 1, Color.RED),
    ((Color, int), 2, 2),
    ((Color, str), "Red", Color.RED),
    ((Literal["a"], int), "a", "a"),
    ((list[int], list[str]), ["a"], ["a"]),
    ((list[int], dict[str, int]), {"a": 1}, {"a": 1}),
    ((list[int], int), [1], [1]),
    ((Cat, Dog), {"name": "a", "lives": 9}, Cat("a", 9)),
    ((Cat, Dog), {"name": "a", "breed": "b"}, Dog("a", "b")),
    ((Cat, Dog), {"name": "a"}, Dog("a")),
    ((Cat, Dog, None), None, None),
    ((Cat, dict[str, object]), {"name": "a", "lives": 9}, Cat("a", 9)),
    ((Cat, dict[str, object]), {"name": "a"}, {"name": "a"}),
    ((Left, Right), {"kind": "right", "value": 1}, Right("right", 1)),
    ((int, object), "a", "a"),
    ((Decimal, int), 1, 1),
]
JSON_CASES: Final[list[tuple[tuple[Any, ...], object, object]]] = [
    ((str, bytes), "AQL/", "AQL/"),
    ((str, timedelta), "00:00:01", timedelta(seconds=1)),
    ((int, timedelta), 5, 5),
    ((time, str), "10:00:00", time(10)),
]
MESSAGEPACK_CASES: Final[list[tuple[tuple[Any, ...], object, object]]] = [
    ((str, bytes), b"\x01", b"\x01"),
    ((int, timedelta), 5, 5),
    ((str, timedelta), 10_000_000, timedelta(seconds=1)),
    ((Decimal, float), 0.5, Decimal("0.5")),
    ((str, datetime), datetime(2020, 1, 2, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC)),
]


@pytest.mark.parametrize(
    ("binding", "members", "value", "expected"),
    [
        *[(binding, *case) for binding in (JSON, MESSAGEPACK) for case in CASES],
        *[(JSON, *case) for case in JSON_CASES],
        *[(MESSAGEPACK, *case) for case in MESSAGEPACK_CASES],
    ],
)
def test_a_value_becomes_the_member_that_says_most_about_it(
    binding: Binding, members: tuple[Any, ...], value: object, expected: object
) -> None:
    for order in itertools.permutations(members):
        wanted: Any = Union[order]  # noqa: UP007  # the members are known at run time
        bound: object = bind(value, wanted, binding)
        assert bound == expected
        assert type(bound) is type(expected)


@pytest.mark.parametrize(
    ("wanted", "value", "text"),
    [
        (int | str, 1.5, "value: expected int | str, got float"),
        (UUID | date, "x", "value: expected UUID | date, got a str that fits none of them"),
        (list[int] | list[str], [None], "value: expected list[int] | list[str], got a list that fits none of them"),
        (Cat | Dog, {"name": 1, "breed": "b"}, "value.name: expected str, got int"),
        (Cat | int, {"name": 1, "lives": 9}, "value.name: expected str, got int"),
        (Cat | None, {"name": 1, "lives": 9}, "value.name: expected str, got int"),
    ],
)
def test_a_value_that_fits_no_member_is_an_error_about_the_likeliest(wanted: Any, value: object, text: str) -> None:
    with pytest.raises(BindingError) as caught:
        bind(value, wanted)
    assert str(caught.value) == text


def test_with_all_digits_a_number_is_a_decimal_if_the_union_has_one() -> None:
    assert JSON.converter(Decimal | float).convert(Decimal("0.10"), "value") == Decimal("0.10")
    assert JSON.converter(Decimal | str | None).convert("a", "value") == "a"

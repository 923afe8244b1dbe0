"""Handlers with annotations: what they are called with, and that others are called as they are."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pytest

from signalr_client.client.handlers import Handlers
from signalr_client.client.typed_handlers import ArgumentError
from signalr_client.core.binding import json_binding, messagepack_binding
from signalr_client.errors import UnsupportedTypeError

if TYPE_CHECKING:
    from datetime import date as Invisible  # noqa: N812  # on purpose


@dataclass
class Point:
    x: int


def call(handlers: Handlers, *arguments: object, target: str = "T") -> list[object]:
    """Return what each handler of a target returns."""
    return [handler(*arguments) for handler in handlers.by_target[target]]


def registered(*functions: Callable[..., object]) -> Handlers:
    handlers = Handlers(json_binding())
    for function in functions:
        handlers.add("T", function)
    return handlers


def plain(value, more=None):  # type: ignore[no-untyped-def]  # on purpose
    return value, more


def anything(value: Any, more: object = None) -> object:
    return value, more


def typed(point: Point, number: float = 0.5, *rest: Point) -> object:
    return point, number, rest


def partly(first, point: Point, last=1):  # type: ignore[no-untyped-def]  # on purpose
    return first, point, last


class Receiver:
    def method(self, point: Point) -> object:
        return point

    def __call__(self, point: Point) -> object:
        return point


@pytest.mark.parametrize("function", [plain, anything, print, [].append, lambda value: value, functools.partial(plain, more=1)])
def test_a_handler_without_types_is_called_as_it_is(function: Callable[..., object]) -> None:
    assert registered(function).by_target["T"] == (function,)


def test_arguments_are_converted_to_the_annotations() -> None:
    value = {"x": 1}
    assert call(registered(typed), value) == [(Point(1), 0.5, ())]
    assert call(registered(typed), value, 2) == [(Point(1), 2.0, ())]
    assert call(registered(typed), value, 2, value, value) == [(Point(1), 2.0, (Point(1), Point(1)))]
    assert call(registered(partly), value, value) == [(value, Point(1), 1)]
    assert call(registered(partly), value, value, value) == [(value, Point(1), value)]
    for function in (Receiver().method, Receiver(), functools.partial(partly, "first")):
        assert call(registered(function), value) in ([Point(1)], [("first", Point(1), 1)])


def test_an_argument_that_does_not_fit_is_named() -> None:
    with pytest.raises(ArgumentError, match=r"^arguments\[0\]\.x: expected int, got str$"):
        call(registered(typed), {"x": "1"})
    with pytest.raises(ArgumentError, match=r"^arguments\[3\]: expected Point, got int$"):
        call(registered(typed), {"x": 1}, 1, {"x": 1}, 1)


def one(number: int) -> object:
    return number


def two(number: int, text: str = "default") -> object:
    return number, text


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (one, [1], 1),
        (two, [1, "a"], (1, "a")),
        (two, [1], (1, "default")),
        (one, [True], "arguments[0]: expected int, got bool"),
        (one, ["a"], "arguments[0]: expected int, got str"),
        (two, [1, None], "arguments[1]: expected str, got None"),
        (two, ["1", 2], "arguments[0]: expected int, got str"),
        (one, [], "one() missing 1 required positional argument: 'number'"),
        (one, [1, 2], "one() takes 1 positional argument but 2 were given"),
        (two, [1, "a", 3], "two() takes from 1 to 2 positional arguments but 3 were given"),
        (two, [], "two() missing 1 required positional argument: 'number'"),
    ],
)
def test_one_or_two_arguments_are_called_faster_with_the_same_results(
    function: Callable[..., object], arguments: list[object], expected: object
) -> None:
    handlers = registered(function)
    if not isinstance(expected, str):
        assert call(handlers, *arguments) == [expected]
        return
    with pytest.raises((ArgumentError, TypeError)) as caught:
        call(handlers, *arguments)
    assert str(caught.value) == expected


def test_too_few_and_too_many_arguments_are_errors_of_the_call() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        call(registered(partly), 1)
    with pytest.raises(TypeError, match="takes from 2 to 3 positional arguments"):
        call(registered(partly), 1, {"x": 1}, 2, 3)


def test_names_are_read_as_the_protocol_of_the_connection_spells_them() -> None:
    handlers = Handlers(messagepack_binding())
    handlers.add("T", typed)
    assert call(handlers, {"X": 1}) == [(Point(1), 0.5, ())]


def hidden(value: Invisible) -> None: ...


def unsupported(value: Callable[[], None]) -> None: ...


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            hidden,
            r"The handler for 'T' cannot be registered\. The annotation 'Invisible' of parameter 'value' of hidden cannot be",
        ),
        (unsupported, r"The handler for 'T' cannot be registered\. Values cannot be converted to Callable\[\[\], None\]"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_refused_when_the_handler_is_registered(
    function: Callable[..., object], text: str
) -> None:
    handlers = Handlers(json_binding())
    with pytest.raises(UnsupportedTypeError, match=text):
        handlers.add("T", function)
    assert not handlers.by_target


AMOUNT: Final = Decimal("0.10")


def test_every_handler_of_a_target_with_a_decimal_gets_what_it_asks_for() -> None:
    """The message is decoded once for all of them, with Decimals in place of floats."""

    def exact(amount: Decimal, factor: float) -> object:
        return amount, factor

    def floats(amount: float, factor: float) -> object:
        return amount, factor

    handlers = registered(plain)
    assert not handlers.exact_targets
    subscription = handlers.add("T", exact)
    handlers.add("T", floats)
    assert handlers.exact_targets == {"T"}
    first, second, third = call(handlers, AMOUNT, Decimal("0.5"))
    assert first == third == (0.1, 0.5)
    assert second == (AMOUNT, 0.5)
    assert repr(first) == "(0.1, 0.5)"
    subscription.unsubscribe()
    assert not handlers.exact_targets
    assert handlers.by_target["T"][0] is plain


def test_handlers_are_removed_by_what_was_registered() -> None:
    handlers = registered(typed, plain, typed)
    handlers.remove("T", typed)
    assert call(handlers, {"x": 1}) == [({"x": 1}, None), (Point(1), 0.5, ())]
    handlers.remove("T", print)
    assert len(handlers.by_target["T"]) == 2
    handlers.remove("T")
    assert not handlers.by_target
    handlers.remove("T")


class Evasive:
    """Claims to have every attribute, each another object of its kind."""

    def __getattr__(self, name: str) -> Evasive:
        return Evasive()

    def __call__(self, *values: object) -> object:
        return values


def test_an_object_with_every_attribute_can_be_a_handler() -> None:
    """Test programs of users register objects of unittest.mock."""
    handler = Evasive()
    assert registered(handler).by_target["T"] == (handler,)


def test_the_annotations_behind_partials_and_decorators_are_used() -> None:
    def handler(first: str, point: Point) -> object:
        return first, point

    @functools.wraps(handler)
    def wrapper(*values: object) -> object:
        return handler(*values)  # type: ignore[arg-type]  # as it is called by the client

    wrapped = functools.partial(wrapper, "a")
    assert call(registered(wrapped), {"x": 1}) == [("a", Point(1))]

"""Types are compiled once, and types that a program creates and drops are not kept for ever."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any

from signalr_client.core.binding import Binding, Form, bind


@dataclass
class Point:
    x: int


def test_a_type_is_compiled_once() -> None:
    binding = Binding(Form.JSON, "camelCase", None)
    assert binding.converter(list[Point]) is binding.converter(list[Point])
    other: object = binding.converter(list[int])
    assert binding.converter(list[Point]) is not other


def test_a_type_that_cannot_be_hashed_is_converted_too() -> None:
    wanted: Any = Annotated[int, []]
    assert bind(1, wanted) == 1
    assert bind([1], list[wanted]) == [1]


def test_types_that_are_no_longer_used_are_dropped() -> None:
    """Both the converters and the writers are bounded."""
    binding = Binding(Form.JSON, "camelCase", None)
    alive: list[weakref.ref[type]] = []
    for number in range(2100):
        local = make_dataclass(f"Local{number}", [("x", int)])
        assert binding.converter(local).convert({"x": number}, "value") == local(number)
        assert binding.write(local(number), "value", 5) == {"x": number}
        alive.append(weakref.ref(local))
    del local
    gc.collect()
    assert sum(reference() is not None for reference in alive) <= 1024
    assert binding.converter(Point).convert({"x": 1}, "value") == Point(1)


def test_a_binding_that_is_dropped_keeps_no_type() -> None:
    binding = Binding(Form.MESSAGEPACK, "PascalCase", None)
    local = make_dataclass("Local", [("x", int)])
    binding.converter(local)
    binding.write(local(1), "value", 5)
    reference = weakref.ref(local)
    del binding, local
    gc.collect()
    assert reference() is None

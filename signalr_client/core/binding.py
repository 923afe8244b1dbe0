"""Converts decoded values to the types that a caller asked for. Room: core, row 1; no I/O, no clock.

msgspec does the conversion: built-in types, dataclasses, TypedDict, NamedTuple, attrs classes, Structs, Enum, datetime, UUID and
Decimal, nested to any depth. It is strict: the string "1" does not become the number 1.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import msgspec
from typing_extensions import TypeForm

from signalr_client.errors import BindingError

__all__ = ["bind", "type_name"]

T = TypeVar("T")


def bind(value: object, wanted: TypeForm[T]) -> T:
    """Return *value* converted to the type *wanted*.

    Raises:
        BindingError: the value does not fit; the message says where and why.
    """
    try:
        converted: T = msgspec.convert(value, wanted)
    except msgspec.ValidationError as exc:
        raise BindingError(f"Error trying to deserialize result to {type_name(wanted)}. {exc}") from exc
    except TypeError as exc:  # msgspec does not support the type; a value that already has it is fine
        if _is_a(value, wanted):
            return cast("T", value)
        raise BindingError(f"Cannot convert a value to {type_name(wanted)}: {exc}") from exc
    return converted


def type_name(wanted: Any) -> str:
    """Return the name of a type for an error message."""
    return wanted.__name__ if isinstance(wanted, type) else str(wanted)


def _is_a(value: object, wanted: Any) -> bool:
    try:
        return isinstance(value, wanted)
    except TypeError:  # not a class: a union of unknown types, for example
        return False

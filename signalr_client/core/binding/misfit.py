"""Why a value does not fit a type, and where. Room: core, row 1.

`Misfit` is raised where the value is, without knowing where that is. Each container that it passes through adds its own part of the
path, so nothing is paid for the path of a value that fits. It never leaves this package: callers get a `BindingError`. Messages name
types and paths, and never contain the value itself.
"""

from __future__ import annotations

import types
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, Self, Union, get_args, get_origin

__all__ = ["Misfit", "TooDeep", "expected", "index_part", "invalid", "key_part", "refusal", "type_name"]

_LONGEST_KEY: Final = 60


class Misfit(Exception):
    """A value does not fit its type.

    Attributes:
        reason: what is wrong.
        parts: the path from the value outwards.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.parts: list[str] = []

    def inside(self, part: str) -> Self:
        """Add the part of the path of a container that the value is in."""
        self.parts.append(part)
        return self

    def text(self, root: str) -> str:
        """Return the path and the reason: ``arguments[1].points['a'].x: expected int, got str``."""
        return f"{root}{''.join(reversed(self.parts))}: {self.reason}"


class TooDeep(Exception):
    """A value has more levels than it may have; what contains itself has, too."""


def expected(wanted: str, value: object) -> Misfit:
    """Return the misfit of a value of another type."""
    return Misfit(f"expected {wanted}, got {_kind(value)}")


def invalid(wanted: str, value: object) -> Misfit:
    """Return the misfit of a value of the right type that does not spell a *wanted*."""
    return Misfit(f"expected {wanted}, got an invalid {_kind(value)}")


def index_part(index: int) -> str:
    """Return the part of a path for an item of a list."""
    return f"[{index}]"


def refusal(name: str, error: Exception) -> Misfit:
    """Return the misfit of values that a class of the user refused with *error*."""
    return Misfit(
        f"{name} refused its values: {error!s}" if str(error) else f"{name} refused its values: {type(error).__name__}"
    )


def key_part(key: object) -> str:
    """Return the part of a path for a value of a dict; a long key is cut, because a peer could fill the log with it."""
    text = ascii(key)
    return f"[{text}]" if len(text) <= _LONGEST_KEY else f"[{text[:_LONGEST_KEY]}...]"


def type_name(wanted: Any) -> str:
    """Return a type as it is written in source code, without modules, for an error message."""
    if wanted is None or wanted is type(None):
        return "None"
    if wanted is Ellipsis:
        return "..."
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin is None:
        return str(getattr(wanted, "__name__", wanted))
    if origin is Annotated:
        return type_name(arguments[0])
    if origin in (Union, types.UnionType):
        return " | ".join(map(type_name, arguments))
    if origin is Literal:
        texts = [str(value) if isinstance(value, Enum) else repr(value) for value in arguments]
    else:
        texts = [type_name(argument) for argument in arguments]
    return f"{getattr(origin, '__name__', origin)}[{', '.join(texts)}]"


def _kind(value: object) -> str:
    """Return the type of a decoded value; numbers that were decoded as Decimal to keep their digits are floats."""
    if value is None:
        return "None"
    return "float" if type(value) is Decimal else type(value).__name__

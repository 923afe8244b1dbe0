"""The types of a `Description`: those of .NET, because they say the most. Room: generate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "ListOf",
    "LiteralOf",
    "MapOf",
    "Nullable",
    "Reference",
    "Scalar",
    "TupleOf",
    "Type",
    "UnionOf",
    "Variable",
    "references",
]


class Scalar(Enum):
    """A type without parts, by its name in C#."""

    NULL = "null"
    BOOL = "bool"
    INT8 = "sbyte"
    INT16 = "short"
    INT32 = "int"
    INT64 = "long"
    UINT8 = "byte"
    UINT16 = "ushort"
    UINT32 = "uint"
    UINT64 = "ulong"
    FLOAT32 = "float"
    FLOAT64 = "double"
    DECIMAL = "decimal"
    STRING = "string"
    BYTES = "byte[]"
    UUID = "Guid"
    DATE_TIME = "DateTime"
    DATE_TIME_OFFSET = "DateTimeOffset"
    DATE = "DateOnly"
    TIME = "TimeOnly"
    DURATION = "TimeSpan"
    ANY = "object"

    @property
    def is_integer(self) -> bool:
        """Whether it is an integer of any size."""
        return self in _INTEGERS


_INTEGERS = frozenset(kind for kind in Scalar if kind.name.removeprefix("U").startswith("INT"))


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array on the wire; *unique* if the type is a set."""

    item: Type
    unique: bool = False


@dataclass(frozen=True, slots=True)
class TupleOf:
    """An array with a type for each item."""

    items: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """A dictionary."""

    key: Type
    value: Type


@dataclass(frozen=True, slots=True)
class Nullable:
    """A type, or null."""

    inner: Type


@dataclass(frozen=True, slots=True)
class UnionOf:
    """One of several types, none of which is null."""

    members: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class LiteralOf:
    """One of several values."""

    values: tuple[str | int | bool, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A declared type, by name."""

    name: str
    arguments: tuple[Type, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A type variable of the record around it."""

    name: str


Type = Scalar | ListOf | TupleOf | MapOf | Nullable | UnionOf | LiteralOf | Reference | Variable


def references(kind: Type) -> Iterator[Reference]:
    """Yield every declared type that *kind* mentions, once for each mention."""
    match kind:
        case Reference():
            yield kind
            for argument in kind.arguments:
                yield from references(argument)
        case ListOf(item=inner) | Nullable(inner=inner):
            yield from references(inner)
        case MapOf():
            yield from references(kind.key)
            yield from references(kind.value)
        case TupleOf(items=parts) | UnionOf(members=parts):
            for part in parts:
                yield from references(part)
        case Scalar() | LiteralOf() | Variable():
            pass

"""Readers of enumerations and of Literal. Room: core, row 1.

.NET writes an enum as a number over JSON and as a name over MessagePack, and with a JsonStringEnumConverter as a name over JSON, too.
Both are read from both. Names are compared without regard to case and underscores, because ``DARK_RED`` is ``DarkRed`` in .NET.
"""

from __future__ import annotations

from enum import Enum, Flag
from typing import Any, Final

from signalr_client.core.binding.misfit import Misfit, expected, invalid
from signalr_client.core.binding.naming import given_member_names, plain_name
from signalr_client.core.binding.reader import Rank, Reader

__all__ = ["enum_reader", "literal_reader"]

_VALUES: Final = (str, int)
_LONGEST_NUMBER: Final = 20  # digits of the largest integer that an enum of .NET holds


def enum_reader(kind: type[Enum]) -> Reader:
    """Return the reader of an enumeration."""
    by_value = {
        (type(member.value), member.value): member for member in kind.__members__.values() if type(member.value) in _VALUES
    }
    given = given_member_names(kind)
    by_name = {plain_name(name): member for name, member in kind.__members__.items()}
    by_name |= {plain_name(wire): kind[name] for name, wire in given.items()}
    numbers = issubclass(kind, Flag) or any(value is int for value, _ in by_value)
    name = kind.__name__

    def by_constructor(value: Any) -> Enum:
        try:
            return kind(value)  # combinations of flags, and what `_missing_` accepts
        except Exception as exc:  # `_missing_` is user code
            raise invalid(name, value) from exc

    def read_text(text: str) -> Enum:
        member = by_name.get(plain_name(text))
        if member is not None:
            return member
        if numbers and len(text) <= _LONGEST_NUMBER and text.removeprefix("-").isdecimal() and text.isascii():
            return read(int(text))  # the key of a dict
        if issubclass(kind, Flag) and "," in text:
            return _combine(kind, [read_text(part.strip()) for part in text.split(",")])
        return by_constructor(text)

    def read(value: Any) -> Enum:
        if type(value) not in _VALUES:
            raise expected(name, value)
        member = by_value.get((type(value), value))
        if member is not None:
            return member
        return read_text(value) if type(value) is str else by_constructor(value)

    return Reader(name, read, frozenset(_VALUES), rank=Rank.CHOICE)


def literal_reader(values: tuple[Any, ...], name: str, enums: dict[type[Enum], Reader]) -> Reader:
    """Return the reader of ``Literal[values]``; *enums* has a reader for the type of each value that is a member of an enumeration."""
    plain = {(type(value), value): value for value in values if not isinstance(value, Enum)}
    members = frozenset(value for value in values if isinstance(value, Enum))
    accepts = {kind for kind, _ in plain} | (set(_VALUES) if enums else set())

    def read(value: Any) -> Any:
        kind = type(value)
        if kind not in accepts:
            raise expected(name, value)
        if (kind, value) in plain:
            return plain[kind, value]
        for reader in enums.values():
            try:
                member = reader.read(value)
            except Misfit:
                continue
            if member in members:
                return member
        raise invalid(name, value)

    return Reader(name, read, frozenset(accepts), rank=Rank.CHOICE, nullable=None in values)


def _combine(kind: type[Flag], parts: list[Any]) -> Flag:
    result = kind(0)
    for part in parts:
        result |= part
    return result

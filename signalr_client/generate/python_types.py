"""From Python types to those of a description. Room: generate.

What a type means is decided by core/binding, which reads and writes its values; this is its description. Classes are collected on the
way, each once.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin
from uuid import UUID

import typing_extensions

from signalr_client.core.binding import type_name
from signalr_client.core.binding.annotations import alias_value, is_alias, type_variable_value, without_marks
from signalr_client.core.binding.containers import DICTS, LISTS
from signalr_client.core.binding.naming import enum_naming_function, given_member_names
from signalr_client.core.binding.shapes import is_model, shape_of
from signalr_client.core.timestamps import DateTimeOffset, PreciseDatetime
from signalr_client.generate.description import Declaration, Enumeration, GenerateError, Member, Record
from signalr_client.generate.names import dotnet_name
from signalr_client.generate.python_fields import Spelling, array_types, class_doc, read_fields, root_type
from signalr_client.generate.types import (
    ListOf,
    LiteralOf,
    MapOf,
    Nullable,
    Reference,
    Scalar,
    TupleOf,
    Type,
    UnionOf,
    Variable,
)

__all__ = ["PythonTypes"]

_SCALARS: Final[dict[Any, Scalar]] = {
    None: Scalar.NULL,
    type(None): Scalar.NULL,
    Any: Scalar.ANY,
    typing_extensions.Any: Scalar.ANY,
    object: Scalar.ANY,
    bool: Scalar.BOOL,
    int: Scalar.INT64,
    float: Scalar.FLOAT64,
    str: Scalar.STRING,
    bytes: Scalar.BYTES,
    bytearray: Scalar.BYTES,
    Decimal: Scalar.DECIMAL,
    UUID: Scalar.UUID,
    datetime: Scalar.DATE_TIME,
    PreciseDatetime: Scalar.DATE_TIME,
    DateTimeOffset: Scalar.DATE_TIME_OFFSET,
    date: Scalar.DATE,
    time: Scalar.TIME,
    timedelta: Scalar.DURATION,
}
_SETS: Final = frozenset(kind for kind, make in LISTS.items() if make is not None and issubclass(make, set | frozenset))  # type: ignore[arg-type]  # classes


class PythonTypes:
    """Reads annotations, and collects the classes that they mention.

    Args:
        spelling: how names are spelled on the wire.

    Attributes:
        declarations: the classes, by their names.
    """

    def __init__(self, spelling: Spelling) -> None:
        self.declarations: dict[str, Declaration] = {}
        self._spelling = spelling
        self._kinds: dict[str, type] = {}
        self._around: dict[str, Any] = {}  # the classes around what is being read, for forward references
        self._variables: tuple[str, ...] = ()  # those of the class that is being read
        self._aliases: list[Any] = []

    def read(self, wanted: Any, where: str) -> Type:
        """Return the type of an annotation.

        Args:
            wanted: the annotation, resolved.
            where: what has it, for errors.

        Raises:
            GenerateError: it cannot be described.
            UnsupportedTypeError: an annotation of a class cannot be resolved.
        """
        wanted = without_marks(wanted)
        try:
            scalar = _SCALARS.get(wanted)
        except TypeError:  # a Literal with a value that cannot be hashed, or metadata in Annotated
            scalar = None
        if scalar is not None:
            return scalar
        if is_alias(wanted):
            return self._alias(wanted, where)
        if isinstance(wanted, typing.NewType):
            return self.read(wanted.__supertype__, where)
        if isinstance(wanted, TypeVar | typing_extensions.TypeVar):
            known = wanted.__name__ in self._variables
            return Variable(wanted.__name__) if known else self.read(type_variable_value(wanted), where)
        return self._structured(wanted, where)

    def _structured(self, wanted: Any, where: str) -> Type:
        origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
        if origin is Annotated:
            return self.read(arguments[0], where)
        if origin in (Union, types.UnionType):
            return self._union(arguments, where)
        if origin is Literal or origin is typing_extensions.Literal:
            return self._literal(arguments, where)
        if origin in LISTS:
            return ListOf(self.read(arguments[0] if arguments else Any, where), unique=origin in _SETS)
        if origin is tuple:
            return self._tuple(arguments, where)
        if origin in DICTS:
            key, value = arguments if len(arguments) == 2 else (Any, Any)
            return MapOf(self.read(key, where), self.read(value, where))
        if isinstance(origin, type) and issubclass(origin, Enum):
            return self._declare(origin, lambda: self._enumeration(origin))
        if isinstance(origin, type):
            return self._class(wanted, origin, arguments, where)
        raise GenerateError(f"{where}: {type_name(wanted)} is not a type that can be described; docs/types.md lists the types.")

    def _alias(self, alias: Any, where: str) -> Type:
        if alias in self._aliases:
            raise GenerateError(f"{where}: the type alias {type_name(alias)} refers to itself; use a class instead.")
        self._aliases.append(alias)
        try:
            return self.read(alias_value(alias), where)
        finally:
            self._aliases.pop()

    def _union(self, arguments: tuple[Any, ...], where: str) -> Type:
        parts = list(dict.fromkeys(self.read(argument, where) for argument in arguments))
        others = tuple(part for part in parts if part is not Scalar.NULL)
        inner = others[0] if len(others) == 1 else UnionOf(others)
        return Nullable(inner) if len(others) < len(parts) else inner

    def _literal(self, values: tuple[Any, ...], where: str) -> Type:
        plain = [value for value in values if value is not None]
        members = [value for value in plain if isinstance(value, Enum)]
        if members:  # the enumeration says more to other languages than one of its values
            parts = tuple(dict.fromkeys(self.read(type(value), where) for value in members))
            rest = tuple(value for value in plain if not isinstance(value, Enum))
            parts += (LiteralOf(rest),) if rest else ()
            inner: Type = parts[0] if len(parts) == 1 else UnionOf(parts)
        else:
            inner = LiteralOf(tuple(plain)) if plain else Scalar.NULL
        return Nullable(inner) if plain and len(plain) < len(values) else inner

    def _tuple(self, arguments: tuple[Any, ...], where: str) -> Type:
        if not arguments:
            return ListOf(Scalar.ANY)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return ListOf(self.read(arguments[0], where))
        return TupleOf(tuple(self.read(argument, where) for argument in arguments))

    def _class(self, wanted: Any, origin: type, arguments: tuple[Any, ...], where: str) -> Type:
        root = root_type(origin)
        if root is not None:
            return self.read(root[0], where)
        shape = None if is_model(origin) else shape_of(origin, (), {**self._around, origin.__name__: origin})
        if shape is None and not is_model(origin):
            raise GenerateError(f"{where}: {type_name(wanted)} is not a type that can be sent; docs/types.md lists the types.")
        if shape is not None and shape.array:
            return TupleOf(tuple(self.read(kind, where) for kind in array_types(shape)))
        variables = getattr(origin, "__parameters__", ())
        reference = self._declare(origin, lambda: self._record(origin, variables))
        given = arguments or tuple(type_variable_value(variable) for variable in variables)
        return Reference(reference.name, tuple(self.read(argument, where) for argument in given))

    def _record(self, kind: type, variables: tuple[Any, ...]) -> Record:
        names = tuple(variable.__name__ for variable in variables)
        around, outer = self._around, self._variables
        self._around, self._variables = {**around, kind.__name__: kind}, names
        try:
            fields, sequence = read_fields(kind, self._around, self.read, self._spelling)
        finally:
            self._around, self._variables = around, outer
        return Record(_class_name(kind), fields, variables=names, sequence=sequence, doc=class_doc(kind))

    def _enumeration(self, kind: type[Enum]) -> Enumeration:
        spell = enum_naming_function(self._spelling.enums)
        given = given_member_names(kind)
        members = []
        for name, member in kind.__members__.items():
            if type(member.value) not in (int, str):
                raise GenerateError(f"{kind.__module__}.{kind.__qualname__}.{name} is neither a number nor a text.")
            named = given.get(name)
            wire = member.value if isinstance(member.value, str) else named or spell(name)
            dotnet = dotnet_name(named or (name.lower() if name.isupper() else name))
            members.append(Member(name, dotnet, wire, member.value))
        large = any(isinstance(member.value, int) and not -(2**31) <= member.value < 2**31 for member in members)
        return Enumeration(
            _class_name(kind),
            tuple(members),
            flags=issubclass(kind, Flag),
            underlying=Scalar.INT64 if large else Scalar.INT32,
            doc=class_doc(kind),
        )

    def _declare(self, kind: type, make: Callable[[], Declaration]) -> Reference:
        """Return a reference to a class, and describe it if that has not begun."""
        name = _class_name(kind)
        known = self._kinds.setdefault(name, kind)
        if known is not kind:
            raise GenerateError(
                f"{known.__module__}.{known.__qualname__} and {kind.__module__}.{kind.__qualname__} have the same name."
            )
        if name not in self.declarations:
            self.declarations[name] = _UNFINISHED  # ends the reading of a class that contains itself
            made = make()
            del self.declarations[name]
            self.declarations[name] = made  # after those that it mentions
        return Reference(name)


def _class_name(kind: type) -> str:
    """Return the name of a class; ``Page[int]`` of pydantic is a class with brackets in its name."""
    return "".join(part[:1].upper() + part[1:] for part in _words(kind.__name__))


def _words(name: str) -> list[str]:
    return "".join(letter if letter.isalnum() or letter == "_" else " " for letter in name).split()


_UNFINISHED: Final = Record("", ())

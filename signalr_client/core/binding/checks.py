"""Whether Python values fit an annotation, before they are sent. Room: core, row 1.

The opposite of the readers, which look at decoded values: a `Checker` looks at a value of the program. It accepts what a type checker
accepts and the wire can carry, and it changes nothing. A type is compiled once; values of the expected types, also in containers, are
recognized by C code.
"""

from __future__ import annotations

import contextlib
import functools
import types
from collections import abc
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec
import typing_extensions

from signalr_client.core.binding.annotations import alias_value, is_alias, meaning, refuse_text, type_key
from signalr_client.core.binding.constraints import constraint
from signalr_client.core.binding.containers import DICTS, LISTS
from signalr_client.core.binding.misfit import Misfit, TooDeep, index_part, key_part, type_name
from signalr_client.core.binding.shapes import is_model, shape_of
from signalr_client.errors import BindingError, UnsupportedTypeError

__all__ = ["Checker", "checker"]

_LEVELS: Final = 64  # what is nested more deeply cannot be sent in any case
_MOST_TYPES: Final = 512  # whose checkers are kept
_LITERALS: Final = (Literal, typing_extensions.Literal)
_TEXTS: Final = (str, bytes, bytearray, memoryview)  # sequences to Python, but not on the wire
_ANY_ITEMS: Final = (abc.Iterable, abc.Collection, abc.Reversible)

Check = Callable[[Any, int], None]
"""Raises `Misfit` if a value does not fit; the number says how many more levels it may have."""


@dataclass(slots=True, eq=False)
class Checker:
    """The check for one type.

    Attributes:
        name: the type, for errors.
        check: raises `Misfit` if a value does not fit.
        kinds: values of exactly these types fit.
    """

    name: str
    check: Check
    kinds: frozenset[type] = frozenset()

    def require(self, value: object, path: str) -> None:
        """Check a value.

        Raises:
            BindingError: it does not fit; the message begins with *path*.
        """
        if type(value) in self.kinds:
            return
        try:
            self.check(value, _LEVELS)
        except TooDeep:
            return  # the hub protocol refuses it, with a message of its own
        except Misfit as exc:
            raise BindingError(exc.text(path)) from exc.__cause__


def checker(wanted: Any) -> Checker | None:
    """Return the checker for a type, or None if every value fits. It is compiled once and kept.

    Raises:
        UnsupportedTypeError: it is not a type whose values can be sent.
    """
    try:
        found = _kept(wanted)
    except TypeError as exc:
        if isinstance(exc, BindingError):
            raise
        found = _Compiler().compile(wanted)  # a type that cannot be hashed, because its metadata cannot
    return None if found is _ANYTHING else found


@functools.lru_cache(_MOST_TYPES)
def _kept(wanted: Any) -> Checker:
    return _Compiler().compile(wanted)


class _Compiler:
    """Makes the checker of one type."""

    def __init__(self) -> None:
        self._named: dict[Any, Checker] = {}  # the classes and aliases that have been begun
        self._classes: dict[str, type] = {}  # the classes around what is being compiled, for forward references

    def compile(self, wanted: Any) -> Checker:
        """Return the checker of *wanted*.

        Raises:
            UnsupportedTypeError: it is not a type whose values can be sent.
        """
        wanted = meaning(wanted)
        if wanted in (Any, object, typing_extensions.Any):
            return _ANYTHING
        if wanted is None:
            wanted = type(None)
        if isinstance(wanted, type) and wanted in _SCALARS:
            return _SCALARS[wanted]
        if is_alias(wanted):
            return self._once(wanted, lambda: self.compile(alias_value(wanted)))
        refuse_text(wanted)
        return self._structured(wanted)

    def _structured(self, wanted: Any) -> Checker:
        """Return the checker of a type that consists of others."""
        name, origin, arguments = type_name(wanted), get_origin(wanted) or wanted, get_args(wanted)
        if origin is Annotated:
            return self._annotated(*arguments)
        if origin in (Union, types.UnionType):
            return _union(name, [self.compile(argument) for argument in arguments])
        if origin in _LITERALS:
            return _literal(name, arguments)
        if origin in LISTS:
            kinds = (abc.Sequence, AbstractSet) if origin in _ANY_ITEMS else (origin,)
            return _items(name, kinds, self.compile(arguments[0] if arguments else Any))
        if origin is tuple:
            return self._tuple(name, arguments)
        if origin in DICTS:
            key, item = arguments if len(arguments) == 2 else (Any, Any)
            return _entries(name, origin, self.compile(key), self.compile(item))
        if not isinstance(origin, type):
            raise _unsupported(name)
        if issubclass(origin, AsyncIterable):
            return _instances(name, AsyncIterable if origin.__module__ == "collections.abc" else origin)
        if issubclass(origin, Enum) or is_model(origin):  # a model has checked its values itself
            return _instances(name, origin)
        return self._once(wanted, lambda: self._class(name, origin, arguments))

    def _annotated(self, wanted: Any, *metadata: Any) -> Checker:
        inner = self.compile(wanted)
        allowed = constraint(wanted, metadata, "")
        if allowed is None:
            return inner

        def check(value: Any, levels: int) -> None:
            inner.check(value, levels)
            allowed(value)

        return Checker(inner.name, check)

    def _tuple(self, name: str, arguments: tuple[Any, ...]) -> Checker:
        if not arguments and name == "tuple":
            return _instances(name, tuple)
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return _items(name, (tuple,), self.compile(arguments[0]))
        items = [self.compile(argument) for argument in arguments]

        def check(value: Any, levels: int) -> None:
            if not isinstance(value, tuple):
                raise _expected(name, value)
            if len(value) != len(items):
                raise Misfit(f"expected {len(items)} items, got {len(value)}")
            for index, (item, each) in enumerate(zip(items, value, strict=True)):
                _inside(item, each, levels, index_part, index)

        return Checker(name, check)

    def _once(self, wanted: Any, make: Callable[[], Checker]) -> Checker:
        """Return the checker of a class or an alias. While it is being made, a stand-in serves what refers to it."""
        key = type_key(wanted)
        if key in self._named:
            return self._named[key]
        self._named[key] = Checker(type_name(wanted), lambda value, levels: made.check(value, levels))  # noqa: PLW0108  # not made yet
        made = self._named[key] = make()
        return made

    def _class(self, name: str, origin: type, arguments: tuple[Any, ...]) -> Checker:
        around, self._classes = self._classes, {**self._classes, origin.__name__: origin}
        try:
            shape = shape_of(origin, arguments, around)
            if shape is None and arguments:
                raise _unsupported(name)
            if shape is None:
                untestable = typing_extensions.is_protocol(origin) and not getattr(origin, "_is_runtime_protocol", False)
                return _ANYTHING if untestable else _instances(name, origin)
            fields = [(field.name, self.compile(field.type), field.required) for field in shape.fields]
        finally:
            self._classes = around
        if shape.make is dict:
            return _typed_dict(name, fields)
        return _object(name, origin, [(attribute, item) for attribute, item, _ in fields if item is not _ANYTHING])


def _inside(item: Checker, value: Any, levels: int, part: Callable[[Any], str], key: Any) -> None:
    """Check a value in a container, and add its part of the path to a misfit."""
    if type(value) in item.kinds:
        return
    if levels < 1:
        raise TooDeep
    try:
        item.check(value, levels - 1)
    except Misfit as exc:
        raise exc.inside(part(key)) from exc.__cause__


def _instances(
    name: str, kind: type | tuple[type, ...], *, refused: tuple[type, ...] = (), exact: tuple[type, ...] = ()
) -> Checker:
    """Return the checker for the instances of a class, except those of the *refused* subclasses; *exact* ones need no test."""

    def check(value: Any, _levels: int) -> None:
        if not isinstance(value, kind) or isinstance(value, refused):
            raise _expected(name, value)

    return Checker(name, check, frozenset(exact))


def _union(name: str, members: Sequence[Checker]) -> Checker:
    if _ANYTHING in members:
        return _ANYTHING

    def check(value: Any, levels: int) -> None:
        inner: Misfit | None = None
        for member in members:
            if type(value) in member.kinds:
                return
            try:
                member.check(value, levels)
            except Misfit as exc:
                inner = inner or (exc if exc.parts else None)
            else:
                return
        raise inner or _expected(name, value)  # what is wrong inside says more than the name of the union

    return Checker(name, check, frozenset().union(*(member.kinds for member in members)))


def _literal(name: str, values: tuple[Any, ...]) -> Checker:
    allowed = {(type(value), value) for value in values}

    def check(value: Any, _levels: int) -> None:
        with contextlib.suppress(TypeError):  # what cannot be hashed is none of them
            if (type(value), value) in allowed:
                return
        raise Misfit(f"expected {name}, got another {type(value).__name__}")

    return Checker(name, check)


def _items(name: str, origins: tuple[Any, ...], item: Checker) -> Checker:
    def check(value: Any, levels: int) -> None:
        if not isinstance(value, origins) or isinstance(value, _TEXTS):
            raise _expected(name, value)
        if item is _ANYTHING or item.kinds.issuperset(map(type, value)):
            return
        for index, each in enumerate(value):
            _inside(item, each, levels, index_part, index)

    return Checker(name, check)


def _entries(name: str, origin: Any, key: Checker, item: Checker) -> Checker:
    def check(value: Any, levels: int) -> None:
        if not isinstance(value, origin):
            raise _expected(name, value)
        if key is not _ANYTHING and not key.kinds.issuperset(map(type, value)):
            for each in value:
                _inside(key, each, levels, key_part, each)
        if item is not _ANYTHING and not item.kinds.issuperset(map(type, value.values())):
            for each, found in value.items():
                _inside(item, found, levels, key_part, each)

    return Checker(name, check)


def _object(name: str, origin: type, fields: Sequence[tuple[str, Checker]]) -> Checker:
    if not fields:
        return _instances(name, origin)
    names = [attribute for attribute, _ in fields]
    get = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)

    def check(value: Any, levels: int) -> None:
        if not isinstance(value, origin):
            raise _expected(name, value)
        try:
            found = get(value)
        except AttributeError:
            return  # a field without a value, which cannot be written either
        for (attribute, item), each in zip(fields, found, strict=True):
            if type(each) not in item.kinds and each is not msgspec.UNSET:
                _inside(item, each, levels, ".".__add__, attribute)

    return Checker(name, check)


def _typed_dict(name: str, fields: Sequence[tuple[str, Checker, bool]]) -> Checker:
    def check(value: Any, levels: int) -> None:
        if not isinstance(value, Mapping):
            raise _expected(name, value)
        for key, item, required in fields:
            if key in value:
                _inside(item, value[key], levels, key_part, key)
            elif required:
                raise Misfit(f"the required key {key_part(key)} is missing")

    return Checker(name, check)


def _expected(name: str, value: object) -> Misfit:
    if value is None:
        return Misfit(f"expected {name}, got None")
    hint = " (an enum: send its value)" if isinstance(value, Enum) else ""
    return Misfit(f"expected {name}, got {type(value).__name__}{hint}")


def _unsupported(name: str) -> UnsupportedTypeError:
    return UnsupportedTypeError(f"Values of type {name} cannot be sent; docs/types.md lists the types.")


_ANYTHING: Final = Checker("object", lambda _value, _levels: None)

# An Enum that is a number is written as a name over MessagePack, and a datetime is not written as a date.
_SCALARS: Final[dict[type, Checker]] = {
    int: _instances("int", int, refused=(bool, Enum), exact=(int,)),
    float: _instances("float", (float, int), refused=(bool, Enum), exact=(float, int)),
    str: _instances("str", str, exact=(str,)),
    bool: _instances("bool", bool, exact=(bool,)),
    type(None): _instances("None", type(None), exact=(type(None),)),
    bytes: _instances("bytes", (bytes, bytearray, memoryview), exact=(bytes,)),
    date: _instances("date", date, refused=(datetime,), exact=(date,)),
}

"""Readers of objects: from a map, or an array, to an instance of a class. Room: core, row 1.

A message of .NET has every member, spelled as expected, so that is the fast way: all members are fetched in one call, and their types
say which of them have to be read, because most objects of a class have the same ones. Where a member is missing or spelled differently,
they are looked up one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

from signalr_client.core.binding.misfit import Misfit, expected, index_part, refusal
from signalr_client.core.binding.naming import plain_name
from signalr_client.core.binding.reader import Rank, Reader
from signalr_client.core.binding.shapes import Field, Shape

__all__ = ["object_reader"]

_Plan = tuple[tuple[int, Callable[[Any], Any]], ...]
"""The members that have to be read, by their number; the others are right as they are."""

_DICT: Final = frozenset({dict})
_LIST: Final = frozenset({list})
_ABSENT: Final[Any] = object()
_MOST_PLANS: Final = 64  # combinations of member types that are kept for each class


def object_reader(name: str, shape: Shape, readers: Sequence[Reader], names: Sequence[str]) -> Reader:
    """Return the reader of a class.

    Args:
        name: the type, for errors.
        shape: its fields.
        readers: one for each field.
        names: the name of each field on the wire.
    """
    members = _Members(name, shape, readers, names)
    known = frozenset(map(plain_name, names))
    if not (shape.array or shape.sequence):
        return Reader(name, members.read, _DICT, members=known)

    def read(value: Any) -> Any:
        if type(value) is list:
            return members.read_array(value)
        if shape.array:
            raise expected(name, value)
        return members.read(value)

    return Reader(name, read, _LIST if shape.array else _LIST | _DICT, members=known)


class _Members:
    """The members of one class, and how they are found in a map."""

    def __init__(self, name: str, shape: Shape, readers: Sequence[Reader], names: Sequence[str]) -> None:
        self._name = name
        self._shape = shape
        self._make = shape.make
        self._fields = tuple(zip(shape.fields, readers, strict=True))
        self._arguments = tuple(field.argument for field in shape.fields)
        self._by_keyword = any(field.keyword for field in shape.fields)
        self._exact = dict(zip(names, range(len(names)), strict=True))
        self._loose = _unambiguous([*names, *(field.name for field in shape.fields)])
        self._fetch = _fetcher(names)
        self._plans: dict[tuple[type, ...], _Plan] = {}

    def read(self, value: Any) -> Any:
        """Return the object whose members are in *value*."""
        if type(value) is not dict:
            raise expected(self._name, value)
        tag = self._shape.tag
        if tag is not None:
            self._check_tag(value.get(tag[0], _ABSENT))
        if self._shape.strict and len(value) != len(self._arguments) + (tag is not None):
            return self._read_loosely(value)
        try:
            values: Sequence[Any] = self._fetch(value)
        except KeyError:
            return self._read_loosely(value)
        kinds = tuple(map(type, values))
        plan = self._plans.get(kinds)
        if plan is None:
            plan = self._make_plan(kinds)
        if plan:
            values = self._convert(list(values), plan)
        if self._by_keyword:
            return _construct(self._name, self._make, dict(zip(self._arguments, values, strict=True)))
        try:
            return self._make(*values)
        except Exception as exc:  # user code, as in _construct, which is not called because that would be felt
            raise refusal(self._name, exc) from exc

    def _make_plan(self, kinds: tuple[type, ...]) -> _Plan:
        """Return which members have to be read if their values have these types."""
        members = enumerate(zip(kinds, self._fields, strict=True))
        plan = tuple((index, reader.read) for index, (kind, (_, reader)) in members if kind not in reader.same)
        if len(self._plans) < _MOST_PLANS:
            self._plans[kinds] = plan
        return plan

    def _convert(self, values: list[Any], plan: _Plan) -> list[Any]:
        """Return the values of all members, read as their types."""
        index = 0
        try:
            for index, read in plan:
                values[index] = read(values[index])
        except Misfit as exc:
            exc.inside(f".{self._shape.fields[index].name}")
            raise
        return values

    def read_array(self, values: list[Any]) -> Any:
        """Return the object whose members are the items of a list; items that are missing have their defaults."""
        tag = self._shape.tag
        if tag is not None:
            self._check_tag(values[0] if values else _ABSENT)
            values = values[1:]
        if len(values) > len(self._fields):
            raise Misfit(f"expected {len(self._fields)} items for {self._name}, got {len(values)}")
        return self._build(dict(enumerate(values)), index_part)

    def _read_loosely(self, value: dict[Any, Any]) -> Any:
        """Read member by member: in any spelling, with defaults for those that are missing."""
        found: dict[int, Any] = {}
        for key, item in value.items():
            index = self._exact.get(key)
            if index is not None:
                found[index] = item
            elif type(key) is str and (index := self._loose.get(plain_name(key))) is not None:
                found.setdefault(index, item)
            elif self._shape.strict and key != (self._shape.tag or ("",))[0]:
                raise Misfit(f"{self._name} has no member {ascii(key)[:60]}")
        return self._build(found, lambda index: f".{self._shape.fields[index].name}")

    def _build(self, found: dict[int, Any], part: Callable[[int], str]) -> Any:
        """Return the object of the members that were found, by the number of their field."""
        named: dict[str, Any] = {}
        for index, (field, reader) in enumerate(self._fields):
            value = found.get(index, _ABSENT)
            if value is not _ABSENT:
                try:
                    named[field.argument] = reader.read(value)
                except Misfit as exc:
                    exc.inside(part(index))
                    raise
            elif field.required:
                self._check_absent(field, reader)
                named[field.argument] = None
        return _construct(self._name, self._make, named)

    def _check_absent(self, field: Field, reader: Reader) -> None:
        """Refuse that a member is missing, unless it may be null: peers may be configured to leave those out."""
        if not reader.nullable or reader.rank is Rank.ANYTHING:
            raise Misfit(f"member '{field.name}' of {self._name} is missing")

    def _check_tag(self, value: Any) -> None:
        assert self._shape.tag is not None  # only called if there is one
        name, wanted = self._shape.tag
        if value != wanted or type(value) is not type(wanted):
            raise Misfit(f"expected {self._name} with {name} {wanted!r}")


def _construct(name: str, make: Callable[..., Any], named: dict[str, Any]) -> Any:
    """Return a new object; whatever its class raises is a misfit, with the text of the exception."""
    try:
        return make(**named)
    except Exception as exc:  # user code: `__post_init__`, converters and validators
        raise refusal(name, exc) from exc


def _fetcher(keys: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Return `operator.itemgetter` of *keys*, which always returns a tuple."""
    if not keys:
        return lambda _container: ()
    if len(keys) == 1:
        (key,) = keys
        return lambda container: (container[key],)
    return itemgetter(*keys)


def _unambiguous(names: Sequence[str]) -> dict[str, int]:
    """Return the number of the field for each plain name. *names* are those of the fields, twice: as on the wire and in Python."""
    size = len(names) // 2
    found: dict[str, int] = {}
    for number, name in enumerate(names):
        plain, index = plain_name(name), number % size
        found[plain] = index if found.get(plain, index) == index else -1
    return {plain: index for plain, index in found.items() if index >= 0}

"""From Python values to what the encoder of a hub protocol writes as .NET does. Room: core, row 1.

A value is written as what it is, whatever type was asked for elsewhere: a dataclass as a map with the names of the protocol, an enum
as a number or a name, a duration as .NET's text or ticks. The result holds only types that msgspec encodes the same way as .NET.
Values that are plain already are returned as they are, and nothing is copied.
"""

from __future__ import annotations

import functools
import marshal
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.msgpack import Ext

from signalr_client.core.binding.misfit import Misfit, TooDeep, index_part, key_part
from signalr_client.core.binding.models import model_writer
from signalr_client.core.binding.naming import PropertyName, given_member_names
from signalr_client.core.binding.scalars import Form
from signalr_client.core.binding.shapes import is_model, written_fields
from signalr_client.core.binding.times import datetime_text, day_number, ticks_of, time_text, time_ticks, timespan_text
from signalr_client.core.timestamps import DateTimeOffset, PreciseDatetime, timestamp_extension

__all__ = ["PLAIN", "Writer", "is_plain"]

PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes})
"""The types that are encoded as they are, in keys and values alike."""

_CONTAINERS: Final = frozenset({list, dict, tuple, set, frozenset})
_MARSHAL_VERSION: Final = 2  # the last that does not look for values that occur twice
_MOST_TYPES: Final = 1024  # whose writers are kept
_LONGEST_EXPONENT: Final = 40  # decimals of .NET have 29 digits

Write = Callable[[Any, int], Any]
"""Writes a value, which may have so many levels."""


class Writer:
    """Writes values for one hub protocol.

    Args:
        form: how values are spelled.
        spell: the name of a field on the wire.
        spell_member: the name of a member of an enum.
        enum_names: whether enums are written by name; in keys of a map they always are.
    """

    def __init__(
        self, form: Form, spell: Callable[[str], str], spell_member: Callable[[str], str], *, enum_names: bool
    ) -> None:
        self._binary = form is Form.MESSAGEPACK
        self._spell = spell
        self._enum_names = enum_names
        self._name_of = functools.lru_cache(_MOST_TYPES)(spell_member)
        self._standard = self._standard_writers()
        self._writers = dict(self._standard)

    def write(self, value: Any, levels: int) -> Any:
        """Return *value* as the encoder takes it.

        Args:
            value: anything.
            levels: how deeply it may be nested.

        Raises:
            Misfit: it, or something in it, has no form on the wire.
            TooDeep: it is nested too deeply.
        """
        kind = type(value)
        if kind in PLAIN:
            return value
        writer = self._writers.get(kind)
        if writer is None:
            writer = self._make_writer(kind)
            if len(self._writers) >= _MOST_TYPES:  # types that programs create and drop must not be kept for ever
                self._writers = dict(self._standard)
            self._writers[kind] = writer
        return writer(value, levels)

    # containers

    def _items(self, values: Any, levels: int) -> list[Any]:
        if levels < 1:
            raise TooDeep
        write = self.write
        written: list[Any] = []
        try:
            for value in values:
                written.append(write(value, levels - 1))  # noqa: PERF401  # its length tells where a misfit is
        except Misfit as exc:
            exc.inside(index_part(len(written)))
            raise
        return written

    def _dict(self, value: Any, levels: int) -> Any:
        if levels < 1:
            raise TooDeep
        write, write_key = self.write, self._key
        written: dict[Any, Any] = {}
        key: Any = None
        try:
            for key, item in value.items():
                written[key if type(key) is str else write_key(key)] = write(item, levels - 1)
        except Misfit as exc:
            exc.inside(key_part(key))
            raise
        return written

    def _key(self, key: Any) -> Any:
        """Return a key of a map: enum members by name, as .NET writes them in both hub protocols; in JSON, everything as a text."""
        if isinstance(key, Enum):
            return key.value if type(key.value) is str else self._member_name(key)
        if isinstance(key, float) and not self._binary:
            return str(key)
        if self._binary and type(key) is tuple:  # an array: what was received can be sent
            return tuple(map(self._key, key))
        try:
            written = self.write(key, 0)
        except TooDeep:
            raise self._no_form(type(key), "a key") from None
        if self._binary and type(written) is msgspec.msgpack.Ext:
            return key  # a precise datetime: the encoder asks `write_other` for its extension, which cannot be a key of a dict
        if (self._binary and type(written) not in (list, dict)) or type(written) in (str, int, UUID):
            return written
        if type(written) in (datetime, date):
            return msgspec.json.encode(written)[1:-1].decode()  # as a value is written
        if type(written) is Decimal:
            return str(written)
        raise self._no_form(type(key), "a key")

    # objects

    def _object(self, fields: Sequence[tuple[str, str]], *, array: bool = False, tag: tuple[str, Any] | None = None) -> Write:
        """Return the writer of a class with these attributes and names on the wire."""
        names = tuple(name for name, _ in fields)
        wires = tuple(wire for _, wire in fields)
        get = _getter(names)
        head = {} if tag is None else dict([tag])

        def write(value: Any, levels: int) -> Any:
            if levels < 1:
                raise TooDeep
            try:
                values: Sequence[Any] = get(value)
            except AttributeError as exc:
                raise Misfit(f"a {type(value).__name__} has no value for its field '{exc.name}'") from exc
            if not PLAIN.issuperset(map(type, values)):
                values = self._members(names, values, levels)
            if array:
                return [*head.values(), *values]
            members = dict(zip(wires, values, strict=True))
            return {**head, **members} if head else members

        return write

    def _members(self, names: Sequence[str], values: Sequence[Any], levels: int) -> list[Any]:
        write = self.write
        written: list[Any] = []
        try:
            for value in values:
                written.append(write(value, levels - 1))  # noqa: PERF401  # as in `_items`
        except Misfit as exc:
            exc.inside(f".{names[len(written)]}")
            raise
        return written

    def _struct(self, kind: Any, fields: Sequence[tuple[str, str]]) -> Write:
        """Return the writer of a Struct, which may leave out members."""
        config = kind.__struct_config__
        tag = None if config.tag is None else (config.tag_field, config.tag)
        plain = self._object(fields, array=config.array_like, tag=tag)
        if config.array_like:
            return plain
        defaults = {}
        if config.omit_defaults:
            defaults = {field.name: field for field in msgspec.structs.fields(kind)}

        def write(value: Any, levels: int) -> Any:
            present = [
                pair
                for pair in fields
                if (item := getattr(value, pair[0])) is not msgspec.UNSET and not _is_default(defaults.get(pair[0]), item)
            ]
            if len(present) == len(fields):
                return plain(value, levels)
            return self._object(present, tag=tag)(value, levels)

        return write

    def _model(self, kind: Any) -> Write:
        members = model_writer(kind, self._spell)
        return lambda value, levels: self.write(members(value), levels)

    # enums, dates and times

    def _enum(self, value: Enum, _levels: int) -> Any:
        plain = value.value
        if type(plain) is str or (type(plain) is int and not self._enum_names):
            return plain
        return self._member_name(value)

    def _member_name(self, value: Enum) -> str:
        """Return the name of a member; several flags are separated by commas, as in .NET."""
        names: str | None = value.name
        if not names:  # no flag is set
            return str(value.value)
        given = given_member_names(type(value))
        if given:
            return ", ".join(given.get(name) or self._name_of(name) for name in names.split("|"))
        return ", ".join(map(self._name_of, names.split("|")))

    def _datetime_as_text(self, value: datetime, _levels: int) -> Any:
        if getattr(value, "nanosecond", 0):
            return _precise(value).isoformat()
        plain = _plain_datetime(value)
        if plain.microsecond and not plain.microsecond % 10:
            return datetime_text(plain)  # msgspec writes six digits, .NET and JavaScript as few as they need
        return plain

    def _datetime_as_timestamp(self, value: datetime, _levels: int) -> Any:
        if getattr(value, "nanosecond", 0):
            return timestamp_extension(_precise(value))
        plain = _plain_datetime(value)
        return plain.replace(tzinfo=UTC) if plain.tzinfo is None else plain

    def _offset_as_pair(self, value: DateTimeOffset, levels: int) -> Any:
        if levels < 1:
            raise TooDeep
        try:
            return [self._datetime_as_timestamp(value.wall_clock, 0), value.offset_minutes]
        except ValueError as exc:
            raise Misfit(str(exc)) from exc

    def _timedelta(self, value: timedelta, _levels: int) -> Any:
        try:
            return ticks_of(value) if self._binary else timespan_text(value)
        except ValueError as exc:
            raise Misfit(f"a timedelta {exc}") from exc

    def _time(self, value: time, _levels: int) -> Any:
        if value.tzinfo is not None:
            raise Misfit("a time with a time zone has no form in .NET")
        return time_ticks(value) if self._binary else time_text(value)

    def _date(self, value: date, _levels: int) -> Any:
        return day_number(value) if self._binary else value.isoformat()

    def _decimal(self, value: Decimal, _levels: int) -> Any:
        if not value.is_finite():
            raise Misfit(f"the Decimal {value} has no form in .NET")
        if self._binary:
            return format(value, "f") if abs(value.adjusted()) < _LONGEST_EXPONENT else str(value)
        return value

    # finding the writer of a type

    def _standard_writers(self) -> dict[type, Write]:
        to_datetime = self._datetime_as_timestamp if self._binary else self._datetime_as_text
        writers: dict[type, Write] = {
            list: self._items,
            tuple: self._items,
            dict: self._dict,
            set: self._items,
            frozenset: self._items,
            datetime: to_datetime,
            PreciseDatetime: to_datetime,
            DateTimeOffset: self._offset_as_pair if self._binary else self._datetime_as_text,
            date: self._date,
            time: self._time,
            timedelta: self._timedelta,
            Decimal: self._decimal,
            UUID: lambda value, _levels: str(value),
            bytearray: lambda value, _levels: bytes(value),
            memoryview: lambda value, _levels: bytes(value),
        }
        if self._binary:
            writers[Ext] = lambda value, _levels: value
        return writers

    def _make_writer(self, kind: Any) -> Write:
        """Return the writer of a type.

        Raises:
            Misfit: it has no form on the wire.
        """
        if issubclass(kind, Enum):
            return self._enum
        if is_model(kind):
            return self._model(kind)
        fields = written_fields(kind)
        if fields is not None:
            pairs = [(name, wire or self._spelled(name, given)) for name, given, wire in fields]
            if issubclass(kind, msgspec.Struct):
                return self._struct(kind, pairs)
            return self._object(pairs, array=self._binary and issubclass(kind, tuple))
        for base in kind.__mro__:  # OrderedDict, for example, and subclasses of datetime
            if base in self._standard:
                return self._standard[base]
            if base in PLAIN:
                plain_base: Any = base
                return lambda value, _levels: plain_base(value)
        if issubclass(kind, Mapping):
            return lambda value, levels: self._dict(dict(value), levels)
        if issubclass(kind, AbstractSet | Sequence):
            return self._items
        raise self._no_form(kind, "a value")

    def _spelled(self, name: str, given: PropertyName | None) -> str:
        return self._spell(name) if given is None else given.spelled(self._spell, binary=self._binary)

    def _no_form(self, kind: type, what: str) -> Misfit:
        form = "MessagePack" if self._binary else "JSON"
        return Misfit(f"{what} of type {kind.__module__}.{kind.__qualname__} has no {form} form")


def is_plain(value: object) -> bool:
    """Return whether *value* consists of built-in types only, so that there is nothing to write differently.

    `marshal` writes these and refuses all others, subclasses included, which makes it the fastest way to ask: a walk over the values
    in Python takes six times as long, and every list and dict that is sent has to be asked.
    """
    if type(value) not in _CONTAINERS:
        return type(value) in PLAIN
    try:
        marshal.dumps(value, _MARSHAL_VERSION)  # type: ignore[arg-type]  # that is the question
    except ValueError:
        return False
    return True


def _getter(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return `operator.attrgetter` of *names*, which always returns a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple(getattr(value, name) for name in names)


def _plain_datetime(value: datetime) -> datetime:
    return value if type(value) is datetime else datetime.combine(value.date(), value.timetz())


def _precise(value: datetime) -> PreciseDatetime:
    """Return a datetime with nanoseconds, that of another library for example, as ours."""
    return value if isinstance(value, PreciseDatetime) else PreciseDatetime.of(value, value.nanosecond)  # type: ignore[attr-defined]  # it has one


def _is_default(field: Any, value: Any) -> bool:
    """Return whether a Struct that omits defaults leaves out *value*."""
    if field is None or field.required:
        return False
    if field.default is not msgspec.NODEFAULT:
        return value is field.default or bool(type(value) is type(field.default) and value == field.default)
    return field.default_factory in (list, dict, set) and not value and type(value) is field.default_factory

"""Readers of single values: numbers, texts, bytes, dates and times. Room: core, row 1.

Conversion is strict: the text "1" is not the number 1, and 1.0 is not the integer 1. What both hub protocols can spell without
ambiguity is read from both: a date that MessagePack writes as a number is also read from its text.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final
from uuid import UUID

import msgspec

from signalr_client.core.binding.misfit import expected, invalid
from signalr_client.core.binding.reader import PLAIN_TYPES, Rank, Reader
from signalr_client.core.binding.times import (
    date_from_day_number,
    offset_from_wall_clock,
    parse_date,
    parse_datetime,
    parse_time,
    parse_timespan,
    time_from_ticks,
    timedelta_from_ticks,
)
from signalr_client.core.timestamps import DateTimeOffset, PreciseDatetime

__all__ = ["Form", "anything", "key_reader", "plain", "scalar_reader"]

_DATETIMES: Final = frozenset({datetime, PreciseDatetime})
_NOT_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BOOLEANS: Final = {"true": True, "false": False}
_DECIMAL_DIGITS: Final = 400  # more than a text of any decimal of .NET has; int() and Decimal() take longer for longer texts

Read = Callable[[Any], Any]


class Form(Enum):
    """The two ways in which .NET spells values."""

    JSON = "json"
    MESSAGEPACK = "messagepack"


def scalar_reader(kind: Any, form: Form, *, digits: bool) -> Reader | None:
    """Return the reader of a scalar type, or None if *kind* is not one.

    Args:
        kind: the type.
        form: how values are spelled.
        digits: decoded numbers are Decimals instead of floats, to keep all of their digits.
    """
    if kind is None:
        kind = type(None)
    make = _MAKERS.get(kind) if isinstance(kind, type) else None
    return None if make is None else make(form, digits)


def anything(*, digits: bool) -> Reader:
    """Return the reader of Any and object: plain values, as they come without a type."""
    if digits:
        return Reader("object", plain, None, PLAIN_TYPES - {Decimal, list, dict}, Rank.ANYTHING, nullable=True)
    return Reader("object", _same, None, PLAIN_TYPES, Rank.ANYTHING, nullable=True)


def plain(value: Any) -> Any:
    """Return a decoded value with floats in place of the Decimals that kept their digits."""
    match value:
        case Decimal():
            return float(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case _:
            return value


def key_reader(reader: Reader, kind: Any) -> Reader:
    """Return the reader for keys of a dict, which JSON writes as texts whatever their type."""
    parse = _KEYS.get(kind)
    if parse is None:
        return reader

    def read(key: Any) -> Any:
        return parse(key) if type(key) is str else reader.read(key)

    return Reader(reader.name, read, None)


def _same(value: Any) -> Any:
    return value


def _exactly(kind: type, rank: Rank) -> Callable[[Form, bool], Reader]:
    name = "None" if kind is type(None) else kind.__name__

    def read(value: Any) -> Any:
        if type(value) is kind:
            return value
        raise expected(name, value)

    kinds = frozenset({kind})
    return lambda _form, _digits: Reader(name, read, kinds, kinds, rank, nullable=kind is type(None))


def _float(form: Form, digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
    numbers = {float, int, Decimal} if digits else {float, int}

    def read(value: Any) -> float:
        kind = type(value)
        if kind is float:
            return value  # type: ignore[no-any-return]  # its type was checked
        if kind in numbers:
            with contextlib.suppress(OverflowError):
                return float(value)
            raise invalid("float", value)
        if kind is str and form is Form.JSON and value in _NOT_FINITE:
            return _NOT_FINITE[value]
        raise expected("float", value)

    accepts = frozenset(numbers | ({str} if form is Form.JSON else set()))
    return Reader("float", read, accepts, frozenset({float}), Rank.FLOAT)


def _decimal(_form: Form, _digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
    def read(value: Any) -> Decimal:
        kind = type(value)
        if kind is Decimal:
            return value  # type: ignore[no-any-return]  # its type was checked
        if kind is int:
            return Decimal(value)
        if kind is float and math.isfinite(value):  # over MessagePack; over JSON numbers come with all of their digits
            return Decimal(repr(value))
        if kind is str:
            return _parse_decimal(value)
        raise expected("Decimal", value)

    return Reader("Decimal", read, frozenset({Decimal, int, float, str}), frozenset({Decimal}), Rank.DECIMAL)


def _parse_decimal(text: str) -> Decimal:
    with contextlib.suppress(InvalidOperation):
        if len(text) <= _DECIMAL_DIGITS and text.isascii() and "_" not in text and (number := Decimal(text)).is_finite():
            return number
    raise invalid("Decimal", text)


def _bytes(form: Form, _digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
    if form is Form.MESSAGEPACK:
        return _exactly(bytes, Rank.BYTES)(form, _digits)

    return Reader("bytes", _text_read(bytes, "bytes in base64"), frozenset({str}), rank=Rank.BYTES)


def _bytearray(form: Form, digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
    inner = _bytes(form, digits)
    return Reader("bytearray", lambda value: bytearray(inner.read(value)), inner.accepts, rank=Rank.BYTES)


def _uuid(_form: Form, _digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
    return Reader("UUID", _text_read(UUID, "UUID"), frozenset({str}), rank=Rank.TEXT_FORM)


def _text_read(kind: type[Any], name: str) -> Callable[[Any], Any]:
    """Return the function that reads a text as msgspec reads *kind*; *name* is what errors call it."""

    def read(value: Any) -> Any:
        if type(value) is str:
            try:
                return msgspec.convert(value, kind)
            except msgspec.ValidationError:
                raise invalid(name, value) from None
        raise expected(name, value)

    return read


def _datetime(form: Form, _digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
    read, accepts = _datetime_read(form, "datetime")
    return Reader("datetime", read, accepts, _DATETIMES if form is Form.MESSAGEPACK else frozenset(), Rank.TEXT_FORM)


def _subclass_of_datetime(kind: type[PreciseDatetime]) -> Callable[[Form, bool], Reader]:
    def make(form: Form, _digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
        read_datetime, accepts = _datetime_read(form, kind.__name__)

        def read(value: Any) -> PreciseDatetime:
            moment = read_datetime(value)
            try:
                return kind.of(moment, getattr(moment, "nanosecond", 0))
            except ValueError:
                raise invalid(f"{kind.__name__} with an offset", value) from None

        return Reader(kind.__name__, read, accepts, rank=Rank.TEXT_FORM)

    return make


def _datetime_read(form: Form, name: str) -> tuple[Callable[[Any], datetime], frozenset[type]]:
    """Return the function that reads a DateTime or a DateTimeOffset, and what it accepts."""
    binary = form is Form.MESSAGEPACK

    def read(value: Any) -> datetime:
        kind = type(value)
        try:
            if kind is str:
                return parse_datetime(value)
            if binary and kind in _DATETIMES:
                return value  # type: ignore[no-any-return]  # its type was checked
            if binary and kind is list and len(value) == 2 and type(value[0]) in _DATETIMES and type(value[1]) is int:
                return offset_from_wall_clock(*value)
        except (ValueError, OverflowError):
            raise invalid(name, value) from None
        raise expected(name, value)

    return read, frozenset({str, list} | _DATETIMES if binary else {str})


def _text_or_ticks(kind: type, parse: Read, from_number: Read) -> Callable[[Form, bool], Reader]:
    """Return the maker of readers for a type that JSON writes as a text and MessagePack as a number."""
    name = kind.__name__

    def make(form: Form, _digits: bool) -> Reader:  # noqa: FBT001  # called through _MAKERS
        binary = form is Form.MESSAGEPACK

        def read(value: Any) -> Any:
            try:
                if type(value) is str:
                    return parse(value)
                if binary and type(value) is int:
                    return from_number(value)
            except (ValueError, OverflowError):
                raise invalid(name, value) from None
            raise expected(name, value)

        rank = Rank.DATE if kind is date else Rank.TEXT_FORM
        return Reader(name, read, frozenset({str, int} if binary else {str}), rank=rank, integer_rank=Rank.TICKS)

    return make


def _integer_key(text: str) -> int:
    if len(text) <= _DECIMAL_DIGITS and text.removeprefix("-").isdecimal() and text.isascii():
        return int(text)
    raise invalid("int", text)


def _float_key(text: str) -> float:
    with contextlib.suppress(ValueError):
        if text.isascii() and "_" not in text:
            return float(text)
    raise invalid("float", text)


def _boolean_key(text: str) -> bool:
    value = _BOOLEANS.get(text.lower())
    if value is None:
        raise invalid("bool", text)
    return value


_KEYS: Final[dict[Any, Read]] = {int: _integer_key, float: _float_key, bool: _boolean_key}

_MAKERS: Final[dict[type, Callable[[Form, bool], Reader]]] = {
    type(None): _exactly(type(None), Rank.CHOICE),
    bool: _exactly(bool, Rank.CHOICE),
    int: _exactly(int, Rank.INTEGER),
    float: _float,
    str: _exactly(str, Rank.TEXT),
    bytes: _bytes,
    bytearray: _bytearray,
    Decimal: _decimal,
    UUID: _uuid,
    datetime: _datetime,
    PreciseDatetime: _subclass_of_datetime(PreciseDatetime),
    DateTimeOffset: _subclass_of_datetime(DateTimeOffset),
    date: _text_or_ticks(date, parse_date, date_from_day_number),
    time: _text_or_ticks(time, parse_time, time_from_ticks),
    timedelta: _text_or_ticks(timedelta, parse_timespan, timedelta_from_ticks),
}

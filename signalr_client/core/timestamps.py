"""Datetimes that carry more than Python's: the digits below a microsecond, and the wish to be a DateTimeOffset. Room: core, row 1.

.NET counts 100 ns. A time finer than a microsecond is received as a `PreciseDatetime`, a datetime that also has the nanoseconds, so
that it can be sent back without loss. All other times are plain datetimes. A `DateTimeOffset` differs from a datetime only in how
it is written over MessagePack.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self, cast

import msgpack
import msgspec

__all__ = ["DateTimeOffset", "PreciseDatetime", "decode_precise", "may_be_precise", "timestamp_extension"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP: Final = -1

_SHORT: Final = b"\xd7\xff"
"""Before the 8 bytes of a timestamp: 30 bits of nanoseconds, 34 bits of seconds."""

_LONG: Final = (b"\xc7\x0c\xff", b"\xc7\x08\xff", b"\x00\x0c\xff", b"\x00\x08\xff")
"""Before the 12 bytes of a timestamp in a year that is far away, and before timestamps whose length takes more bytes than it has to."""

_SCALARS: Final = frozenset({str, int, float, bool, bytes, type(None)})


class PreciseDatetime(datetime):
    """A datetime with a ``nanosecond`` (0 to 999, named as in pandas) below its microseconds; arithmetic drops it."""

    nanosecond: int = 0

    @classmethod
    def of(cls, moment: datetime, nanosecond: int) -> Self:
        """Return *moment* with the nanoseconds added."""
        self = cls.combine(moment.date(), moment.timetz())
        self.nanosecond = nanosecond
        return self

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        """Return the time with seven decimals if it has nanoseconds, as .NET does; if not, or with a *timespec*, as datetime does."""
        if timespec != "auto" or not self.nanosecond:
            return super().isoformat(sep, timespec)
        zone = self.strftime("%z")
        zone = "Z" if self.utcoffset() == timedelta(0) else f"{zone[:3]}:{zone[3:]}" if zone else ""
        return f"{self.replace(tzinfo=None).isoformat(sep, 'microseconds')}{self.nanosecond // 100}{zone}"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Keep the nanoseconds in copies and pickles."""
        return type(self).of, (datetime.combine(self.date(), self.timetz()), self.nanosecond)


class DateTimeOffset(PreciseDatetime):
    """A datetime that keeps its offset from UTC over MessagePack, for hub methods that take a DateTimeOffset.

    As a type of a result or of a field it is what any datetime is, with its own offset. As a value it is written as .NET writes a
    DateTimeOffset; a plain datetime is written as a DateTime, which has no offset over MessagePack. JSON makes no difference.
    ``DateTimeOffset.of(moment)`` makes one of an aware datetime.
    """

    @classmethod
    def of(cls, moment: datetime, nanosecond: int | None = None) -> Self:
        """Return *moment* as a DateTimeOffset, with its own nanoseconds if it has some.

        Raises:
            ValueError: it has no offset.
        """
        if moment.utcoffset() is None:
            raise ValueError("A DateTimeOffset needs an offset from UTC; this datetime has no time zone.")
        return super().of(moment, getattr(moment, "nanosecond", 0) if nanosecond is None else nanosecond)

    @property
    def wall_clock(self) -> datetime:
        """The local clock as if it were UTC: the first half of what .NET writes over MessagePack."""
        return PreciseDatetime.of(self.replace(tzinfo=UTC), self.nanosecond)

    @property
    def offset_minutes(self) -> int:
        """The offset from UTC in minutes: the second half.

        Raises:
            ValueError: it has no offset.
        """
        offset = self.utcoffset()
        if offset is None:
            raise ValueError("A DateTimeOffset needs an offset from UTC; this one has no time zone.")
        return offset // timedelta(minutes=1)


def may_be_precise(record: bytes) -> bool:
    """Return whether a MessagePack record may contain such a time. The test is quick; only False is certain."""
    place = record.find(_SHORT)
    while place >= 0:
        if (int.from_bytes(record[place + 2 : place + 6], "big") >> 2) % 1000:
            return True
        place = record.find(_SHORT, place + 1)
    return any(mark in record for mark in _LONG)


def decode_precise(record: bytes) -> list[Any]:
    """Return the values of *record*, with times finer than a microsecond as `PreciseDatetime`.

    Raises:
        ValueError, TypeError: only msgspec can read the record, or it is invalid.
    """
    items = msgpack.unpackb(record, timestamp=0, strict_map_key=False, ext_hook=msgspec.msgpack.Ext)
    return cast("list[Any]", _with_datetimes(items))


def timestamp_extension(moment: PreciseDatetime) -> msgspec.msgpack.Ext:
    """Return *moment* as MessagePack's extension of type -1."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = datetime.combine(aware.date(), aware.timetz()) - _EPOCH
    seconds, nanoseconds = since // timedelta(seconds=1), since.microseconds * 1000 + moment.nanosecond
    return msgspec.msgpack.Ext(_TIMESTAMP, msgpack.Timestamp(seconds, nanoseconds).to_bytes())


def _with_datetimes(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        if any(type(key) is msgpack.Timestamp for key in value):
            value = {_with_datetimes(key): item for key, item in value.items()}
        return {key: item if type(item) in _SCALARS else _with_datetimes(item) for key, item in value.items()}
    if kind is list:
        return [item if type(item) in _SCALARS else _with_datetimes(item) for item in value]
    if kind is msgpack.Timestamp:
        moment = _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanoseconds // 1000)
        rest = value.nanoseconds % 1000
        return PreciseDatetime.of(moment, rest) if rest else moment
    return value

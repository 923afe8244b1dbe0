"""Times finer than a microsecond, which .NET sends (its clock counts 100 ns) and Python's datetime cannot hold. Room: core, row 1.

Such a time is received as a `PreciseDatetime`: a datetime that remembers the rest, so that sending it back loses nothing. All other
times are plain datetimes. Spec: client-behaviour.md, "H2" (DateTime).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self, cast

import msgpack
import msgspec

__all__ = ["PreciseDatetime", "decode_precise", "may_be_precise", "timestamp_extension"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP: Final = -1

# How a timestamp with a fraction of a second begins: fixext 8 and ext 8 of 12 bytes, both with the type -1.
_MARKS: Final = (b"\xd7\xff", b"\xc7\x0c\xff")


class PreciseDatetime(datetime):
    """A datetime with a rest of ``nanosecond`` (0 to 999) behind its microseconds, as pandas names it; arithmetic drops the rest."""

    nanosecond: int = 0

    @classmethod
    def of(cls, moment: datetime, nanosecond: int) -> Self:
        """Return *moment* with the rest."""
        self = cls.combine(moment.date(), moment.timetz())
        self.nanosecond = nanosecond
        return self

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        """Return the time with seven decimals, as .NET writes it; with a *timespec*, as datetime does."""
        if timespec != "auto":
            return super().isoformat(sep, timespec)
        zone = self.strftime("%z")
        zone = "Z" if self.utcoffset() == timedelta(0) else f"{zone[:3]}:{zone[3:]}" if zone else ""
        return f"{self.replace(tzinfo=None).isoformat(sep, 'microseconds')}{self.nanosecond // 100}{zone}"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Keep the rest in copies and pickles."""
        return type(self).of, (datetime.combine(self.date(), self.timetz()), self.nanosecond)


def may_be_precise(record: bytes) -> bool:
    """Return whether a MessagePack record may hold such a time; a quick look that is right when it says no."""
    return any(mark in record for mark in _MARKS)


def decode_precise(record: bytes) -> list[Any]:
    """Return what *record* holds, its finest times as `PreciseDatetime`.

    Raises:
        ValueError, TypeError: it holds something that only msgspec can read, or that nobody can.
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
    match value:
        case list():
            return [_with_datetimes(item) for item in value]
        case dict():
            return {_with_datetimes(key): _with_datetimes(item) for key, item in value.items()}
        case msgpack.Timestamp():
            moment = _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanoseconds // 1000)
            rest = value.nanoseconds % 1000
            return PreciseDatetime.of(moment, rest) if rest else moment
        case _:
            return value

"""The texts and numbers that .NET writes for dates and times. Room: core, row 1; no clock.

.NET counts ticks of 100 ns, Python microseconds. A `datetime` keeps the seventh digit as a `PreciseDatetime`; that of a `time` or a
`timedelta` is dropped.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

import msgspec

from signalr_client.core.timestamps import DateTimeOffset, PreciseDatetime

__all__ = [
    "date_from_day_number",
    "datetime_text",
    "day_number",
    "offset_from_wall_clock",
    "parse_date",
    "parse_datetime",
    "parse_time",
    "parse_timespan",
    "ticks_of",
    "time_from_ticks",
    "time_text",
    "time_ticks",
    "timedelta_from_ticks",
    "timespan_text",
]

_DATE: Final = r"\d{4}-\d\d-\d\d"
_CLOCK: Final = r"\d\d:\d\d:\d\d(?:\.(\d{1,9}))?"
_DATETIME: Final = re.compile(rf"{_DATE}(?:T(?:\d\d:\d\d|{_CLOCK})(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII)
_TIME: Final = re.compile(rf"\d\d:\d\d|{_CLOCK}", re.ASCII)
_TIMESPAN: Final = re.compile(r"(-?)(?:(\d{1,8})\.)?([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,7}))?", re.ASCII)

_TICK_DIGITS: Final = 7
_MICROSECOND_DIGITS: Final = 6
_TICKS_A_DAY: Final = 864_000_000_000
_LAST_TICK: Final = 2**63 - 1
_MICROSECOND: Final = timedelta(microseconds=1)


def parse_datetime(text: str) -> datetime:
    """Return the datetime of an ISO 8601 text as .NET and JavaScript write it; one of more than six decimals as a `PreciseDatetime`.

    Raises:
        ValueError: it is not one.
    """
    if text[10:11] == "T" and text[7:8] == "-" and text[13:14] == ":" and not text[26:27].isdigit():
        return datetime.fromisoformat(text)  # nearly always, and half the work: at most six decimals, and no week date
    matched = _DATETIME.fullmatch(text)
    if matched is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    fraction = matched[1]
    if fraction is not None and len(fraction) > _MICROSECOND_DIGITS:
        rest = int(fraction[_MICROSECOND_DIGITS:].ljust(3, "0"))
        if rest:
            return PreciseDatetime.of(moment, rest)
    return moment


def datetime_text(moment: datetime) -> str:
    """Return a datetime that has a fraction of a second without the zeros at its end: ``2024-02-29T12:00:00.5Z``."""
    text = msgspec.json.encode(moment)[1:-1].decode()
    end = len("2024-02-29T12:00:00.500000")
    return text[:end].rstrip("0") + text[end:]


def offset_from_wall_clock(wall: datetime, minutes: int) -> DateTimeOffset:
    """Return what .NET writes as a pair over MessagePack: the local clock, as if it were UTC, and its offset.

    Raises:
        ValueError: there is no such offset.
    """
    zone = timezone(timedelta(minutes=minutes))
    return DateTimeOffset.of(wall.replace(tzinfo=zone), getattr(wall, "nanosecond", 0))


def parse_date(text: str) -> date:
    """Return the date of ``2024-02-29``.

    Raises:
        ValueError: it is not one.
    """
    if len(text) != len("2024-02-29") or text[7] != "-":  # Python reads other forms too, 2024-W09-4 for example
        raise ValueError(text)
    return date.fromisoformat(text)


def day_number(day: date) -> int:
    """Return the days since 0001-01-01."""
    return day.toordinal() - 1


def date_from_day_number(number: int) -> date:
    """Return the date that is *number* days after 0001-01-01.

    Raises:
        ValueError, OverflowError: it is outside the range of `date`.
    """
    return date.fromordinal(number + 1)


def parse_time(text: str) -> time:
    """Return the time of ``13:14:15.5000000``.

    Raises:
        ValueError: it is not one.
    """
    if _TIME.fullmatch(text) is None:
        raise ValueError(text)
    return time.fromisoformat(text)


def time_text(moment: time) -> str:
    """Return a time as .NET writes it: without a fraction, or with seven digits."""
    text = moment.replace(tzinfo=None).isoformat()
    return f"{text}0" if moment.microsecond else text


def time_ticks(moment: time) -> int:
    """Return the ticks since midnight."""
    seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second
    return (seconds * 1_000_000 + moment.microsecond) * 10


def time_from_ticks(ticks: int) -> time:
    """Return the time that is *ticks* after midnight.

    Raises:
        ValueError: it is not on the same day.
    """
    if not 0 <= ticks < _TICKS_A_DAY:
        raise ValueError(ticks)
    seconds, fraction = divmod(ticks, 10_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return time(hour, minute, second, fraction // 10)


def parse_timespan(text: str) -> timedelta:
    """Return the duration of a TimeSpan in .NET's constant format, ``[-][d.]hh:mm:ss[.fffffff]``.

    Raises:
        ValueError: it is not one.
    """
    matched = _TIMESPAN.fullmatch(text)
    if matched is None:
        raise ValueError(text)
    sign, days, hours, minutes, seconds, fraction = matched.groups()
    whole = timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    whole += timedelta(microseconds=int((fraction or "").ljust(_TICK_DIGITS, "0")) // 10)
    return -whole if sign else whole


def timespan_text(duration: timedelta) -> str:
    """Return a duration in .NET's constant format.

    Raises:
        ValueError: it is longer than a TimeSpan can be.
    """
    ticks = abs(ticks_of(duration))
    seconds, fraction = divmod(ticks, 10_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    sign = "-" if duration < timedelta(0) else ""
    text = f"{sign}{days}." if days else sign
    text += f"{hour:02}:{minute:02}:{second:02}"
    return f"{text}.{fraction:07}" if fraction else text


def ticks_of(duration: timedelta) -> int:
    """Return a duration in ticks.

    Raises:
        ValueError: it is longer than a TimeSpan can be.
    """
    ticks = duration // _MICROSECOND * 10
    if not -_LAST_TICK - 1 <= ticks <= _LAST_TICK:
        raise ValueError("longer than a TimeSpan of .NET can be")
    return ticks


def timedelta_from_ticks(ticks: int) -> timedelta:
    """Return the duration of *ticks*.

    Raises:
        OverflowError: it is outside the range of `timedelta`.
    """
    duration = timedelta(microseconds=abs(ticks) // 10)
    return -duration if ticks < 0 else duration

"""`Reader`: how values of one type are read. Room: core, row 1. The compiler makes readers out of types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum
from typing import Any, Final

from msgspec.msgpack import Ext

from signalr_client.core.timestamps import PreciseDatetime

__all__ = ["PLAIN_TYPES", "Rank", "Reader"]

PLAIN_TYPES: Final = frozenset({dict, list, str, int, float, Decimal, bool, type(None), bytes, datetime, PreciseDatetime, Ext})
"""The types of what a hub protocol decodes."""

_NOTHING: Final[frozenset[type]] = frozenset()


class Rank(IntEnum):
    """Which member of a union gets a value that fits several: the one that says most about it, whatever their order.

    The order in which a union was written cannot be relied on: ``int | str`` and ``str | int`` are equal, and `typing` keeps one.
    """

    CHOICE = 0  # Literal and Enum
    DATE = 1  # before datetime, which a date alone is, too
    TEXT_FORM = 2  # UUID, datetime, time, timedelta: texts of a certain form
    INTEGER = 3
    DECIMAL = 4
    FLOAT = 5
    TEXT = 6
    TICKS = 7  # an integer that MessagePack writes for a date, a time or a timedelta
    BYTES = 8
    CONTAINER = 9
    ANYTHING = 10


@dataclass(slots=True, eq=False)
class Reader:
    """How values of one type are read.

    Attributes:
        name: the type, for errors.
        read: returns the value as the type, or raises `Misfit`.
        accepts: the types of the decoded values that it may read; None for any.
        same: values of these types are returned as they are, so that a container of them need not be read one by one.
        rank: its place in a union.
        integer_rank: the same for an integer, which MessagePack writes for what has another form as a text.
        members: for objects, the plain names of their members.
        nullable: whether None is a value of the type.
    """

    name: str
    read: Callable[[Any], Any]
    accepts: frozenset[type] | None
    same: frozenset[type] = _NOTHING
    rank: Rank = Rank.CONTAINER
    integer_rank: Rank | None = None
    members: frozenset[str] = field(default=frozenset())
    nullable: bool = False

    def rank_for(self, kind: type) -> Rank:
        """Return its place in a union for a decoded value of type *kind*."""
        return self.integer_rank if kind is int and self.integer_rank is not None else self.rank

    def may_read(self, kind: type) -> bool:
        """Return whether a decoded value of type *kind* may fit."""
        return self.accepts is None or kind in self.accepts

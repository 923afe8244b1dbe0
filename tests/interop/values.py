"""A hub with a method for each row of the table in docs/types.md. Every one returns its argument.

`TestHub` has methods for the types that the real server's hub has. This one is on our server only, for the rest and for completeness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

from signalr_client import DateTimeOffset
from signalr_client.server import Hub
from tests.support.type_table import AttrsPoint, Color, Entry, ModelPoint, Options, Point, Size, StructPoint

ECHO: Final = {
    "`None`": "EchoNone",
    "`bool`": "EchoBool",
    "`int`": "EchoInt",
    "`float`": "EchoFloat",
    "`str`": "EchoStr",
    "`bytes`, `bytearray`": "EchoBytes",
    "`Decimal`": "EchoDecimal",
    "`UUID`": "EchoUuid",
    "`datetime`": "EchoDatetime",
    "`DateTimeOffset`": "EchoDateTimeOffset",
    "`date`": "EchoDate",
    "`time`": "EchoTime",
    "`timedelta`": "EchoTimedelta",
    "`Enum`, `IntEnum`, `IntFlag`": "EchoColor",
    "`Enum` or `StrEnum` with texts": "EchoSize",
    "`list`, `Sequence`, `deque`": "EchoList",
    "`set`, `frozenset`, `Set`": "EchoSet",
    "`tuple[int, str]`, `tuple[int, ...]`": "EchoTuple",
    "`dict`, `Mapping`": "EchoDict",
    "`dict[int, str]`": "EchoIntKeys",
    "`dict[Color, int]`": "EchoColorKeys",
    "dataclass": "EchoDataclass",
    "attrs class": "EchoAttrs",
    "msgspec Struct": "EchoStruct",
    "pydantic model": "EchoModel",
    "NamedTuple": "EchoEntry",
    "TypedDict": "EchoOptions",
    "`Optional[T]`, `T | None`": "EchoOptional",
    '`Literal["a", 1]`': "EchoLiteral",
    "`Any`, `object`": "EchoAny",
}
"""The method for each row of the table."""


class ValuesHub(Hub):
    """Each argument is converted to its type, and written again."""

    def Largest(self) -> int:
        """Return an integer that JavaScript does not have."""
        return 2**63 - 1

    def EchoNone(self, value: None) -> None:
        return value

    def EchoBool(self, value: bool) -> bool:
        return value

    def EchoInt(self, value: int) -> int:
        return value

    def EchoFloat(self, value: float) -> float:
        return value

    def EchoStr(self, value: str) -> str:
        return value

    def EchoBytes(self, value: bytearray) -> bytearray:
        return value

    def EchoDecimal(self, value: Decimal) -> Decimal:
        return value

    def EchoUuid(self, value: UUID) -> UUID:
        return value

    def EchoDatetime(self, value: datetime) -> datetime:
        return value

    def EchoDateTimeOffset(self, value: DateTimeOffset) -> DateTimeOffset:
        return value

    def EchoDate(self, value: date) -> date:
        return value

    def EchoTime(self, value: time) -> time:
        return value

    def EchoTimedelta(self, value: timedelta) -> timedelta:
        return value

    def EchoColor(self, value: Color) -> Color:
        return value

    def EchoSize(self, value: Size) -> Size:
        return value

    def EchoList(self, value: Sequence[int]) -> Sequence[int]:
        return value

    def EchoSet(self, value: frozenset[int]) -> frozenset[int]:
        return value

    def EchoTuple(self, value: tuple[int, str]) -> tuple[int, str]:
        return value

    def EchoDict(self, value: Mapping[str, int]) -> Mapping[str, int]:
        return value

    def EchoIntKeys(self, value: dict[int, str]) -> dict[int, str]:
        return value

    def EchoColorKeys(self, value: dict[Color, int]) -> dict[Color, int]:
        return value

    def EchoDataclass(self, value: Point) -> Point:
        return value

    def EchoAttrs(self, value: AttrsPoint) -> AttrsPoint:
        return value

    def EchoStruct(self, value: StructPoint) -> StructPoint:
        return value

    def EchoModel(self, value: ModelPoint) -> ModelPoint:
        return value

    def EchoEntry(self, value: Entry) -> Entry:
        return value

    def EchoOptions(self, value: Options) -> Options:
        return value

    def EchoOptional(self, value: int | None) -> int | None:
        return value

    def EchoLiteral(self, value: Literal["a", 1]) -> Literal["a", 1]:
        return value

    def EchoAny(self, value: object) -> object:
        return value

"""Every row of the table in docs/types.md: what is written in both protocols, and that it is read again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from signalr_client import DateTimeOffset, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.binding import checker
from signalr_client.core.messages import StreamItem

PAGE: Final = Path(__file__).parents[4] / "docs" / "types.md"


class Color(Enum):
    RED = 0
    DARK_BLUE = 1


class Size(Enum):
    SMALL = "small"


@dataclass
class Point:
    x_value: int
    y_value: int


@attrs.define
class AttrsPoint:
    x_value: int


class StructPoint(msgspec.Struct):
    x_value: int


class ModelPoint(pydantic.BaseModel):
    x_value: int


class Entry(NamedTuple):
    key: str
    value: int


class Options(TypedDict):
    size: int


def at(*parts: int) -> datetime:
    """Return a timestamp."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]  # as the table writes it


NAMES: Final[dict[str, Any]] = {
    **{kind.__name__: kind for kind in (Color, Size, Point, AttrsPoint, StructPoint, ModelPoint, Entry, Options)},
    **{kind.__name__: kind for kind in (Decimal, UUID, datetime, DateTimeOffset, date, time, timedelta, timezone)},
    "UTC": UTC,
    "at": at,
}
READ_AS: Final[dict[str, list[Any]]] = {
    "`bool`": [bool, bool | None],
    "`int`": [int, float],
    "`float`": [float],
    "`str`": [str],
    "`bytes`, `bytearray`": [bytes, bytearray],
    "`Decimal`": [Decimal],
    "`UUID`": [UUID, UUID | str],
    "`datetime`": [datetime, datetime | date | None],
    "`DateTimeOffset`": [DateTimeOffset, datetime],
    "`date`": [date],
    "`time`": [time],
    "`timedelta`": [timedelta],
    "`Enum`, `IntEnum`, `IntFlag`": [Color, Literal[Color.DARK_BLUE]],
    "`Enum` or `StrEnum` with texts": [Size],
    "`list`, `Sequence`, `deque`": [list[int], list, Sequence[int]],
    "`set`, `frozenset`, `Set`": [set[int], frozenset[int]],
    "`tuple[int, str]`, `tuple[int, ...]`": [tuple[int, str], tuple[int | str, ...]],
    "`dict`, `Mapping`": [dict[str, int], Mapping[str, int], dict],
    "`dict[int, str]`": [dict[int, str]],
    "`dict[Color, int]`": [dict[Color, int]],
    "dataclass": [Point],
    "attrs class": [AttrsPoint],
    "msgspec Struct": [StructPoint],
    "pydantic model": [ModelPoint],
    "NamedTuple": [Entry],
    "TypedDict": [Options],
    "`Optional[T]`, `T | None`": [int | None],
    '`Literal["a", 1]`': [Literal["a", 1]],
    "`Any`, `object`": [Any, object],
    "`None`": [None],
}


def rows() -> list[list[str]]:
    """Return the cells of each row of the table."""
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| Python | .NET |")
    table = table.partition("\n\n")[0]
    found = [
        [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()[2:]
    ]
    assert all(len(cells) == 5 for cells in found)
    return found


ROWS: Final = rows()


def value_of(cell: str) -> Any:
    """Return the value of an expression in the table."""
    return eval(cell.strip("`"), dict(NAMES))


def test_every_row_is_tested() -> None:
    assert len(ROWS) == 30
    assert {cells[0] for cells in ROWS} <= READ_AS.keys()


@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0])
def test_a_row_says_what_is_written(cells: list[str]) -> None:
    _, _, example, text, wire = cells
    value = value_of(example)
    encoded = JsonHubProtocol().encode(StreamItem(invocation_id="1", item=value)).decode()
    assert encoded == '{"type":2,"invocationId":"1","item":' + text.strip("`") + "}\x1e"
    protocol = MessagePackHubProtocol()
    [record] = protocol.framer().feed(protocol.encode(StreamItem(invocation_id="1", item=value)))
    message = protocol.decode(record)
    assert isinstance(message, StreamItem)
    assert message.item == value_of(wire)
    assert type(message.item) is type(value_of(wire))


@pytest.mark.parametrize("protocol", [JsonHubProtocol(), MessagePackHubProtocol()], ids=["json", "messagepack"])
@pytest.mark.parametrize("cells", ROWS, ids=lambda cells: cells[0])
def test_what_is_written_is_read_as_the_types_of_the_row(
    cells: list[str], protocol: JsonHubProtocol | MessagePackHubProtocol
) -> None:
    value = value_of(cells[2])
    [record] = protocol.framer().feed(protocol.encode(StreamItem(invocation_id="1", item=value)))
    for wanted in READ_AS[cells[0]]:
        converter = protocol.binding.converter(wanted)
        message = protocol.decode(record)
        if isinstance(protocol, JsonHubProtocol) and converter.needs_digits:
            message = protocol.decode_digits(record)
        assert isinstance(message, StreamItem)
        again: object = converter.convert(message.item, "value")
        assert again == value
        check = checker(wanted)
        if check is not None:
            check.require(again, "value")  # so it can be passed on through a typed proxy
        assert str(again) == str(value) or wanted in (float, bytearray, frozenset[int], tuple[int | str, ...])

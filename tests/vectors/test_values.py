"""The values of .NET: the 62 vectors "value: ...", each read as a Python type and written again, in both hub protocols.

The table says which type a Python program asks for, and which value it gets. Written again, the bytes are those of .NET, except where
the same value may be spelled in two ways.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

import pytest

from signalr_client.core.messages import Invocation
from signalr_client.core.protocols import JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.timestamps import DateTimeOffset, PreciseDatetime

VECTORS: Final = {
    vector["name"].removeprefix("value: "): vector
    for vector in cast("list[dict[str, str]]", json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8")))
    if vector["name"].startswith("value: ")
}
JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()


class Color(Enum):
    RED = 0
    GREEN = 1
    BLUE = 2


@dataclass
class Point:
    x: int
    y: int


@dataclass
class ComplexObject:
    string: str | None
    int_array: list[int] | None
    byte_array: bytes | None
    guid: UUID
    date_time: datetime
    color: Color
    maybe_double: float | None
    point: Point | None
    points: dict[str, Point] | None


@dataclass
class Anonymous:
    """Its fields have the names of .NET, which need no conversion over MessagePack."""

    UserName: str
    IsOK: bool
    URL: str


class Entry(NamedTuple):
    """A KeyValuePair."""

    key: str
    value: int


class Pair(NamedTuple):
    """A Tuple: an object in JSON, an array in MessagePack."""

    item1: int
    item2: str


GUID: Final = UUID("00010203-0405-0607-0706-050403020100")
MOMENT: Final = PreciseDatetime.of(datetime(2016, 4, 5, 6, 7, 8, 123456, tzinfo=UTC), 700)
LAST: Final = PreciseDatetime.of(datetime.max.replace(tzinfo=UTC), 900)

VALUES: Final[dict[str, tuple[Any, object]]] = {
    "null": (str | None, None),
    "bool true": (bool, True),
    "int 0": (int, 0),
    "int -1": (int, -1),
    "int -33": (int, -33),
    "int 128": (int, 128),
    "byte 200": (int, 200),
    "short -300": (int, -300),
    "uint 4294967295": (int, 2**32 - 1),
    "ulong 18446744073709551615": (int, 2**64 - 1),
    "long -9223372036854775808": (int, -(2**63)),
    "float 1.5": (float, 1.5),
    "float 0.1": (float, 0.1),
    "double 0.1": (float, 0.1),
    "double 1e300": (float, 1e300),
    "double 3 (a whole number)": (float, 3.0),
    "double -0.0": (float, -0.0),
    "char 'x'": (str, "x"),
    "string of 31": (str, "s" * 31),
    "string of 32": (str, "s" * 32),
    "string of 300": (str, "s" * 300),
    "string U+2028 U+2029 U+007F": (str, "\u2028\u2029\x7f"),
    "string \t\b\f\n\r": (str, "\t\b\f\n\r"),
    "decimal 0.10": (Decimal, Decimal("0.10")),
    "decimal 79228162514264337593543950335": (Decimal, Decimal(79228162514264337593543950335)),
    "decimal -1.5": (Decimal, Decimal("-1.5")),
    "Guid 00010203-0405-0607-0706-050403020100": (UUID, GUID),
    "DateTime UTC 2016-04-05T06:07:08.1234567Z": (datetime, MOMENT),
    "DateTime UTC 2016-04-05T06:07:08Z (no fraction)": (datetime, datetime(2016, 4, 5, 6, 7, 8, tzinfo=UTC)),
    "DateTime unspecified 2016-04-05T06:07:08.12": (datetime, datetime(2016, 4, 5, 6, 7, 8, 120_000)),  # noqa: DTZ001
    "DateTime.MinValue UTC": (datetime, datetime(1, 1, 1, tzinfo=UTC)),
    "DateTime.MaxValue UTC": (datetime, LAST),
    "DateTime UTC 1969-12-31T23:59:59.5Z": (datetime, datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
    "DateTimeOffset 2020-01-01T05:06:07+02:00": (
        DateTimeOffset,
        DateTimeOffset(2020, 1, 1, 5, 6, 7, tzinfo=timezone(timedelta(hours=2))),
    ),
    "DateTimeOffset 2020-01-01T05:06:07.25-03:30": (
        DateTimeOffset,
        DateTimeOffset(2020, 1, 1, 5, 6, 7, 250_000, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
    ),
    "DateOnly 2024-02-29": (date, date(2024, 2, 29)),
    "TimeOnly 13:14:15.5": (time, time(13, 14, 15, 500_000)),
    "TimeSpan 0": (timedelta, timedelta(0)),
    "TimeSpan 1.02:03:04.0050000": (timedelta, timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
    "TimeSpan -00:00:00.0000001": (timedelta, timedelta(0)),
    "TimeSpan.MaxValue": (timedelta, timedelta(microseconds=(2**63 - 1) // 10)),
    "byte[] empty": (bytes, b""),
    "byte[] 0 1 250 255": (bytes, b"\x00\x01\xfa\xff"),
    "byte[] of 300 zeros": (bytes, bytes(300)),
    "enum Color.Green": (Color, Color.GREEN),
    "enum? null": (Color | None, None),
    "Uri https://example.com/a b?c=d": (str, "https://example.com/a b?c=d"),
    "Version 1.2.3": (str, "1.2.3"),
    "int[] empty": (list[int], []),
    "int[] of 16": (list[int], list(range(16))),
    "int[][]": (list[list[int]], [[1], [2, 3]]),
    "HashSet<string>": (set[str], {"a"}),
    "List<object> mixed": (list[object], [1, "a", None, 2.5, True]),
    "Dictionary<string,int> of 2": (dict[str, int], {"a": 1, "B": 2}),
    "Dictionary<int,string>": (dict[int, str], {1: "a"}),
    "Dictionary<Guid,int>": (dict[UUID, int], {GUID: 1}),
    "Dictionary<Color,int>": (dict[Color, int], {Color.BLUE: 1}),
    "KeyValuePair<string,int>": (Entry, Entry("k", 1)),
    'Tuple (1, "a")': (Pair, Pair(1, "a")),
    "Point { X = 1, Y = 2 }": (Point, Point(1, 2)),
    "ComplexObject sample": (
        ComplexObject,
        ComplexObject("s", [1, 2], b"\x01\x02\x03", GUID, MOMENT, Color.BLUE, None, Point(1, 2), {"k": Point(3, 4)}),
    ),
    "anonymous { UserName, IsOK, URL }": (Anonymous, Anonymous("u", True, "x")),
}

JSON_DIFFERS: Final = {
    "double 1e300": "1e300",  # .NET: 1E+300
    "double 3 (a whole number)": "3.0",  # .NET: 3
    "double -0.0": "0.0",  # -0 is read as the integer 0, so the sign is lost
    "string U+2028 U+2029 U+007F": '"\u2028\u2029\x7f"',  # .NET escapes these
    "TimeSpan -00:00:00.0000001": '"00:00:00"',  # a timedelta has no seventh digit
    "TimeSpan.MaxValue": '"10675199.02:48:05.4775800"',
}
MESSAGEPACK_DIFFERS: Final = {
    "float 1.5": "cb 3f f8 00 00 00 00 00 00",  # Python has doubles only
    "float 0.1": "cb 3f b9 99 99 a0 00 00 00",
    "DateTime unspecified 2016-04-05T06:07:08.12": None,  # the same: MessagePack has no kind
    "TimeSpan -00:00:00.0000001": "00",
    "TimeSpan.MaxValue": "cf 7f ff ff ff ff ff ff f8",
    "List<object> mixed": "95 01 a1 61 c0 cb 40 04 00 00 00 00 00 00 c3",  # .NET writes an int as an object in five bytes
}
MESSAGEPACK_VALUES: Final[dict[str, object]] = {
    "float 0.1": 0.10000000149011612,
    "DateTime unspecified 2016-04-05T06:07:08.12": datetime(2016, 4, 5, 6, 7, 8, 120_000, tzinfo=UTC),
    "char 'x'": ord("x"),
}
"""What a type gets over MessagePack, where that differs."""

MESSAGEPACK_TYPES: Final[dict[str, Any]] = {"char 'x'": int}


def same(left: object, right: object) -> bool:
    """Compare including the digits that datetimes do not compare, and the sign of zero."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    return left == right and repr(left) == repr(right) and getattr(left, "nanosecond", 0) == getattr(right, "nanosecond", 0)


def json_argument(name: str) -> str:
    """Return the JSON text of the value."""
    text = bytes.fromhex(VECTORS[name]["json"]).decode()
    return text.removeprefix('{"type":1,"target":"T","arguments":[').removesuffix("]}\x1e")


def messagepack_argument(name: str) -> bytes:
    """Return the MessagePack bytes of the value."""
    [record] = MESSAGEPACK.framer().feed(bytes.fromhex(VECTORS[name]["messagepack"]))
    head, tail = bytes.fromhex("960180c0a15491"), b"\x90"
    assert record.startswith(head)
    assert record.endswith(tail)
    return record[len(head) : -len(tail)]


def test_every_value_is_tested() -> None:
    assert len(VECTORS) == 62
    assert VALUES.keys() == VECTORS.keys()


@pytest.mark.parametrize("name", VALUES)
def test_json_values_of_dotnet_are_read_as_python_types(name: str) -> None:
    wanted, expected = VALUES[name]
    converter = JSON.binding.converter(wanted)
    [record] = JSON.framer().feed(bytes.fromhex(VECTORS[name]["json"]))
    message = JSON.decode_digits(record) if converter.needs_digits else JSON.decode(record)
    assert isinstance(message, Invocation)
    value = converter.convert(message.arguments[0], "value")
    if name == "double -0.0":
        expected = 0.0
    assert same(value, expected)


@pytest.mark.parametrize("name", VALUES)
def test_messagepack_values_of_dotnet_are_read_as_python_types(name: str) -> None:
    wanted, expected = VALUES[name]
    wanted = MESSAGEPACK_TYPES.get(name, wanted)
    [record] = MESSAGEPACK.framer().feed(bytes.fromhex(VECTORS[name]["messagepack"]))
    message = MESSAGEPACK.decode(record)
    assert isinstance(message, Invocation)
    value = MESSAGEPACK.binding.converter(wanted).convert(message.arguments[0], "value")
    assert same(value, MESSAGEPACK_VALUES.get(name, expected))


@pytest.mark.parametrize("name", VALUES)
def test_python_values_are_written_as_json_like_dotnet(name: str) -> None:
    _, value = VALUES[name]
    if name == "double -0.0":
        value = 0.0
    wire = JSON.encode(Invocation(target="T", arguments=[value])).decode()
    text = wire.removeprefix('{"type":1,"target":"T","arguments":[').removesuffix("]}\x1e")
    assert text == JSON_DIFFERS.get(name, json_argument(name))


@pytest.mark.parametrize("name", VALUES)
def test_python_values_are_written_as_messagepack_like_dotnet(name: str) -> None:
    _, value = VALUES[name]
    value = MESSAGEPACK_VALUES.get(name, value)
    [record] = MESSAGEPACK.framer().feed(MESSAGEPACK.encode(Invocation(target="T", arguments=[value])))
    written = record[len(bytes.fromhex("960180c0a15491")) : -1]
    different = MESSAGEPACK_DIFFERS.get(name)
    assert written.hex(" ") == (different or messagepack_argument(name).hex(" "))

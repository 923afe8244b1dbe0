"""Types make the round trip through both servers, in both hub protocols. See docs/types.md.

The real server says what .NET accepts and how it answers; ours has the same methods with the types of Python.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Annotated, Any, Final, Literal, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from signalr_client import BindingError, DateTimeOffset, HubConnection, HubException, PropertyName, UnsupportedTypeError
from tests.interop.hubs import Color, ComplexObject, Point
from tests.support.hubs import Hubs

WAIT: Final = 10
GUID: Final = UUID("00010203-0405-0607-0706-050403020100")
MOMENT: Final = datetime(2016, 4, 5, 6, 7, 8, 123_456, tzinfo=UTC)
NAIVE: Final = MOMENT.replace(tzinfo=None)
OFFSET: Final = DateTimeOffset(2020, 1, 1, 5, 6, 7, 250_000, tzinfo=timezone(-timedelta(hours=3, minutes=30)))


class Shade(IntEnum):
    """The same as Color, as integers."""

    RED = 0
    GREEN = 1
    BLUE = 2


class Size(StrEnum):
    """A text for .NET."""

    SMALL = "small"


class Counts(TypedDict):
    """A dictionary for .NET."""

    aKey: int
    bKey: int


class StructPoint(msgspec.Struct):
    x: int
    y: int


@attrs.define
class AttrsPoint:
    x: int
    y: int


class ModelPoint(pydantic.BaseModel):
    x: int
    y: int


class Model(pydantic.BaseModel):
    """The same as ComplexObject."""

    string: str | None = None
    int_array: list[int] | None = None
    byte_array: bytes | None = None
    guid: UUID = UUID(int=0)
    date_time: datetime = MOMENT
    color: Color = Color.RED
    maybe_double: float | None = None
    point: ModelPoint | None = None
    points: dict[str, ModelPoint] | None = None


@dataclass
class Partly:
    """A part of ComplexObject, under other names."""

    text: Annotated[str | None, PropertyName("String")]
    numbers: Annotated[tuple[int, ...] | None, PropertyName("IntArray")]
    point: StructPoint | None
    points: dict[str, AttrsPoint] | None


COMPLEX: Final = ComplexObject(
    "sé", [1, -2], b"\x00\xff", GUID, MOMENT, Color.BLUE, 0.1, Point(1, 2), {"aKey": Point(3, 4), "b_key": Point()}
)

ECHOES: Final[list[tuple[str, Any, object]]] = [
    ("Echo", str, "é\u2028"),
    ("EchoLong", int, -(2**63)),
    ("EchoDouble", float, 0.1),
    ("EchoDouble", float, 3.0),
    ("EchoBool", bool, True),
    ("EchoDecimal", Decimal, Decimal("0.10")),
    ("EchoDecimal", Decimal, Decimal("1234567890.123456789012345678")),
    ("EchoDecimal", Decimal, Decimal(-79228162514264337593543950335)),
    ("EchoDecimal", Decimal, Decimal("1E+5")),
    ("EchoDecimal", Decimal, Decimal("1E-20")),
    ("EchoDecimal", Decimal | None, Decimal(5)),
    ("EchoGuid", UUID, GUID),
    ("EchoDateTime", datetime, MOMENT),
    ("EchoDateTime", datetime, datetime(1, 1, 1, tzinfo=UTC)),
    ("EchoDateTime", datetime, datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)),
    ("EchoDateTimeOffset", DateTimeOffset, OFFSET),
    ("EchoDateTimeOffset", DateTimeOffset, DateTimeOffset.of(MOMENT)),
    ("EchoDateTimeOffset", datetime, DateTimeOffset.of(OFFSET, 700)),
    ("EchoTimeSpan", timedelta, timedelta(days=1, hours=2, minutes=3, seconds=4, microseconds=5)),
    ("EchoTimeSpan", timedelta, timedelta(microseconds=-1)),
    ("EchoTimeSpan", timedelta, timedelta(0)),
    ("EchoTimeSpan", timedelta, timedelta(days=10_675_199)),
    ("EchoBytes", bytes, b"\x00\x01\xfa\xff"),
    ("EchoBytes", bytes, b""),
    ("EchoColor", Color, Color.GREEN),
    ("EchoColor", Shade, Shade.BLUE),
    ("EchoNullableInt", int | None, None),
    ("EchoNullableInt", int | None, 5),
    ("EchoList", list[str], ["a", ""]),
    ("EchoList", tuple[str, ...], ("a", "b")),
    ("EchoList", set[str], {"a"}),
    ("EchoDictionary", dict[str, int], {"aKey": 1, "B_key": 2}),
    ("EchoList", Any, ["a", "b"]),
    ("EchoList", Sequence[str], ["a"]),
    ("EchoDictionary", Counts, Counts(aKey=1, bKey=2)),
    ("EchoDictionary", dict[Color, int], {Color.BLUE: 1, Color.RED: -1}),
    ("EchoBytes", bytearray, bytearray(b"\x01\xff")),
    ("Echo", Size, Size.SMALL),
    ("Echo", Literal["a", "b"], "b"),
    ("Echo", str | None, "a"),
    ("EchoComplex", ComplexObject, COMPLEX),
    ("EchoComplex", Partly, Partly("s", (1, 2), StructPoint(1, 2), {"aKey": AttrsPoint(3, 4)})),
    ("EchoComplex", Model, Model(string="s", byte_array=b"\x01", color=Color.GREEN, points={"k": ModelPoint(x=1, y=2)})),
    ("EchoComplex", ComplexObject | None, ComplexObject(date_time=MOMENT)),
]


@pytest.mark.parametrize(("target", "wanted", "value"), ECHOES)
async def test_a_value_is_sent_and_received_as_its_type(hubs: Hubs, target: str, wanted: Any, value: object) -> None:
    async with hubs.connection() as connection:
        result: object = await connection.invoke(target, value, result_type=wanted)
    assert result == value
    assert type(result) is type(value) or wanted is datetime
    if isinstance(value, Decimal):
        assert format(result, "f") == format(value, "f")  # digits count, too
    if isinstance(value, DateTimeOffset):
        assert isinstance(result, DateTimeOffset) or hubs.protocol_name == "json"
        assert getattr(result, "nanosecond", 0) == value.nanosecond
        assert result.utcoffset() == value.utcoffset()  # type: ignore[attr-defined]  # a datetime


async def test_a_naive_datetime_is_sent(hubs: Hubs) -> None:
    """Over MessagePack the kind of a DateTime is lost, in .NET as well."""
    async with hubs.connection() as connection:
        result = await connection.invoke("EchoDateTime", NAIVE, result_type=datetime)
    assert result == (NAIVE if hubs.protocol_name == "json" else MOMENT)


async def test_one_class_serves_as_another_with_the_same_members(hubs: Hubs) -> None:
    """Parts of an object, and every kind of class for the objects in it."""
    async with hubs.connection() as connection:
        partly = await connection.invoke("EchoComplex", COMPLEX, result_type=Partly)
    assert partly == Partly("sé", (1, -2), StructPoint(1, 2), {"aKey": AttrsPoint(3, 4), "b_key": AttrsPoint(0, 0)})


async def test_items_of_a_stream_have_a_type(hubs: Hubs) -> None:
    async with hubs.connection() as connection:
        items = [item async for item in connection.stream("StreamComplex", 3, item_type=ComplexObject)]
        points = [item.point async for item in connection.stream("StreamComplex", 2, item_type=Partly)]
    assert [item.point for item in items] == [Point(0, 0), Point(1, -1), Point(2, -2)]
    assert all(
        item == ComplexObject(f"s{number}", [number], point=item.point, date_time=item.date_time)
        for number, item in enumerate(items)
    )
    assert points == [StructPoint(0, 0), StructPoint(1, -1)]


async def test_items_of_an_upload_are_written_as_their_type(hubs: Hubs) -> None:
    """An IntEnum is a name over MessagePack, where .NET expects a number: a value of its own type is needed."""

    async def numbers() -> AsyncIterator[int]:
        for shade in Shade:
            yield shade.value

    async with hubs.connection() as connection:
        assert await connection.invoke("SumStream", numbers(), result_type=int) == 3


async def test_a_handler_gets_the_types_of_its_annotations(hubs: Hubs) -> None:
    """All of them, including arguments without annotations, defaults, and the rest of the arguments."""
    received: asyncio.Queue[tuple[object, ...]] = asyncio.Queue()
    async with hubs.connection() as connection:

        @connection.on("Typed")
        def typed(value: ComplexObject, number: float, *rest: str) -> None:
            received.put_nowait((value, number, rest))

        @connection.on("Typed")
        async def untyped(value, number, tail):  # type: ignore[no-untyped-def]  # on purpose
            received.put_nowait((value["point" if "point" in value else "Point"], number, tail))

        async with asyncio.timeout(WAIT):
            await connection.send("SendComplex", "Typed", COMPLEX)
            assert await received.get() == (COMPLEX, 42.0, ("tail",))
            point, number, tail = await received.get()
    assert isinstance(point, dict)
    assert (sorted(point.values()), number, tail) == ([1, 2], 42, "tail")


async def test_an_argument_that_does_not_fit_is_logged_and_the_connection_goes_on(
    hubs: Hubs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "signalr_client")
    received: asyncio.Queue[object] = asyncio.Queue()
    async with hubs.connection() as connection:
        connection.on("Message", wrong_type)
        connection.on("Message", received.put_nowait)
        async with asyncio.timeout(WAIT):
            await connection.send("SendToCaller", "Message", "secret text")
            assert await received.get() == "secret text"
        assert await connection.invoke("Add", 1, 1) == 2
    [record] = caplog.records
    assert record.getMessage() == (
        "! failed to bind arguments received in invocation '' of 'Message': arguments[0]: expected int, got str"
    )


def wrong_type(value: int) -> None:
    raise AssertionError(value)


async def test_a_client_result_is_written_as_its_type(hubs: Hubs) -> None:
    """The handler gets an object and returns one, of any class."""
    async with hubs.connection() as connection:
        connection.on("Object", change)
        result = await connection.invoke("AskCallerComplex", "Object", COMPLEX, result_type=ComplexObject)
    assert result == ComplexObject("changed", date_time=MOMENT, point=Point(2, 1))


def change(value: ComplexObject) -> Model:
    assert value == COMPLEX
    return Model(string="changed", point=ModelPoint(x=2, y=1))


@pytest.mark.parametrize("returned", [["not an int"], {"a": 1}])
async def test_a_server_refuses_a_client_result_that_does_not_fit(hubs: Hubs, returned: object) -> None:
    async with hubs.connection() as connection:
        connection.on("Number", lambda _number: returned)
        with pytest.raises(HubException, match="Error trying to deserialize result to "):
            await connection.invoke("AskCallerInt", "Number", 1)
        assert await connection.invoke("Add", 1, 1) == 2


async def test_arguments_that_do_not_fit_a_handler_are_answered_with_the_official_text(hubs: Hubs) -> None:
    async with hubs.connection() as connection:
        connection.on("Question", wrong_type)
        with pytest.raises(HubException, match=r"HubException: Client failed to parse argument\(s\)\."):
            await connection.invoke("AskCaller", "Question", "text")


async def test_a_binding_error_inside_a_handler_is_not_taken_for_one_of_its_arguments(hubs: Hubs) -> None:
    async with hubs.connection() as connection:

        async def ask(question: str) -> str:
            return await connection.invoke("Add", 1, 1, result_type=str)

        connection.on("Question", ask)
        with pytest.raises(HubException, match="result: expected str, got int"):
            await connection.invoke("AskCaller", "Question", "text")


@pytest.mark.parametrize(
    ("target", "value", "wanted", "text"),
    [
        ("EchoComplex", COMPLEX, dict[str, int], "result['"),
        ("EchoList", ["a"], list[int], "result[0]: expected int, got str"),
        ("EchoDecimal", Decimal("1.5"), int, "result: expected int, got "),
        ("EchoColor", Color.BLUE, bool, "result: expected bool, got "),
    ],
)
async def test_a_result_that_does_not_fit_is_an_error_with_its_path(
    hubs: Hubs, target: str, value: object, wanted: Any, text: str
) -> None:
    async with hubs.connection() as connection:
        with pytest.raises(BindingError) as caught:
            await connection.invoke(target, value, result_type=wanted)
        assert text in str(caught.value)
        assert await connection.invoke("Add", 1, 1) == 2


async def test_a_type_that_is_not_supported_is_refused_before_anything_is_sent(hubs: Hubs) -> None:
    wanted: Any = "Nowhere"
    async with hubs.connection() as connection:
        with pytest.raises(UnsupportedTypeError, match="'Nowhere' is a text"):
            await connection.invoke("SetItem", "key", "sent", result_type=wanted)
        with pytest.raises(UnsupportedTypeError, match="'Nowhere' is a text"):
            connection.stream("Counter", 1, 0, item_type=wanted)
        assert await connection.invoke("GetItem", "key") is None


async def test_decimals_beside_other_calls_keep_their_digits(hubs: Hubs) -> None:
    """Only what asks for decimals gets them, while both kinds of calls are in flight."""
    digits = Decimal("0.1000000000000000055511151231257827021181583404541015625")
    short = digits.quantize(Decimal("1e-28"))

    async def exact(connection: HubConnection) -> list[Decimal]:
        return [await connection.invoke("EchoDecimal", short, result_type=Decimal) for _ in range(20)]

    async def plain(connection: HubConnection) -> list[object]:
        return [await connection.invoke("EchoDouble", 0.1) for _ in range(20)]

    async with hubs.connection() as connection:
        decimals, floats = await asyncio.gather(exact(connection), plain(connection))
    assert {str(number) for number in decimals} == {str(short)}
    assert floats == [0.1] * 20
    assert {type(number) for number in floats} == {float}

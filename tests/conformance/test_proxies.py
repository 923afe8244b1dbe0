"""A Protocol describes the hubs of both servers, and a class that implements one answers them. See docs/types.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Protocol
from uuid import UUID

import pytest

from signalr_client import BindingError, DateTimeOffset, HubException, HubStream, hub_method
from tests.interop.hubs import Color, ComplexObject, Point
from tests.support.hubs import Hubs

WAIT: Final = 10
MOMENT: Final = datetime(2016, 4, 5, 6, 7, 8, 123_456, tzinfo=UTC)


class Echoes(Protocol):
    """The names of the methods are those of the hub."""

    async def Echo(self, value: str) -> str: ...

    async def EchoDecimal(self, value: Decimal) -> Decimal: ...

    async def EchoGuid(self, value: UUID) -> UUID: ...

    async def EchoDateTimeOffset(self, value: DateTimeOffset) -> DateTimeOffset: ...

    async def EchoTimeSpan(self, value: timedelta) -> timedelta: ...

    async def EchoBytes(self, value: bytes) -> bytes: ...

    async def EchoColor(self, value: Color) -> Color: ...

    async def EchoNullableInt(self, value: int | None = None) -> int | None: ...

    async def EchoList(self, value: list[str]) -> list[str]: ...

    async def EchoDictionary(self, value: dict[str, int]) -> dict[str, int]: ...

    async def EchoComplex(self, value: ComplexObject) -> ComplexObject: ...


class Methods(Echoes, Protocol):
    """PEP 8 names, with those of the hub beside them."""

    @hub_method("Add")
    async def add(self, x: int, y: int = 40) -> int: ...

    @hub_method("VoidTask")
    async def void_task(self) -> None: ...

    @hub_method("Record", send=True)
    async def record(self, item: int) -> None: ...

    @hub_method("Recorded")
    async def recorded(self) -> str: ...

    @hub_method("Counter")
    def counter(self, count: int, delay_milliseconds: int = 0) -> HubStream[int]: ...

    @hub_method("StreamComplex")
    def stream_complex(self, count: int) -> AsyncIterator[ComplexObject]: ...

    @hub_method("StreamThenThrow")
    def stream_then_throw(self, count: int, message: str) -> AsyncIterator[int]: ...

    @hub_method("SumStream")
    async def sum_stream(self, stream: AsyncIterator[int]) -> int: ...

    @hub_method("ZipStreams")
    async def zip_streams(self, left: AsyncIterator[int], right: AsyncIterator[str]) -> str: ...

    @hub_method("Doubled")
    def doubled(self, stream: AsyncIterator[int]) -> AsyncIterator[int]: ...

    @hub_method("ThrowHubException")
    async def throw(self, message: str) -> None: ...

    @hub_method("renamed-method")
    async def renamed(self) -> str: ...

    async def sum4(self, a: int, b: int, c: int, d: int) -> int: ...


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def letters() -> AsyncIterator[str]:
    yield "a"
    yield "b"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Echo", "é"),
        ("EchoDecimal", Decimal("0.10")),
        ("EchoGuid", UUID("00010203-0405-0607-0706-050403020100")),
        ("EchoDateTimeOffset", DateTimeOffset.of(MOMENT)),
        ("EchoTimeSpan", timedelta(days=1, microseconds=5)),
        ("EchoBytes", b"\x00\xff"),
        ("EchoColor", Color.GREEN),
        ("EchoNullableInt", 5),
        ("EchoList", ["a", ""]),
        ("EchoDictionary", {"aKey": 1}),
        ("EchoComplex", ComplexObject("s", [1], point=Point(1, 2), points={"k": Point(3, 4)}, date_time=MOMENT)),
    ],
)
async def test_values_make_the_round_trip_as_the_protocol_says(hubs: Hubs, name: str, value: object) -> None:
    async with hubs.connection() as connection:
        echoes = connection.proxy(Echoes)
        result: object = await getattr(echoes, name)(value)
        assert result == value
        assert type(result) is type(value)
        assert await echoes.EchoNullableInt() is None


async def test_calls_streams_and_uploads(hubs: Hubs) -> None:
    async with hubs.connection("/orderedhub") as connection, asyncio.timeout(WAIT):
        hub = connection.proxy(Methods)
        assert [await hub.add(1, 2), await hub.add(2), await hub.add(y=1, x=3)] == [3, 42, 4]
        await hub.void_task()
        for item in range(3):
            await hub.record(item)
        assert await hub.recorded() == "3 in order"
        assert await hub.renamed() == "renamed"
        assert await hub.sum4(1, 2, 3, 4) == 10  # names are matched in any case
        assert [number async for number in hub.counter(3)] == [0, 1, 2]
        assert [item.point async for item in hub.stream_complex(2)] == [Point(0, 0), Point(1, -1)]
        assert await hub.sum_stream(numbers(4)) == 6
        assert await hub.zip_streams(numbers(2), letters()) == "0a,1b"
        assert [number async for number in hub.doubled(numbers(3))] == [0, 2, 4]


async def test_an_endless_stream_is_left(hubs: Hubs) -> None:
    async with hubs.connection() as connection, asyncio.timeout(WAIT):
        hub = connection.proxy(Methods)
        before = await connection.invoke("StreamsCancelled", result_type=int)
        async with hub.counter(1_000_000, 1) as stream:
            assert await anext(stream) == 0
        while await connection.invoke("StreamsCancelled", result_type=int) == before:
            await asyncio.sleep(0)


async def test_errors_of_the_hub_are_raised(hubs: Hubs) -> None:
    async with hubs.connection() as connection:
        hub = connection.proxy(Methods)
        with pytest.raises(HubException, match="HubException: it failed"):
            await hub.throw("it failed")
        items = []
        with pytest.raises(HubException, match="half way"):
            async for item in hub.stream_then_throw(2, "half way"):
                items.append(item)  # noqa: PERF401  # until the error
        assert items == [0, 1]
        wrong: Any = hub
        with pytest.raises(BindingError, match=r"Cannot call Methods\.add: x: expected int, got str"):
            await wrong.add("1", 2)
        assert await hub.add(1, 2) == 3


class ChatHub(Protocol):
    """What the typed hub offers."""

    async def SendMessage(self, user: str, message: str) -> None: ...

    async def WaitForMessage(self, connection_id: str) -> str: ...


class ChatClient(Protocol):
    """What the typed hub asks of its clients: IChatClient, with PEP 8 names."""

    @hub_method("ReceiveMessage")
    async def receive_message(self, user: str, message: str) -> None: ...

    @hub_method("GetMessage")
    async def get_message(self) -> str: ...


class Member(ChatClient):
    """A client. Its methods have the names that the Protocol gives them."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def receive_message(self, user: str, message: str) -> None:
        await self.received.put((user, message))

    async def get_message(self) -> str:
        return "from the member"


async def test_both_directions_of_the_typed_hub(hubs: Hubs) -> None:
    member = Member()
    async with hubs.connection("/typedhub") as anna, hubs.connection("/typedhub") as bob, asyncio.timeout(WAIT):
        bob.register(member)
        chat = anna.proxy(ChatHub)
        await chat.SendMessage("anna", "hello")
        assert await member.received.get() == ("anna", "hello")
        assert await chat.WaitForMessage(str(bob.connection_id)) == "from the member"

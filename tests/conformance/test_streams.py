"""Streams from the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalr_client import BindingError, ConnectionClosedError, HubConnection, HubException
from tests.support.hubs import Hubs


@asynccontextmanager
async def cancelled_on_server(hubs: Hubs) -> AsyncIterator[HubConnection]:
    """Yield a connection; after the block, wait until the server has seen one more cancelled stream."""
    async with hubs.connection() as connection:
        before = await connection.invoke("StreamsCancelled")
        yield connection
        async with asyncio.timeout(10):
            while await connection.invoke("StreamsCancelled") <= before:
                pass


async def test_a_stream_gives_every_item_in_order(hubs: Hubs) -> None:
    """Many items, a few, and none."""
    async with hubs.connection() as connection:
        assert [item async for item in connection.stream("Counter", 1000, 0)] == list(range(1000))
        assert [item async for item in connection.stream("ChannelCounter", 3)] == ["item 0", "item 1", "item 2"]
        assert [item async for item in connection.stream("Counter", 0, 0)] == []


async def test_items_are_delivered_as_they_are_sent(hubs: Hubs) -> None:
    """The first item can be read before the server has sent the last one."""
    async with hubs.connection() as connection, connection.stream("Counter", 100_000, 1) as numbers:
        assert await anext(numbers) == 0
        assert await anext(numbers) == 1
        assert await connection.invoke("Add", 1, 1) == 2


async def test_a_stream_raises_its_error_after_all_items(hubs: Hubs) -> None:
    async with hubs.connection() as connection:
        got = []
        with pytest.raises(HubException) as caught:
            async for item in connection.stream("StreamThenThrow", 3, "ran out"):
                got.append(item)  # noqa: PERF401  # the items before the error are checked below
        assert got == [0, 1, 2]
        assert caught.value.message == "An error occurred on the server while streaming results. HubException: ran out"
        assert await connection.invoke("Add", 1, 1) == 2


async def test_invoke_and_stream_reject_the_other_kind_of_method(hubs: Hubs) -> None:
    """With the error messages of the server."""
    async with hubs.connection() as connection:
        with pytest.raises(HubException) as caught:
            await connection.invoke("Counter", 1, 0)
        wrong = "The client attempted to invoke the streaming 'Counter' method with a non-streaming invocation."
        assert caught.value.message == wrong
        with pytest.raises(HubException) as caught:
            await anext(connection.stream("Add", 1, 2))
        wrong = "The client attempted to invoke the non-streaming 'Add' method with a streaming invocation."
        assert caught.value.message == wrong


async def test_items_are_converted_to_item_type(hubs: Hubs) -> None:
    """An item that cannot be converted raises an error."""
    async with hubs.connection() as connection:
        assert [item async for item in connection.stream("Counter", 2, 0, item_type=float)] == [0.0, 1.0]
        with pytest.raises(BindingError):
            await anext(connection.stream("ChannelCounter", 1, item_type=int))


async def test_streams_run_concurrently(hubs: Hubs) -> None:
    """Each gets its own items."""

    async def collect(connection: HubConnection, count: int) -> list[int]:
        return [item async for item in connection.stream("Counter", count, 1)]

    async with hubs.connection() as connection:
        got = await asyncio.gather(*(collect(connection, count) for count in range(20)))
    assert got == [list(range(count)) for count in range(20)]


async def test_break_stops_the_stream_on_the_server(hubs: Hubs) -> None:
    """Python does not notify the iterator of a `break`; the stream is cancelled anyway."""
    async with cancelled_on_server(hubs) as connection:
        async for item in connection.stream("Counter", 100_000, 1):
            if item == 3:
                break


async def test_an_exception_in_the_loop_stops_the_stream_on_the_server(hubs: Hubs) -> None:
    """The exception is raised to the caller."""
    async with cancelled_on_server(hubs) as connection:
        with pytest.raises(LookupError, match="mine"):
            async for _ in connection.stream("Counter", 100_000, 1):
                raise LookupError("mine")


async def test_cancelling_the_reader_stops_the_stream_on_the_server(hubs: Hubs) -> None:
    """At any point where the reader may be waiting."""
    async with cancelled_on_server(hubs) as connection:
        began = asyncio.Event()

        async def read() -> None:
            async for _ in connection.stream("Counter", 100_000, 1):
                began.set()

        reader = asyncio.create_task(read())
        await began.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader


async def test_aclose_stops_the_stream_on_the_server(hubs: Hubs) -> None:
    """Reading afterwards ends immediately, and closing twice is allowed."""
    async with cancelled_on_server(hubs) as connection:
        numbers = connection.stream("Counter", 100_000, 1)
        assert await anext(numbers) == 0
        await numbers.aclose()
        await numbers.aclose()
        assert [item async for item in numbers] == []


async def test_leaving_async_with_stops_the_stream_on_the_server(hubs: Hubs) -> None:
    """However many items were read."""
    async with cancelled_on_server(hubs) as connection, connection.stream("Counter", 100_000, 1) as numbers:
        assert await anext(numbers) == 0


async def test_a_stream_fails_when_the_connection_ends(hubs: Hubs) -> None:
    """Reading it raises the error."""
    connection = hubs.connection()
    await connection.start()
    numbers = connection.stream("Counter", 100_000, 1)
    assert await anext(numbers) == 0
    await connection.send("Abort")
    with pytest.raises(ConnectionClosedError):
        async for _ in numbers:
            pass
    await connection.stop()

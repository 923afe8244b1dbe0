"""Streams to the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

import pytest

from signalr_client import ConnectionClosedError, HubException
from tests.support.hubs import Hubs

T = TypeVar("T")


class Source(AsyncIterator[T]):
    """Items for an upload; records when it is closed. With ``hold``, it waits indefinitely after its items."""

    def __init__(self, items: Iterable[T], *, hold: bool = False) -> None:
        self._items = iter(items)
        self._hold = hold
        self.waiting = asyncio.Event()
        self.closed = asyncio.Event()

    async def __anext__(self) -> T:
        """Return the next item."""
        for item in self._items:
            return item
        if self._hold:
            self.waiting.set()
            await asyncio.Event().wait()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Record the end."""
        self.closed.set()


async def test_a_call_may_have_streams_in_any_position(hubs: Hubs) -> None:
    """Before, after and between plain arguments; also when the method itself returns a stream."""
    async with hubs.connection() as connection:
        assert await connection.invoke("SumStream", Source(range(100))) == 4950
        assert await connection.invoke("SumStream", Source([])) == 0
        assert await connection.invoke("JoinStream", Source(["a", "b", "c"]), "-") == "a-b-c"
        assert await connection.invoke("JoinStream", "+", Source(["a", "b"])) == "a+b"
        assert await connection.invoke("ZipStreams", Source([0, 1]), Source(["x", "y"])) == "0x,1y"
        assert [item async for item in connection.stream("Doubled", Source([1, 2, 3]))] == [2, 4, 6]


async def test_an_async_generator_can_be_uploaded(hubs: Hubs) -> None:

    async def numbers() -> AsyncIterator[int]:
        for number in range(5):
            yield number
            await asyncio.sleep(0)

    async with hubs.connection() as connection:
        assert await connection.invoke("SumStream", numbers()) == 10


async def test_an_upload_continues_after_send_has_returned(hubs: Hubs) -> None:
    """`send` does not wait for uploads."""
    source = Source(range(1000))
    async with hubs.connection() as connection:
        await connection.send("SumStream", source)
        await source.closed.wait()
        assert await connection.invoke("Add", 1, 1) == 2


async def test_a_large_upload_arrives_complete_and_in_order(hubs: Hubs) -> None:
    """It is larger than all buffers."""
    async with hubs.connection() as connection:
        assert await connection.invoke("CheckStream", Source(range(20_000))) == "20000 in order"


async def test_an_exception_in_the_source_is_sent_as_its_message(hubs: Hubs) -> None:
    """The server gets no traceback. The hub method sees the upload fail; the call and the connection continue."""

    async def bad() -> AsyncIterator[int]:
        yield 1
        raise ValueError("bad source")

    async with hubs.connection() as connection:
        answer = await connection.invoke("StreamError", bad())
        assert answer.endswith(": bad source")
        assert "Traceback" not in answer
        assert await connection.invoke("Add", 1, 1) == 2


async def test_an_item_that_cannot_be_encoded_ends_only_its_upload(hubs: Hubs) -> None:
    """The server is notified that the upload has failed."""
    async with hubs.connection() as connection:
        assert "object" in await connection.invoke("StreamError", Source([object()]))
        assert await connection.invoke("Add", 1, 1) == 2


async def test_cancelling_invoke_ends_its_uploads(hubs: Hubs) -> None:
    """The cleanup of the source runs immediately."""
    source = Source([1, 2], hold=True)
    async with hubs.connection() as connection:
        call = asyncio.create_task(connection.invoke("SumStream", source))
        await source.waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await source.closed.wait()
        assert await connection.invoke("Add", 1, 1) == 2


async def test_an_upload_ends_when_its_method_has_completed(hubs: Hubs) -> None:
    source = Source([1], hold=True)
    async with hubs.connection() as connection:
        with pytest.raises(HubException, match="Method does not exist"):
            await connection.invoke("Nope", source)
        await source.closed.wait()


async def test_an_upload_ends_with_its_connection(hubs: Hubs) -> None:
    """No task is left running."""
    source = Source([1], hold=True)
    connection = hubs.connection()
    await connection.start()
    call = asyncio.create_task(connection.invoke("SumStream", source))
    await source.waiting.wait()
    await connection.stop()
    with pytest.raises(ConnectionClosedError):
        await call
    await source.closed.wait()

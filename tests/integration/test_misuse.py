"""Incorrect use of a connection raises a clear error immediately and does not affect the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from signalr_client import (
    ConnectionClosedError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    InvalidStateError,
)
from signalr_client.core.messages import Completion, StreamInvocation, StreamItem
from tests.support.wire import Wire, WirePeer, echo, stay, vanish

# another event loop


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    """A separate thread."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


USES: dict[str, Callable[[HubConnection], Awaitable[object]]] = {
    "start": lambda connection: connection.start(),
    "stop": lambda connection: connection.stop(),
    "wait_connected": lambda connection: connection.wait_connected(),
    "wait_closed": lambda connection: connection.wait_closed(),
    "invoke": lambda connection: connection.invoke("Echo", 1),
    "send": lambda connection: connection.send("Echo", 1),
    "stream": lambda connection: anext(connection.stream("Echo", 1)),
    "refresh_authentication": lambda connection: connection.refresh_authentication(),
}


@pytest.mark.parametrize("action", USES)
async def test_a_connection_cannot_be_used_from_another_event_loop(action: str, wire: Wire, thread: ThreadPoolExecutor) -> None:
    """The error is raised immediately, and the connection keeps working in its own event loop."""
    wire.play(echo)
    connection = wire.connection()

    async def use() -> None:
        async with asyncio.timeout(5):
            await USES[action](connection)

    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(InvalidStateError) as caught:
            await asyncio.get_running_loop().run_in_executor(thread, asyncio.run, use())
        assert (caught.value.action, caught.value.state) == (action, "Connected")
        assert "another event loop or thread" in str(caught.value)
        assert "connected" in str(caught.value)
        assert connection.state is HubConnectionState.CONNECTED
        assert await connection.invoke("Echo", "unharmed") == "unharmed"
        await connection.stop()


async def test_a_stream_cannot_be_read_or_closed_from_another_event_loop(wire: Wire, thread: ThreadPoolExecutor) -> None:
    async def items(peer: WirePeer) -> None:
        await peer.shake_hands()
        [call] = await peer.receive_until(StreamInvocation)
        assert isinstance(call, StreamInvocation)
        await peer.send(StreamItem(invocation_id=call.invocation_id, item=1))
        await peer.receive()
        await peer.until_closed()

    wire.play(items)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        stream = connection.stream("Items")
        assert await anext(stream) == 1

        async def read() -> None:
            await anext(stream)

        for use in (read, stream.aclose):
            with pytest.raises(InvalidStateError, match="another event loop"):
                await asyncio.get_running_loop().run_in_executor(thread, asyncio.run, use())
        await connection.stop()
        with pytest.raises(ConnectionClosedError):
            await anext(stream)


# two readers of a stream


async def test_a_second_reader_of_a_stream_gets_a_clear_error(wire: Wire) -> None:
    """The first reader is not affected."""

    async def items(peer: WirePeer) -> None:
        await peer.shake_hands()
        [call] = await peer.receive_until(StreamInvocation)
        assert isinstance(call, StreamInvocation)
        await second_done.wait()
        await peer.send(
            StreamItem(invocation_id=call.invocation_id, item=1),
            StreamItem(invocation_id=call.invocation_id, item=2),
            Completion(invocation_id=call.invocation_id),
        )
        await peer.until_closed()

    second_done = asyncio.Event()
    wire.play(items)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        stream = connection.stream("Items")

        async def read() -> list[object]:
            return [item async for item in stream]

        first = asyncio.create_task(read())
        for _ in range(3):
            await asyncio.sleep(0)
        for second in (read(), anext(stream)):
            with pytest.raises(InvalidStateError, match="Another task is waiting for the next item of this stream") as caught:
                await second
            assert caught.value.state == "Connected"
            del caught
        second_done.set()
        assert await first == [1, 2]
        await connection.stop()


# errors


async def test_each_wait_closed_raises_its_own_error(wire: Wire) -> None:
    """If one exception object were raised several times, its traceback would grow."""
    wire.play(vanish)
    connection = wire.connection()
    errors: list[BaseException] = []
    async with asyncio.timeout(10):
        await connection.start()
        for _ in range(3):
            with pytest.raises(ConnectionClosedError) as caught:
                await connection.wait_closed()
            errors.append(caught.value)
        await connection.stop()
    assert len({id(error) for error in errors}) == 3
    assert len({repr(error) for error in errors}) == 1
    assert len({repr(error.__cause__) for error in errors}) == 1
    depths = []
    for error in errors:
        depth, traceback = 0, error.__traceback__
        while traceback is not None:
            depth, traceback = depth + 1, traceback.tb_next
        depths.append(depth)
    assert len(set(depths)) == 1


async def test_the_error_before_the_first_start_suggests_awaiting_start(wire: Wire) -> None:
    wire.play(stay)
    connection = wire.connection()
    hint = "Did you forget to await start()?"
    with pytest.raises(InvalidStateError) as caught:
        await connection.invoke("M")
    assert str(caught.value) == (
        f"The 'invoke' method cannot be called if the connection is not active. {hint} (The connection is disconnected.)"
    )
    async with asyncio.timeout(10):
        await connection.start()
        await connection.stop()
    with pytest.raises(InvalidStateError) as caught:
        await connection.invoke("M")
    assert hint not in str(caught.value)


async def test_urls_of_websockets_are_accepted(wire: Wire) -> None:
    wire.play(echo)
    for options in ({}, {"skip_negotiation": True, "transports": HttpTransportType.WEB_SOCKETS}):
        url = wire.server.url.replace("http://", "ws://")
        builder = HubConnectionBuilder().with_url(url, **options).with_hub_protocol(wire.protocol)  # type: ignore[arg-type]
        async with asyncio.timeout(10), builder.build() as connection:
            assert await connection.invoke("Echo", 1) == 1

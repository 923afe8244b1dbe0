"""When a physical connection ends, its calls fail and events fire first; cleanup follows in the background, within a bounded time."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator

import pytest

from signalr_client import ConnectionClosedError, HubConnectionBuilder, HubConnectionState, TransportError
from signalr_client.client.tasks import CANCEL_GRACE
from signalr_client.core.messages import Completion, Invocation, Ping, StreamItem
from tests.support.events import EventRecorder
from tests.support.polling_server import polling_server
from tests.support.scripted_server import OFFER
from tests.support.wire import Wire, WirePeer, echo, stay

CLOSE_TIMEOUT = 0.1


async def test_a_hanging_delete_delays_neither_calls_nor_the_reconnect() -> None:
    """Calls fail, the state changes, events fire and a new connection opens while the DELETE is still in flight."""
    async with polling_server() as server, asyncio.timeout(10):
        builder = HubConnectionBuilder().with_url(server.url, close_timeout=60)
        connection = builder.with_automatic_reconnect([0]).build()
        events = EventRecorder(connection)
        await connection.start()
        call = asyncio.create_task(connection.invoke("Never"))
        await server.connections[0].posted.get()
        server.connections[0].send({"type": 7, "error": "over", "allowReconnect": True})
        with pytest.raises(ConnectionClosedError, match="over"):
            await call
        await events.wait("reconnected")
        assert connection.connection_id == "1"
        await server.delete_begun.wait()
        assert not server.release.is_set()
        server.release.set()
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]


async def test_a_hanging_delete_does_not_delay_the_close_event() -> None:
    """Without automatic reconnect, the connection is disconnected immediately and may be started again."""
    async with polling_server() as server, asyncio.timeout(10):
        connection = HubConnectionBuilder().with_url(server.url, close_timeout=60).build()
        events = EventRecorder(connection)
        await connection.start()
        server.connections[0].send({"type": 7, "error": "over"})
        await events.wait("closed")
        await server.delete_begun.wait()
        assert connection.state is HubConnectionState.DISCONNECTED
        await connection.start()
        assert connection.connection_id == "1"
        server.release.set()
        await connection.stop()


class Source:
    """An upload source with one item, whose cleanup ignores cancellation until the end of the test."""

    def __init__(self, *, endless: bool) -> None:
        self.closing = asyncio.Event()
        self.release = asyncio.Event()
        self._items = iter([1])
        self._endless = endless

    def __aiter__(self) -> Source:
        return self

    async def __anext__(self) -> int:
        """Return the item, then wait indefinitely or end."""
        for item in self._items:
            return item
        if self._endless:
            await asyncio.get_running_loop().create_future()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Wait until the end of the test."""
        self.closing.set()
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                continue


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    """A source that waits indefinitely after its item."""
    source = Source(endless=True)
    yield source
    source.release.set()
    for _ in range(10):
        await asyncio.sleep(0)


async def drop_an_upload(peer: WirePeer) -> None:
    """Receive an item of an upload and cut the connection."""
    await peer.shake_hands()
    await peer.receive_until(StreamItem)


async def test_the_cleanup_of_an_upload_source_delays_nothing(source: Source, wire: Wire) -> None:
    """Calls fail, the client reconnects, and later calls work while the cleanup is running."""
    wire.play(drop_an_upload, echo)
    connection = wire.builder(close_timeout=60).with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError):
            await connection.invoke("Upload", source)
        await source.closing.wait()
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 1) == 1
        source.release.set()
        await connection.stop()


async def test_the_cleanup_of_an_upload_source_is_bounded_by_the_close_timeout(
    source: Source, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """A source that ignores its cancellation is abandoned."""
    wire.play(stay)
    connection = wire.connection(close_timeout=CLOSE_TIMEOUT)
    async with asyncio.timeout(CLOSE_TIMEOUT + 3 * CANCEL_GRACE + 1):
        await connection.start()
        await connection.send("Upload", source)
        await asyncio.sleep(0)
        await connection.stop()
    assert source.closing.is_set()
    assert "1 upload still running after" in caplog.text
    assert "abandoned" in caplog.text


async def test_the_end_of_an_upload_is_sent_before_its_source_is_closed(wire: Wire) -> None:
    """The cleanup of the source may take any time."""
    source = Source(endless=False)

    async def answer(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.receive_until(Completion)
        [call] = await peer.receive_until(Invocation)
        assert isinstance(call, Invocation)
        await peer.send(Completion(invocation_id=str(call.invocation_id), result="all there"))
        await peer.until_closed()

    wire.play(answer)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        assert await connection.invoke("Upload", source) == "all there"
        await source.closing.wait()
        source.release.set()
        await connection.stop()


async def test_the_end_of_an_upload_cancelled_before_its_first_item_is_sent(wire: Wire) -> None:
    """The call has announced the upload, so its end must be sent."""

    async def numbers() -> AsyncIterator[int]:
        await asyncio.get_running_loop().create_future()
        yield 1

    wire.play(stay)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        async with connection.stream("Upload", numbers()):
            pass
        await connection.stop()
    ends = [message for message in wire.peers[0].got if isinstance(message, Completion)]
    assert [end.error for end in ends] == ["Stream canceled by client."]


async def test_messages_are_sent_in_frames_of_limited_size(wire: Wire) -> None:
    """Messages sent in one iteration of the event loop share frames of up to 64 KiB; a message is never split."""
    sizes: list[int] = []

    async def measure(peer: WirePeer) -> None:
        await peer.shake_hands()
        while messages := await peer.receive():
            sizes.append(len(peer.encode(*messages)))

    wire.play(measure)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        await asyncio.gather(*(connection.send("M", number, "x" * 1000) for number in range(300)))
        await connection.send("Large", "x" * 200_000)
        await connection.stop()
    [peer] = wire.peers
    numbers = [message.arguments[0] for message in peer.got if isinstance(message, Invocation) and message.target == "M"]
    assert numbers == list(range(300))
    large = [size for size in sizes if size > 65_536]
    assert len(large) == 1
    assert 200_000 < large[0] < 201_000
    assert sum(size > 60_000 for size in sizes) >= 4


async def test_an_idle_connection_has_three_tasks(wire: Wire) -> None:
    """The main task, the reader and the writer; also after calls, handlers, uploads and a reconnect."""
    before = asyncio.all_tasks()

    def names() -> list[str]:
        return sorted(task.get_name() for task in asyncio.all_tasks() - before if task.get_name().startswith("signalr"))

    async def ask(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="M", arguments=[]), Invocation(target="Ask", arguments=[], invocation_id="1"))
        await peer.receive_until(Completion, 2)

    wire.play(ask, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    connection.on("M", lambda: None)
    connection.on("Ask", lambda: "answer")

    async def numbers() -> AsyncIterator[int]:
        yield 1

    idle = ["signalr connection", "signalr reader", "signalr writer"]
    async with asyncio.timeout(10):
        await connection.start()
        await connection.send("Upload", numbers())
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 1) == 1
        while names() != idle:  # tasks of the old connection end within a few iterations
            await asyncio.sleep(0)
        await connection.stop()
    assert names() == []


@pytest.mark.parametrize("stateful", [False, True], ids=["", "stateful"])
async def test_a_connection_that_breaks_while_pings_are_answered_is_lost_like_any_other(
    wire: Wire, stateful: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """aiohttp answers the pings of WebSockets by itself, and then it is the reader that notices."""

    async def ping_and_reset(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.receive_until(Ping)
        wire.server.refusal = 404  # nobody can come back
        connection = peer.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        peer.transport.write(b"\x89\x00" * 100)
        peer.transport.abort()

    wire.play(ping_and_reset)
    wire.server.negotiate = OFFER | {"useStatefulReconnect": True}
    builder = wire.builder()
    connection = (builder.with_stateful_reconnect() if stateful else builder).build()
    detached: list[Exception | None] = []
    connection.on_detached(detached.append)
    async with asyncio.timeout(20):
        await connection.start()
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.wait_closed()
    assert isinstance(caught.value.__cause__, TransportError)
    assert len(detached) == stateful
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []

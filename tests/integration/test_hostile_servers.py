"""What a server can make the client hold: items that nobody reads, calls, calls for a result, and answers that it does not read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from signalr_client import ConnectionClosedError, HubConnection
from signalr_client.client.link import HubLink
from signalr_client.core.messages import Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from tests.support.memory import measure, most_allocated, stop_measuring
from tests.support.wire import Wire, WirePeer, blocked

MEGABYTE = 1_000_000
PAYLOAD = "x" * 64_000
FLOOD = 1_500  # messages of 64 KB: 96 MB in total


@pytest.fixture(autouse=True)
def _stop_measuring() -> Iterator[None]:
    yield
    stop_measuring()


class Sender:
    """Sends messages as fast as the client takes them; ``sent`` counts them."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, peer: WirePeer, message: HubMessage, count: int = FLOOD) -> None:
        """Send *message* again and again."""
        for _ in range(count):
            await peer.send(message)
            self.sent += 1

    async def stalled(self) -> None:
        """Wait until nothing more was sent for many turns of the event loop."""
        await blocked(lambda: self.sent)


def link_of(connection: HubConnection) -> HubLink:
    """Return the current link of *connection*."""
    assert connection._life is not None
    assert connection._life.link is not None
    return connection._life.link


# streams


async def ids_of_streams(peer: WirePeer, count: int) -> list[str]:
    """Return the invocation ids of the first *count* streams that the client asks for."""
    calls = await peer.receive_until(StreamInvocation, count)
    return [call.invocation_id for call in calls if isinstance(call, StreamInvocation)]


@pytest.mark.parametrize("limits", [{"bytes": 2_000_000, "messages": None}, {"bytes": None, "messages": 30}])
async def test_items_that_nobody_reads_stop_the_server(
    limits: dict[str, int | None], wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """And they are all there when the stream is read at last."""
    sender = Sender()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        [stream_id] = await ids_of_streams(peer, 1)
        await sender.send(peer, StreamItem(invocation_id=stream_id, item=PAYLOAD))
        await peer.send(Completion(invocation_id=stream_id))
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder().with_receive_limit(**limits).build()
    async with asyncio.timeout(60), connection, connection.stream("Flood") as stream:
        measure()
        await sender.stalled()
        assert sender.sent < 400  # what the buffers of the sockets take, and the limit
        assert most_allocated() < 20 * MEGABYTE
        stop_measuring()
        items = 0
        async for item in stream:
            assert item == PAYLOAD
            items += 1
        assert items == FLOOD
    warnings = [record.getMessage() for record in caplog.records if "receive limit" in record.getMessage()]
    assert warnings
    assert all("of streams (" in text and text.endswith("were not read") for text in warnings)


async def test_a_stream_that_is_read_is_not_held_up_by_one_that_is_not(wire: Wire) -> None:
    sender = Sender()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        first, second = await ids_of_streams(peer, 2)
        for _ in range(10):
            await sender.send(peer, StreamItem(invocation_id=first, item=PAYLOAD), 40)
            await peer.send(StreamItem(invocation_id=second, item="here"))
        await peer.send(Completion(invocation_id=second))
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder().with_receive_limit(bytes=10_000_000).build()
    async with asyncio.timeout(60), connection, connection.stream("Unread"), connection.stream("Read") as read:
        assert [item async for item in read] == ["here"] * 10


async def test_leaving_the_stream_lets_the_client_read_on(wire: Wire) -> None:
    sender = Sender()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        [stream_id] = await ids_of_streams(peer, 1)
        reading = asyncio.create_task(peer.answer_calls())
        await sender.send(peer, StreamItem(invocation_id=stream_id, item=PAYLOAD), 400)
        await reading

    wire.play(script)
    connection = wire.builder().with_receive_limit(bytes=1_000_000).build()
    async with asyncio.timeout(60), connection:
        async with connection.stream("Flood"):
            await sender.stalled()
            assert sender.sent < 400
        await sender.stalled()
        assert sender.sent == 400
        assert await connection.invoke("Echo", 1) == 1


async def test_a_stream_that_was_dropped_unread_does_not_count(wire: Wire) -> None:
    """The server had completed it, so leaving it sends nothing. It is garbage-collected with its items."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        [stream_id] = await ids_of_streams(peer, 1)
        for _ in range(30):
            await peer.send(StreamItem(invocation_id=stream_id, item=PAYLOAD))
        await peer.send(Completion(invocation_id=stream_id))
        await peer.answer_calls()

    wire.play(script)
    connection = wire.builder().with_receive_limit(bytes=1_000_000).build()
    async with asyncio.timeout(60), connection:
        stream = connection.stream("Flood")
        await stream.__aenter__()
        backlog = link_of(connection)._backlog
        while not backlog.gate.full:
            await asyncio.sleep(0)
        del stream
        gc.collect()
        assert await connection.invoke("Echo", 1) == 1
        backlog.refresh_all()
        assert (backlog.gate.size, backlog.gate.items) == (0, 0)


@pytest.mark.parametrize("read", ["at once", "late"])
async def test_the_count_of_unread_items_is_exact(read: str, wire: Wire) -> None:
    """Large items behind small ones of another stream, in one frame, while a third stream has unread items."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        third, large, small = await ids_of_streams(peer, 3)
        await peer.send(StreamItem(invocation_id=third, item=0))
        for _ in range(5):
            tiny = [StreamItem(invocation_id=small, item=1)] * 500
            await peer.send(*tiny, StreamItem(invocation_id=large, item=PAYLOAD), *tiny)
        await peer.send(Completion(invocation_id=small))
        await peer.until_closed()

    wire.play(script)
    connection = wire.connection()
    async with (
        asyncio.timeout(60),
        connection,
        connection.stream("Third") as third,
        connection.stream("Large") as large,
        connection.stream("Small") as small,
    ):
        backlog = link_of(connection)._backlog
        while read == "late" and backlog.gate.items < 5_006:
            await asyncio.sleep(0)
        assert len([item async for item in small]) == 5_000
        backlog.refresh_all()
        assert backlog.gate.items == 6
        assert 5 * 64_000 < backlog.gate.size < 5 * 65_000
        for _ in range(5):
            await anext(large)
        await anext(third)
        backlog.refresh_all()
        assert (backlog.gate.size, backlog.gate.items) == (0, 0)


# calls


async def test_calls_in_pieces_count_with_all_of_their_bytes(wire: Wire) -> None:
    """The last byte of each call comes in a frame of its own, and the rest of it behind a message that does not wait."""
    sender = Sender()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        call = peer.encode(Invocation(target="M", arguments=[PAYLOAD]))
        other = peer.encode(Completion(invocation_id="unknown"))
        for _ in range(FLOOD):
            await peer.write(other + call[:-1])
            await peer.write(call[-1:])
            sender.sent += 1
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder(close_timeout=0.1).with_receive_limit(bytes=2_000_000).build()
    ended = asyncio.Event()

    async def slow(_payload: str) -> None:
        await ended.wait()

    connection.on("M", slow)
    async with asyncio.timeout(60):
        await connection.start()
        measure()
        await sender.stalled()
        assert sender.sent < 400
        assert most_allocated() < 20 * MEGABYTE
        await connection.stop()


# while something waits for the server, which never responds


@pytest.mark.parametrize("waiting", ["an invocation", "a stream"])
@pytest.mark.parametrize("flood", ["calls", "items"])
async def test_a_server_that_never_responds_uses_up_an_overdraft(waiting: str, flood: str, wire: Wire) -> None:
    """The client reads on past the limit because something waits for a response; that must have an end."""
    sender = Sender()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        [unread, *_] = await ids_of_streams(peer, 2 if waiting == "a stream" else 1)
        if waiting == "an invocation":
            await peer.receive_until(Invocation)
        if flood == "calls":
            await sender.send(peer, Invocation(target="M", arguments=[PAYLOAD]))
        else:
            await sender.send(peer, StreamItem(invocation_id=unread, item=PAYLOAD))
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder(close_timeout=0.1).with_receive_limit(bytes=2_000_000).build()
    release = asyncio.Event()

    async def slow(_payload: str) -> None:
        await release.wait()

    connection.on("M", slow)
    text = r"The server sent more than the client can take: .*with_receive_limit\(\)"
    async with asyncio.timeout(60):
        await connection.start()
        async with connection.stream("Unread"):
            measure()
            with pytest.raises(ConnectionClosedError, match=text):
                if waiting == "an invocation":
                    await connection.invoke("Never")
                else:
                    await anext(connection.stream("Never"))
            assert sender.sent < FLOOD
            assert most_allocated() < 35 * MEGABYTE
            with pytest.raises(ConnectionClosedError, match=text):
                await connection.wait_closed()
        release.set()
        await connection.stop()


async def test_a_reconnect_does_not_wait_for_slow_handlers(wire: Wire) -> None:
    """The calls of the last connection fill the queue; the handshake of the next one is read all the same."""

    async def flood(peer: WirePeer) -> None:
        await peer.shake_hands(*(Invocation(target="M", arguments=[number]) for number in range(20)))
        await asked.wait()

    async def echo(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.answer_calls()

    wire.play(flood, echo)
    builder = wire.builder().with_receive_limit(messages=10).with_automatic_reconnect([0])
    connection = builder.with_keep_alive_interval(0.1).build()  # a link that does not read notices its loss when it pings
    asked, release, reconnected = asyncio.Event(), asyncio.Event(), asyncio.Event()
    connection.on_reconnected(lambda _: reconnected.set())
    got: list[int] = []

    @connection.on("M")
    async def slow(number: int) -> None:
        asked.set()
        await release.wait()
        got.append(number)

    async with asyncio.timeout(10), connection:
        await reconnected.wait()
        assert await connection.invoke("Echo", 1) == 1
        release.set()
    assert got == list(range(20))


# calls for a result


@pytest.mark.parametrize("limits", [{"requests": 7}, {}])
async def test_only_so_many_calls_for_a_result_run_at_once(limits: dict[str, Any], wire: Wire) -> None:
    """1,000 by default. The others wait for their turn, and the other calls go on meanwhile."""
    most = limits.get("requests", 1_000)
    number = 20_000

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        reading = asyncio.create_task(peer.receive_until(Completion, number))
        for first in range(0, number, 1_000):
            numbers = range(first, first + 1_000)
            await peer.send(*(Invocation(target="Ask", arguments=[n], invocation_id=str(n)) for n in numbers))
        await peer.send(Invocation(target="Plain", arguments=[]))
        answers = await reading
        results = [answer.result for answer in answers if isinstance(answer, Completion)]
        assert sorted(results) == list(range(number))  # type: ignore[type-var]  # numbers
        done.set()
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder().with_receive_limit(**limits).build()
    plain, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    running = 0
    highest = 0

    @connection.on("Ask")
    async def answer(number: int) -> int:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        await release.wait()
        running -= 1
        return number

    connection.on("Plain", plain.set)
    async with asyncio.timeout(60), connection:
        await plain.wait()
        assert running == highest == most
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("signalr request") == most
        release.set()
        await done.wait()
        assert highest == most


async def test_calls_for_a_result_take_bounded_memory(wire: Wire) -> None:
    """Their handlers never end. 100,000 calls may wait, and this is as many as fit into the smaller limit of the test."""
    sender = Sender()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        calls = peer.encode(*(Invocation(target="Ask", arguments=["x" * 200], invocation_id=str(n)) for n in range(1_000)))
        for _ in range(200):
            await peer.write(calls)
            sender.sent += 1
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder(close_timeout=0.1).with_receive_limit(messages=10_000, requests=100).build()
    ended = asyncio.Event()

    @connection.on("Ask")
    async def never(_padding: str) -> None:
        await ended.wait()

    async with asyncio.timeout(60):
        await connection.start()
        measure()
        await sender.stalled()
        assert sender.sent < 200
        assert most_allocated() < 30 * MEGABYTE
        await connection.stop()


async def test_a_server_that_does_not_read_the_results_is_not_read_either(wire: Wire) -> None:
    """Each result has 100 KB, and waits until the server takes it."""
    sender = Sender()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        for number in range(3_000):
            await peer.send(Invocation(target="Ask", arguments=["x" * 1_000], invocation_id=str(number)))
            sender.sent += 1
        await asyncio.Event().wait()

    wire.play(script)
    connection = wire.builder(close_timeout=0.1).with_receive_limit(messages=50, requests=20).build()
    asked = 0

    @connection.on("Ask")
    async def answer(_padding: str) -> str:
        nonlocal asked
        asked += 1
        return "x" * 100_000

    async with asyncio.timeout(60):
        await connection.start()
        measure()
        await sender.stalled()
        assert asked < 1_000
        assert most_allocated() < 20 * MEGABYTE
        await connection.stop()


async def test_results_are_dropped_in_bounded_time_when_the_connection_stops(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that run are cancelled after the close timeout, and those that wait never begin."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(*(Invocation(target="Ask", arguments=[], invocation_id=str(n)) for n in range(20)))
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder(close_timeout=0.1).with_receive_limit(requests=5).build()
    begun = 0

    @connection.on("Ask")
    async def never() -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        await connection.start()
        while begun < 5:
            await asyncio.sleep(0)
        await connection.stop()
    assert begun == 5
    assert "dropped 15 queued server calls" in caplog.text


@pytest.mark.parametrize("name", ["bytes", "messages", "requests"])
def test_a_receive_limit_is_positive(name: str, wire: Wire) -> None:
    with pytest.raises(ValueError, match=f"The receive limit {name}= must be positive, or None for no limit; not 0."):
        wire.builder().with_receive_limit(**{name: 0})


async def test_names_of_the_server_cannot_forge_lines_of_the_log(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the id of a call whose arguments do not fit, nor a target that an on_unhandled handler fails on."""
    forged = "x\n2026-01-01 ERROR forged"

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(Invocation(target="Nothing", arguments=[1, 2], invocation_id=forged))
        await peer.send(Invocation(target=forged, arguments=[], invocation_id="1"))
        await peer.receive_until(Completion, 2)
        done.set()
        await peer.until_closed()

    def fail(_target: str, _arguments: list[object]) -> None:
        raise ValueError("no such target")

    wire.play(script)
    done = asyncio.Event()
    connection = wire.builder().build()
    connection.on("Nothing", lambda: None)
    connection.on_unhandled(fail)
    async with asyncio.timeout(10), connection:
        await done.wait()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("signalr_client")]
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)

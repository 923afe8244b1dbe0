"""`with_receive_limit`: a client with slow handlers stops reading until they have caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from signalr_client import HubConnection, HubConnectionBuilder, HubConnectionState
from signalr_client.core.messages import Completion, Invocation, Ping, StreamInvocation, StreamItem
from tests.support.events import EventRecorder
from tests.support.wire import Wire, WirePeer, blocked

PAYLOAD = "x" * 64_000
FLOOD = 600  # messages: 38 MB in total, more than the socket buffers of both sides hold


class Flood:
    """Sends numbered calls as fast as possible; ``sent`` counts them."""

    def __init__(self, count: int = FLOOD) -> None:
        self.count = count
        self.sent = 0
        self.peer: WirePeer | None = None

    async def __call__(self, peer: WirePeer) -> None:
        """Run the script; it reads and writes concurrently."""
        self.peer = peer
        await peer.shake_hands()
        reading = asyncio.create_task(peer.until_closed())
        try:
            for number in range(self.count):
                await peer.send(Invocation(target="M", arguments=[number, PAYLOAD]))
                self.sent += 1
            await reading
        finally:
            reading.cancel()

    async def stalled(self) -> None:
        """Wait until the server is blocked in sending."""
        await blocked(lambda: self.sent)
        assert self.sent < self.count


class Slow:
    """A handler that waits until it is released, then records its calls."""

    def __init__(self, connection: HubConnection, count: int = FLOOD) -> None:
        self.release = asyncio.Event()
        self.got: list[int] = []
        self.done = asyncio.Event()
        self._count = count
        connection.on("M", self._take)

    async def _take(self, number: int, _payload: str) -> None:
        await self.release.wait()
        self.got.append(number)
        if len(self.got) == self._count:
            self.done.set()


def build(wire: Wire, configure: Callable[[HubConnectionBuilder], HubConnectionBuilder]) -> HubConnection:
    return configure(wire.builder()).build()


@pytest.mark.parametrize("limits", [{"bytes": 1_000_000, "messages": None}, {"bytes": None, "messages": 10}, {}])
async def test_a_slow_handler_blocks_the_server_without_loss(limits: dict[str, int | None], wire: Wire) -> None:
    """Limited by bytes, by messages, and by default."""
    flood = Flood()
    wire.play(flood)
    connection = build(wire, lambda builder: builder.with_receive_limit(**limits) if limits else builder)
    slow = Slow(connection)
    async with asyncio.timeout(30):
        await connection.start()
        await flood.stalled()
        slow.release.set()
        await slow.done.wait()
        await connection.stop()
    assert slow.got == list(range(FLOOD))


async def test_none_disables_the_limit(wire: Wire) -> None:
    """The client reads everything, however slow the handler is."""
    flood = Flood()
    wire.play(flood)
    connection = build(wire, lambda builder: builder.with_receive_limit(bytes=None, messages=None))
    slow = Slow(connection)
    async with asyncio.timeout(30):
        await connection.start()
        while flood.sent < FLOOD:
            await asyncio.sleep(0)
        slow.release.set()
        await slow.done.wait()
        await connection.stop()


async def test_the_client_pings_and_does_not_time_out_while_it_does_not_read(wire: Wire) -> None:
    """Time during which the client does not read does not count towards the server timeout."""
    flood = Flood()
    wire.play(flood)
    connection = build(
        wire,
        lambda builder: builder.with_receive_limit(messages=10).with_server_timeout(0.3).with_keep_alive_interval(0.1),
    )
    events, slow = EventRecorder(connection), Slow(connection)
    async with asyncio.timeout(30):
        await connection.start()
        await flood.stalled()
        assert flood.peer is not None
        pings = sum(isinstance(message, Ping) for message in flood.peer.got)
        while sum(isinstance(message, Ping) for message in flood.peer.got) < pings + 8:  # for 0.8 s
            await asyncio.sleep(0)
        assert connection.state is HubConnectionState.CONNECTED
        slow.release.set()
        await slow.done.wait()
        assert events.names == []
        await connection.stop()


async def test_the_slow_handler_is_logged_once_per_pause(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    flood = Flood(100)

    async def twice(peer: WirePeer) -> None:
        await peer.shake_hands()
        for episode in range(2):
            await peer.send(*(Invocation(target="M", arguments=[number, "x"]) for number in range(100)))
            for number in range(20):
                await peer.send(Invocation(target="M", arguments=[number, "x"]))
            await asyncio.wait_for(caught_up[episode].wait(), 10)
        await peer.until_closed()

    caught_up = [asyncio.Event(), asyncio.Event()]
    wire.play(twice)
    connection = build(wire, lambda builder: builder.with_receive_limit(bytes=None, messages=50))
    gates = [asyncio.Event(), asyncio.Event()]
    handled = 0

    @connection.on("M")
    async def take(_number: int, _text: str) -> None:
        nonlocal handled
        episode = handled // 120
        await gates[episode].wait()
        handled += 1
        if handled % 120 == 0:
            caught_up[episode].set()

    def warnings() -> list[str]:
        return [record.getMessage() for record in caplog.records if "receive limit" in record.getMessage()]

    async with asyncio.timeout(20):
        await connection.start()
        for episode in range(2):
            while len(warnings()) <= episode:
                await asyncio.sleep(0)
            gates[episode].set()
            await caught_up[episode].wait()
        await connection.stop()
    assert len(warnings()) == 2
    assert all("100 calls of the server" in line and "the handler of 'M' is still running" in line for line in warnings())
    assert flood.sent == 0


async def behind_a_flood(peer: WirePeer, answer: Callable[[], Awaitable[None]]) -> None:
    """Send more calls than the limit allows, followed by the response that the first handler waits for."""
    await peer.shake_hands(*(Invocation(target="M", arguments=[number]) for number in range(20)))
    for number in range(20, 60):
        await peer.send(Invocation(target="M", arguments=[number]))
    await answer()
    for number in range(60, 100):
        await peer.send(Invocation(target="M", arguments=[number]))
    await peer.until_closed()


@pytest.mark.parametrize("indirectly", [False, True])
async def test_a_handler_that_awaits_an_invocation_gets_its_response_past_the_limit(indirectly: bool, wire: Wire) -> None:
    """The response arrives after calls over the limit. Also if another task makes the call for the handler."""

    async def script(peer: WirePeer) -> None:
        async def answer() -> None:
            [call] = await peer.receive_until(Invocation)
            assert isinstance(call, Invocation)
            await peer.send(Completion(invocation_id=str(call.invocation_id), result="here"))

        await behind_a_flood(peer, answer)

    wire.play(script)
    connection = build(wire, lambda builder: builder.with_receive_limit(messages=10))
    got: list[object] = []
    done, asked, answered = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def helper() -> None:
        await asked.wait()
        got.append(await connection.invoke("Question"))
        answered.set()

    @connection.on("M")
    async def take(number: int) -> None:
        if number == 0 and indirectly:
            asked.set()
            await answered.wait()
        elif number == 0:
            got.append(await connection.invoke("Question"))
        got.append(number)
        if number == 99:
            done.set()

    async with asyncio.timeout(10):
        await connection.start()
        helping = asyncio.create_task(helper())
        await done.wait()
        assert got == ["here", *range(100)]
        asked.set()
        helping.cancel()
        await connection.stop()


async def test_a_handler_that_awaits_a_stream_gets_its_items_past_the_limit(wire: Wire) -> None:
    """Once it has made no progress for a second."""

    async def script(peer: WirePeer) -> None:
        async def answer() -> None:
            [call] = await peer.receive_until(StreamInvocation)
            assert isinstance(call, StreamInvocation)
            await peer.send(StreamItem(invocation_id=call.invocation_id, item="item"))

        await behind_a_flood(peer, answer)

    wire.play(script)
    connection = build(wire, lambda builder: builder.with_receive_limit(messages=10))
    got: list[object] = []
    done = asyncio.Event()

    @connection.on("M")
    async def take(number: int) -> None:
        if number == 0:
            async with connection.stream("Question") as stream:
                got.append(await anext(stream))
        got.append(number)
        if number == 99:
            done.set()

    async with asyncio.timeout(10):
        await connection.start()
        await done.wait()
        await connection.stop()
    assert got == ["item", *range(100)]


async def test_calls_with_a_client_result_count_towards_the_limit(wire: Wire) -> None:
    """They run concurrently with the queue, but the limit applies to them."""
    asked = 0

    async def script(peer: WirePeer) -> None:
        nonlocal asked
        await peer.shake_hands()
        reading = asyncio.create_task(peer.until_closed())
        for number in range(FLOOD):
            await peer.send(Invocation(target="Ask", arguments=[PAYLOAD], invocation_id=str(number)))
            asked += 1
        await reading

    wire.play(script)
    connection = build(wire, lambda builder: builder.with_receive_limit(messages=10))
    release, running = asyncio.Event(), 0

    @connection.on("Ask")
    async def answer(_payload: str) -> str:
        nonlocal running
        running += 1
        await release.wait()
        return "answer"

    async with asyncio.timeout(30):
        await connection.start()
        before = -1
        while before != asked:
            before = asked
            for _ in range(300):
                await asyncio.sleep(0)
        assert running == 11
        assert asked < FLOOD
        release.set()
        [peer] = wire.peers
        while sum(isinstance(message, Completion) for message in peer.got) < FLOOD:
            await asyncio.sleep(0)
        await connection.stop()


async def test_stop_and_a_loss_do_not_wait_for_a_paused_reader(wire: Wire) -> None:
    """The queue is processed until the close timeout."""
    flood = Flood()
    wire.play(flood)
    connection = wire.builder(close_timeout=0.1).with_receive_limit(messages=10).build()
    slow = Slow(connection)
    async with asyncio.timeout(5):
        await connection.start()
        await flood.stalled()
        await connection.stop()
    assert slow.got == []

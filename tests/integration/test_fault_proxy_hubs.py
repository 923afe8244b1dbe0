"""Faults of `FaultProxy` between our client and our server, over every transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalr_client import (
    ConnectionClosedError,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    NegotiationError,
    RetryContext,
    ServerTimeoutError,
    SignalRError,
)
from signalr_client.server import Hub
from signalr_client.testing import Direction, FaultProxy
from tests.support.events import EventRecorder
from tests.support.hub_server import serving
from tests.support.hubs import PAIRINGS, PROTOCOLS, TRANSPORTS
from tests.support.virtual_time import run_in_virtual_time

each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])
WAIT = 30.0
"""Seconds after which something that does not happen fails the test."""


class Numbers(Hub):
    """The hub behind the proxy."""

    waiting = asyncio.Event()
    released = asyncio.Event()

    async def echo(self, value: object) -> object:
        """Return what came."""
        return value

    async def wait(self) -> None:
        """Return at the end of the test."""
        self.waiting.set()
        await self.released.wait()

    async def count(self, end: int) -> AsyncIterator[int]:
        """Count."""
        for number in range(end):
            yield number

    async def send_numbers(self, end: int) -> None:
        """Send the caller a message for each number."""
        for number in range(end):
            await self.clients.caller.send("number", number)
        await self.clients.caller.send("finished")


async def test_an_error_shows_nothing_of_a_response_that_was_cut_off() -> None:
    """It may contain a cookie."""
    async with serving(Numbers) as hub, FaultProxy(hub.url) as proxy:
        point = proxy.cut_after(40, Direction.TO_CLIENT)
        with pytest.raises(NegotiationError) as raised:
            await HubConnectionBuilder().with_url(proxy.url).build().start()
        await point.wait()
    assert "the connection was lost in the middle of the response" in str(raised.value)
    assert "header" not in str(raised.value).lower()


@asynccontextmanager
async def network(wait: float = WAIT) -> AsyncIterator[FaultProxy]:
    """Serve the hub behind a proxy."""
    Numbers.waiting, Numbers.released = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(wait), serving(Numbers) as served, FaultProxy(served.url) as proxy:
        try:
            yield proxy
        finally:
            Numbers.released.set()


def builder(proxy: FaultProxy, transport: str, protocol: str) -> HubConnectionBuilder:
    """Return a builder for a connection through the proxy."""
    return HubConnectionBuilder().with_url(proxy.url, transports=TRANSPORTS[transport]).with_hub_protocol(PROTOCOLS[protocol]())


async def lose(connection: HubConnection) -> ConnectionClosedError:
    """Wait in a call until the connection is lost."""
    with pytest.raises(ConnectionClosedError) as lost:
        await connection.invoke("Wait")
    return lost.value


@each_pairing
@pytest.mark.parametrize("fault", ["cut", "reset"])
async def test_a_call_fails_and_the_client_comes_back(transport: str, protocol: str, fault: str) -> None:
    async with network() as proxy:
        connection = builder(proxy, transport, protocol).with_automatic_reconnect([0]).build()
        events = EventRecorder(connection)
        async with connection:
            call = asyncio.create_task(lose(connection))
            await Numbers.waiting.wait()
            assert (proxy.cut() if fault == "cut" else proxy.reset()) >= 1
            await call
            await events.wait("reconnected")
            assert await connection.invoke("Echo", "back") == "back"
        assert events.names == ["reconnecting", "reconnected", "closed"]


def lose_by_stall(
    transport: str, protocol: str, direction: Direction | None, attempts: int
) -> tuple[ConnectionClosedError, float]:
    """Stall the network until a connection is lost, and let the client come back; return the error, and the virtual seconds it took."""

    async def run() -> tuple[ConnectionClosedError, float]:
        async with network(3600) as proxy:
            connection = builder(proxy, transport, protocol).with_automatic_reconnect([0] * attempts).build()
            events = EventRecorder(connection)
            loop = asyncio.get_running_loop()
            async with connection:
                call = asyncio.create_task(lose(connection))
                await Numbers.waiting.wait()
                proxy.stall(direction)
                start = loop.time()
                error = await call
                seconds = loop.time() - start
                proxy.resume()
                await events.wait("reconnected")
                assert await connection.invoke("Echo", 1) == 1
        return error, seconds

    return run_in_virtual_time(run())


@pytest.mark.parametrize("direction", [Direction.TO_CLIENT, None], ids=["to client", "both"])
@pytest.mark.parametrize(("transport", "protocol"), [pair for pair in PAIRINGS if pair[0] != "lp"])
def test_a_stalled_network_is_noticed_by_the_server_timeout(transport: str, protocol: str, direction: Direction | None) -> None:
    """In half a minute of virtual time; then the client comes back."""

    error, seconds = lose_by_stall(transport, protocol, direction, attempts=2)
    assert isinstance(error, ServerTimeoutError)
    assert 15 <= seconds <= 31


@pytest.mark.parametrize("direction", [Direction.TO_CLIENT, None], ids=["to client", "both"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_over_long_polling_a_stalled_network_is_noticed_when_two_requests_get_no_answer(
    protocol: str, direction: Direction | None
) -> None:
    """A poll and a POST: in 200 seconds of virtual time. Then the client comes back."""

    error, seconds = lose_by_stall("lp", protocol, direction, attempts=3)
    assert "no answer within 100 s" in str(error)
    assert 190 <= seconds <= 201


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_over_long_polling_a_short_stall_only_delays(protocol: str) -> None:
    """There is no server timeout: polls end on their own. What was held arrives."""
    async with network() as proxy:
        connection = builder(proxy, "lp", protocol).build()
        events = EventRecorder(connection)
        async with connection:
            waits = asyncio.create_task(connection.invoke("Wait"))
            await Numbers.waiting.wait()
            proxy.stall()
            Numbers.released.set()
            echo = asyncio.create_task(connection.invoke("Echo", 1))
            await asyncio.sleep(0)
            assert not (waits.done() or echo.done())
            proxy.resume()
            assert (await waits, await echo) == (None, 1)
        assert events.names == ["closed"]


@each_pairing
def test_a_slow_network_loses_nothing(transport: str, protocol: str) -> None:
    """Half a second each way, and 20 kB a second, in virtual time."""

    async def run() -> None:
        async with network(3600) as proxy:
            proxy.delay(0.5)
            proxy.throttle(20_000)
            async with builder(proxy, transport, protocol).build() as connection:
                start = asyncio.get_running_loop().time()
                assert await connection.invoke("Echo", "x" * 10_000) == "x" * 10_000
                assert (
                    asyncio.get_running_loop().time() - start >= 2.0
                )  # there and back: the delay, and half a second for the bytes
                assert [number async for number in connection.stream("Count", 100)] == list(range(100))

    run_in_virtual_time(run())


@each_pairing
async def test_one_byte_at_a_time(transport: str, protocol: str) -> None:
    """Everything that is split is put together again: heads, frames, events, hub messages."""
    async with network() as proxy:
        proxy.chunk(1)
        async with builder(proxy, transport, protocol).build() as connection:
            for value in ("", "äöü", "x" * 300, [1, None, {"a": [True, 2.5]}]):
                assert await connection.invoke("Echo", value) == value
            assert [number async for number in connection.stream("Count", 20)] == list(range(20))


@each_pairing
async def test_attempts_are_refused_for_a_while(transport: str, protocol: str) -> None:
    """The test waits for two attempts that fail, and for one that succeeds."""
    async with network() as proxy:
        retries: list[int] = []

        class Policy:
            def next_retry_delay(self, retry_context: RetryContext) -> float:
                retries.append(retry_context.previous_retry_count)
                return 0

        connection = builder(proxy, transport, protocol).with_automatic_reconnect(Policy()).build()
        events = EventRecorder(connection)
        async with connection:
            with proxy.refusing():
                proxy.cut()
                await proxy.wait_event("refused", 2)
            await events.wait("reconnected")
            assert await connection.invoke("Echo", 1) == 1
        assert retries[:2] == [0, 1]
        assert events.names == ["reconnecting", "reconnected", "closed"]


@each_pairing
async def test_a_start_that_is_refused_fails_at_once(transport: str, protocol: str) -> None:
    async with network() as proxy:
        proxy.refuse()
        connection = builder(proxy, transport, protocol).build()
        with pytest.raises(NegotiationError):
            await connection.start()
        assert connection.state is HubConnectionState.DISCONNECTED
        proxy.accept()
        async with connection:
            assert await connection.invoke("Echo", 1) == 1


@each_pairing
@pytest.mark.parametrize("how", ["cut", "reset"])
def test_a_cut_at_any_byte_is_an_error_of_ours(transport: str, protocol: str, how: str) -> None:
    """During negotiation, the handshake and calls, in either direction: nothing hangs, and nothing is left."""

    async def run() -> None:
        async with network(3600) as proxy:
            for count in range(0, 3000, 107):
                point = proxy.cut_after(count, how=how)  # type: ignore[arg-type]  # one of the two
                with pytest.raises(SignalRError):
                    async with builder(proxy, transport, protocol).build() as connection:
                        while True:
                            assert await connection.invoke("Echo", count) == count
                assert await point.wait() > 0

    run_in_virtual_time(run())


@each_pairing
async def test_a_cut_between_messages_leaves_whole_messages(transport: str, protocol: str) -> None:
    """What came before the cut is complete and in order. Over Long Polling nothing is lost, if the next poll has not been sent yet."""
    async with network() as proxy:
        connection = builder(proxy, transport, protocol).build()
        numbers: list[int] = []
        finished = asyncio.Event()
        connection.on("number", numbers.append)
        connection.on("finished", finished.set)
        connection.on_close(lambda _: finished.set())
        async with connection:
            point = proxy.cut_after(1000, Direction.TO_CLIENT, between_messages=True)
            await connection.send("SendNumbers", 5_000)
            await point.wait()
            await finished.wait()
        assert numbers
        assert numbers == list(range(len(numbers)))
        assert transport == "lp" or len(numbers) < 5_000

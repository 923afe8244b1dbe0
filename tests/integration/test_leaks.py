"""Thousands of connections and cuts leave nothing: on the client, on our server, and in the fault proxy.

A normal run makes some dozens of cycles of each kind; ``--long`` makes 10,000. ``-s`` shows what was alive at each third.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from signalr_client import ConnectionClosedError, HubConnection, HubConnectionBuilder
from signalr_client.server import Hub, HubOptions, HubServer
from signalr_client.server.http import dispatcher, long_polling
from signalr_client.testing import FaultProxy
from tests.support.census import grown, repeat
from tests.support.hubs import PAIRINGS, PROTOCOLS, TRANSPORTS
from tests.support.served_app import forget_lost_clients, remembered

each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


class Held(Hub):
    """A hub whose methods report that they have begun, and end when the test says so."""

    begun: asyncio.Semaphore
    released: asyncio.Event

    def echo(self, value: object) -> object:
        """Return the value."""
        return value

    async def call_back(self) -> object:
        """Return what the caller responds."""
        return await self.clients.caller.invoke("Ask", 1)

    async def hold(self) -> str:
        """Return when the test says so."""
        self.begun.release()
        await self.released.wait()
        return "done"

    async def count(self) -> AsyncIterator[int]:
        """Yield a number, and another one when the test says so."""
        yield 0
        await self.released.wait()
        yield 1

    async def collect(self, numbers: AsyncIterator[int]) -> list[int]:
        """Return the items of an upload."""
        collected = []
        async for number in numbers:
            self.begun.release()
            collected.append(number)
        return collected


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server look often whether the readers of event streams and the senders of polls are still there."""
    monkeypatch.setattr(dispatcher, "_TICK", 0.1)
    monkeypatch.setattr(long_polling, "_TICK", 0.1)


@pytest.fixture
def cycles(pytestconfig: pytest.Config) -> int:
    """How many cycles a test runs."""
    return 10_000 if pytestconfig.getoption("--long") else 60


@dataclass
class Network:
    """A server behind a proxy.

    Attributes:
        connection: the one that is open while nothing happens, if any.
    """

    server: HubServer
    proxy: FaultProxy
    connection: HubConnection | None = None

    def builder(self, transport: str, protocol: str) -> HubConnectionBuilder:
        """Return a builder for a client."""
        builder = HubConnectionBuilder().with_url(self.proxy.url, transports=TRANSPORTS[transport])
        return builder.with_hub_protocol(PROTOCOLS[protocol]())

    def at_rest(self) -> bool:
        """Whether the server has forgotten its earlier clients, and runs no hub code."""
        self.proxy._log.latest.clear()  # it keeps the last 10,000 events
        forget_lost_clients(self.server.app, None if self.connection is None else self.connection.connection_id)
        left = remembered(self.server.app)
        clients = 0 if self.connection is None else 1
        return left["contexts"] == left["connections"] == clients and left["tasks"] == 0


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    """Serve the hub behind a proxy."""
    Held.begun, Held.released = asyncio.Semaphore(0), asyncio.Event()
    options = HubOptions(allow_stateful_reconnects=True)
    async with HubServer({"/hub": Held}, options=options) as server, FaultProxy(server.url("/hub")) as proxy:
        yield Network(server, proxy)


# connections that come and go


@each_pairing
async def test_connections_that_come_and_go_leave_nothing(transport: str, protocol: str, cycles: int) -> None:
    """Every other cycle restarts the connection of the one before instead of building a new one."""
    async with network() as net:
        kept: list[HubConnection] = []

        async def cycle(number: int) -> None:
            connection = kept.pop() if kept else net.builder(transport, protocol).build()
            if number % 2:
                kept.append(connection)
                connection.on("Ask", lambda value: value)
            async with connection:
                assert await connection.invoke("CallBack") == 1

        first, last = await repeat(cycle, cycles, at_rest=net.at_rest)
    assert grown(first, last) == []


@each_pairing
async def test_connections_that_are_dropped_without_a_stop_leave_nothing(transport: str, protocol: str, cycles: int) -> None:
    """Their network is cut, and there is no reconnect; nobody calls `stop`."""
    async with network() as net:

        async def cycle(number: int) -> None:
            connection = net.builder(transport, protocol).build()
            closed = asyncio.Event()
            connection.on_close(lambda _: closed.set())
            await connection.start()
            net.proxy.cut() if number % 2 else net.proxy.reset()
            await closed.wait()

        first, last = await repeat(cycle, cycles, at_rest=net.at_rest)
    assert grown(first, last) == []


# cuts


@dataclass
class InFlight:
    """A call, a stream, and a call with an upload that are under way while the network is cut."""

    connection: HubConnection
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def begin(self) -> None:
        """Make the calls, and return when the server is busy with all of them."""
        Held.released = asyncio.Event()
        first = asyncio.Event()

        async def upload() -> AsyncIterator[int]:
            yield 0
            await self.go_on.wait()
            yield 1

        async def read() -> list[int]:
            numbers = []
            async for number in self.connection.stream("Count"):
                numbers.append(number)
                first.set()
            return numbers

        calls = [self.connection.invoke("Hold"), read(), self.connection.invoke("Collect", upload())]
        self.tasks = [asyncio.create_task(call) for call in calls]
        await first.wait()
        await Held.begun.acquire()
        await Held.begun.acquire()

    async def fail(self) -> None:
        """Wait for the calls, which fail because the connection was lost, and let the hub methods end."""
        for task in self.tasks:
            with pytest.raises(ConnectionClosedError):
                await task
        Held.released.set()

    async def succeed(self) -> None:
        """Let the calls end, and look at their results."""
        self.go_on.set()
        Held.released.set()
        assert [await task for task in self.tasks] == ["done", [0, 1], [0, 1]]
        await Held.begun.acquire()


@each_pairing
async def test_cuts_that_lead_to_a_reconnect_leave_nothing(transport: str, protocol: str, cycles: int) -> None:
    async with network() as net:
        connection = net.builder(transport, protocol).with_automatic_reconnect(lambda _: 0).build()
        reconnected = asyncio.Semaphore(0)
        connection.on_reconnected(lambda _: reconnected.release())

        async def cycle(number: int) -> None:
            calls = InFlight(connection)
            await calls.begin()
            net.proxy.cut() if number % 2 else net.proxy.reset()
            await calls.fail()
            await reconnected.acquire()

        async with connection:
            net.connection = connection
            first, last = await repeat(cycle, cycles, at_rest=net.at_rest)
    assert grown(first, last) == []


@each_protocol
async def test_cuts_that_lead_to_a_resume_leave_nothing(protocol: str, cycles: int) -> None:
    async with network() as net:
        connection = net.builder("ws", protocol).with_stateful_reconnect().build()
        resumed = asyncio.Semaphore(0)
        connection.on_resumed(lambda _: resumed.release())
        async with connection:
            net.connection = connection
            connection_id = connection.connection_id

            async def cycle(number: int) -> None:
                calls = InFlight(connection)
                await calls.begin()
                net.proxy.cut() if number % 2 else net.proxy.reset()
                await resumed.acquire()
                await calls.succeed()

            first, last = await repeat(cycle, cycles, at_rest=net.at_rest)
            assert connection.connection_id == connection_id
    assert grown(first, last) == []


# servers and proxies that come and go


async def test_servers_and_proxies_that_come_and_go_leave_nothing(cycles: int) -> None:
    """With a client that is still connected when they stop, and one that has just been accepted."""
    Held.begun, Held.released = asyncio.Semaphore(0), asyncio.Event()

    async def cycle(number: int) -> None:
        async with HubServer({"/hub": Held}) as server, FaultProxy(server.url("/hub")) as proxy:
            transport, protocol = PAIRINGS[number % len(PAIRINGS)]
            builder = HubConnectionBuilder().with_url(proxy.url, transports=TRANSPORTS[transport])
            connection = builder.with_hub_protocol(PROTOCOLS[protocol]()).build()
            await connection.start()
            _, silent = await asyncio.open_connection("127.0.0.1", proxy.port)  # sends nothing
            await server.stop()
        silent.close()
        await connection.stop()

    first, last = await repeat(cycle, cycles)
    assert grown(first, last) == []


async def test_a_server_that_is_started_again_leaves_nothing(cycles: int) -> None:
    Held.begun, Held.released = asyncio.Semaphore(0), asyncio.Event()
    server = HubServer({"/hub": Held})

    async def cycle(_number: int) -> None:
        async with server, HubConnectionBuilder().with_url(server.url("/hub")).build() as connection:
            assert await connection.invoke("Echo", 1) == 1

    first, last = await repeat(cycle, cycles)
    assert grown(first, last) == []

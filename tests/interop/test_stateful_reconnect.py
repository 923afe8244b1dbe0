"""Stateful reconnect between our client or server and the official ones, through a proxy that cuts."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from signalr_client import ConnectionClosedError, HubConnection, HubConnectionBuilder, InvalidStateError
from signalr_client.testing import Direction, FaultProxy
from tests.interop.checks import run
from tests.support.aspnetcore import program
from tests.support.hubs import PROTOCOLS

pytestmark = pytest.mark.interop

WAIT = 120.0
"""Seconds after which a client that does not come back fails the test."""


async def stress(url: str, protocol: str, *options: str) -> dict[str, Any]:
    """Run the stress program of the .NET client with stateful reconnect, and return its result."""
    client = str(program("interop-client"))
    code, output = await run(client, "stress", url, "--stateful", "--protocol", protocol, *options)
    assert code == 0, output
    result: dict[str, Any] = json.loads(output.splitlines()[-1].removeprefix("RESULT "))
    assert result["problems"] == []
    assert result["rounds"] > 0
    return result


def chances() -> random.Random:
    """Return random numbers whose seed is printed, so that a test that fails can be repeated."""
    seed = random.randrange(1_000_000)
    print("seed", seed)
    return random.Random(seed)


@asynccontextmanager
async def cutting(
    url: str, spread: tuple[int, int], direction: Direction, *, between_messages: bool = True, most: int = 1_000_000
) -> AsyncIterator[FaultProxy]:
    """Put a proxy before *url* that cuts the network again and again during the block, at most *most* times.

    Args:
        url: of the hub.
        spread: the least and the most bytes between two cuts.
        direction: of the bytes that are counted.
        between_messages: cut between two messages, and not at any byte.
        most: how many cuts there are at most.
    """
    chance = chances()
    async with FaultProxy(url) as proxy:

        async def cut() -> None:
            for _ in range(most):
                await proxy.cut_after(chance.randrange(*spread), direction, between_messages=between_messages).wait()

        task = asyncio.create_task(cut())
        try:
            yield proxy
        finally:
            task.cancel()
            await asyncio.wait({task})


def cuts_of(proxy: FaultProxy) -> int:
    """Return how often the network was cut."""
    return sum(event.kind == "cut" for event in proxy.events)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_dotnet_client_is_read_while_its_calls_wait(python_url: str, protocol: str) -> None:
    """On a real server this hangs: the Ack that a running call waits for is behind a call that waits for its turn."""
    await stress(f"{python_url}/orderedhub", protocol, "--seconds", "2")


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_dotnet_client_loses_nothing_when_its_network_is_cut(
    python_url: str, protocol: str, request: pytest.FixtureRequest
) -> None:
    """Only with the calls and messages that this client does not lose with a real server: no streams, no uploads."""
    seconds = "60" if request.config.getoption("--long") else "3"
    async with cutting(f"{python_url}/testhub", (20_000, 200_000), Direction.TO_CLIENT) as proxy:
        await stress(proxy.url, protocol, "--only", "receive,invoke", "--seconds", seconds)
        assert cuts_of(proxy) > 3


@pytest.mark.parametrize("between", [True, False], ids=["between messages", "at any byte"])
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_typescript_client_loses_nothing_when_its_network_is_cut(
    python_url: str, typescript_stress: list[str], protocol: str, direction: Direction, between: bool
) -> None:
    """Also where the real server closes the connection, because it keeps the beginning of a message that was cut."""
    # Not for ever: this client acknowledges once a second, so what is sent again grows, and might be cut again and again.
    async with cutting(f"{python_url}/orderedhub", (5_000, 50_000), direction, between_messages=between, most=20) as proxy:
        code, output = await run(*typescript_stress, proxy.url, protocol, "2")
        assert cuts_of(proxy) > 3
    assert code == 0, output
    result = json.loads(output.splitlines()[-1])
    assert result["problems"] == []
    assert result["calls"] > 0


@dataclass
class Behind:
    """Our client, whose real server is behind a proxy."""

    connection: HubConnection
    proxy: FaultProxy
    events: list[str] = field(default_factory=list)
    resumed: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def note_resumed(self, _: str | None) -> None:
        """Note that the connection has a new socket."""
        self.events.append("resumed")
        self.resumed.release()


@asynccontextmanager
async def behind_proxy(url: str, protocol: str) -> AsyncIterator[Behind]:
    """Connect our client, with stateful reconnect."""
    async with FaultProxy(f"{url}/testhub") as proxy:
        builder = HubConnectionBuilder().with_url(proxy.url).with_hub_protocol(PROTOCOLS[protocol]())
        connection = builder.with_automatic_reconnect([0]).with_stateful_reconnect().build()
        behind = Behind(connection, proxy)
        connection.on_detached(lambda _: behind.events.append("detached"))
        connection.on_resumed(behind.note_resumed)
        connection.on_reconnecting(lambda error: behind.events.append(f"reconnecting: {error}"))
        async with asyncio.timeout(WAIT), connection:
            yield behind


@dataclass
class Load:
    """Calls, streams and uploads of one connection, checked, until they are told to stop."""

    connection: HubConnection
    chance: random.Random
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    uploads: int = 0

    async def run(self) -> None:
        """Run all of them."""
        async with asyncio.TaskGroup() as tasks:
            for work in [self._call] * 10 + [self._read] + [self._upload] * 3:
                tasks.create_task(work())

    async def _call(self) -> None:
        while not self.ending.is_set():
            number = self.chance.random()
            assert await self.connection.invoke("EchoDouble", number) == number

    async def _read(self) -> None:
        while not self.ending.is_set():
            assert [item async for item in self.connection.stream("Counter", 500, 0)] == list(range(500))

    async def _upload(self) -> None:
        while not self.ending.is_set():
            count = self.chance.choice([0, 1, 50, 1_000])
            assert await self.connection.invoke("SumStream", counting(count)) == count * (count - 1) // 2
            self.uploads += 1


async def counting(end: int) -> AsyncIterator[int]:
    """Count, and let others work in between."""
    for number in range(end):
        yield number
        if number % 10 == 0:
            await asyncio.sleep(0)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_our_client_loses_nothing_on_a_real_server_when_cut_between_its_messages(
    aspnetcore_url: str, protocol: str, request: pytest.FixtureRequest
) -> None:
    """Calls, streams and uploads go on over 50 cuts, and the connection stays the same."""
    cuts = 1_000 if request.config.getoption("--long") else 50
    chance = chances()
    async with behind_proxy(aspnetcore_url, protocol) as behind:
        first_id = behind.connection.connection_id
        load = Load(behind.connection, chance)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(load.run())
            for _ in range(cuts):
                await behind.proxy.cut_after(chance.randrange(40_000), Direction.TO_SERVER, between_messages=True).wait()
                await behind.resumed.acquire()
            load.ending.set()
        assert behind.connection.connection_id == first_id
        assert load.uploads >= 3
    assert behind.events == ["detached", "resumed"] * cuts


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_our_client_loses_nothing_in_silence_on_a_real_server_when_cut_at_any_byte(
    aspnetcore_url: str, protocol: str
) -> None:
    """The real server may close the connection: it keeps the beginning of a message that was cut. Then everybody gets the error."""
    chance = chances()
    async with behind_proxy(aspnetcore_url, protocol) as behind:
        for _ in range(10):
            load = Load(behind.connection, chance)
            await behind.connection.wait_connected()
            failed: list[BaseException] = []
            working = asyncio.create_task(load.run())
            await behind.proxy.cut_after(chance.randrange(40_000), how=chance.choice(["cut", "reset"])).wait()
            load.ending.set()
            try:
                await working
            except* (ConnectionClosedError, InvalidStateError) as group:
                failed.extend(group.exceptions)
            if failed:  # then the connection was lost, and not resumed
                assert [event for event in behind.events if event.startswith("reconnecting: ")], (failed, behind.events)
        try:
            await behind.connection.wait_connected()
            assert await behind.connection.invoke("EchoDouble", 1.5) == 1.5
        except ConnectionClosedError:  # the server may take a while to notice what the last cut has left it
            await behind.connection.wait_connected()
            assert await behind.connection.invoke("EchoDouble", 1.5) == 1.5
    assert "detached" in behind.events


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_upload_that_was_given_up_rules_out_a_resume_until_its_items_are_acknowledged(
    aspnetcore_url: str, protocol: str
) -> None:
    """The real server does not count items of a stream that it does not know: it would drop new messages as duplicates."""

    async def endless() -> AsyncIterator[int]:
        for number in itertools.count():
            yield number
            if number == 100:
                sent.set()
            await asyncio.sleep(0)

    sent = asyncio.Event()
    async with behind_proxy(aspnetcore_url, protocol) as behind:
        call = asyncio.create_task(behind.connection.invoke("SumStream", endless()))
        await sent.wait()
        call.cancel()
        await asyncio.wait({call})
        behind.proxy.cut()
        while not behind.events:
            await asyncio.sleep(0)
        await behind.connection.wait_connected()
        assert await behind.connection.invoke("EchoDouble", 1.5) == 1.5
    [event] = behind.events
    assert event == (
        "reconnecting: The connection cannot be resumed, because the server may have ignored items of an upload that was ended early."
    )

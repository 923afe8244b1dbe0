"""Stateful reconnect between our client or server and the official ones, through a proxy that cuts."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from signalr_client import HubConnectionBuilder
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
    seed = random.randrange(1_000_000)
    print("seed", seed)
    chance = random.Random(seed)
    done = 0

    async def cut(proxy: FaultProxy) -> None:
        nonlocal done
        while True:
            await proxy.cut_after(chance.randrange(50_000, 500_000), Direction.TO_CLIENT, between_messages=True).wait()
            done += 1

    async with FaultProxy(f"{python_url}/testhub") as proxy:
        cutting = asyncio.create_task(cut(proxy))
        try:
            await stress(proxy.url, protocol, "--only", "receive,invoke", "--seconds", seconds)
        finally:
            cutting.cancel()
            await asyncio.wait({cutting})
    assert done > 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_our_client_loses_nothing_on_a_real_server_when_cut_between_its_messages(
    aspnetcore_url: str, protocol: str, request: pytest.FixtureRequest
) -> None:
    """Calls and streams go on over 50 cuts, and the connection stays the same."""
    cuts = 1_000 if request.config.getoption("--long") else 50
    seed = random.randrange(1_000_000)
    print("seed", seed)
    chance = random.Random(seed)
    events: list[str] = []
    resumed = asyncio.Semaphore(0)

    def note_resumed(_: str | None) -> None:
        events.append("resumed")
        resumed.release()

    async with FaultProxy(f"{aspnetcore_url}/testhub") as proxy:
        builder = HubConnectionBuilder().with_url(proxy.url).with_hub_protocol(PROTOCOLS[protocol]())
        connection = builder.with_automatic_reconnect([0]).with_stateful_reconnect().build()
        connection.on_detached(lambda _: events.append("detached"))
        connection.on_resumed(note_resumed)
        connection.on_reconnecting(lambda error: events.append(f"reconnecting: {error}"))

        async def cut() -> None:
            for _ in range(cuts):
                await proxy.cut_after(chance.randrange(4_000), Direction.TO_SERVER, between_messages=True).wait()
                await resumed.acquire()

        async def call(cutting: asyncio.Task[None]) -> None:
            while not cutting.done():
                number = chance.random()
                assert await connection.invoke("EchoDouble", number) == number

        async def read(cutting: asyncio.Task[None]) -> None:
            while not cutting.done():
                assert [item async for item in connection.stream("Counter", 500, 0)] == list(range(500))

        async with asyncio.timeout(WAIT), connection:
            first_id = connection.connection_id
            async with asyncio.TaskGroup() as tasks:
                cutting = tasks.create_task(cut())
                for _ in range(10):
                    tasks.create_task(call(cutting))
                tasks.create_task(read(cutting))
            assert connection.connection_id == first_id
    assert events == ["detached", "resumed"] * cuts

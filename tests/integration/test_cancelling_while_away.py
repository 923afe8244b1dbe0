"""Calls, `stop` and waits can be cancelled at each await while the network is away: detached, or reconnecting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from signalr_client import HubConnection, HubConnectionState
from tests.support.cancelling import Pair, pair, upload
from tests.support.hubs import TRANSPORTS
from tests.support.interruption import Outcome, at_each_await, generate_ways, left_running

AWAY = 0.01
"""Seconds until the network is there again."""


async def _read(connection: HubConnection) -> None:
    assert [number async for number in connection.stream("Count", 5)] == list(range(5))


async def _leave(connection: HubConnection) -> None:
    async with connection.stream("Count", 1_000_000) as stream:
        assert await anext(stream) == 0


async def _read_while_uploading(connection: HubConnection) -> None:
    assert [number async for number in connection.stream("Double", upload(5))] == list(range(0, 10, 2))


async def _send_much(connection: HubConnection) -> None:
    for _ in range(3):
        await connection.send("Echo", "x" * 30_000)


CALLS: dict[str, Callable[[HubConnection], Awaitable[object]]] = {
    "invoke": lambda connection: connection.invoke("Echo", 1),
    "invoke with an upload": lambda connection: connection.invoke("Collect", upload(5)),
    "send while there is no room": _send_much,
    "send with an upload": lambda connection: connection.send("Collect", upload(5)),
    "stream": _read,
    "stream and leave": _leave,
    "stream with an upload": _read_while_uploading,
}
each_call = pytest.mark.parametrize("name", CALLS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Interrupt in the two simplest ways; each attempt takes a while."""
    generate_ways(metafunc, TRANSPORTS, few=2)


class Away:
    """Takes the network away before each attempt, and brings it back while the attempt runs."""

    def __init__(self, there: Pair) -> None:
        self.there = there
        self.gone = asyncio.Event()
        there.connection.on_detached(lambda _: self.gone.set())
        there.connection.on_reconnecting(lambda _: self.gone.set())

    async def begin(self) -> None:
        """Take the network away, and return when the client has noticed."""
        if self.there.connection.state is HubConnectionState.DISCONNECTED:
            await self.there.connection.start()
        self.gone.clear()
        self.there.proxy.refuse()
        self.there.proxy.cut()
        await self.gone.wait()

    def end_soon(self) -> None:
        """Bring the network back while the attempt runs."""
        asyncio.get_running_loop().call_later(AWAY, self.there.proxy.accept)


# while a stateful connection has no socket


@each_call
async def test_a_call_can_be_cancelled_while_the_connection_is_detached(name: str, way: str) -> None:
    """It is forgotten on both sides when the connection is resumed, which goes on."""
    async with pair(stateful=True) as there:
        away = Away(there)
        connection_id = there.connection.connection_id

        async def attempt() -> None:
            away.end_soon()
            await CALLS[name](there.connection)

        async def check(outcome: Outcome) -> None:
            there.proxy.accept()
            await there.resumed.acquire()
            await there.assert_idle()
            await there.assert_works()
            assert there.connection.connection_id == connection_id

        await at_each_await(attempt, check, way, prepare=away.begin, at_least=0 if name == "send with an upload" else 1)


async def test_stop_can_be_cancelled_while_the_connection_is_detached(way: str) -> None:
    async with pair(stateful=True, start=False) as there:
        away = Away(there)
        tasks = asyncio.all_tasks()

        async def check(outcome: Outcome) -> None:
            there.proxy.accept()
            await there.assert_forgotten()
            await left_running(tasks)
            assert there.connection.state is HubConnectionState.DISCONNECTED

        await at_each_await(there.connection.stop, check, way, prepare=away.begin)


# while a connection reconnects


@each_call
async def test_a_call_can_be_cancelled_while_it_waits_for_the_reconnect(name: str, way: str) -> None:
    """It is not sent then, and its uploads do not begin; or it is forgotten on both sides."""
    async with pair(waiting=True, retry=lambda _: 0.001) as there:
        away = Away(there)

        async def attempt() -> None:
            away.end_soon()
            await CALLS[name](there.connection)

        async def check(outcome: Outcome) -> None:
            there.proxy.accept()
            await there.connection.wait_connected()
            await there.assert_idle()
            await there.assert_works()

        await at_each_await(attempt, check, way, prepare=away.begin)


@pytest.mark.parametrize("name", ["stop", "wait_connected", "wait_closed"])
async def test_the_others_can_be_cancelled_while_the_connection_reconnects(name: str, transport: str, way: str) -> None:
    """A wait ends alone. A stop is not undone."""
    async with pair(transport, retry=lambda _: 0.001) as there:
        away = Away(there)
        connection = there.connection

        async def attempt() -> None:
            away.end_soon()
            if name == "wait_closed":
                asyncio.get_running_loop().call_later(2 * AWAY, connection._life.request_stop)  # type: ignore[union-attr]
            await getattr(connection, name)()

        async def check(outcome: Outcome) -> None:
            there.proxy.accept()
            if name == "wait_connected":
                await connection.wait_connected()
                await there.assert_works()
            else:
                await connection.stop()
                assert connection.state is HubConnectionState.DISCONNECTED

        await at_each_await(attempt, check, way, prepare=away.begin)

"""`HubConnection` can be cancelled at each await of its coroutines, in every way that asyncio has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from signalr_client import ConnectionClosedError, HubConnection, HubConnectionState
from signalr_client.server.http import dispatcher, long_polling
from tests.support.cancelling import Pair, pair, upload
from tests.support.hubs import TRANSPORTS
from tests.support.interruption import Outcome, at_each_await, generate_ways, left_running
from tests.support.leaks import left_behind, open_sockets

DISCONNECTED = HubConnectionState.DISCONNECTED


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Interrupt in every way."""
    generate_ways(metafunc, TRANSPORTS)


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server look often whether the readers of event streams and the senders of polls are still there."""
    monkeypatch.setattr(dispatcher, "_TICK", 0.02)
    monkeypatch.setattr(long_polling, "_TICK", 0.02)


class Rest:
    """What there is while the client is disconnected."""

    def __init__(self, there: Pair) -> None:
        self._there = there
        self._tasks, self._sockets = asyncio.all_tasks(), open_sockets()

    async def assert_disconnected(self, *, at_once: bool = False) -> None:
        """Check that nothing of the connection is left; *at_once*, that it need not be waited for either."""
        assert not at_once or self._there.connection.state is DISCONNECTED
        await self._there.assert_forgotten()
        await left_running(self._tasks)
        assert self._there.connection.state is DISCONNECTED
        assert await left_behind(self._tasks, self._sockets) == []


# from the start to the end


async def test_start_can_be_cancelled_at_each_await(transport: str, way: str) -> None:
    """The connection is disconnected then, nothing is left open, and it can be started again."""
    async with pair(transport, start=False) as there:
        rest = Rest(there)

        async def check(outcome: Outcome) -> None:
            if not outcome.interrupted:
                await there.assert_works()
                await there.connection.stop()
            await rest.assert_disconnected(at_once=way != "cancelled twice")

        await at_each_await(there.connection.start, check, way, at_least=1 if way == "cancelled with the result" else 8)


async def test_start_with_retries_can_be_cancelled_at_each_await(transport: str, way: str) -> None:
    """While the server refuses, between two attempts, and when it accepts."""
    async with pair(transport, start=False, retry=lambda _: 0.001) as there:
        rest = Rest(there)

        async def attempt() -> None:
            refused = there.proxy.count("refused")
            there.proxy.refuse()
            starting = asyncio.ensure_future(there.proxy.wait_event("refused", refused + 2))
            starting.add_done_callback(lambda _: there.proxy.accept())
            try:
                await there.connection.start()
            finally:
                starting.cancel()
                there.proxy.accept()

        async def check(outcome: Outcome) -> None:
            if not outcome.interrupted:
                await there.assert_works()
                await there.connection.stop()
            await rest.assert_disconnected(at_once=way != "cancelled twice")

        await at_each_await(attempt, check, way, at_least=1 if way == "cancelled with the result" else 15)


async def test_start_with_code_of_the_application_can_be_cancelled_at_each_await(way: str) -> None:
    """While it awaits an access token factory, and callbacks that call the hub."""
    under_way: list[str] = []

    async def take_a_while(name: str) -> str:
        under_way.append(name)
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            under_way.remove(name)
        return name

    async with pair(start=False, token=lambda: take_a_while("token")) as there:
        rest = Rest(there)

        @there.connection.on_connected
        async def join(_connection_id: str | None) -> None:
            await take_a_while("callback")
            await there.connection.invoke("Echo", 1)

        async def check(outcome: Outcome) -> None:
            if not outcome.interrupted:
                await there.assert_works()
                await there.connection.stop()
            await rest.assert_disconnected(at_once=way != "cancelled twice")
            assert under_way == []

        await at_each_await(there.connection.start, check, way, at_least=1 if way == "cancelled with the result" else 15)


async def test_stop_can_be_cancelled_at_each_await(transport: str, way: str) -> None:
    """The connection ends all the same, in good order."""
    async with pair(transport, start=False) as there:
        rest = Rest(there)

        async def prepare() -> None:
            await there.connection.start()
            await there.connection.send("Wait")

        async def check(outcome: Outcome) -> None:
            await rest.assert_disconnected()

        await at_each_await(there.connection.stop, check, way, prepare=prepare)


async def test_a_connection_in_async_with_can_be_cancelled_at_each_await(transport: str, way: str) -> None:
    """While it starts, in the body of the block, and while it stops."""
    async with pair(transport, start=False) as there:
        rest = Rest(there)

        async def attempt() -> None:
            async with there.connection as connection:
                assert await connection.invoke("Echo", 1) == 1
                assert [number async for number in connection.stream("Count", 3)] == [0, 1, 2]

        async def check(outcome: Outcome) -> None:
            await rest.assert_disconnected()

        await at_each_await(attempt, check, way, at_least=5)


async def test_waiting_for_the_connection_can_be_cancelled_at_each_await(way: str) -> None:
    """Only the wait ends: the start and the other waits go on."""
    async with pair(start=False) as there:
        connection = there.connection
        tasks: list[asyncio.Future[None]] = []

        async def prepare() -> None:
            tasks.append(asyncio.create_task(connection.start()))
            await asyncio.sleep(0)
            tasks.append(asyncio.create_task(connection.wait_connected()))

        async def attempt() -> None:
            await connection.wait_connected()

        async def check(outcome: Outcome) -> None:
            await asyncio.gather(*tasks)
            tasks.clear()
            await there.assert_works()
            await connection.stop()

        await at_each_await(attempt, check, way, prepare=prepare)


async def test_waiting_for_the_end_can_be_cancelled_at_each_await(way: str) -> None:
    async with pair(start=False) as there:
        connection = there.connection
        tasks: list[asyncio.Future[None]] = []

        async def prepare() -> None:
            await connection.start()
            tasks.append(asyncio.create_task(connection.wait_closed()))

        async def attempt() -> None:
            tasks.append(asyncio.create_task(connection.stop()))
            await connection.wait_closed()

        async def check(outcome: Outcome) -> None:
            await asyncio.gather(*tasks)
            tasks.clear()
            assert connection.state is DISCONNECTED

        await at_each_await(attempt, check, way, prepare=prepare)


# calls


async def _read(connection: HubConnection) -> None:
    assert [number async for number in connection.stream("Count", 20)] == list(range(20))


async def _read_inside(connection: HubConnection) -> None:
    async with connection.stream("Count", 20) as stream:
        assert [number async for number in stream] == list(range(20))


async def _leave(connection: HubConnection) -> None:
    stream = connection.stream("Count", 1_000_000)
    assert await anext(stream) == 0
    await stream.aclose()


async def _break(connection: HubConnection) -> None:
    async for number in connection.stream("Count", 1_000_000):
        if number == 3:
            break


async def _read_while_uploading(connection: HubConnection) -> None:
    assert [number async for number in connection.stream("Double", upload(10))] == list(range(0, 20, 2))


async def _time_out(connection: HubConnection) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.002):
            await connection.invoke("Wait")


async def _send_much(connection: HubConnection) -> None:
    for _ in range(3):
        await connection.send("Echo", "x" * 30_000)


async def _invoke_much(connection: HubConnection) -> None:
    await connection.send("Echo", "x" * 30_000)
    await connection.invoke("Echo", "x" * 30_000)


async def _wait_beside_a_call(connection: HubConnection) -> None:
    echo = asyncio.create_task(connection.invoke("Echo", 1))  # sent first, also by eager tasks: the hub runs one call at a time
    waiting = asyncio.create_task(connection.invoke("Wait"))
    try:
        await echo
    finally:
        waiting.cancel()
        await asyncio.wait({waiting})


async def _several(connection: HubConnection) -> None:
    async with asyncio.TaskGroup() as group:
        for call in (_read, _leave, _read_while_uploading):
            group.create_task(call(connection))
        await connection.invoke("Collect", upload(10))


CALLS: dict[str, Callable[[HubConnection], Awaitable[object]]] = {
    "invoke": lambda connection: connection.invoke("Echo", 1),
    "invoke with an upload": lambda connection: connection.invoke("Collect", upload(20)),
    "invoke with a large upload": lambda connection: connection.invoke("Collect", upload(5, "x" * 20_000)),
    "invoke while there is no room": _invoke_much,
    "invoke with a timeout": _time_out,
    "send": lambda connection: connection.send("Echo", 1),
    "send while there is no room": _send_much,
    "send with an upload": lambda connection: connection.send("Collect", upload(20)),
    "stream": _read,
    "stream in async with": _read_inside,
    "stream and aclose": _leave,
    "stream and break": _break,
    "stream with an upload": _read_while_uploading,
    "a call that is cancelled by another one": _wait_beside_a_call,
    "refresh_authentication": lambda connection: connection.refresh_authentication(),
    "several calls in a task group": _several,
}
NEVER_WAIT = {"send", "send with an upload"}


async def test_a_call_can_be_cancelled_at_each_await(transport: str, way: str) -> None:
    """It is forgotten on both sides, its uploads end, and the connection goes on."""
    async with pair(transport) as there:

        async def check(outcome: Outcome) -> None:
            await there.assert_idle()
            await there.assert_works()

        for name, call in CALLS.items():

            async def attempt(call: Callable[[HubConnection], Awaitable[object]] = call) -> None:
                await call(there.connection)

            await at_each_await(attempt, check, way, at_least=0 if name in NEVER_WAIT else 1)


async def test_a_call_that_is_cancelled_when_the_connection_ends_reports_no_error(way: str) -> None:
    """It waits for room; the end wakes it, and has failed its response already."""
    async with pair(start=False) as there:
        connection = there.connection

        async def prepare() -> None:
            await connection.start()
            there.proxy.stall()
            with suppress(TimeoutError):
                while True:
                    async with asyncio.timeout(0.05):
                        await connection.send("Echo", "x" * 200_000)

        async def attempt() -> None:
            asyncio.get_running_loop().call_later(0.01, there.proxy.reset)
            with pytest.raises(ConnectionClosedError):
                await connection.invoke("Echo", 1)

        async def check(outcome: Outcome) -> None:
            there.proxy.restore()
            await connection.stop()

        await at_each_await(attempt, check, way, prepare=prepare)

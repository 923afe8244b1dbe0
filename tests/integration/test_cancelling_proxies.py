"""The coroutines of `FaultProxy` can be cancelled at each await."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from signalr_client.testing import Direction, FaultProxy
from tests.support.interruption import Outcome, at_each_await, generate_ways
from tests.support.leaks import left_behind, open_sockets


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Interrupt in every way."""
    generate_ways(metafunc)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Return what comes, until the client closes."""
    try:
        while data := await reader.read(1000):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


class Behind:
    """A server behind a proxy, and how to use the proxy."""

    def __init__(self, server: asyncio.Server) -> None:
        self.port = server.sockets[0].getsockname()[1]
        self.proxy = FaultProxy("127.0.0.1", self.port)
        self.writers: list[asyncio.StreamWriter] = []

    async def client(self) -> asyncio.StreamReader:
        """Connect a client, and say hello to the server through the proxy."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.port)
        self.writers.append(writer)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        return reader

    async def visit(self) -> None:
        """Do what `client` does; the connection may be cut."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self.client()

    def close(self) -> None:
        """Close the clients."""
        while self.writers:
            self.writers.pop().close()


async def test_starting_a_proxy_can_be_cancelled_at_each_await(way: str) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        behind = Behind(server)
        tasks, sockets = asyncio.all_tasks(), open_sockets()

        async def check(outcome: Outcome) -> None:
            if not outcome.interrupted:
                await behind.client()
            behind.close()
            await behind.proxy.stop()
            assert await left_behind(tasks, sockets) == []

        await at_each_await(behind.proxy.start, check, way)


async def test_stopping_a_proxy_can_be_cancelled_at_each_await(way: str) -> None:
    """Everything is closed all the same: connections that are open, one that is being made, and one that is stalled."""
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        behind = Behind(server)
        tasks, sockets = asyncio.all_tasks(), open_sockets()

        async def prepare() -> None:
            await behind.proxy.start()
            await behind.client()
            await behind.client()
            behind.proxy.stall(Direction.TO_SERVER)
            behind.writers[0].write(b"stalled")
            _, writer = await asyncio.open_connection("127.0.0.1", behind.proxy.port)
            behind.writers.append(writer)

        async def check(outcome: Outcome) -> None:
            behind.proxy.restore()
            behind.close()
            assert await left_behind(tasks, sockets) == []
            await behind.proxy.start()
            await behind.client()
            behind.close()
            await behind.proxy.stop()
            assert await left_behind(tasks, sockets) == []

        await at_each_await(behind.proxy.stop, check, way, prepare=prepare)


async def test_a_proxy_in_async_with_can_be_cancelled_at_each_await(way: str) -> None:
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        behind = Behind(server)
        tasks, sockets = asyncio.all_tasks(), open_sockets()

        async def attempt() -> None:
            try:
                async with behind.proxy:
                    await behind.client()
            finally:
                behind.close()

        async def check(outcome: Outcome) -> None:
            assert await left_behind(tasks, sockets) == []

        await at_each_await(attempt, check, way, at_least=4)


async def _cut(proxy: FaultProxy) -> None:
    await proxy.cut_after(1).wait()


WAITS: dict[str, Callable[[FaultProxy], Awaitable[object]]] = {
    "wait_event": lambda proxy: proxy.wait_event("opened", proxy.count("opened") + 1),
    "wait_connections": lambda proxy: proxy.wait_connections(len(proxy.connections) + 1),
    "wait_bytes": lambda proxy: proxy.wait_bytes(proxy.bytes_to_server + proxy.bytes_to_client + 10),
    "wait_until": lambda proxy: proxy.wait_until(lambda: len(proxy.connections) > 0),
    "CutPoint.wait": _cut,
}


@pytest.mark.parametrize("name", WAITS)
async def test_a_wait_for_the_proxy_can_be_cancelled_at_each_await(name: str, way: str) -> None:
    """The wait ends, and nothing else: another wait for the same thing goes on, and so do the connections."""
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        behind = Behind(server)
        async with behind.proxy as proxy:
            under_way: list[asyncio.Future[object]] = []

            async def prepare() -> None:
                under_way.append(asyncio.ensure_future(WAITS[name](proxy)))

            async def attempt() -> None:
                under_way.append(asyncio.create_task(behind.visit()))
                await WAITS[name](proxy)

            async def check(outcome: Outcome) -> None:
                while under_way:
                    await under_way.pop()
                proxy.restore()
                behind.close()
                await proxy.wait_until(lambda: not proxy.connections)

            await at_each_await(attempt, check, way, prepare=prepare)

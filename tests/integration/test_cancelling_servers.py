"""`HubServer` and what hubs send to clients can be cancelled at each await."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest
from aiohttp import web

from signalr_client import ConnectionClosedError, HubConnection, HubConnectionBuilder
from signalr_client.server import Hub, HubContext, HubOptions, HubServer, ServiceCollection
from signalr_client.testing import Direction, FaultProxy
from tests.support.hubs import TRANSPORTS
from tests.support.interruption import Outcome, at_each_await, generate_ways, left_running
from tests.support.leaks import left_behind, open_sockets
from tests.support.served_app import remembered


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Interrupt in every way."""
    generate_ways(metafunc, TRANSPORTS)


class Receiver(Protocol):
    """What the clients of the typed hub can do."""

    async def Note(self, value: object) -> None: ...
    async def Ask(self, value: int) -> int: ...


class Echo(Hub):
    """The hub."""

    def echo(self, value: object) -> object:
        """Return the value."""
        return value

    async def wait(self) -> None:
        """Return when the client has gone."""
        await self.context.connection_aborted.wait()


class Typed(Hub[Receiver]):
    """The same for typed clients."""


class Closed:
    """A service that has to be closed."""

    open = 0

    def __init__(self) -> None:
        Closed.open += 1

    async def aclose(self) -> None:
        """Take a few turns to close."""
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            Closed.open -= 1


# the life of a server


class Served:
    """A server that can be started again, with something to close in its application and among its services."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.server = HubServer({"/hub": Echo}, options=HubOptions(close_timeout=0.5))
        self.server.app.cleanup_ctx.append(self._resource)
        self._tasks, self._sockets = asyncio.all_tasks(), open_sockets()

    async def _resource(self, _app: web.Application) -> AsyncIterator[None]:
        await asyncio.sleep(0)
        self.opened.append("resource")
        try:
            await asyncio.sleep(0)
            yield
        finally:
            self.opened.pop()

    async def assert_works(self) -> None:
        """Use the running server."""
        async with HubConnectionBuilder().with_url(self.server.url("/hub")).build() as connection:
            assert await connection.invoke("Echo", 1) == 1

    async def assert_closed(self) -> None:
        """Check that nothing is left of the server."""
        await left_running(self._tasks)
        assert await left_behind(self._tasks, self._sockets) == []
        assert self.opened == []
        with pytest.raises(RuntimeError, match="not running"):
            self.server.url()


async def test_starting_a_server_can_be_cancelled_at_each_await(way: str) -> None:
    """Nothing listens then, what the application had opened is closed, and the server can be started again."""
    served = Served()

    async def check(outcome: Outcome) -> None:
        if not outcome.interrupted:
            await served.assert_works()
            await served.server.stop()
        elif way == "cancelled twice":  # the second time it may have been in the middle of closing
            await served.server.stop()
        await served.assert_closed()

    await at_each_await(served.server.start, check, way, at_least=2)


async def test_stopping_a_server_can_be_cancelled_at_each_await(way: str) -> None:
    """It stops listening at once, and another `stop` does what is left to do."""
    served = Served()
    clients: list[HubConnection] = []

    async def prepare() -> None:
        await served.server.start()
        for transport in TRANSPORTS.values():
            client = HubConnectionBuilder().with_url(served.server.url("/hub"), transports=transport).build()
            await client.start()
            await client.send("Wait")
            clients.append(client)

    async def check(outcome: Outcome) -> None:
        with pytest.raises(RuntimeError, match="not running"):
            served.server.url()
        await served.server.stop()
        while clients:
            await clients.pop().stop()
        await served.assert_closed()

    await at_each_await(served.server.stop, check, way, prepare=prepare, at_least=2)


async def test_a_server_in_async_with_can_be_cancelled_at_each_await(way: str) -> None:
    served = Served()

    async def attempt() -> None:
        async with served.server:
            await served.assert_works()

    async def check(outcome: Outcome) -> None:
        await served.server.stop()  # after a second cancellation there may be something left
        await served.assert_closed()

    await at_each_await(attempt, check, way, at_least=5)


async def test_services_are_closed_when_stopping_a_server_is_cancelled(way: str) -> None:
    Closed.open = 0
    tasks, sockets = asyncio.all_tasks(), open_sockets()

    async def attempt() -> None:
        services = ServiceCollection().add_singleton(Closed)
        server = HubServer({"/hub": Echo}, services=services)
        await server.start()
        services.build().create_scope().get(Closed)
        try:
            await server.stop()
        finally:
            await server.stop()

    async def check(outcome: Outcome) -> None:
        if way != "cancelled twice":
            assert Closed.open == 0
        assert await left_behind(tasks, sockets) == []

    await at_each_await(attempt, check, way, at_least=4)


# what a hub sends


class Room:
    """Two hubs with a client each, behind a proxy that can hold back what is sent to the clients."""

    def __init__(self, server: HubServer, plain: HubConnection, typed: HubConnection, proxy: FaultProxy) -> None:
        self.context: HubContext[Any, Any] = server.hub_context(Echo)
        self.typed: HubContext[Typed, Receiver] = server.hub_context(Typed)
        self.plain_id, self.typed_id = plain.connection_id or "", typed.connection_id or ""
        self.noted: asyncio.Queue[object] = asyncio.Queue()
        self._app = server.app
        self._clients = plain, typed
        self._proxy = proxy
        for client in self._clients:
            client.on("Note", self.noted.put_nowait)
            client.on("Ask", lambda value: value + 1)
        self._remembered = remembered(self._app)

    def hold_back(self) -> None:
        """Let the clients receive nothing for a moment."""
        self._proxy.stall(Direction.TO_CLIENT)
        asyncio.get_running_loop().call_later(0.05, self._proxy.resume)

    async def check(self, outcome: Outcome) -> None:
        """Check that the server waits for nothing, and that both clients can still be reached."""
        self._proxy.resume()
        await self.context.groups.remove(self.plain_id, "everybody")
        assert remembered(self._app) == self._remembered
        assert await self.context.clients.client(self.plain_id).invoke("Ask", 1) == 2
        assert await self.typed.clients.client(self.typed_id).Ask(1) == 2


async def room(stack: AsyncExitStack, transport: str) -> Room:
    """Return a room whose clients use *transport*."""
    options = HubOptions(transport_max_buffer_size=10_000)
    server = await stack.enter_async_context(HubServer({"/hub": Echo, "/typed": Typed}, options=options))
    proxy = await stack.enter_async_context(FaultProxy(server.url()))
    clients = []
    for path in ("/hub", "/typed"):
        client = HubConnectionBuilder().with_url(proxy.url + path, transports=TRANSPORTS[transport]).build()
        clients.append(await stack.enter_async_context(client))
    await server.hub_context(Echo).groups.add(
        clients[0].connection_id or "", "everybody"
    )  # its groups are remembered from now on
    await server.hub_context(Echo).groups.remove(clients[0].connection_id or "", "everybody")
    return Room(server, clients[0], clients[1], proxy)


HUB_SIDE: dict[str, Callable[[Room], Awaitable[object]]] = {
    "clients.all.send": lambda room: room.context.clients.all.send("Note", 1),
    "clients.client.send": lambda room: room.context.clients.client(room.plain_id).send("Note", 1),
    "clients.client.invoke": lambda room: room.context.clients.client(room.plain_id).invoke("Ask", 1),
    "clients.client.invoke of nobody": lambda room: _refused(room.context.clients.client("nobody").invoke("Ask", 1)),
    "a typed call": lambda room: room.typed.clients.all.Note(1),
    "a typed call with a result": lambda room: room.typed.clients.client(room.typed_id).Ask(1),
    "groups.add": lambda room: room.context.groups.add(room.plain_id, "everybody"),
    "groups.remove": lambda room: room.context.groups.remove(room.plain_id, "everybody"),
}
NEVER_WAIT = {"clients.all.send", "clients.client.send", "a typed call", "groups.add", "groups.remove"}
NEVER_WAIT |= {"clients.client.invoke of nobody"}


async def _refused(call: Awaitable[object]) -> None:
    with pytest.raises(ConnectionClosedError):
        await call


async def test_what_a_hub_sends_can_be_cancelled_at_each_await(transport: str, way: str) -> None:
    """Nothing waits for the client then, and the next call reaches it."""
    async with AsyncExitStack() as stack:
        there = await room(stack, transport)
        for name, call in HUB_SIDE.items():

            async def attempt(call: Callable[[Room], Awaitable[object]] = call) -> object:
                return await call(there)

            await at_each_await(attempt, there.check, way, at_least=0 if name in NEVER_WAIT else 1)


async def test_sending_to_a_client_that_does_not_read_can_be_cancelled(transport: str, way: str) -> None:
    """The sender waits for room. The messages were queued, and are delivered when the client reads again."""
    async with AsyncExitStack() as stack:
        there = await room(stack, transport)
        sent = 0

        async def attempt() -> None:
            nonlocal sent
            there.hold_back()
            for _ in range(3):
                sent += 1
                await there.context.clients.all.send("Note", "x" * 300_000)

        await at_each_await(attempt, there.check, way, at_least=1)
        for _ in range(sent):
            await there.noted.get()

"""A server that stops while code of its hubs is running, stuck, or just about to begin."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from signalr_client.server import Hub, HubServer, app
from tests.support.hub_server import serving
from tests.support.raw import HANDSHAKE, raw

TURNS = 50  # of the event loop, for what is about to happen


class Stuck(Hub):
    """A hub whose methods end when a test says so, and not before."""

    log: asyncio.Queue[str]
    released: asyncio.Event

    async def ignore(self) -> None:
        Stuck.log.put_nowait("begun")
        while not Stuck.released.is_set():
            try:
                await Stuck.released.wait()
            except asyncio.CancelledError:
                Stuck.log.put_nowait("ignored")

    async def obey(self) -> None:
        Stuck.log.put_nowait("begun")
        try:
            await Stuck.released.wait()
        except asyncio.CancelledError:
            Stuck.log.put_nowait("cancelled")
            raise


class Second(Stuck):
    """Another hub."""


class Third(Stuck):
    """And one more."""


@pytest.fixture(autouse=True)
def _hold() -> Iterator[None]:
    Stuck.log, Stuck.released = asyncio.Queue(), asyncio.Event()
    yield
    Stuck.released.set()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for next to nothing."""
    monkeypatch.setattr(app, "SHUTDOWN_TIMEOUT", 0.05)
    monkeypatch.setattr(app, "_CLEANUP_TIMEOUT", 0.05)


@pytest.mark.usefixtures("impatient")
async def test_a_method_that_ignores_its_cancellation_holds_up_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Stuck) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(10):
        await socket.shake_hands()
        await socket.call("Ignore")
        assert await Stuck.log.get() == "begun"
        stopping = asyncio.create_task(serve.server.stop())
        assert await socket.read_all() == ['{"type":7,"allowReconnect":true}']
        await stopping
        assert await Stuck.log.get() == "ignored"
        Stuck.released.set()
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["! 1 tasks of hubs ignored their cancellation and were abandoned"]


@pytest.mark.usefixtures("impatient")
async def test_all_hubs_stop_together() -> None:
    """With one deadline for all: when the method of one is cancelled, so are those of the others."""
    server = HubServer({"/first": Stuck, "/second": Second, "/third": Third})
    async with server, asyncio.timeout(10):
        for path in ("/first", "/second", "/third"):
            async with raw(server.url(path)) as hub, hub.socket() as socket:
                await socket.shake_hands()
                await socket.call("Obey")
                assert await Stuck.log.get() == "begun"
        stopping = asyncio.create_task(server.stop())
        assert await Stuck.log.get() == "cancelled"
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert [Stuck.log.get_nowait() for _ in range(2)] == ["cancelled", "cancelled"]
        await stopping


class Connecting(Hub):
    """A hub that takes its time to accept a connection."""

    log: list[str]
    begun: asyncio.Event
    accept: asyncio.Event

    async def on_connected(self) -> None:
        Connecting.begun.set()
        await Connecting.accept.wait()
        Connecting.log.append("connected")

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Connecting.log.append("disconnected")


@pytest.fixture(autouse=True)
def _hold_connecting() -> None:
    Connecting.log, Connecting.begun, Connecting.accept = [], asyncio.Event(), asyncio.Event()


@pytest.mark.parametrize("transport", ["ws", "lp"])
async def test_an_on_connected_that_returns_while_the_server_stops_is_followed_by_one_on_disconnected(transport: str) -> None:
    async with serving(Connecting) as serve, raw(serve.url) as hub, AsyncExitStack() as stack, asyncio.timeout(4):
        if transport == "lp":
            token = await hub.negotiate()
            await hub.request("GET", id=token)
            await hub.request("POST", body=HANDSHAKE, id=token)
        else:
            socket = await stack.enter_async_context(hub.socket())
            await socket.shake_hands()
        await Connecting.begun.wait()
        stopping = asyncio.create_task(serve.server.stop())
        if transport == "ws":
            assert await socket.read() == '{"type":7,"allowReconnect":true}'
        for _ in range(TURNS):
            await asyncio.sleep(0)
        assert Connecting.log == []
        Connecting.accept.set()
        if transport == "ws":
            assert await socket.close_code() == 1000
        await stopping
        assert Connecting.log == ["connected", "disconnected"]


@pytest.mark.usefixtures("impatient")
async def test_an_on_connected_that_is_cancelled_is_not_followed_by_an_on_disconnected() -> None:
    async with serving(Connecting) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(10):
        await socket.shake_hands()
        await Connecting.begun.wait()
        stopping = asyncio.create_task(serve.server.stop())
        assert await socket.read_all() == ['{"type":7,"allowReconnect":true}']
        await stopping
        assert Connecting.log == []


async def test_a_connection_that_begins_while_the_server_stops_ends_at_once() -> None:
    """It would otherwise be told nothing, and be dropped when the grace period is over."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def authenticate(request: Any) -> None:
        if "late" in request.query_string:
            asked.set()
            await go_on.wait()

    async with (
        serving(Stuck, authenticate=authenticate) as serve,
        raw(serve.url) as hub,
        hub.socket() as socket,
        asyncio.timeout(4),  # less than the grace period
    ):
        await socket.shake_hands()
        await socket.call("Obey")
        assert await Stuck.log.get() == "begun"
        opening = asyncio.create_task(hub.session.ws_connect(serve.url + "?late"))
        await asked.wait()
        stopping = asyncio.create_task(serve.server.stop())
        assert await socket.read_all() == ['{"type":7,"allowReconnect":true}']
        go_on.set()
        late = await opening
        assert (await late.receive()).data == 1000
        assert not stopping.done()
        Stuck.released.set()
        await stopping


async def test_a_server_that_was_stopped_can_be_started_again() -> None:
    server = HubServer({"/hub": Stuck})
    for _ in range(2):
        async with server, raw(server.url("/hub")) as hub, hub.socket() as socket:
            await socket.shake_hands()
            await socket.call("Obey", id="1")
            assert await Stuck.log.get() == "begun"
            Stuck.released.set()
            assert await socket.read() == '{"type":3,"invocationId":"1","result":null}'
            Stuck.released.clear()


class Closing(Stuck):
    """A hub that can stop its server."""

    server: HubServer

    async def stop_the_server(self) -> None:
        await Closing.server.stop()
        Stuck.log.put_nowait("stopped")


async def test_a_hub_method_may_stop_its_own_server() -> None:
    """Without waiting for itself, and without being cancelled by itself."""
    server = Closing.server = HubServer({"/hub": Closing})
    async with server, raw(server.url("/hub")) as hub, hub.socket() as socket, asyncio.timeout(4):
        await socket.shake_hands()
        await socket.call("StopTheServer")
        assert await socket.read_all() == ['{"type":7,"allowReconnect":true}']
        assert await Stuck.log.get() == "stopped"
        with pytest.raises(RuntimeError, match="The server is not running"):
            server.url()


async def test_a_stop_that_was_cancelled_can_be_repeated() -> None:
    async with serving(Stuck) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(4):
        await socket.shake_hands()
        await socket.call("Obey")
        assert await Stuck.log.get() == "begun"
        stopping = asyncio.create_task(serve.server.stop())
        assert await socket.read_all() == ['{"type":7,"allowReconnect":true}']
        stopping.cancel()
        await asyncio.wait({stopping})
        assert stopping.cancelled()
        Stuck.released.set()
        await serve.server.stop()
        with pytest.raises(RuntimeError, match="The server is not running"):
            serve.server.url()

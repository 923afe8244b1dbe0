"""Servers that begin and end, and hubs inside other applications."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from signalr_client import HttpTransportType, HubConnectionBuilder, HubConnectionState
from signalr_client.server import Hub, HubDefinitionError, HubOptions, HubServer, ServiceCollection, app, map_hub
from tests.support.hub_server import serving
from tests.support.hubs import TRANSPORTS
from tests.support.raw import raw


class Room(Hub):
    log: list[str]
    begun: asyncio.Event

    def same(self, value: Any) -> Any:
        return value

    async def never_ends(self) -> None:
        Room.begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            Room.log.append("cancelled")
            raise

    async def ends_when_told(self) -> None:
        Room.begun.set()
        await self.context.connection_aborted.wait()
        Room.log.append("ended by itself")

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Room.log.append(f"left {exception}")


@pytest.fixture(autouse=True)
def _forget() -> None:
    Room.log, Room.begun = [], asyncio.Event()


@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_clients_are_told_and_may_come_back(transport: HttpTransportType) -> None:
    server = HubServer({"/hub": Room})
    await server.start()
    client = HubConnectionBuilder().with_url(server.url("/hub"), transports=transport).with_automatic_reconnect([60]).build()
    lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
    client.on_reconnecting(lost.set_result)
    await client.start()
    assert await client.invoke("Same", 1) == 1
    async with asyncio.timeout(10):
        await server.stop()
        assert await lost is None
    assert client.state is HubConnectionState.RECONNECTING
    await client.stop()
    assert Room.log == ["left None"]


async def test_what_is_on_the_wire() -> None:
    server = HubServer({"/hub": Room})
    async with server, raw(server.url("/hub")) as hub, hub.socket() as socket:
        await socket.shake_hands()
        stopping = asyncio.create_task(server.stop())
        assert await socket.read_all() == ['{"type":7,"allowReconnect":true}']
        assert socket.socket.close_code == 1000
        await stopping


async def test_methods_that_still_run_get_a_grace_and_are_then_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "SHUTDOWN_TIMEOUT", 0.02)
    async with asyncio.timeout(10):
        for method, last in (("NeverEnds", "cancelled"), ("EndsWhenTold", "ended by itself")):
            Room.log, Room.begun = [], asyncio.Event()
            async with serving(Room) as serve:
                client = await serve.connect()
                await client.send(method)
                await Room.begun.wait()
                await serve.server.stop()
            assert sorted(Room.log) == sorted(["left None", last])


async def test_stopping_is_idempotent_and_closes_the_services() -> None:
    closed = []

    class Service:
        async def aclose(self) -> None:
            closed.append(self)

    class Using(Hub):
        def __init__(self, service: Service) -> None:
            self.service = service

        def use(self) -> bool:
            return isinstance(self.service, Service)

    services = ServiceCollection().add_singleton(Service)
    server = HubServer({"/hub": Using}, services=services)
    async with server:
        async with HubConnectionBuilder().with_url(server.url("/hub")).build() as client:
            assert await client.invoke("Use")
        await server.stop()
        await server.stop()
    assert len(closed) == 1


async def test_the_wrong_order_is_named() -> None:
    server = HubServer({"/hub": Room})
    with pytest.raises(RuntimeError, match="The server is not running"):
        server.url("/hub")
    with pytest.raises(HubDefinitionError, match="'Other' is not mapped; map it with map_hub"):
        server.hub_context(type("Other", (Hub,), {}))
    with pytest.raises(HubDefinitionError, match="The path of a hub begins with '/'"):
        server.map_hub("hub", Room)
    async with server:
        with pytest.raises(RuntimeError, match="The server is running already"):
            await server.start()
        with pytest.raises(RuntimeError):
            server.map_hub("/late", Room)


async def test_a_port_that_is_taken_leaves_nothing_open() -> None:
    async with HubServer({"/hub": Room}) as server:
        port = int(server.url().rpartition(":")[2])
        other = HubServer({"/hub": Room}, port=port)
        with pytest.raises(OSError, match="address already in use"):
            await other.start()
        await other.stop()


async def test_hubs_live_in_an_application_of_yours() -> None:
    """Beside its own routes; a hub at two paths is one hub, with options for each path."""

    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    application = web.Application()
    application.router.add_get("/", hello)
    context = map_hub(application, "/one", Room)
    map_hub(application, "/two", Room, options=HubOptions(transports=HttpTransportType.LONG_POLLING))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession() as session, session.get(base) as answer:
            assert await answer.text() == "hello"
        heard: asyncio.Queue[str] = asyncio.Queue()
        clients = [HubConnectionBuilder().with_url(base + path).build() for path in ("/one", "/two")]
        for client in clients:
            client.on("M", heard.put_nowait)
            await client.start()
        await context.clients.all.send("M", "both")
        async with asyncio.timeout(5):
            assert [await heard.get(), await heard.get()] == ["both", "both"]
        for client in clients:
            await client.stop()
    finally:
        await runner.cleanup()


# pages of other origins

ORIGIN = "https://app.example"


@pytest.mark.parametrize("path", ["", "/negotiate"])
async def test_a_preflight_is_answered_without_authentication(path: str) -> None:
    async with serving(Room, cors_origins=[ORIGIN], authenticate=lambda _request: 1 / 0) as serve, raw(serve.url) as hub:
        headers = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-requested-with,x-signalr-user-agent,content-type",
        }
        answer = await hub.request("OPTIONS", path, headers=headers)
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
        assert "Origin" in answer.headers["Vary"]
        methods = {name.strip() for name in answer.headers["Access-Control-Allow-Methods"].split(",")}
        assert {"GET", "POST", "DELETE"} <= methods
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        for name in ("authorization", "x-requested-with", "x-signalr-user-agent", "content-type"):
            assert name in allowed


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [([ORIGIN], ORIGIN, True), (["*"], ORIGIN, True), ([ORIGIN], "https://evil.example", False), ([], ORIGIN, False)],
)
async def test_an_origin_is_named_where_it_is_allowed(origins: list[str], origin: str, allowed: bool) -> None:
    """Never with a star: the official browser client sends credentials."""
    async with serving(Room, cors_origins=origins) as serve, raw(serve.url) as hub:
        answer = await hub.request("POST", "/negotiate", headers={"Origin": origin}, negotiateVersion="1")
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        assert answer.headers.get("Access-Control-Allow-Credentials") == ("true" if allowed else None)
        if origins:  # without an option, WebSockets of any page are let in, as in ASP.NET Core
            headers = {"Origin": origin}
            if allowed:
                async with hub.session.ws_connect(serve.url, headers=headers) as socket:
                    await socket.close()
            else:
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await hub.session.ws_connect(serve.url, headers=headers)
                assert refused.value.status == 403

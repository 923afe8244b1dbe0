"""The addresses of requests, and the cookies sent with them. See docs/transports.md, "Redirects" and "Every option"."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, TCPConnector, web
from aiohttp.abc import AbstractResolver, ResolveResult

from signalr_client import HttpTransportType, HubConnectionBuilder, NegotiationError
from signalr_client.server import Hub, HubOptions, HubServer, User, authorize, bearer_token, map_hub
from tests.support.hubs import PAIRINGS, PROTOCOLS, TRANSPORTS
from tests.support.served_app import served_app

each_transport = pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])


class Where(Hub):
    def host(self) -> str:
        request = self.context.get_http_request()
        return "" if request is None else request.host

    def path(self) -> str:
        request = self.context.get_http_request()
        return "" if request is None else request.path

    def query(self) -> dict[str, str]:
        request = self.context.get_http_request()
        return {} if request is None else {key: value for key, value in request.query.items() if key != "id"}

    def cookie(self, name: str) -> str | None:
        request = self.context.get_http_request()
        return None if request is None else request.cookies.get(name)


@each_transport
async def test_an_ipv6_address_can_be_used(transport: HttpTransportType) -> None:
    async with HubServer({"/hub": Where}, host="::1") as server:
        assert "[::1]" in server.url("/hub")
        async with HubConnectionBuilder().with_url(server.url("/hub"), transports=transport).build() as client:
            assert (await client.invoke("Host")).startswith("[::1]:")


class Loopback(AbstractResolver):
    """Resolves every host to 127.0.0.1, and records the names."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        self.asked.append(host)
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}]

    async def close(self) -> None: ...


@each_transport
async def test_an_internationalized_host_name_is_encoded(transport: HttpTransportType) -> None:
    async with HubServer({"/hub": Where}) as server:
        resolver = Loopback()
        url = server.url("/hub").replace("127.0.0.1", "bücher.example")
        async with (
            ClientSession(connector=TCPConnector(resolver=resolver)) as session,
            HubConnectionBuilder().with_url(url, transports=transport, session=session).build() as client,
        ):
            assert (await client.invoke("Host")).startswith("xn--bcher-kva.example:")
            assert client.url == url
        assert set(resolver.asked) == {"xn--bcher-kva.example"}


@each_pairing
async def test_the_path_and_query_of_the_url_are_kept(transport: str, protocol: str) -> None:
    async with HubServer({"/a/long path/hüb": Where}) as server:
        url = server.url("/a/long%20path/h%C3%BCb/?tenant=7&name=a%26b%3Dc&empty=")
        url = url.replace("/?", "?")
        builder = HubConnectionBuilder().with_url(url, transports=TRANSPORTS[transport])
        async with builder.with_hub_protocol(PROTOCOLS[protocol]()).build() as client:
            assert await client.invoke("Query") == {"tenant": "7", "name": "a&b=c", "empty": ""}
            assert await client.invoke("Path") == "/a/long path/hüb"


@asynccontextmanager
async def application(build: Callable[[web.Application], None], middleware: Any = None) -> AsyncIterator[str]:
    """Run an application; yield its base URL."""
    app = web.Application(middlewares=[] if middleware is None else [middleware])
    build(app)
    async with served_app(app) as url:
        yield url


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@each_transport
async def test_cookies_set_by_negotiate_are_sent_with_every_later_request(transport: HttpTransportType) -> None:
    """Sticky sessions need them: a request without the cookie would reach another server."""
    without = []

    @web.middleware
    async def sticky(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/negotiate"):
            response = await handler(request)
            response.set_cookie("server", "7", httponly=True)
            return response
        if request.cookies.get("server") != "7":
            without.append(f"{request.method} {request.path}")
        return await handler(request)

    def build(app: web.Application) -> None:
        map_hub(app, "/hub", Where)

    async with application(build, sticky) as base:
        async with HubConnectionBuilder().with_url(base + "/hub", transports=transport, cookies={"own": "1"}).build() as client:
            assert await client.invoke("Cookie", "server") == "7"
            assert await client.invoke("Cookie", "own") == "1"
        assert without == []


# redirects by a service such as Azure SignalR


@authorize
class Service(Hub):
    def who(self) -> str | None:
        return self.context.user_identifier

    def where(self) -> str:
        request = self.context.get_http_request()
        return "" if request is None else request.query.get("hub", "")

    def cut(self) -> None:
        """Abort the connection, as a network failure would."""
        request = self.context.get_http_request()
        if request is not None and request.transport is not None:
            request.transport.abort()


class Front:
    """The application server, which redirects its clients to the service, each with its own token."""

    def __init__(self, *, lets_in: bool = True) -> None:
        self.lets_in = lets_in
        self.issued = 0
        self.asked_with: list[str | None] = []

    async def negotiate(self, request: web.Request) -> web.Response:
        self.issued += 1
        self.asked_with.append(request.headers.get("Authorization"))
        url = f"http://{request.host}/client/?hub=chat&asrs.op=%2Fchathub"
        return web.json_response({"url": url, "accessToken": f"service:{self.issued}", "availableTransports": []})

    def build(self, app: web.Application) -> None:
        app.router.add_post("/chathub/negotiate", self.negotiate)
        map_hub(app, "/client/", Service, options=HubOptions(authenticate=self.user_of, cors_origins=[]))

    def user_of(self, request: web.Request) -> User | None:
        """Accept only the newest token, because each start gets its own."""
        token = bearer_token(request)
        return User(f"user {self.issued}") if self.lets_in and token == f"service:{self.issued}" else None


@each_pairing
async def test_a_redirect_uses_the_token_and_query_of_the_service(transport: str, protocol: str) -> None:
    """The token is used for all requests of this start. The next start begins with the application server again."""
    front = Front()
    async with application(front.build) as base:
        builder = HubConnectionBuilder().with_url(
            base + "/chathub", transports=TRANSPORTS[transport], access_token_factory=lambda: "own"
        )
        client = builder.with_hub_protocol(PROTOCOLS[protocol]()).build()
        for start in (1, 2):
            async with client:
                assert await client.invoke("Who") == f"user {start}"
                assert await client.invoke("Where") == "chat"
        assert front.asked_with == ["Bearer own", "Bearer own"]


async def test_a_reconnect_begins_with_the_original_url() -> None:
    front = Front()
    async with application(front.build) as base:
        builder = HubConnectionBuilder().with_url(base + "/chathub", access_token_factory=lambda: "own")
        client = builder.with_automatic_reconnect([0]).build()
        back = asyncio.Event()
        client.on_reconnected(lambda _id: back.set())
        async with asyncio.timeout(5), client:
            await client.send("Cut")
            await back.wait()
            assert await client.invoke("Who") == "user 2"
        assert front.issued == 2


async def test_a_401_from_the_service_is_final() -> None:
    """Its token cannot be renewed, because `access_token_factory` is for the application server."""
    front = Front(lets_in=False)
    asked = []
    async with application(front.build) as base:
        client = HubConnectionBuilder().with_url(base + "/chathub", access_token_factory=lambda: asked.append(1)).build()
        with pytest.raises(NegotiationError, match="401"):
            await client.start()
        assert len(asked) == 1

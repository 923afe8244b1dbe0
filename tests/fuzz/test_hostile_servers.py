"""Our client with hostile servers, over real sockets and every transport: it ends with a documented error, and leaves nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import pytest
from aiohttp import web

from signalr_client import HttpTransportType, HubConnection, HubConnectionBuilder, HubProtocol, SignalRError
from tests.fuzz.mutation import mutations
from tests.fuzz.seeds import JSON, JSON_WORDS, MESSAGEPACK, NEGOTIATE_RESPONSES, PROTOCOLS
from tests.fuzz.targets import boundaries, client, event_stream, websocket
from tests.support.listening import listening
from tests.support.scripted_server import OFFER, Peer, ScriptedServer, scripted_server
from tests.support.served_app import served_app

pytestmark = pytest.mark.usefixtures("no_leaks", "no_errors")

SEED: Final = 20_260_725
SHORT, LONG = 60, 4_000  # hostile servers of each kind
CROWD: Final = 5  # at a time

_HANDSHAKE: Final = b"{}\x1e"
_PUT_UP_WITH: Final = 30.0  # seconds; a client that hangs must not hang the tests


@pytest.fixture
def count(pytestconfig: pytest.Config) -> int:
    """How many hostile servers to meet."""
    return LONG if pytestconfig.getoption("--long") else SHORT


def new_client(url: str, protocol: HubProtocol, transport: HttpTransportType = HttpTransportType.ALL) -> HubConnection:
    """Return a client with handlers and every limit."""
    builder = HubConnectionBuilder().with_url(url, transports=transport, max_message_size=100_000, close_timeout=1.0)
    connection = builder.with_hub_protocol(protocol).build()
    connection.on("echo", lambda *arguments: list(arguments))
    connection.on("sum", lambda *_arguments: None)
    return connection


async def use(connection: HubConnection) -> str:
    """Connect, call, read a stream and stop; return how far that went. Everything that fails does so with a SignalRError."""
    closed: list[Exception | None] = []
    connection.on_close(closed.append)
    try:
        await connection.start()
    except SignalRError:
        assert closed == []
        return "not connected"
    try:
        outcomes = await asyncio.gather(
            connection.invoke("echo", 1), read(connection), connection.wait_closed(), return_exceptions=True
        )
    finally:
        await connection.stop()
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(failure, SignalRError) for failure in failures), failures
    assert [type(error) for error in closed] == [type(outcomes[2])]  # the callback is given what `wait_closed` raises
    return "connected"


async def read(connection: HubConnection) -> None:
    """Read a stream."""
    async for _item in connection.stream("count", 3):
        pass


async def meet(count: int, attack: Callable[[], Awaitable[str]]) -> dict[str, int]:
    """Meet that many hostile servers, a few at a time; return how often each outcome was seen."""
    outcomes = {"not connected": 0, "connected": 0}
    left = iter(range(count))

    async def meet_in_turn() -> None:
        for _ in left:
            outcomes[await attack()] += 1

    async with asyncio.timeout(_PUT_UP_WITH + count), asyncio.TaskGroup() as group:
        for _ in range(CROWD):
            group.create_task(meet_in_turn())
    return outcomes


# what hostile servers do


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=["json", "messagepack"])
async def test_hostile_messages_over_websockets(protocol: HubProtocol, count: int) -> None:
    """In valid frames, after a valid handshake most of the time."""
    random = Random(SEED)
    inputs = mutations(random, client.SEEDS, client.WORDS, count)

    async def script(peer: Peer) -> None:
        data = next(inputs)
        await peer.socket.receive()
        if random.randrange(5):
            await peer.socket.send_bytes(_HANDSHAKE)
            await peer.socket.receive()  # the call
        await peer.socket.send_bytes(data)
        if random.getrandbits(1):
            await peer.socket.close(code=random.choice((1000, 1001, 1011, 3000)))

    async with scripted_server() as server:
        server.script = script
        outcomes = await meet(count, lambda: use(new_client(server.url, protocol)))
    assert min(outcomes.values()) > 0


async def test_hostile_frames(count: int) -> None:
    """In place of WebSocket frames, behind a valid handshake."""
    inputs = mutations(Random(SEED), [*websocket.SEEDS, b"\x89\x00" * 500], websocket.WORDS, count)

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.transport.write(next(inputs))
        await asyncio.sleep(0)

    async with scripted_server() as server:
        server.script = script
        outcomes = await meet(count, lambda: use(new_client(server.url, JSON)))
    assert outcomes == {"not connected": 0, "connected": count}


async def test_hostile_negotiate_responses(count: int) -> None:
    """With any status; redirects lead back to the same server."""
    random = Random(SEED)
    # none with a URL: what it changes to may be anywhere
    inputs = mutations(random, [body for body in NEGOTIATE_RESPONSES if b"url" not in body], JSON_WORDS, count * 200)
    async with scripted_server() as server:

        def negotiate(_request: web.Request) -> web.Response:
            if not random.randrange(4):
                return web.json_response({"url": server.url + random.choice(("", "/", "?id=1", "/x?access_token=1#y"))})
            return web.Response(body=next(inputs), status=random.choice((200, 200, 200, 204, 400, 401, 500)))

        server.negotiate = negotiate
        outcomes = await meet(count, lambda: use(new_client(server.url, JSON, HttpTransportType.SERVER_SENT_EVENTS)))
    assert outcomes["connected"] == 0


@pytest.mark.parametrize(
    "redirect",
    [
        "http://[",
        "http+unix://%2Ftmp%2Fx/hub",
        "ftp://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://@/",
        "/hub",
        "http://127.0.0.1:1/",
        "x",
    ],
)
async def test_hostile_redirects(redirect: str) -> None:
    async with scripted_server() as server:
        server.negotiate = {"url": redirect, "accessToken": "x"}
        assert await use(new_client(server.url, JSON)) == "not connected"


class HttpHub:
    """A server that answers polls and event streams with hostile data, after a valid handshake."""

    def __init__(self, inputs: Iterator[bytes], random: Random, *, raw: bool = False) -> None:
        self.url = ""
        self._inputs = inputs
        self._random = random
        self._raw = raw
        self._polls: dict[str, list[bytes]] = {}
        self._posted: dict[str, asyncio.Event] = {}

    async def negotiate(self, _request: web.Request) -> web.Response:
        """Offer both transports."""
        token = str(len(self._polls))
        handshake = [_HANDSHAKE] if self._random.randrange(5) else []
        self._polls[token] = [b"", *handshake, next(self._inputs), next(self._inputs)]
        self._posted[token] = asyncio.Event()
        offers = [{"transport": name, "transferFormats": ["Text", "Binary"]} for name in ("ServerSentEvents", "LongPolling")]
        return web.json_response(OFFER | {"connectionToken": token, "availableTransports": offers})

    async def get(self, request: web.Request) -> web.StreamResponse:
        """Answer a poll, or send an event stream."""
        token = request.query["id"]
        data = self._polls[token]
        if request.headers.get("Accept") == "text/event-stream":
            return await self._send_events(request, data)
        if data == [] or (len(data) < 3 and not self._random.randrange(6)):
            return web.Response(status=self._random.choice((204, 404, 500)))
        if len(data) < 3:
            await self._posted[token].wait()
        return web.Response(body=data.pop(0))

    async def post(self, request: web.Request) -> web.Response:
        """Take anything."""
        await request.read()
        self._posted[request.query["id"]].set()
        return web.Response()

    async def delete(self, _request: web.Request) -> web.Response:
        """Say yes."""
        return web.Response(status=202)

    async def _send_events(self, request: web.Request, data: list[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self._posted[request.query["id"]].wait()
        for part in data:
            event = part if self._raw else b"data: " + b"\ndata: ".join(part.split(b"\n")) + b"\n\n"
            with contextlib.suppress(OSError):
                await response.write(event if part != _HANDSHAKE else b"data: {}\x1e\n\n")
        return response


@asynccontextmanager
async def serving(hub: HttpHub) -> AsyncIterator[str]:
    """Run a server during the block; yield the URL of its hub."""
    app = web.Application()
    app.router.add_post("/hub/negotiate", hub.negotiate)
    app.router.add_get("/hub", hub.get)
    app.router.add_post("/hub", hub.post)
    app.router.add_delete("/hub", hub.delete)
    async with served_app(app, handler_cancellation=True) as url:
        yield url + "/hub"


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=["json", "messagepack"])
async def test_hostile_polls(protocol: HubProtocol, count: int) -> None:
    random = Random(SEED)
    hub = HttpHub(mutations(random, client.SEEDS, client.WORDS, 2 * count), random)
    async with serving(hub) as url:
        outcomes = await meet(count, lambda: use(new_client(url, protocol, HttpTransportType.LONG_POLLING)))
    assert min(outcomes.values()) > 0


@pytest.mark.parametrize("raw", [False, True], ids=["messages", "events"])
async def test_hostile_event_streams(raw: bool, count: int) -> None:
    """With hostile messages in valid events, and with hostile events."""
    random = Random(SEED)
    family = event_stream if raw else client
    hub = HttpHub(mutations(random, family.SEEDS, family.WORDS, 2 * count), random, raw=raw)
    async with serving(hub) as url:
        outcomes = await meet(count, lambda: use(new_client(url, JSON, HttpTransportType.SERVER_SENT_EVENTS)))
    assert min(outcomes.values()) > 0


_RESPONSES: Final = [
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\x1e\r\n0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /hub/negotiate\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
    b"HTTP/1.0 404 \xff\xfe\r\n\r\n",
]
_HTTP_WORDS: Final = [
    *boundaries.WORDS,
    b"Content-Encoding: gzip\r\n",
    b"Location: http://[\r\n",
    b"Connection: close\r\n",
    b"\x00",
]


@pytest.mark.parametrize("skip_negotiation", [False, True], ids=["negotiate", "upgrade"])
async def test_hostile_responses(skip_negotiation: bool, count: int) -> None:
    """Any bytes in place of the response to the first request."""
    inputs = mutations(Random(SEED), _RESPONSES, _HTTP_WORDS, 200 * count)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(next(inputs))
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with listening(answer, "hostile server") as url:

        def attack() -> Awaitable[str]:
            builder = HubConnectionBuilder().with_url(
                url + "/hub", skip_negotiation=skip_negotiation, transports=HttpTransportType.WEB_SOCKETS, close_timeout=1.0
            )
            return use(builder.build())

        outcomes = await meet(count, attack)
    assert outcomes["connected"] == 0


async def test_a_client_meets_a_friendly_server_with_the_same_means() -> None:
    """Otherwise the tests above would show little."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.receive()
        await peer.send({"type": 3, "invocationId": "1", "result": 1}, {"type": 3, "invocationId": "2"}, {"type": 7})

    async with scripted_server() as server:
        assert isinstance(server, ScriptedServer)
        server.script = script
        assert await use(new_client(server.url, JSON)) == "connected"
    assert MESSAGEPACK in PROTOCOLS

"""Closing transports: within the close timeout, with nothing left in flight. See docs/transports.md, "Closing"."""

from __future__ import annotations

import asyncio
import gc
import logging
import struct
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import WSMsgType

from signalr_client import HttpTransportType, HubConnectionBuilder, TransportError
from signalr_client.transports.base import HttpOptions, Transport
from signalr_client.transports.http import HttpClient
from signalr_client.transports.long_polling import LongPollingTransport
from signalr_client.transports.server_sent_events import ServerSentEventsTransport
from signalr_client.transports.websockets import WebSocketTransport
from signalr_client.types import TransferFormat
from tests.support.leaks import TURNS
from tests.support.stubborn_server import Connection, StubbornServer, stubborn_server

NORMAL = (WSMsgType.CLOSE, struct.pack("!H", 1000))
HUGE = b"x" * 2**25  # more than the buffers of both sockets hold
Serve = Callable[[Connection], Awaitable[None]]


@pytest.fixture
async def server(no_leaks: None) -> AsyncIterator[StubbornServer]:
    async with stubborn_server() as server:
        yield server


@pytest.fixture
async def client(server: StubbornServer) -> AsyncIterator[HttpClient]:
    """A client of the server; its close timeout is long enough to detect unnecessary waiting."""
    client = HttpClient(HttpOptions(url=server.url, close_timeout=30.0), logging.getLogger("signalr_client"))
    yield client
    await client.aclose()


@pytest.fixture
async def hasty(server: StubbornServer) -> AsyncIterator[HttpClient]:
    """A client of the server with a short close timeout."""
    client = HttpClient(HttpOptions(url=server.url, close_timeout=0.05), logging.getLogger("signalr_client"))
    yield client
    await client.aclose()


async def no_clients(server: StubbornServer) -> None:
    """Check that the client's sockets are closed while the server's are still open."""
    for _ in range(TURNS):
        if server.clients() == 0:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{server.clients()} sockets of the client are still open")


async def iterations(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# WebSockets


class Peer:
    """The server side of one WebSocket, which sends its close frame when the test allows it."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.first: list[tuple[WSMsgType, bytes]] = []
        self.frames: list[tuple[int, bytes]] = []
        self.over = asyncio.Event()

    async def serve(self, connection: Connection) -> None:
        await connection.read_request()
        await connection.upgrade()
        for opcode, payload in self.first:
            await connection.send_frame(opcode, payload)
        while (frame := await connection.read_frame()) is not None:
            self.frames.append(frame)
            if frame[0] == WSMsgType.CLOSE and not self.asked.is_set():
                self.asked.set()
                await self.answer.wait()
                await connection.send_frame(WSMsgType.TEXT, b"on its way")
                await connection.send_frame(*NORMAL)
        self.over.set()


async def serve_without_reading(connection: Connection) -> None:
    """Open the WebSocket, and read nothing from it."""
    await connection.read_request()
    await connection.upgrade()
    connection.writer.transport.pause_reading()  # type: ignore[attr-defined]  # pauses the socket
    await asyncio.get_running_loop().create_future()


async def websocket(server: StubbornServer, client: HttpClient, serve: Serve) -> WebSocketTransport:
    server.serve = serve
    server.watch()
    return await WebSocketTransport.connect(client, server.url, TransferFormat.TEXT)


async def wait_and_read(_reader: asyncio.Task[bytes | None]) -> None:
    """Leave the reader waiting."""


async def cancel_and_wait(reader: asyncio.Task[bytes | None]) -> None:
    reader.cancel()
    await asyncio.wait({reader})


async def cancel_only(reader: asyncio.Task[bytes | None]) -> None:
    """Cancel the reader; it does not run before `close` is called."""
    reader.cancel()


async def check_close(transport: WebSocketTransport, peer: Peer) -> None:
    """Close the transport; it must wait for the server's close frame, and send one."""
    closing = asyncio.create_task(transport.close())
    await peer.asked.wait()
    await iterations()
    assert not closing.done()
    peer.answer.set()
    await closing
    await peer.over.wait()
    assert peer.frames == [NORMAL]


@pytest.mark.parametrize("leave", [wait_and_read, cancel_and_wait, cancel_only])
async def test_a_websocket_waits_for_the_servers_close_frame(
    server: StubbornServer, client: HttpClient, leave: Callable[[asyncio.Task[bytes | None]], Awaitable[None]]
) -> None:
    """With a waiting or cancelled reader; the server receives one close frame."""
    peer = Peer()
    async with asyncio.timeout(5):
        transport = await websocket(server, client, peer.serve)
        reader = asyncio.create_task(transport.receive())
        await iterations()
        await leave(reader)
        await check_close(transport, peer)
        if leave is wait_and_read:
            assert await reader is None
        await no_clients(server)


async def test_a_websocket_without_a_reader_waits_for_the_close_frame(server: StubbornServer, client: HttpClient) -> None:
    peer = Peer()
    async with asyncio.timeout(5):
        transport = await websocket(server, client, peer.serve)
        await check_close(transport, peer)
        assert await transport.receive() is None


async def test_the_client_sends_one_close_frame_in_response(server: StubbornServer, client: HttpClient) -> None:
    peer = Peer()
    peer.first = [(WSMsgType.TEXT, b"last words"), NORMAL]
    peer.asked.set()  # the server does not send another close frame
    async with asyncio.timeout(5):
        transport = await websocket(server, client, peer.serve)
        assert await transport.receive() == b"last words"
        assert await transport.receive() is None
        await transport.close()
        await peer.over.wait()
        assert peer.frames == [NORMAL]


@pytest.mark.parametrize("leave", [wait_and_read, cancel_and_wait, cancel_only])
async def test_a_missing_close_frame_is_limited_by_the_close_timeout(
    server: StubbornServer, hasty: HttpClient, leave: Callable[[asyncio.Task[bytes | None]], Awaitable[None]]
) -> None:
    peer = Peer()
    async with asyncio.timeout(5):
        transport = await websocket(server, hasty, peer.serve)
        reader = asyncio.create_task(transport.receive())
        await iterations()
        await leave(reader)
        await transport.close()
        await no_clients(server)
        await asyncio.wait({reader})


@pytest.mark.parametrize("session", ["own session", "given session"])
async def test_a_websocket_is_aborted_if_the_peer_does_not_read(server: StubbornServer, session: str) -> None:
    """Unsent data is discarded; asyncio would keep the socket open until the peer reads it."""
    async with aiohttp.ClientSession() as own, asyncio.timeout(5):
        given = None if session == "own session" else own
        client = HttpClient(HttpOptions(url=server.url, close_timeout=0.05, session=given), logging.getLogger("signalr_client"))
        transport = await websocket(server, client, serve_without_reading)
        sending = asyncio.create_task(transport.send(HUGE))
        await iterations()
        sending.cancel()
        await asyncio.wait({sending})
        await transport.close()
        await no_clients(server)
        await client.aclose()


async def test_a_waiting_send_ends_with_the_websocket(server: StubbornServer, hasty: HttpClient) -> None:
    async with asyncio.timeout(5):
        transport = await websocket(server, hasty, serve_without_reading)
        sending = asyncio.create_task(transport.send(HUGE))
        await iterations()
        await transport.close()
        with pytest.raises(TransportError):
            await sending
        await no_clients(server)


async def test_cancelling_close_aborts_the_websocket(server: StubbornServer, client: HttpClient) -> None:
    peer = Peer()
    async with asyncio.timeout(5):
        transport = await websocket(server, client, peer.serve)
        closing = asyncio.create_task(transport.close())
        await peer.asked.wait()
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await no_clients(server)
        await transport.close()


# requests


async def connected(
    server: StubbornServer, client: HttpClient, name: str, serve: dict[str, Serve]
) -> tuple[Transport, asyncio.Queue[str]]:
    """Connect a transport to a server with a handler for each method; return it with a queue of the methods received."""
    came: asyncio.Queue[str] = asyncio.Queue()
    polls = 0

    async def each(connection: Connection) -> None:
        nonlocal polls
        while await connection.read_request():
            came.put_nowait(connection.method)
            if connection.method == "GET":
                polls += 1
                if name == "sse":
                    await connection.begin_events()
                    await connection.reader.read()
                    return
                if polls == 1:
                    await connection.respond()
                    continue
            await serve.get(connection.method, hang)(connection)

    server.serve = each
    server.watch()
    kind: type[LongPollingTransport | ServerSentEventsTransport]
    kind = ServerSentEventsTransport if name == "sse" else LongPollingTransport
    transport = await kind.connect(client, server.url, TransferFormat.TEXT)
    assert await came.get() == "GET"
    return transport, came


async def hang(_connection: Connection) -> None:
    """Stop reading, and send no response."""
    await asyncio.get_running_loop().create_future()


async def take(connection: Connection) -> None:
    """Respond immediately."""
    await connection.read_body()
    await connection.respond()


async def closed_while_receiving(server: StubbornServer, client: HttpClient, name: str) -> tuple[Transport, asyncio.Queue[str]]:
    """Return a transport that was closed while its reader waited, and what came to the server since then."""
    transport, came = await connected(server, client, name, {"DELETE": take})
    reader = asyncio.create_task(transport.receive())
    if name == "lp":
        assert await came.get() == "GET"
    await iterations()
    await transport.close()
    assert await reader is None
    return transport, came


over_http = pytest.mark.parametrize("name", ["sse", "lp"])


@over_http
async def test_a_waiting_receive_ends_with_the_transport(server: StubbornServer, client: HttpClient, name: str) -> None:
    async with asyncio.timeout(5):
        _, came = await closed_while_receiving(server, client, name)
        if name == "lp":
            assert await came.get() == "DELETE"
    await client.aclose()
    await no_clients(server)


@over_http
async def test_a_transport_closed_while_its_reader_waits_is_not_kept_in_memory(
    server: StubbornServer, client: HttpClient, name: str
) -> None:
    async with asyncio.timeout(5):
        transport, _ = await closed_while_receiving(server, client, name)
    closed = weakref.ref(transport)
    del transport
    gc.collect()
    assert closed() is None
    await client.aclose()


async def test_closing_the_client_closes_its_sockets_even_if_it_is_cancelled(
    server: StubbornServer, client: HttpClient
) -> None:
    """As by a timeout that has passed already, because the event loop was busy."""
    async with asyncio.timeout(5):
        await connected(server, client, "lp", {})
        assert server.clients() == 1
        closing = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await no_clients(server)


@over_http
@pytest.mark.parametrize("size", [10, len(HUGE)], ids=["small", "huge"])
@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("session", ["own session", "given session"])
async def test_a_post_in_flight_ends_with_the_transport(
    server: StubbornServer, name: str, size: int, cancelled: bool, session: str
) -> None:
    """Also if the server does not read it; the unsent data does not keep the socket open."""
    async with aiohttp.ClientSession() as own, asyncio.timeout(5):
        given = None if session == "own session" else own
        client = HttpClient(HttpOptions(url=server.url, close_timeout=30.0, session=given), logging.getLogger("signalr_client"))
        transport, came = await connected(server, client, name, {"DELETE": take})
        sending = asyncio.create_task(transport.send(HUGE[:size]))
        assert await came.get() == "POST"
        await iterations()
        if cancelled:
            sending.cancel()
            await asyncio.wait({sending})
        await transport.close()
        await asyncio.wait({sending})
        assert sending.cancelled() if cancelled else isinstance(sending.exception(), TransportError)
        await client.aclose()
        await own.close()
        await no_clients(server)
        with pytest.raises(TransportError, match="The connection was closed"):
            await transport.send(b"too late")


async def test_a_delete_without_a_response_is_limited_by_the_close_timeout(server: StubbornServer, hasty: HttpClient) -> None:
    async with asyncio.timeout(5):
        transport, came = await connected(server, hasty, "lp", {"DELETE": hang})
        await transport.close()
        assert await came.get() == "DELETE"
    await hasty.aclose()
    await no_clients(server)


async def test_a_hanging_token_factory_for_a_delete_is_limited_by_the_close_timeout(server: StubbornServer) -> None:
    async def refuse(connection: Connection) -> None:
        await connection.respond(status="401 Unauthorized")

    calls = 0

    async def factory() -> str:
        nonlocal calls
        calls += 1
        return "t" if calls == 1 else await asyncio.get_running_loop().create_future()

    options = HttpOptions(url=server.url, close_timeout=0.05, access_token_factory=factory)
    client = HttpClient(options, logging.getLogger("signalr_client"))
    async with asyncio.timeout(5):
        transport, _ = await connected(server, client, "lp", {"DELETE": refuse})
        await transport.close()
    assert calls == 2
    await client.aclose()


async def test_cancelling_close_cancels_the_delete(server: StubbornServer, client: HttpClient) -> None:
    async with asyncio.timeout(5):
        transport, came = await connected(server, client, "lp", {"DELETE": hang})
        closing = asyncio.create_task(transport.close())
        assert await came.get() == "DELETE"
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    await client.aclose()
    await no_clients(server)


async def test_an_early_response_to_a_post_leaves_no_socket_open(server: StubbornServer, client: HttpClient) -> None:
    """A proxy responds like this to a body that is too large."""

    async def refuse(connection: Connection) -> None:
        await connection.respond(status="413 Content Too Large")
        await hang(connection)

    async with asyncio.timeout(5):
        transport, _ = await connected(server, client, "sse", {"POST": refuse})
        with pytest.raises(TransportError, match="413"):
            await transport.send(HUGE)
        await transport.close()
    await no_clients(server)


async def test_stopping_a_connection_takes_no_longer_than_the_close_timeout(server: StubbornServer) -> None:
    """Over Long Polling, with a server that does not respond to DELETE."""
    offer = (
        b'{"negotiateVersion":1,"connectionId":"c","connectionToken":"t","availableTransports":'
        b'[{"transport":"LongPolling","transferFormats":["Text"]}]}'
    )
    answers = [offer, b"", b"{}\x1e"]

    async def serve(connection: Connection) -> None:
        while await connection.read_request():
            await connection.read_body()
            match connection.method:
                case "POST":
                    await connection.respond(answers.pop(0) if len(answers) == 3 else b"")
                case "GET" if answers:
                    await connection.respond(answers.pop(0))
                case _:
                    await hang(connection)

    server.serve = serve
    server.watch()
    builder = HubConnectionBuilder().with_url(server.url, transports=HttpTransportType.LONG_POLLING, close_timeout=0.05)
    async with asyncio.timeout(5):
        connection = builder.build()
        await connection.start()
        await connection.stop()
    await no_clients(server)

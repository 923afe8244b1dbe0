"""Hostile clients of a real server, over real sockets and every transport, while other clients go on working."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Final
from urllib.parse import urlsplit

import pytest

from signalr_client import HttpTransportType, HubConnectionBuilder, HubProtocol
from signalr_client.core.messages import Sequence
from signalr_client.server import HubOptions, HubServer
from tests.fuzz.memory_server import FuzzHub
from tests.fuzz.mutation import mutations
from tests.fuzz.seeds import HANDSHAKES, JSON, MESSAGEPACK, NEGOTIATE_RESPONSES
from tests.fuzz.targets import boundaries, frames, hub
from tests.support.handmade import HandmadeSocket, frame, handmade
from tests.support.raw import raw
from tests.support.served_app import remembered

pytestmark = pytest.mark.usefixtures("no_leaks", "no_errors")

SEED: Final = 20_260_725
SHORT, LONG = 200, 3_000  # hostile connections of each kind
CROWD: Final = 10  # at a time

OPTIONS: Final = HubOptions(
    close_timeout=0.2,
    disconnect_timeout=2.0,  # not shorter, because the other clients must keep to these times on a busy machine
    poll_timeout=0.2,
    handshake_timeout=5.0,
    client_timeout_interval=10.0,
    transport_send_timeout=5.0,
    enable_detailed_errors=True,
    allow_stateful_reconnects=True,
    enable_authentication_refresh=True,
    cors_origins=["http://host"],
)


# what hostile clients do


def openings(random: Random) -> bytes:
    """Return the beginning of a stream: a handshake most of the time."""
    return random.choice((b"", HANDSHAKES[0], HANDSHAKES[1], HANDSHAKES[0]))


async def send_messages(url: str, data: bytes, random: Random) -> None:
    """Send hostile messages in valid frames."""
    async with handmade(url) as client:
        opening = openings(random)
        if opening:
            await client.send(frame(opening, random.choice((1, 2))))
        await client.send(frame(data, random.choice((1, 2))))
        if random.getrandbits(1):  # else it is reset
            await read_to_the_end(client)


async def send_frames(url: str, data: bytes, random: Random) -> None:
    """Send hostile frames."""
    async with handmade(url) as client:
        await client.send(frames.frame(HANDSHAKES[0]) + data)
        if random.getrandbits(1):
            await read_to_the_end(client)


async def read_to_the_end(client: HandmadeSocket) -> None:
    """Say that nothing more will come, and read what the server says, so that it has read everything before."""
    with contextlib.suppress(ConnectionError):
        client.shut_down()
        while await client.read():
            pass


async def send_requests(url: str, data: bytes, random: Random) -> None:
    """Send hostile bytes in place of a request."""
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    with contextlib.closing(socket.socket()) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, (parts.hostname, parts.port))
        with contextlib.suppress(OSError):
            await loop.sock_sendall(sock, data)
            sock.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sock, 65_536):
                pass


async def post_to_an_event_stream(url: str, data: bytes, random: Random) -> None:
    """POST hostile messages."""
    async with raw(url) as client:
        token = await client.negotiate()
        async with client.events(token):
            for body in (openings(random), data):
                assert (await client.request("POST", body=body, id=token)).status in (200, 404)


async def post_between_polls(url: str, data: bytes, random: Random) -> None:
    """POST hostile messages, and poll for the answers."""
    async with raw(url) as client:
        token = await client.negotiate()
        assert (await client.request("GET", id=token)).status in (200, 404)  # 404: it took longer than the disconnect timeout
        for body in (openings(random), data):
            assert (await client.request("POST", body=body, id=token)).status in (200, 404)
        assert (await client.request("GET", id=token)).status in (200, 204, 404)
        assert (await client.request("DELETE", id=token)).status in (202, 404)


async def come_back(url: str, data: bytes, random: Random) -> None:
    """Lose the WebSocket of a stateful connection and come back, twice, with hostile messages on each of them."""
    async with raw(url) as client:
        answer = await client.request("POST", "/negotiate", negotiateVersion="1", useStatefulReconnect="true")
        token = json.loads(answer.body)["connectionToken"]
    for number in range(3):
        try:
            async with handmade(f"{url}?id={token}") as websocket:
                sequence = JSON.encode(Sequence(sequence_id=random.choice((1, 1, 0, 2, 2**40)))) if number else HANDSHAKES[2]
                await websocket.send(frame(sequence + data))
                await websocket.read()
                if random.getrandbits(1):
                    await read_to_the_end(websocket)
        except (AssertionError, ConnectionError):  # refused: the connection has ended
            return


async def negotiate(url: str, data: bytes, random: Random) -> None:
    """Ask for hostile things with valid requests."""
    async with raw(url) as client:
        text = data.decode("latin-1")
        header = "".join(character for character in text if character.isprintable())[:100]
        query = {random.choice(("negotiateVersion", "id", "access_token", "useStatefulReconnect", "x")): text[:200]}
        headers = {random.choice(("Origin", "Authorization", "Accept", "Content-Encoding", "X-Forwarded-For")): header}
        method, path = random.choice(("POST", "OPTIONS", "GET", "PUT")), random.choice(("/negotiate", "/refresh", ""))
        answer = await client.request(method, path, body=data, headers=headers, **query)
        assert answer.status in (200, 202, 204, 400, 403, 404, 405, 415)


_REQUESTS: Final = [
    b"POST /hub/negotiate?negotiateVersion=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /hub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + frames.frame(HANDSHAKES[0]),
    b"GET /hub?id=x HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n",
    b"POST /hub?id=x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"OPTIONS /hub HTTP/1.1\r\nHost: x\r\nOrigin: http://host\r\nAccess-Control-Request-Method: GET\r\n\r\n",
    b"DELETE /hub?id=x HTTP/1.0\r\n\r\n",
]
_HTTP_WORDS: Final = [
    *boundaries.WORDS,
    b"Content-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"%00",
]

Attack = Callable[[str, bytes, Random], Awaitable[None]]
ATTACKS: Final[dict[str, tuple[Attack, list[bytes], list[bytes]]]] = {
    "messages": (send_messages, hub.SEEDS, hub.WORDS),
    "frames": (send_frames, [*frames.SEEDS, frames.frame(b"", 0x89) * 500], frames.WORDS),
    "requests": (send_requests, _REQUESTS, _HTTP_WORDS),
    "event stream": (post_to_an_event_stream, hub.SEEDS, hub.WORDS),
    "long polling": (post_between_polls, hub.SEEDS, hub.WORDS),
    "stateful reconnect": (come_back, hub.SEEDS, hub.WORDS),
    "negotiation": (negotiate, [*NEGOTIATE_RESPONSES, b"1", b"-1", b"true"], [b"0", b"%", b"&", b"="]),
}


# the others


@asynccontextmanager
async def working(url: str, protocol: HubProtocol, transport: HttpTransportType) -> AsyncIterator[Callable[[], int]]:
    """Run a client that calls one method after another; yield a function that returns how many calls were answered."""
    builder = (
        HubConnectionBuilder().with_url(url, transports=transport).with_hub_protocol(protocol).with_keep_alive_interval(0.3)
    )
    connection = builder.build()
    lost: list[object] = []
    connection.on_close(lost.append)
    answered = 0

    async def call() -> None:
        nonlocal answered
        while True:
            assert await connection.invoke("add", answered, 1) == answered + 1
            assert [item async for item in connection.stream("count", 3)] == [0, 1, 2]
            answered += 1

    async with connection:
        calling = asyncio.create_task(call())
        try:
            yield lambda: answered
        finally:
            assert not lost
            assert not calling.done()
            calling.cancel()
            await asyncio.wait({calling})


@pytest.mark.parametrize("name", ATTACKS)
async def test_hostile_clients_disturb_neither_the_server_nor_the_others(name: str, pytestconfig: pytest.Config) -> None:
    """The server logs no error, keeps nothing of them, and other clients of all transports notice nothing."""
    attack, seeds, words = ATTACKS[name]
    random = Random(SEED)
    inputs = mutations(random, seeds, words, LONG if pytestconfig.getoption("--long") else SHORT)

    async def attack_in_turn(url: str) -> None:
        for data in inputs:
            await attack(url, data, random)

    async with HubServer({"/hub": FuzzHub}, options=OPTIONS) as server, asyncio.timeout(600):
        url = server.url("/hub")
        async with AsyncExitStack() as stack:
            others = [
                await stack.enter_async_context(working(url, protocol, transport))
                for protocol, transport in (
                    (JSON, HttpTransportType.WEB_SOCKETS),
                    (MESSAGEPACK, HttpTransportType.WEB_SOCKETS),
                    (JSON, HttpTransportType.SERVER_SENT_EVENTS),
                    (MESSAGEPACK, HttpTransportType.LONG_POLLING),
                )
            ]
            async with asyncio.TaskGroup() as group:
                for _ in range(CROWD):
                    group.create_task(attack_in_turn(url))
            before = [answered() for answered in others]
            while any(answered() <= count for answered, count in zip(others, before, strict=True)):
                await asyncio.sleep(0)
            while remembered(server.app)["connections"] > len(others):
                await asyncio.sleep(0)
        while any(remembered(server.app).values()):
            await asyncio.sleep(0)


async def test_a_hostile_client_gets_an_answer_where_there_is_one() -> None:
    """Otherwise the tests above would show little."""
    async with HubServer({"/hub": FuzzHub}, options=OPTIONS) as server, asyncio.timeout(10):
        url = server.url("/hub")
        async with handmade(url) as client:
            await client.shake_hands()
            assert b'"hello"' in await client.read_frame()
            await client.send(frame(b'{"type":"1"}\x1e'))
            assert await client.read_frame() == (
                b'{"type":7,"error":"Connection closed with an error. InvalidDataException: Expected \'type\' to be of type Number.",'
                b'"allowReconnect":true}\x1e'
            )
        async with handmade(url) as client:
            await client.send(b"\x81\x01x")
            assert (await client.read_exactly(4))[:1] == b"\x88"
        while any(remembered(server.app).values()):
            await asyncio.sleep(0)

"""Limits for frames: WebSocket messages, events, and responses to polls. See docs/transports.md, "Sizes"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSMsgType

from signalr_client import HubConnectionBuilder, NegotiationError, ProtocolError
from signalr_client.transports.base import HttpOptions, Transport
from signalr_client.transports.failures import FRAME_SLACK
from signalr_client.transports.http import HttpClient
from signalr_client.transports.long_polling import LongPollingTransport
from signalr_client.transports.server_sent_events import ServerSentEventsTransport
from signalr_client.transports.websockets import WebSocketTransport
from signalr_client.types import TransferFormat
from tests.support.hubs import TRANSPORTS
from tests.support.stubborn_server import Connection, StubbornServer, stubborn_server

LARGEST = 1_000
LIMIT = LARGEST + FRAME_SLACK
KINDS: dict[str, type[WebSocketTransport | ServerSentEventsTransport | LongPollingTransport]] = {
    "ws": WebSocketTransport,
    "sse": ServerSentEventsTransport,
    "lp": LongPollingTransport,
}
WHAT = {"ws": "a WebSocket message", "sse": "an event", "lp": "the response to a poll"}
each_transport = pytest.mark.parametrize("name", TRANSPORTS)


@pytest.fixture
async def server(no_leaks: None) -> AsyncIterator[StubbornServer]:
    async with stubborn_server() as server:
        yield server


async def connect(
    server: StubbornServer, name: str, size: int, limit: int | None, *, endless: bool
) -> tuple[Transport, HttpClient]:
    """Connect a transport and send it a frame of *size* bytes. An endless frame announces more data and never ends."""
    polls = 0

    async def serve(connection: Connection) -> None:
        nonlocal polls
        while await connection.read_request():
            if connection.method == "DELETE":
                await connection.respond()
                continue
            if name == "ws":
                await connection.upgrade()
                await connection.send_frame(WSMsgType.TEXT, b"x" * size, length=2**40 if endless else None)
                if endless or (limit is not None and size > limit + FRAME_SLACK):
                    return  # the client closes immediately, with code 1009
                await connection.read_frame()
                await connection.send_frame(WSMsgType.CLOSE, b"\x03\xe8")
                return
            if name == "sse":
                await connection.begin_events()
                connection.writer.write(b"data: " + b"x" * size + b"\n\n" * (not endless))
                await connection.reader.read()
                return
            polls += 1
            if polls == 1:
                await connection.respond()
            elif endless:  # chunked, so that the size is not announced
                head = f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n"
                connection.writer.write(head.encode() + b"x" * size + b"\r\n")
                await connection.reader.read()
            else:
                await connection.respond(b"x" * size)

    server.serve = serve
    options = HttpOptions(url=server.url, max_message_size=limit, close_timeout=1.0)
    client = HttpClient(options, logging.getLogger("signalr_client"))
    return await KINDS[name].connect(client, server.url, TransferFormat.TEXT), client


@each_transport
@pytest.mark.parametrize("size", [1, LIMIT])
async def test_a_frame_may_contain_the_largest_message_and_others(server: StubbornServer, name: str, size: int) -> None:
    async with asyncio.timeout(5):
        transport, client = await connect(server, name, size, LARGEST, endless=False)
        received = await transport.receive()
        await transport.close()
        await client.aclose()
    assert received == b"x" * size


@each_transport
@pytest.mark.parametrize("endless", [False, True], ids=["complete", "incomplete"])
async def test_a_frame_over_the_limit_is_rejected_even_if_incomplete(server: StubbornServer, name: str, endless: bool) -> None:
    async with asyncio.timeout(5):
        transport, client = await connect(server, name, LIMIT + 100, LARGEST, endless=endless)
        with pytest.raises(ProtocolError) as caught:
            await transport.receive()
        await transport.close()
        await client.aclose()
    assert str(caught.value) == (
        f"The server sent {WHAT[name]} of more than 1,049,576 bytes: max_message_size=1,000 allows that many bytes for one message,"
        " and 1,048,576 for others in the same frame. Raise max_message_size to accept it."
    )


@each_transport
async def test_without_max_message_size_a_frame_may_have_any_size(server: StubbornServer, name: str) -> None:
    async with asyncio.timeout(20):
        transport, client = await connect(server, name, 2**24, None, endless=False)
        received = await transport.receive()
        await transport.close()
        await client.aclose()
    assert received is not None
    assert len(received) == 2**24


@pytest.mark.parametrize("body", [b"x" * (2**20 + 1)])
async def test_a_negotiate_response_that_is_too_large_is_rejected(server: StubbornServer, body: bytes) -> None:
    async def serve(connection: Connection) -> None:
        await connection.read_request()
        await connection.respond(body, length=2**40)
        await connection.reader.read()

    server.serve = serve
    async with asyncio.timeout(5):
        with pytest.raises(NegotiationError, match="The response has more than 1,048,576 bytes"):
            await HubConnectionBuilder().with_url(server.url).build().start()

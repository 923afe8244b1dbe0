"""Clients and proxies that speak HTTP/1.0, as nginx does unless it is told otherwise. It has no chunked responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from signalr_client import HttpTransportType
from signalr_client.server import Hub
from tests.support.hub_server import serving
from tests.support.raw import HANDSHAKE, Raw


class Echo(Hub):
    def echo(self, value: object) -> object:
        return value


@pytest.fixture
async def session(no_leaks: None) -> AsyncIterator[aiohttp.ClientSession]:
    """A session whose requests are HTTP/1.0."""
    async with aiohttp.ClientSession(version=aiohttp.HttpVersion10) as session:
        yield session


async def test_long_polling_works_over_http_1_0(session: aiohttp.ClientSession) -> None:
    async with serving(Echo) as serve, asyncio.timeout(10):
        client = await serve.connect(transports=HttpTransportType.LONG_POLLING, session=session)
        assert await client.invoke("Echo", "x" * 20_000) == "x" * 20_000


async def test_an_event_stream_over_http_1_0_lasts_until_the_connection_closes(session: aiohttp.ClientSession) -> None:
    async with serving(Echo) as serve, asyncio.timeout(10):
        hub = Raw(session, serve.url)
        token = await hub.negotiate()
        async with hub.events(token) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == "text/event-stream"
            assert not {"Transfer-Encoding", "Content-Length"} & response.headers.keys()
            assert (await hub.request("POST", body=HANDSHAKE, id=token)).status == 200
            text = b""
            while b"data: {}\x1e" not in text:
                text += await response.content.readany()
            assert (await hub.request("POST", body='{"type":7}\x1e', id=token)).status == 200
            assert b'data: {"type":7}\x1e' in await response.content.read()  # to its end

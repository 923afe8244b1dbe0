"""A request whose connection is lost is not sent again, because the lost response may have contained messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from signalr_client import (
    AggregateTransportError,
    ConnectionClosedError,
    HubConnection,
    HubConnectionBuilder,
    NegotiationError,
    TransportError,
)
from signalr_client.server import Hub
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.events import EventRecorder
from tests.support.hub_server import serving
from tests.support.hubs import TRANSPORTS

each_session = pytest.mark.parametrize("session", ["own session", "given session"])


class Echo(Hub):
    """The hub behind the proxy."""

    def echo(self, value: object) -> object:
        """Return the value."""
        return value


@pytest.fixture
async def proxy(no_leaks: None) -> AsyncIterator[CuttingProxy]:
    async with serving(Echo) as served, cutting_proxy(served.url) as proxy:
        yield proxy


@asynccontextmanager
async def builder(proxy: CuttingProxy, session: str, name: str = "lp", **options: Any) -> AsyncIterator[HubConnectionBuilder]:
    """Return a builder for a connection through the proxy, with the given kind of session."""
    async with AsyncExitStack() as stack:
        if session != "own session":
            options["session"] = await stack.enter_async_context(aiohttp.ClientSession(**options.pop("session_options", {})))
        yield HubConnectionBuilder().with_url(proxy.url, **({"transports": TRANSPORTS[name]} | options))


async def calls_that_return(connection: HubConnection, calls: int) -> int:
    for number in range(calls):
        assert await connection.invoke("Echo", number) == number
    return calls


@each_session
async def test_a_poll_whose_response_is_lost_ends_the_connection(proxy: CuttingProxy, session: str) -> None:
    """The response contained the result of a call; another poll would not return it."""
    async with asyncio.timeout(10), builder(proxy, session) as built:
        connection = built.build()
        await connection.start()
        await calls_that_return(connection, 3)
        proxy.cut = lambda request: request.startswith("GET")
        polls = proxy.count("GET")
        lost = asyncio.create_task(connection.invoke("Echo", "lost"))
        await proxy.until(
            lambda: proxy.count("GET") > polls or lost.done()
        )  # the poll that was already in flight was not chosen to be cut
        with pytest.raises(ConnectionClosedError, match="A poll failed: Server disconnected"):
            await connection.wait_closed()
        await asyncio.gather(lost, return_exceptions=True)
        await connection.stop()
        assert proxy.count("GET") == polls + 1


@each_session
async def test_a_lost_response_causes_a_reconnect(proxy: CuttingProxy, session: str) -> None:
    async with asyncio.timeout(10), builder(proxy, session) as built:
        connection = built.with_automatic_reconnect([0]).build()
        events = EventRecorder(connection)
        await connection.start()
        proxy.cut = lambda request: request.startswith("GET")
        await asyncio.gather(*(connection.invoke("Echo", number) for number in range(2)), return_exceptions=True)
        await proxy.until(lambda: bool(proxy.lost))
        proxy.cut = lambda _: False
        await events.wait("reconnected")
        await calls_that_return(connection, 3)
        await connection.stop()
        assert events.names[:2] == ["reconnecting", "reconnected"]


@each_session
async def test_the_first_poll_is_sent_once(proxy: CuttingProxy, session: str) -> None:
    proxy.cut = lambda request: request.startswith("GET")
    async with asyncio.timeout(10), builder(proxy, session) as built:
        with pytest.raises(AggregateTransportError, match="LongPolling failed: Server disconnected"):
            await built.build().start()
    assert proxy.count("GET") == 1


@each_session
async def test_a_delete_is_sent_once(proxy: CuttingProxy, session: str) -> None:
    async with asyncio.timeout(10), builder(proxy, session) as built, built.build() as connection:
        await calls_that_return(connection, 1)
        proxy.cut = lambda request: request.startswith("DELETE")
    assert proxy.count("DELETE") == 1


@each_session
@pytest.mark.parametrize("name", ["sse", "ws"])
async def test_a_negotiate_request_is_sent_once(proxy: CuttingProxy, session: str, name: str) -> None:
    proxy.cut = lambda request: request == "negotiate"
    async with asyncio.timeout(10), builder(proxy, session, name) as built:
        with pytest.raises(NegotiationError, match="Server disconnected without an answer"):
            await built.build().start()
    assert proxy.requests == ["negotiate"]


@each_session
async def test_an_event_stream_is_requested_once(proxy: CuttingProxy, session: str) -> None:
    proxy.cut = lambda request: request.startswith("GET")
    async with asyncio.timeout(10), builder(proxy, session, "sse") as built:
        with pytest.raises(AggregateTransportError, match="ServerSentEvents failed: Server disconnected"):
            await built.build().start()
    assert proxy.count("GET") == 1


async def test_a_websocket_is_requested_once(proxy: CuttingProxy) -> None:
    """With our own session; for a given session, aiohttp's retry of WebSocket requests cannot be disabled."""
    proxy.cut = lambda request: request.startswith("GET")
    async with asyncio.timeout(10), builder(proxy, "own session", "ws", skip_negotiation=True) as built:
        with pytest.raises(TransportError, match="WebSockets failed: Server disconnected"):
            await built.build().start()
    assert proxy.count("GET") == 1


async def test_a_post_is_sent_once(proxy: CuttingProxy) -> None:
    async with asyncio.timeout(10), builder(proxy, "own session") as built:
        connection = built.build()
        await connection.start()
        posts = proxy.count("POST")
        proxy.cut = lambda request: request.startswith("POST")
        answer = asyncio.create_task(connection.invoke("Echo", 1))  # the result may arrive by a poll before the POST fails
        with pytest.raises(ConnectionClosedError, match="Server disconnected"):
            await connection.wait_closed()
        await asyncio.gather(answer, return_exceptions=True)
        await connection.stop()
        assert proxy.count("POST") == posts + 1


async def test_the_middlewares_of_a_given_session_are_used(proxy: CuttingProxy) -> None:
    """They may add authentication, for example."""
    seen = []

    async def note(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        seen.append(request.method)
        return await handler(request)

    async with (
        asyncio.timeout(10),
        builder(proxy, "given session", session_options={"middlewares": (note,)}) as built,
        built.build() as connection,
    ):
        await calls_that_return(connection, 2)
    assert len(seen) == len(proxy.requests)
    assert set(seen) == {"GET", "POST", "DELETE"}


@pytest.mark.interop
@each_session
async def test_no_stream_item_is_missing_when_responses_of_the_real_server_are_lost(aspnetcore_url: str, session: str) -> None:
    """Each stream ends with an error, without a gap in its items."""
    polls = 0

    def third_poll(request: str) -> bool:
        nonlocal polls
        polls += request.startswith("GET")
        return request.startswith("GET") and polls == 3

    async with asyncio.timeout(60), cutting_proxy(f"{aspnetcore_url}/testhub") as proxy, builder(proxy, session) as built:
        connection = built.with_automatic_reconnect([0]).build()
        events = EventRecorder(connection)
        await connection.start()
        for losses in range(1, 4):
            proxy.cut, polls, items = third_poll, 0, []
            with pytest.raises(ConnectionClosedError):
                stream = aiter(connection.stream("Counter", 1_000, 5))
                while True:
                    items.append(await anext(stream))
            proxy.cut = lambda _: False
            assert items == list(range(len(items)))
            await events.wait("reconnected", losses)
            assert [item async for item in connection.stream("Counter", 20, 0)] == list(range(20))
        await connection.stop()
    assert proxy.lost

"""Transports that connect, or seem to, and stay silent, as behind a proxy that buffers: the client tries the next one."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from signalr_client import (
    AggregateTransportError,
    ConnectionClosedError,
    HandshakeError,
    HandshakeTimeoutError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    MessagePackHubProtocol,
)
from tests.support.events import EventRecorder
from tests.support.gated_hub import Handler, intercepted_hub
from tests.support.loops import TIMER_TOLERANCE

WS, SSE, LP = HttpTransportType.WEB_SOCKETS, HttpTransportType.SERVER_SENT_EVENTS, HttpTransportType.LONG_POLLING
NO_TRANSPORT = "Unable to connect to the server with any of the available transports."
HANDSHAKE = 0.6  # seconds; a third of it for all transports but the last


class Proxy:
    """Holds back what the hub sends over some transports.

    Attributes:
        url: the URL of the hub.
        hangs: transports whose first request gets no response.
        silent: transports that connect, and then deliver nothing.
        refuses: transports whose handshake is answered with an error.
        reverse: whether to reverse the order of the transports that the server offers.
        requests: the transport or "negotiate" for each request that opens something.
        ended: the transports whose silent connections the client has closed.
    """

    def __init__(self) -> None:
        self.url = ""
        self.hangs: set[str] = set()
        self.silent: set[str] = set()
        self.refuses: set[str] = set()
        self.reverse = False
        self.requests: list[str] = []
        self.ended: list[str] = []
        self.reached = asyncio.Event()
        self._held: dict[str, str] = {}  # transports by connection token, for those that the hub does not see

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass the request on, or hold it back."""
        token = request.query.get("id", "")
        if request.method != "GET":
            if token in self._held:
                return web.Response() if request.method == "POST" else web.Response(status=202)
            if request.path.endswith("/negotiate"):
                self.requests.append("negotiate")
            response = await handler(request)
            if self.reverse and isinstance(response, web.Response):
                answer = json.loads(response.text or "")
                answer["availableTransports"].reverse()
                response.text = json.dumps(answer)
            return response
        kind = "LongPolling"
        if "upgrade" in request.headers.get("Connection", "").lower():
            kind = "WebSockets"
        elif request.headers.get("Accept") == "text/event-stream":
            kind = "ServerSentEvents"
        if token not in self._held:
            self.requests.append(kind)
        if kind not in self.hangs | self.silent | self.refuses:
            return await handler(request)
        first = token not in self._held
        self._held[token] = kind
        self.reached.set()
        try:
            return await self._hold(kind, request, first=first)
        finally:
            self.ended.append(kind)

    async def _hold(self, kind: str, request: web.Request, *, first: bool) -> web.StreamResponse:
        response: web.StreamResponse = web.Response()
        if kind not in self.hangs:
            if kind == "LongPolling" and first:
                return response
            if kind == "WebSockets":
                response = socket = web.WebSocketResponse(timeout=0.1)
                await socket.prepare(request)
                if kind in self.refuses:
                    await socket.send_str('{"error":"not you"}\x1e')
                while (await socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    pass
                return response
            if kind == "ServerSentEvents":
                response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
                await response.prepare(request)
        await asyncio.get_running_loop().create_future()  # until the client disconnects
        return response


@asynccontextmanager
async def buffering_proxy() -> AsyncIterator[Proxy]:
    """Run a hub behind a proxy during the block."""
    proxy = Proxy()

    async with intercepted_hub(proxy.handle, handler_cancellation=True) as url:
        proxy.url = url
        yield proxy


@pytest.fixture
async def proxy(no_leaks: None) -> AsyncIterator[Proxy]:
    async with buffering_proxy() as proxy:
        yield proxy


def build(proxy: Proxy, *, timeout: float = HANDSHAKE, **options: object) -> HubConnectionBuilder:
    """Return a builder for a connection with a short handshake timeout."""
    builder = HubConnectionBuilder().with_url(proxy.url, **options)  # type: ignore[arg-type]  # options of with_url
    return builder.with_handshake_timeout(timeout)


async def check(connection: HubConnection) -> None:
    assert await connection.invoke("Echo", "hello") == "hello"


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


# falling back


@pytest.mark.parametrize("form", ["hangs", "silent"])
async def test_an_event_stream_that_is_buffered_is_given_up_for_long_polling(
    form: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether its headers arrive or not. The log says what the proxy does and what to change."""
    setattr(proxy, form, {"ServerSentEvents"})
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(10), build(proxy, transports=SSE | LP).build() as connection:
        assert loop.time() - began >= HANDSHAKE / 3 - TIMER_TOLERANCE
        await check(connection)
    assert proxy.requests[:4] == ["negotiate", "ServerSentEvents", "negotiate", "LongPolling"]
    assert "ServerSentEvents" in proxy.ended
    what = "no answer within 0.2 s" if form == "hangs" else "The handshake timed out after 0.2 seconds"
    assert warnings(caplog) == [
        (
            f"! ServerSentEvents failed: {what}. It seems that a proxy buffers responses. Change that for the URL of the hub (nginx:"
            " proxy_buffering off), or exclude Server-Sent Events with transports="
        )
    ]


@pytest.mark.parametrize("form", ["hangs", "silent"])
@pytest.mark.parametrize("protocol", ["json", "messagepack"])
async def test_a_websocket_that_stays_silent_is_given_up(
    form: str, protocol: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """For the next transport that carries the hub protocol."""
    setattr(proxy, form, {"WebSockets"})
    builder = build(proxy, close_timeout=0.2)
    if protocol == "messagepack":
        builder.with_hub_protocol(MessagePackHubProtocol())
    async with asyncio.timeout(10), builder.build() as connection:
        await check(connection)
    fallback = "ServerSentEvents" if protocol == "json" else "LongPolling"
    assert proxy.requests[:4] == ["negotiate", "WebSockets", "negotiate", fallback]
    [line] = warnings(caplog)
    assert "It seems that a proxy does not forward WebSockets." in line


async def test_every_silent_transport_has_a_third_of_the_time(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    """But the last has all of it; here it needs none."""
    proxy.silent = {"WebSockets"}
    proxy.hangs = {"ServerSentEvents"}
    async with asyncio.timeout(10), build(proxy, close_timeout=0.2).build() as connection:
        await check(connection)
    assert proxy.requests[:6] == ["negotiate", "WebSockets", "negotiate", "ServerSentEvents", "negotiate", "LongPolling"]
    assert len(warnings(caplog)) == 2


@pytest.mark.parametrize("form", ["hangs", "silent"])
async def test_long_polling_is_given_up_too_if_the_server_offers_it_first(
    form: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    """The transports are tried in the server's order."""
    proxy.reverse = True
    setattr(proxy, form, {"LongPolling"})
    async with asyncio.timeout(10), build(proxy, close_timeout=0.2, transports=LP | WS).build() as connection:
        await check(connection)
    assert proxy.requests == ["negotiate", "LongPolling", "negotiate", "WebSockets"]
    [line] = warnings(caplog)
    assert "It seems that a proxy holds back requests or responses" in line


# errors


async def test_the_errors_of_all_silent_transports_are_reported_together(proxy: Proxy) -> None:
    proxy.silent = {"WebSockets", "LongPolling"}
    proxy.hangs = {"ServerSentEvents"}
    with pytest.raises(AggregateTransportError) as caught:
        await build(proxy, close_timeout=0.2).build().start()
    assert str(caught.value) == (
        f"{NO_TRANSPORT} (WebSockets failed: The handshake timed out after 0.2 seconds.)"
        " (ServerSentEvents failed: no answer within 0.2 s) (LongPolling failed: The handshake timed out after 0.6 seconds.)"
    )


async def test_the_only_transport_has_all_of_the_time(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    """Its error is the handshake's, as without a choice."""
    proxy.silent = {"WebSockets"}
    with pytest.raises(HandshakeTimeoutError, match=r"^The handshake timed out after 0\.6 seconds\.$"):
        await build(proxy, close_timeout=0.2, transports=WS).build().start()
    assert proxy.requests == ["negotiate", "WebSockets"]
    assert len(warnings(caplog)) == 1


async def test_an_event_stream_that_never_begins_fails_the_start_in_time(proxy: Proxy) -> None:
    """If it is the only transport, too."""
    proxy.hangs = {"ServerSentEvents"}
    async with asyncio.timeout(10):
        with pytest.raises(AggregateTransportError, match=r"ServerSentEvents failed: no answer within 0\.6 s"):
            await build(proxy, transports=SSE).build().start()


async def test_a_handshake_that_the_server_refuses_is_final(proxy: Proxy) -> None:
    """The hub would refuse it over the other transports too."""
    proxy.refuses = {"WebSockets"}
    with pytest.raises(HandshakeError, match="not you"):
        await build(proxy, close_timeout=0.2).build().start()
    assert proxy.requests == ["negotiate", "WebSockets"]


async def test_the_time_does_not_include_the_access_token_factory(proxy: Proxy) -> None:
    """Which may ask the user."""
    asked = 0

    async def factory() -> str:
        nonlocal asked
        asked += 1
        loop = asyncio.get_running_loop()
        answered = loop.create_future()
        loop.call_later(HANDSHAKE / 2, answered.set_result, None)
        await answered
        return "token"

    async with asyncio.timeout(10), build(proxy, access_token_factory=factory).build() as connection:
        await check(connection)
    assert proxy.requests == ["negotiate", "WebSockets"]
    assert asked == 2


# the rest of the life


async def test_a_reconnect_falls_back_too(proxy: Proxy) -> None:
    """Within one attempt of the retry policy."""
    connection = build(proxy, close_timeout=0.2, transports=SSE | LP).with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        proxy.silent = {"ServerSentEvents"}
        assert connection._life is not None
        assert connection._life.link is not None
        await connection._life.link._transport.close()
        await events.wait("reconnected")
        await check(connection)
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]


@pytest.mark.parametrize("form", ["hangs", "silent"])
@pytest.mark.parametrize("kind", ["WebSockets", "ServerSentEvents"])
async def test_stop_and_cancellation_end_a_start_over_a_silent_transport(form: str, kind: str, proxy: Proxy) -> None:
    """Nothing is left open."""
    setattr(proxy, form, {kind})
    connection = build(proxy, timeout=60, close_timeout=0.2, transports=(WS if kind == "WebSockets" else SSE) | LP).build()
    async with asyncio.timeout(10):
        for end in ("stop", "cancel"):
            proxy.reached.clear()
            starting = asyncio.create_task(connection.start())
            await proxy.reached.wait()
            if end == "stop":
                await connection.stop()
                with pytest.raises(ConnectionClosedError, match="stopped before the hub handshake could complete"):
                    await starting
            else:
                starting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await starting
            assert connection.state is HubConnectionState.DISCONNECTED
    assert proxy.requests == ["negotiate", kind] * 2

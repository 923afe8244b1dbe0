"""Access tokens of the client, request by request. See docs/transports.md, "Access tokens"."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from signalr_client import (
    AggregateTransportError,
    ConnectionClosedError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    InvalidStateError,
    NegotiationError,
    SignalRError,
    TransportError,
)
from tests.support.events import EventRecorder
from tests.support.gated_hub import Gate, gated_hub
from tests.support.hubs import TRANSPORTS

each_transport = pytest.mark.parametrize("name", TRANSPORTS)
over_http = pytest.mark.parametrize("name", ["sse", "lp"])


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with gated_hub() as gate:
        yield gate


class Tokens:
    """A factory that hands out t1, t2, ...; from call *last* + 1 on it raises."""

    def __init__(self, last: int | None = None, error: BaseException | None = None) -> None:
        self.calls = 0
        self.last = last
        self._error = error or LookupError("no token today")

    def __call__(self) -> str:
        self.calls += 1
        if self.last is not None and self.calls > self.last:
            raise self._error
        return f"t{self.calls}"

    async def later(self) -> str:
        await asyncio.sleep(0)
        return self()


def build(gate: Gate, name: str, factory: Callable[[], Any] | None = None, **options: Any) -> HubConnection:
    options = {"transports": TRANSPORTS[name], "access_token_factory": factory} | options
    return HubConnectionBuilder().with_url(gate.url, **options).build()


# when the factory is asked, and what travels


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ws", [("negotiate", "t1"), ("WebSocket", "t2")]),
        ("sse", [("negotiate", "t1"), ("GET", "t1"), ("POST", "t1")]),
        ("lp", [("negotiate", "t1"), ("GET", "t1"), ("POST", "t1"), ("DELETE", "t1")]),
    ],
)
async def test_which_request_carries_which_token(gate: Gate, name: str, shown: list[tuple[str, str]]) -> None:
    async with asyncio.timeout(5), build(gate, name, Tokens()) as connection:
        for number in range(3):
            assert await connection.invoke("Echo", number) == number
    assert gate.shown() == shown


async def test_each_negotiation_of_a_fallback_asks_anew(gate: Gate) -> None:
    gate.refuse(404, "WebSocket")
    connection = HubConnectionBuilder().with_url(gate.url, access_token_factory=Tokens()).build()
    async with asyncio.timeout(5), connection:
        assert await connection.invoke("Echo", 1) == 1
    assert gate.shown() == [("negotiate", "t1"), ("WebSocket", "t2"), ("negotiate", "t3"), ("GET", "t3"), ("POST", "t3")]


@each_transport
async def test_a_reconnect_asks_anew(gate: Gate, name: str) -> None:
    tokens = Tokens()
    builder = HubConnectionBuilder().with_url(gate.url, transports=TRANSPORTS[name], access_token_factory=tokens)
    connection = builder.with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(5), connection:
        before = tokens.calls
        gate.verdict = lambda seen: 403 if seen.tokens == ["Bearer t1"] else None
        if name == "ws":
            await connection.invoke("Echo", 1)
            return  # a WebSocket needs no token any more once it stands
        with pytest.raises(ConnectionClosedError):
            await connection.invoke("Echo", 1)
        await events.wait("reconnected")
        assert tokens.calls == before + 1
        assert await connection.invoke("Echo", 2) == 2


@each_transport
@pytest.mark.parametrize("token", ["", None])
async def test_no_token_is_no_header_and_is_asked_for_again(gate: Gate, name: str, token: str | None) -> None:
    """Like the .NET client: each request asks, until there is one to keep."""
    answers: list[str | None] = [token] * 4
    connection = build(gate, name, lambda: answers.pop() if answers else "at-last")
    async with asyncio.timeout(5), connection:
        for number in range(4):
            await connection.invoke("Echo", number)
    if name == "ws":
        assert gate.shown() == [("negotiate", ""), ("WebSocket", "")]
        return
    assert [seen.tokens for seen in gate.seen[:4]] == [[]] * 4
    assert {tuple(seen.tokens) for seen in gate.seen[4:]} == {("Bearer at-last",)}


@each_transport
@pytest.mark.parametrize("header", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_a_token_takes_the_place_of_the_callers_header(gate: Gate, name: str, header: str) -> None:
    """There is one header, however the caller wrote it."""
    async with asyncio.timeout(5), build(gate, name, lambda: "t", headers={header: "Basic YTpi"}) as connection:
        await connection.invoke("Echo", 1)
    assert {tuple(seen.tokens) for seen in gate.seen} == {("Bearer t",)}


@each_transport
async def test_where_the_factory_has_no_token_the_callers_header_stays(gate: Gate, name: str) -> None:
    async with asyncio.timeout(5), build(gate, name, lambda: None, headers={"authorization": "Basic YTpi"}) as connection:
        await connection.invoke("Echo", 1)
    assert {tuple(seen.tokens) for seen in gate.seen} == {("Basic YTpi",)}


# 401 and 403


async def test_a_401_to_a_websocket_is_final(gate: Gate) -> None:
    """Its token was asked for just now."""
    gate.refuse(401, "WebSocket")
    tokens = Tokens()
    with pytest.raises(AggregateTransportError, match="The server returned status code '401' when status code '101'"):
        await build(gate, "ws", tokens).start()
    assert gate.shown() == [("negotiate", "t1"), ("WebSocket", "t2")]
    assert (tokens.calls, len(gate.seen)) == (2, 2)


@pytest.mark.parametrize(
    ("name", "kind"), [("ws", "WebSocket"), ("ws", "negotiate"), ("sse", "GET"), ("sse", "POST"), ("lp", "GET"), ("lp", "POST")]
)
async def test_a_403_is_never_tried_again(gate: Gate, name: str, kind: str) -> None:
    gate.refuse(403, kind)
    with pytest.raises(SignalRError, match="403"):
        await build(gate, name, Tokens()).start()
    assert [seen.kind for seen in gate.seen].count(kind) == 1


async def test_a_delete_is_sent_once_more_with_a_fresh_token(gate: Gate) -> None:
    tokens = Tokens()
    connection = build(gate, "lp", tokens)
    await connection.start()
    gate.verdict = lambda seen: 401 if (seen.kind, seen.tokens) == ("DELETE", ["Bearer t1"]) else None
    await connection.stop()
    assert gate.shown()[-2:] == [("DELETE", "t1"), ("DELETE", "t2")]


async def test_each_request_has_its_own_second_try(gate: Gate) -> None:
    """A token that is good for one number of requests after another."""
    accepted = {"t1"}

    def verdict(seen: Any) -> int | None:
        return None if seen.tokens[0].removeprefix("Bearer ") in accepted else 401

    tokens = Tokens()
    gate.verdict = verdict
    async with asyncio.timeout(5), build(gate, "sse", tokens.later) as connection:
        for number in range(2, 6):
            accepted = {f"t{number}"}
            assert await connection.invoke("Echo", number) == number
    assert tokens.calls == 5


# factories that fail


@over_http
@pytest.mark.parametrize("form", ["sync", "async"])
async def test_a_factory_that_raises_while_connected_ends_the_connection(
    gate: Gate, name: str, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever waits is told, and so is on_close; the log has the traceback."""
    tokens = Tokens(last=1)
    connection = build(gate, name, tokens if form == "sync" else tokens.later)
    events = EventRecorder(connection)
    async with asyncio.timeout(5):
        await connection.start()
        gate.refuse(401, "GET", "POST")
        with pytest.raises(ConnectionClosedError, match=r"^LookupError: no token today$"):
            await connection.invoke("Echo", 1)
        closed = await events.wait("closed")
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.wait_closed()
    assert isinstance(caught.value.__cause__, LookupError)
    assert repr(closed.argument) == repr(caught.value)
    assert connection.state == "Disconnected"
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "! the connection ends because of an unexpected error"
    assert record.exc_info is not None


@over_http
async def test_a_factory_that_raises_for_a_while_is_a_loss_like_any_other(gate: Gate, name: str) -> None:
    """It costs attempts; the connection comes back when there are tokens again."""
    tokens = Tokens(last=1)
    builder = HubConnectionBuilder().with_url(gate.url, transports=TRANSPORTS[name], access_token_factory=tokens)
    connection = builder.with_automatic_reconnect([0] * 20).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(5), connection:
        gate.verdict = lambda seen: 401 if seen.tokens == ["Bearer t1"] else None
        with pytest.raises(ConnectionClosedError):
            await connection.invoke("Echo", 1)
        await events.wait("reconnecting")
        tokens.last = None
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 2) == 2
    assert events.names == ["reconnecting", "reconnected", "closed"]


async def test_a_factory_that_raises_at_the_end_does_not_fail_the_stop(gate: Gate) -> None:
    connection = build(gate, "lp", Tokens(last=1))
    await connection.start()
    gate.refuse(401, "DELETE")
    async with asyncio.timeout(5):
        await connection.stop()
    assert connection.state == "Disconnected"


async def wait_for_a_cancelled_task() -> str:
    """Wait as for a token that several wait for, when somebody cancels its making."""

    async def never() -> str:
        token: str = await asyncio.get_running_loop().create_future()
        return token

    task = asyncio.create_task(never())
    asyncio.get_running_loop().call_soon(task.cancel)
    return await task


@each_transport
async def test_a_factory_that_is_cancelled_fails_the_start(gate: Gate, name: str) -> None:
    """To a task, a CancelledError from inside looks like one of its own: the start would never have ended."""
    connection = build(gate, name, wait_for_a_cancelled_task)
    async with asyncio.timeout(5):
        with pytest.raises(NegotiationError, match="The access token factory failed: CancelledError") as caught:
            await connection.start()
    assert caught.value.status is None
    assert connection.state == "Disconnected"


@over_http
async def test_a_factory_that_is_cancelled_while_connected_ends_the_connection(gate: Gate, name: str) -> None:
    calls = 0

    async def factory() -> str:
        nonlocal calls
        calls += 1
        return "t1" if calls == 1 else await wait_for_a_cancelled_task()

    connection = build(gate, name, factory)
    async with asyncio.timeout(5):
        await connection.start()
        gate.refuse(401, "GET", "POST")
        with pytest.raises(ConnectionClosedError, match="The access token factory failed: CancelledError"):
            await connection.invoke("Echo", 1)
        with pytest.raises(ConnectionClosedError, match="The access token factory failed: CancelledError"):
            await connection.wait_closed()


@pytest.mark.parametrize("end", ["stop", "cancel"])
async def test_a_factory_that_never_returns_can_be_left(gate: Gate, end: str) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def factory() -> str:
        asked.set()
        try:
            return str(await asyncio.get_running_loop().create_future())
        finally:
            left.set()

    connection = build(gate, "lp", factory)
    async with asyncio.timeout(5):
        starting = asyncio.create_task(connection.start())
        await asked.wait()
        if end == "stop":
            await connection.stop()
            with pytest.raises(ConnectionClosedError, match="stopped before the hub handshake could complete"):
                await starting
        else:
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        await left.wait()
    assert gate.seen == []


@each_transport
@pytest.mark.parametrize("returned", [b"hush", 7, ["hush"], object()], ids=lambda value: type(value).__name__)
async def test_a_factory_that_returns_no_text_fails_the_start_and_only_the_type_is_named(
    gate: Gate, name: str, returned: object
) -> None:
    kind = type(returned).__name__
    with pytest.raises(TypeError, match=f"^The access token factory returned {kind}; it has to return a str, or None.$"):
        await build(gate, name, lambda: returned).start()
    assert gate.seen == []


# nothing secret is shown


def said(error: BaseException) -> str:
    return "".join([repr(error), str(error), *traceback.format_exception(error)])


@over_http
@pytest.mark.parametrize("closing", ["session", "server"])
async def test_no_broken_request_shows_the_connections_token(
    gate: Gate, name: str, closing: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The errors of aiohttp name the URL with everything in it."""
    caplog.set_level(logging.DEBUG, "signalr_client")
    async with ClientSession() as session, asyncio.timeout(5):
        connection = build(gate, name, session=session)
        await connection.start()
        token = gate.seen[-1].path.partition("id=")[2]
        if closing == "session":
            await session.close()
        else:
            gate.refuse(0, "GET", "POST")
        with pytest.raises((ConnectionClosedError, InvalidStateError)) as failed:  # a poll may have noticed first
            await connection.invoke("Echo", 1)
        with pytest.raises(ConnectionClosedError) as ended:
            await connection.wait_closed()
        await connection.stop()
    assert token
    assert token not in said(failed.value) + said(ended.value) + caplog.text


class Nowhere(AbstractResolver):
    """Never finds anything."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        await asyncio.get_running_loop().create_future()
        return []

    async def close(self) -> None: ...


async def test_a_host_that_is_not_reached_in_time_shows_no_token() -> None:
    """With a time limit of the caller's session."""
    hidden = "hush" * 2
    async with ClientSession(connector=TCPConnector(resolver=Nowhere()), timeout=ClientTimeout(connect=0.01)) as session:
        builder = HubConnectionBuilder().with_url(
            f"http://hub.example/hub?access_token={hidden}",
            session=session,
            skip_negotiation=True,
            transports=HttpTransportType.WEB_SOCKETS,
        )
        with pytest.raises(TransportError, match=r"^WebSockets failed: the server could not be reached in time$") as caught:
            await builder.build().start()
    assert hidden not in said(caught.value)


@pytest.mark.parametrize("token", ["hush\nhush", "hush\r\nX-Other: hush", "hush\x00"])
async def test_a_token_that_is_no_header_shows_nothing(gate: Gate, token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NegotiationError, match="control character") as caught:
        await build(gate, "lp", lambda: token).start()
    assert "hush" not in "".join(str(error) for error in (caught.value, caught.value.__cause__)) + caplog.text
    assert gate.seen == []


# the real server


@pytest.mark.interop
@over_http
async def test_the_real_server_accepts_a_renewed_token_at_each_request(aspnetcore_url: str, name: str) -> None:
    """Each token is good for one request; everything is asked twice, and nothing is lost or doubled."""
    tokens = Tokens()
    factory: Callable[[], Awaitable[str]] = tokens.later

    async def once() -> str:
        return f"once:1:{name}-{id(tokens)}-{await factory()}"

    builder = HubConnectionBuilder().with_url(
        f"{aspnetcore_url}/authhub", transports=TRANSPORTS[name], access_token_factory=once
    )
    async with asyncio.timeout(10), builder.build() as connection:
        names = [await connection.invoke("WhoAmI") for _ in range(5)]
    assert all(str(who).startswith(f"{name}-{id(tokens)}-t") for who in names)
    assert tokens.calls >= 6

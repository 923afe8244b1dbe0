"""Access tokens of the client, for each request. See docs/transports.md, "Access tokens"."""

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
    """A token factory that returns t1, t2, ... and raises after *last* calls."""

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


# when the factory is called, and which token is sent


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ws", [("negotiate", "t1"), ("WebSocket", "t2")]),
        ("sse", [("negotiate", "t1"), ("GET", "t1"), ("POST", "t1")]),
        ("lp", [("negotiate", "t1"), ("GET", "t1"), ("POST", "t1"), ("DELETE", "t1")]),
    ],
)
async def test_each_transport_sends_the_token_with_every_request(gate: Gate, name: str, shown: list[tuple[str, str]]) -> None:
    async with asyncio.timeout(5), build(gate, name, Tokens()) as connection:
        for number in range(3):
            assert await connection.invoke("Echo", number) == number
    assert gate.shown() == shown


async def test_each_negotiation_of_a_fallback_requests_a_new_token(gate: Gate) -> None:
    gate.refuse(404, "WebSocket")
    connection = HubConnectionBuilder().with_url(gate.url, access_token_factory=Tokens()).build()
    async with asyncio.timeout(5), connection:
        assert await connection.invoke("Echo", 1) == 1
    assert gate.shown() == [("negotiate", "t1"), ("WebSocket", "t2"), ("negotiate", "t3"), ("GET", "t3"), ("POST", "t3")]


@each_transport
async def test_a_reconnect_requests_a_new_token(gate: Gate, name: str) -> None:
    tokens = Tokens()
    builder = HubConnectionBuilder().with_url(gate.url, transports=TRANSPORTS[name], access_token_factory=tokens)
    connection = builder.with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(5), connection:
        before = tokens.calls
        gate.verdict = lambda seen: 403 if seen.tokens == ["Bearer t1"] else None
        if name == "ws":
            await connection.invoke("Echo", 1)
            return  # an open WebSocket needs no token
        with pytest.raises(ConnectionClosedError):
            await connection.invoke("Echo", 1)
        await events.wait("reconnected")
        assert tokens.calls == before + 1
        assert await connection.invoke("Echo", 2) == 2


@each_transport
@pytest.mark.parametrize("token", ["", None])
async def test_without_a_token_each_request_calls_the_factory_again(gate: Gate, name: str, token: str | None) -> None:
    """No header is sent. As in the .NET client, this ends once the factory returns a token."""
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
async def test_a_token_replaces_a_given_authorization_header(gate: Gate, name: str, header: str) -> None:
    """Only one header is sent, whatever the spelling of the given one."""
    async with asyncio.timeout(5), build(gate, name, lambda: "t", headers={header: "Basic YTpi"}) as connection:
        await connection.invoke("Echo", 1)
    assert {tuple(seen.tokens) for seen in gate.seen} == {("Bearer t",)}


@each_transport
async def test_a_given_authorization_header_is_sent_if_there_is_no_token(gate: Gate, name: str) -> None:
    async with asyncio.timeout(5), build(gate, name, lambda: None, headers={"authorization": "Basic YTpi"}) as connection:
        await connection.invoke("Echo", 1)
    assert {tuple(seen.tokens) for seen in gate.seen} == {("Basic YTpi",)}


# 401 and 403


async def test_a_401_to_a_websocket_is_final(gate: Gate) -> None:
    """Its token was just requested."""
    gate.refuse(401, "WebSocket")
    tokens = Tokens()
    with pytest.raises(AggregateTransportError, match="The server returned status code '401' when status code '101'"):
        await build(gate, "ws", tokens).start()
    assert gate.shown() == [("negotiate", "t1"), ("WebSocket", "t2")]
    assert (tokens.calls, len(gate.seen)) == (2, 2)


@pytest.mark.parametrize(
    ("name", "kind"), [("ws", "WebSocket"), ("ws", "negotiate"), ("sse", "GET"), ("sse", "POST"), ("lp", "GET"), ("lp", "POST")]
)
async def test_a_request_with_a_403_is_not_sent_again(gate: Gate, name: str, kind: str) -> None:
    gate.refuse(403, kind)
    with pytest.raises(SignalRError, match="403"):
        await build(gate, name, Tokens()).start()
    assert [seen.kind for seen in gate.seen].count(kind) == 1


async def test_a_delete_with_a_401_is_sent_again_with_a_new_token(gate: Gate) -> None:
    tokens = Tokens()
    connection = build(gate, "lp", tokens)
    await connection.start()
    gate.verdict = lambda seen: 401 if (seen.kind, seen.tokens) == ("DELETE", ["Bearer t1"]) else None
    await connection.stop()
    assert gate.shown()[-2:] == [("DELETE", "t1"), ("DELETE", "t2")]


async def test_each_request_may_be_sent_again_once(gate: Gate) -> None:
    """Each token is accepted until the next call, so each call needs a new one."""
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
    """Pending calls and on_close get the error; the log has the traceback."""
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
async def test_a_factory_that_raises_temporarily_causes_a_reconnect(gate: Gate, name: str) -> None:
    """Attempts fail until the factory returns tokens again."""
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


async def test_a_factory_that_raises_during_stop_does_not_fail_it(gate: Gate) -> None:
    connection = build(gate, "lp", Tokens(last=1))
    await connection.start()
    gate.refuse(401, "DELETE")
    async with asyncio.timeout(5):
        await connection.stop()
    assert connection.state == "Disconnected"


async def wait_for_a_cancelled_task() -> str:
    """Wait for a cancelled task, like a factory that waits for a shared task that another caller has cancelled."""

    async def never() -> str:
        token: str = await asyncio.get_running_loop().create_future()
        return token

    task = asyncio.create_task(never())
    asyncio.get_running_loop().call_soon(task.cancel)
    return await task


@each_transport
async def test_a_factory_that_is_cancelled_fails_the_start(gate: Gate, name: str) -> None:
    """The CancelledError from the factory must not be mistaken for a cancellation of the client's own task, which blocked the start."""
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
async def test_stop_and_cancellation_end_a_factory_that_never_returns(gate: Gate, end: str) -> None:
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
async def test_a_factory_that_returns_another_type_fails_the_start(gate: Gate, name: str, returned: object) -> None:
    kind = type(returned).__name__
    with pytest.raises(TypeError, match=f"^The access token factory returned {kind}; it has to return a str, or None.$"):
        await build(gate, name, lambda: returned).start()
    assert gate.seen == []


# secrets are not shown


def full_text(error: BaseException) -> str:
    return "".join([repr(error), str(error), *traceback.format_exception(error)])


@over_http
@pytest.mark.parametrize("closing", ["session", "server"])
async def test_a_broken_request_does_not_show_the_connection_token(
    gate: Gate, name: str, closing: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The errors of aiohttp contain the complete URL."""
    caplog.set_level(logging.DEBUG, "signalr_client")
    async with ClientSession() as session, asyncio.timeout(5):
        connection = build(gate, name, session=session)
        await connection.start()
        token = gate.seen[-1].path.partition("id=")[2]
        if closing == "session":
            await session.close()
        else:
            gate.refuse(0, "GET", "POST")
        with pytest.raises((ConnectionClosedError, InvalidStateError)) as failed:  # a poll may have failed first
            await connection.invoke("Echo", 1)
        with pytest.raises(ConnectionClosedError) as ended:
            await connection.wait_closed()
        await connection.stop()
    assert token
    assert token not in full_text(failed.value) + full_text(ended.value) + caplog.text


class Nowhere(AbstractResolver):
    """A resolver that never returns."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        await asyncio.get_running_loop().create_future()
        return []

    async def close(self) -> None: ...


async def test_a_connection_timeout_does_not_show_the_token() -> None:
    """With a timeout of the given session."""
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
    assert hidden not in full_text(caught.value)


@pytest.mark.parametrize("token", ["hush\nhush", "hush\r\nX-Other: hush", "hush\x00"])
async def test_a_token_that_is_not_a_valid_header_is_not_shown(
    gate: Gate, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(NegotiationError, match="control character") as caught:
        await build(gate, "lp", lambda: token).start()
    assert "hush" not in "".join(str(error) for error in (caught.value, caught.value.__cause__)) + caplog.text
    assert gate.seen == []


# the real server


@pytest.mark.interop
@over_http
async def test_the_real_server_accepts_a_new_token_for_each_request(aspnetcore_url: str, name: str) -> None:
    """Each token is valid for one request, so all requests are sent twice; no message is lost or duplicated."""
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

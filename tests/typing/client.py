"""What type checkers must infer about the rest of the client's public API. Checked by test_types.py, never run; see cases.py."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, assert_type

import aiohttp

from signalr_client import (
    AggregateTransportError,
    BindingError,
    ConnectionClosedError,
    HandshakeError,
    HandshakeTimeoutError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    HubException,
    InvalidStateError,
    NegotiationError,
    ProtocolError,
    RetryContext,
    ServerTimeoutError,
    SignalRError,
    Subscription,
    TransferFormat,
    TransportError,
    UnsupportedTypeError,
    __version__,
)
from signalr_client.testing import CutPoint, Direction, FaultProxy, ProxyConnection, ProxyEvent


def builder(session: aiohttp.ClientSession, context: ssl.SSLContext) -> HubConnection:
    """Each method returns the builder."""
    made = HubConnectionBuilder().with_url(
        "https://example.com/hub",
        transports=HttpTransportType.WEB_SOCKETS | HttpTransportType.LONG_POLLING,
        skip_negotiation=False,
        access_token_factory=lambda: None,
        access_token_in_query=True,
        headers={"X-Tenant": "7"},
        cookies={"a": "b"},
        ssl=context,
        proxy="http://127.0.0.1:3128",
        proxy_auth=None,
        session=session,
        close_timeout=timedelta(seconds=5),
        max_message_size=None,
    )
    assert_type(made, HubConnectionBuilder)
    assert_type(made.with_stateful_reconnect(buffer_size=100_000), HubConnectionBuilder)
    assert_type(made.with_server_timeout(30), HubConnectionBuilder)
    assert_type(made.with_keep_alive_interval(timedelta(seconds=15)), HubConnectionBuilder)
    assert_type(made.with_handshake_timeout(1.5), HubConnectionBuilder)
    assert_type(made.with_receive_limit(bytes=None, messages=1, requests=1), HubConnectionBuilder)
    assert_type(made.with_authentication_refresh(automatic=False, before_expiration=60), HubConnectionBuilder)
    assert_type(made.configure_logging(logging.DEBUG), HubConnectionBuilder)
    assert_type(made.configure_logging(logging.getLogger("app")), HubConnectionBuilder)
    made.with_url("https://example.com/hub", transports="ws")  # type: ignore[arg-type]
    made.with_url("https://example.com/hub", headers={"X-Tenant": 7})  # type: ignore[dict-item]
    made.with_server_timeout("30")  # type: ignore[arg-type]
    made.with_receive_limit(bytes="many")  # type: ignore[arg-type]
    made.configure_logging(logging)  # type: ignore[arg-type]
    made.with_calls_while_reconnecting(False)  # type: ignore[call-arg]
    assert_type(made.build(), HubConnection)
    return made.build()


async def life(connection: HubConnection) -> None:
    """What a connection says about itself."""
    assert_type(connection.state, HubConnectionState)
    assert_type(connection.connection_id, str | None)
    assert_type(connection.url, str)
    await connection.start()
    await connection.wait_connected()
    await connection.wait_closed()
    await connection.stop()
    assert_type(await connection.refresh_authentication(), float | None)
    async with connection as entered:
        assert_type(entered, HubConnection)
    connection.state = HubConnectionState.CONNECTED  # type: ignore[misc]
    value: str = connection.state.value
    del value


async def streams(connection: HubConnection) -> None:
    """The ways to read a stream."""
    stream = connection.stream("M", item_type=int)
    assert_type(await anext(stream), int)
    assert_type([item async for item in stream], list[int])
    await stream.aclose()
    connection.send("M")  # type: ignore[unused-coroutine]
    await connection.invoke(5)  # type: ignore[call-overload]


def handlers(connection: HubConnection) -> None:
    """A subscription ends itself."""
    with connection.on("M", print) as subscription:
        assert_type(subscription, Subscription)
    assert_type(subscription.target, str)
    subscription.unsubscribe()
    connection.off("M")
    connection.off("M", print)
    connection.on("M", "no function")  # type: ignore[call-overload]

    @connection.on("M")
    def handler(number: int, *rest: str) -> str:
        return rest[number]

    assert_type(handler(1, "a"), str)
    handler("a")  # type: ignore[arg-type]

    @connection.on_detached
    def detached(error: Exception | None) -> None:
        del error

    @connection.on_resumed
    async def resumed(connection_id: str | None) -> None:
        del connection_id

    @connection.on_reconnecting
    def reconnecting(error: Exception | None) -> int:
        return 0 if error is None else 1

    assert_type(reconnecting(None), int)
    detached(None)
    connection.on_resumed(detached)  # type: ignore[type-var]
    del resumed


def errors() -> Iterator[SignalRError]:
    """Errors have data."""
    negotiation = NegotiationError("refused", "https://example.com", 404)
    assert_type(negotiation.status, int | None)
    assert_type(negotiation.url, str)
    transport = TransportError("lost")
    assert_type(transport.transport, str)
    assert_type(transport.status, int | None)
    assert_type(AggregateTransportError([transport]).errors, tuple[Exception, ...])
    assert_type(ConnectionClosedError().reason, str)
    assert_type(ServerTimeoutError(30.0, 31.0).server_timeout, float)
    assert_type(ServerTimeoutError(30.0, 31.0).idle, float)
    assert_type(HubException("no").message, str)
    assert_type(InvalidStateError("invoke", "Disconnected").action, str)
    assert_type(InvalidStateError("invoke", "Disconnected").state, str)
    wrong_type: TypeError = UnsupportedTypeError()
    yield from (negotiation, transport, HandshakeTimeoutError(), HandshakeError(), ProtocolError(), BindingError())
    del wrong_type


def enumerations(context: RetryContext) -> None:
    """The values of the public enumerations, and what a retry policy gets."""
    assert_type(HttpTransportType.ALL | HttpTransportType.WEB_SOCKETS, HttpTransportType)
    assert_type(HttpTransportType.WEB_SOCKETS.wire_name, str)
    assert_type(HttpTransportType.from_wire_name("WebSockets"), HttpTransportType | None)
    formats: list[TransferFormat] = [TransferFormat.TEXT, TransferFormat.BINARY]
    del formats
    assert_type(context.previous_retry_count, int)
    assert_type(context.elapsed_time, float)
    assert_type(context.retry_reason, BaseException | None)
    assert_type(__version__, str)


async def faults(url: str) -> None:
    """The proxy for tests."""
    async with FaultProxy(url) as proxy:
        assert_type(proxy, FaultProxy)
        assert_type(proxy.url, str)
        assert_type(proxy.port, int)
        assert_type(proxy.cut(), int)
        proxy.stall(Direction.TO_SERVER)
        proxy.stall("to_server")  # type: ignore[arg-type]
        assert_type(proxy.cut_after(5, Direction.TO_CLIENT, how="reset", between_messages=True), CutPoint)
        assert_type(proxy.connections, list[ProxyConnection])
        assert_type(proxy.events, list[ProxyEvent])
        assert_type(await proxy.wait_connections(), list[ProxyConnection])
        with proxy.refusing():
            await proxy.wait_event("cut")
        await proxy.wait_until(lambda: bool(proxy.connections))
    nothing: Any = None
    FaultProxy(nothing, host=5)  # type: ignore[arg-type]

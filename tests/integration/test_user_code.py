"""Handlers, callbacks and policies may raise anything or never return: the connection survives, and `stop` takes a bounded time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from signalr_client import (
    ConnectionClosedError,
    HubConnection,
    HubConnectionState,
    InvalidStateError,
    NegotiationError,
    RetryContext,
)
from signalr_client.client.tasks import CANCEL_GRACE
from signalr_client.core.messages import Completion, Invocation, StreamItem
from tests.support.events import EventRecorder
from tests.support.loops import TIMER_TOLERANCE
from tests.support.wire import Wire, WirePeer, echo, stay, vanish

CLOSE_TIMEOUT = 0.1
BOUND = CLOSE_TIMEOUT + 3 * CANCEL_GRACE + 1.0  # plus a second for slow machines


class Unusual(BaseException):
    """An exception that ``except Exception`` does not catch."""


ODD = [asyncio.CancelledError, Unusual, GeneratorExit]


def raising(kind: type[BaseException], *, asynchronous: bool) -> Callable[..., Any]:
    """Return a function that raises *kind*."""

    def plain(*_arguments: object) -> None:
        raise kind("odd")

    async def coroutine(*_arguments: object) -> None:
        await asyncio.sleep(0)
        raise kind("odd")

    return coroutine if asynchronous else plain


class Stubborn:
    """User code that waits until the end of the test and ignores cancellation."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.cancelled = 0
        self._released = asyncio.Event()

    async def __call__(self, *_arguments: object) -> None:
        """Wait, and suppress all cancellations."""
        self.begun.set()
        while not self._released.is_set():
            try:
                await self._released.wait()
            except asyncio.CancelledError:
                self.cancelled += 1

    async def release(self) -> None:
        """Let the waiting calls return."""
        self._released.set()
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def stubborn() -> AsyncIterator[Stubborn]:
    """User code that ignores cancellation until the end of the test."""
    stubborn = Stubborn()
    yield stubborn
    await stubborn.release()


async def stop_within_bounds(connection: HubConnection) -> float:
    """Stop the connection within the time limit, and return the time it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(BOUND):
        await connection.stop()
    assert connection.state is HubConnectionState.DISCONNECTED
    return loop.time() - began


def calls(*targets: str, count: int = 1) -> list[Invocation]:
    return [Invocation(target=target, arguments=[]) for target in targets for _ in range(count)]


# exceptions


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", ODD)
async def test_a_handler_may_raise_anything(
    kind: type[BaseException], asynchronous: bool, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and handlers for later calls run. The same applies to on_unhandled handlers."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(*calls("Odd", "Nobody", "Next"))
        await peer.until_closed()

    wire.play(script)
    connection, called = wire.connection(), asyncio.Event()
    connection.on("Odd", raising(kind, asynchronous=asynchronous))
    connection.on_unhandled(raising(kind, asynchronous=asynchronous))
    connection.on("Next", called.set)
    async with asyncio.timeout(10):
        await connection.start()
        await called.wait()
        await connection.stop()
    for target in ("Odd", "Nobody"):
        assert f"! invoking client side method '{target}' failed" in caplog.text
    assert kind.__name__ in caplog.text


async def test_a_handler_that_cancels_its_own_task_does_not_affect_later_calls(wire: Wire) -> None:
    """Including calls in the same frame."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(*calls("Cancel", "M", "M", "Done"))
        await peer.until_closed()

    wire.play(script)
    connection, got, done = wire.connection(), list[int](), asyncio.Event()

    @connection.on("Cancel")
    async def cancel() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    connection.on("M", lambda: got.append(len(got)))
    connection.on("Done", done.set)
    async with asyncio.timeout(10):
        await connection.start()
        await done.wait()
        await connection.stop()
    assert got == [0, 1]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", ODD)
async def test_a_waiting_server_gets_an_error_for_anything_a_handler_raises(
    kind: type[BaseException], asynchronous: bool, wire: Wire
) -> None:
    """The connection stays usable."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="Ask", arguments=[], invocation_id="7"))
        await peer.answer_calls()

    wire.play(script)
    connection = wire.connection()
    connection.on("Ask", raising(kind, asynchronous=asynchronous))
    async with asyncio.timeout(10):
        await connection.start()
        assert await connection.invoke("Echo", "fine") == "fine"
        await connection.stop()
    [completion] = (message for message in wire.peers[0].got if isinstance(message, Completion))
    assert (completion.invocation_id, completion.error) == ("7", f"{kind.__name__}: odd")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", ODD)
async def test_a_callback_may_raise_anything(
    kind: type[BaseException], asynchronous: bool, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """The other callbacks run, and the reconnect continues."""
    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    for register in (connection.on_reconnecting, connection.on_reconnected, connection.on_close):
        register(raising(kind, asynchronous=asynchronous))
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]
    assert caplog.text.count("! a callback of the connection raised an error") == 3


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("kind", ODD)
async def test_a_policy_may_raise_anything(kind: type[BaseException], asynchronous: bool, wire: Wire) -> None:
    """`start` fails with the error of the attempt, and a lost connection is closed."""
    wire.server.negotiate = {"error": "not today"}
    policy = raising(kind, asynchronous=asynchronous)
    connection = wire.builder().with_automatic_reconnect(policy, retry_start=True).build()
    async with asyncio.timeout(10):
        with pytest.raises(NegotiationError, match="not today"):
            await connection.start()
        assert connection.state is HubConnectionState.DISCONNECTED


@pytest.mark.parametrize("kind", ODD)
async def test_an_upload_source_may_raise_anything(kind: type[BaseException], wire: Wire) -> None:
    """The server is notified; the call and the connection continue."""

    class Source:
        """Returns one item and then fails."""

        def __init__(self) -> None:
            self.given = 0

        def __aiter__(self) -> Source:
            return self

        async def __anext__(self) -> int:
            self.given += 1
            if self.given > 1:
                raise kind("odd")
            return self.given

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        [completion] = await peer.receive_until(Completion)
        [call] = await peer.receive_until(Invocation)
        assert isinstance(call, Invocation)
        assert isinstance(completion, Completion)
        await peer.send(Completion(invocation_id=str(call.invocation_id), result=completion.error))
        await peer.answer_calls()

    wire.play(script)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        assert await connection.invoke("Upload", Source()) == f"{kind.__name__}: odd"
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert sum(isinstance(message, StreamItem) for message in wire.peers[0].got) == 1


# bounded time


async def test_handlers_that_ignore_cancellation_cannot_block_stop(
    stubborn: Stubborn, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """They are abandoned, and queued calls are dropped; the log has the number of both."""

    async def script(peer: WirePeer) -> None:
        asked = [Invocation(target="Stuck", arguments=[], invocation_id=str(number)) for number in range(2)]
        await peer.shake_hands(*asked, *calls("Stuck"), *calls("M", count=12))
        await peer.until_closed()

    wire.play(script)
    connection = wire.connection(close_timeout=CLOSE_TIMEOUT)
    got: list[int] = []
    connection.on("Stuck", stubborn)
    connection.on("M", lambda: got.append(1))
    await connection.start()
    await stubborn.begun.wait()
    await stop_within_bounds(connection)
    assert stubborn.cancelled >= 3
    assert got == []
    lines = [record.getMessage() for record in caplog.records]
    assert "! dropped 12 queued server calls" in lines
    assert [line for line in lines if line.startswith("! 3 handlers still running after") and "were abandoned" in line]
    await stubborn.release()
    assert got == []


async def test_a_callback_that_never_returns_cannot_block_stop(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """It is cancelled, and the callbacks after it are dropped and counted in the log."""
    wire.play(stay)
    connection, order = wire.connection(close_timeout=CLOSE_TIMEOUT), list[str]()

    @connection.on_close
    async def sleeps(_error: Exception | None) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            order.append("cancelled")

    connection.on_close(lambda _: order.append("late"))
    await connection.start()
    assert await stop_within_bounds(connection) >= CLOSE_TIMEOUT - TIMER_TOLERANCE
    assert order == ["cancelled"]
    assert "! dropped 1 callback of events" in [record.getMessage() for record in caplog.records]


async def test_a_callback_that_ignores_cancellation_cannot_block_stop(stubborn: Stubborn, wire: Wire) -> None:
    wire.play(stay)
    connection = wire.connection(close_timeout=CLOSE_TIMEOUT)
    connection.on_close(stubborn)
    await connection.start()
    await stop_within_bounds(connection)


async def test_on_close_callbacks_of_a_lost_connection_have_no_time_limit(wire: Wire) -> None:
    """A callback may wait longer than the close timeout before it restarts the connection; `stop` ends the wait."""
    wire.play(vanish, echo)
    connection = wire.connection(close_timeout=CLOSE_TIMEOUT)
    release, restarted = asyncio.Event(), asyncio.Event()

    @connection.on_close
    async def restart(error: Exception | None) -> None:
        if error is not None:
            await release.wait()
            await connection.start()
            restarted.set()

    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError):
            await connection.wait_closed()
        loop = asyncio.get_running_loop()
        later = loop.create_future()
        loop.call_later(3 * CLOSE_TIMEOUT, later.set_result, None)
        await later
        release.set()
        await restarted.wait()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()


async def test_stop_ends_a_callback_that_waits_to_restart_a_lost_connection(wire: Wire) -> None:
    wire.play(vanish)
    connection, waiting, ended = wire.connection(close_timeout=CLOSE_TIMEOUT), asyncio.Event(), asyncio.Event()

    @connection.on_close
    async def restart(_error: Exception | None) -> None:
        waiting.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    await connection.start()
    await waiting.wait()
    await stop_within_bounds(connection)
    assert ended.is_set()


@pytest.mark.parametrize("place", ["policy", "token factory at start", "token factory at reconnect"])
async def test_policies_and_token_factories_cannot_block_stop(place: str, stubborn: Stubborn, wire: Wire) -> None:
    """Even if they ignore cancellation."""
    asked = 0

    async def factory() -> str:
        nonlocal asked
        asked += 1
        if place == "token factory at start" or (place == "token factory at reconnect" and asked > 2):
            await stubborn()
        return "token"

    async def policy(_context: RetryContext) -> float:
        if place == "policy":
            await stubborn()
        return 0

    wire.play(vanish)
    builder = wire.builder(access_token_factory=factory, close_timeout=CLOSE_TIMEOUT)
    connection = builder.with_automatic_reconnect(policy).build()
    starting = asyncio.create_task(connection.start())
    await stubborn.begun.wait()
    await stop_within_bounds(connection)
    outcome = (await asyncio.gather(starting, return_exceptions=True))[0]
    assert isinstance(outcome, ConnectionClosedError if place == "token factory at start" else type(None))
    await stubborn.release()
    assert connection.state is HubConnectionState.DISCONNECTED
    with pytest.raises(InvalidStateError):
        await connection.invoke("M")


async def test_cancelling_start_takes_a_bounded_time(stubborn: Stubborn, wire: Wire) -> None:
    connection = wire.connection(access_token_factory=stubborn, close_timeout=CLOSE_TIMEOUT)
    starting = asyncio.create_task(connection.start())
    await stubborn.begun.wait()
    starting.cancel()
    async with asyncio.timeout(BOUND):
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert connection.state is HubConnectionState.DISCONNECTED


async def test_a_peer_that_does_not_read_cannot_keep_the_socket_open(wire: Wire) -> None:
    """The leak check would report a socket that still has unsent data."""
    release = asyncio.Event()

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await release.wait()

    wire.play(deaf)
    connection = wire.connection(close_timeout=CLOSE_TIMEOUT)
    await connection.start()
    sending = [asyncio.create_task(connection.send("M", "x" * 1_000_000)) for _ in range(30)]
    await asyncio.sleep(0)
    waited = await stop_within_bounds(connection)
    assert waited >= CLOSE_TIMEOUT - TIMER_TOLERANCE
    await asyncio.gather(*sending)
    release.set()


async def test_a_normal_end_logs_no_warnings(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "signalr_client")
    wire.play(echo)
    async with wire.connection(close_timeout=CLOSE_TIMEOUT) as connection, asyncio.timeout(10):
        assert await connection.invoke("Echo", 1) == 1
    assert caplog.records == []

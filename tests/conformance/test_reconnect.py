"""Automatic reconnect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import tenacity

from signalr_client import (
    ConnectionClosedError,
    HubConnection,
    HubConnectionState,
    InvalidStateError,
    NegotiationError,
    RetryContext,
)
from tests.support.hubs import Hubs

State = HubConnectionState
Lose = Callable[[HubConnection], Awaitable[None]]

# A short server timeout; its expiry is a connection loss on every transport but Long Polling, which has no server timeout.
SHORT = 0.2


class Events:
    """The events of a connection in order, each with the connection state at that time."""

    def __init__(self, connection: HubConnection) -> None:
        self.seen: list[tuple[str, object, State]] = []
        self.reconnected = asyncio.Event()
        self.closed = asyncio.Event()
        self._connection = connection
        connection.on_reconnecting(lambda error: self._add("reconnecting", error))
        connection.on_reconnected(lambda connection_id: self._add("reconnected", connection_id))
        connection.on_close(lambda error: self._add("closed", error))

    @property
    def names(self) -> list[str]:
        """The names of the events."""
        return [name for name, _, _ in self.seen]

    def _add(self, name: str, argument: object) -> None:
        self.seen.append((name, argument, self._connection.state))
        if name == "reconnected":
            self.reconnected.set()
        elif name == "closed":
            self.closed.set()


@pytest.fixture
def lossy(hubs: Hubs) -> str:
    """The path of a hub whose connections can be cut by the test."""
    return "/stricthub" if hubs.transport_name == "lp" else "/testhub"


@pytest.fixture
def lose(hubs: Hubs) -> Lose:
    """Return a function that loses a connection by cutting its socket.

    A poll that is cut is sent again, so a Long Polling connection is lost in another way: the test sends a message that
    is too large for the server.
    """

    async def cut(connection: HubConnection) -> None:
        await connection.send("AbortHttp")

    async def offend(connection: HubConnection) -> None:
        await connection.send("Echo", "x" * 33_000)

    return offend if hubs.transport_name == "lp" else cut


async def test_a_lost_connection_is_restored(hubs: Hubs, lossy: str, lose: Lose) -> None:
    """Events are fired in order, the connection id is new, and handlers are kept."""
    connection = hubs.builder(lossy).with_automatic_reconnect([0]).build()
    events, got = Events(connection), asyncio.Event()
    connection.on("M", lambda _: got.set())
    async with asyncio.timeout(10):
        await connection.start()
        first = connection.connection_id
        await lose(connection)
        await events.reconnected.wait()
        assert connection.connection_id not in (first, None)
        await connection.invoke("SendToCaller", "M", "")
        await got.wait()
        second = connection.connection_id
        await connection.stop()
    (one, error, state), *rest = events.seen
    assert (one, state) == ("reconnecting", State.RECONNECTING)
    assert isinstance(error, ConnectionClosedError)
    assert rest == [("reconnected", second, State.CONNECTED), ("closed", None, State.DISCONNECTED)]


async def test_pending_calls_fail_when_the_connection_is_lost(hubs: Hubs, lossy: str, lose: Lose) -> None:
    """They are not retried, because the server may already have run them."""
    connection = hubs.builder(lossy).with_automatic_reconnect([0]).build()
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        call = asyncio.create_task(connection.invoke("Delay", 60_000))
        numbers = connection.stream("Counter", 100_000, 1)
        await anext(numbers)
        await lose(connection)
        with pytest.raises(ConnectionClosedError):
            await call
        with pytest.raises(ConnectionClosedError):
            async for _ in numbers:
                pass
        await events.reconnected.wait()
        assert await connection.invoke("Add", 1, 2) == 3
        await connection.stop()


async def test_a_lost_connection_is_closed_without_a_retry_policy(hubs: Hubs, lossy: str, lose: Lose) -> None:
    """`on_close` gets the error."""
    connection = hubs.connection(lossy)
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await lose(connection)
        with pytest.raises(ConnectionClosedError):
            await connection.wait_closed()
        await connection.stop()
    assert events.names == ["closed"]
    assert isinstance(events.seen[0][1], ConnectionClosedError)


async def test_a_policy_that_returns_none_closes_without_a_reconnecting_event(hubs: Hubs, lossy: str, lose: Lose) -> None:
    """The policy is asked once, with the error that ended the connection."""
    contexts: list[RetryContext] = []

    class Never:
        """A policy that never retries."""

        def next_retry_delay(self, retry_context: RetryContext) -> None:
            """Return None."""
            contexts.append(retry_context)

    connection = hubs.builder(lossy).with_automatic_reconnect(Never()).build()
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await lose(connection)
        await events.closed.wait()
        await connection.stop()
    assert events.names == ["closed"]
    [context] = contexts
    assert context.previous_retry_count == 0
    assert context.retry_reason is events.seen[0][1]


async def test_a_policy_may_be_async(hubs: Hubs, lossy: str, lose: Lose) -> None:

    class ThreeAttempts:
        """A policy that allows three attempts, without delay."""

        async def next_retry_delay(self, retry_context: RetryContext) -> float | None:
            """Return 0 for the first three attempts."""
            await asyncio.sleep(0)
            return 0 if retry_context.previous_retry_count < 3 else None

    connection = hubs.builder(lossy).with_automatic_reconnect(ThreeAttempts()).build()
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await lose(connection)
        await events.reconnected.wait()
        await connection.stop()


async def test_a_policy_that_raises_ends_the_reconnect(
    hubs: Hubs, lossy: str, lose: Lose, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is closed with the error of the loss; the exception of the policy is logged."""

    class Broken:
        """A policy that raises an exception."""

        def next_retry_delay(self, retry_context: RetryContext) -> float:
            """Raise an exception."""
            raise ArithmeticError("mine")

    connection = hubs.builder(lossy).with_automatic_reconnect(Broken()).build()
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await lose(connection)
        await events.closed.wait()
        await connection.stop()
    assert events.names == ["closed"]
    assert isinstance(events.seen[0][1], ConnectionClosedError)
    assert "the retry policy raised an error" in caplog.text


async def test_a_tenacity_wait_can_be_used_as_a_policy(hubs: Hubs, lossy: str, lose: Lose) -> None:
    connection = hubs.builder(lossy).with_automatic_reconnect(tenacity.wait_random_exponential(multiplier=0.001)).build()
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await lose(connection)
        await events.reconnected.wait()
        await connection.stop()


async def test_stop_ends_the_wait_for_the_next_attempt(hubs: Hubs, lossy: str, lose: Lose) -> None:
    """`on_close` gets no error. While the connection is reconnecting, calls and start() raise an error."""
    connection = hubs.builder(lossy).with_automatic_reconnect([3600]).build()
    events, waiting = Events(connection), asyncio.Event()
    connection.on_reconnecting(lambda _: waiting.set())
    async with asyncio.timeout(10):
        await connection.start()
        await lose(connection)
        await waiting.wait()
        assert (connection.state, connection.connection_id) == (State.RECONNECTING, None)
        with pytest.raises(InvalidStateError, match="reconnecting"):
            await connection.invoke("Add", 1, 2)
        with pytest.raises(InvalidStateError, match="reconnecting"):
            await connection.start()
        await connection.stop()
    assert events.names == ["reconnecting", "closed"]
    assert events.seen[-1] == ("closed", None, State.DISCONNECTED)


async def test_stop_works_in_the_reconnecting_callback(hubs: Hubs, lossy: str, lose: Lose) -> None:
    """No attempt is made."""
    connection = hubs.builder(lossy).with_automatic_reconnect([3600]).build()
    events = Events(connection)
    connection.on_reconnecting(lambda _: connection.stop())
    async with asyncio.timeout(10):
        await connection.start()
        await lose(connection)
        await events.closed.wait()
        await connection.stop()
    assert events.names == ["reconnecting", "closed"]


async def test_a_close_without_allow_reconnect_is_final(hubs: Hubs) -> None:
    connection = hubs.builder().with_automatic_reconnect([0, 0]).build()
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await connection.send("Abort")
        await connection.wait_closed()
        await connection.stop()
    assert events.names == ["closed"]


async def test_a_close_with_allow_reconnect_starts_a_reconnect(hubs: Hubs) -> None:
    """The server closes the connection because a message is too large; the error includes its size."""
    connection = hubs.builder("/stricthub").with_automatic_reconnect([0]).build()
    events = Events(connection)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.invoke("Echo", "z" * 40_000)
        await events.reconnected.wait()
        assert await connection.invoke("Echo", "small") == "small"
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]
    assert "Connection closed with an error." in str(caught.value)
    assert "The largest message sent had 40," in str(caught.value)
    assert "32,768" in str(caught.value)


async def test_retry_start_applies_the_policy_to_start(hubs: Hubs) -> None:
    """`start` tries until it succeeds or the policy gives up, then it raises the last error."""
    contexts: list[RetryContext] = []

    class TwoRetries:
        """A policy that allows two retries."""

        def next_retry_delay(self, retry_context: RetryContext) -> float | None:
            """Return a delay for the first two retries."""
            contexts.append(retry_context)
            return 0 if retry_context.previous_retry_count < 2 else None

    connection = hubs.builder("/nowhere").with_automatic_reconnect(TwoRetries(), retry_start=True).build()
    events = Events(connection)
    with pytest.raises(NegotiationError, match="404"):
        await connection.start()
    assert [context.previous_retry_count for context in contexts] == [0, 1, 2]
    assert all(isinstance(context.retry_reason, NegotiationError) for context in contexts)
    assert (events.names, connection.state) == ([], State.DISCONNECTED)


async def test_a_failed_start_is_not_retried_by_default(hubs: Hubs) -> None:
    """The policy applies only to lost connections unless ``retry_start`` is set."""
    connection = hubs.builder("/nowhere").with_automatic_reconnect([0, 0]).build()
    events = Events(connection)
    for _ in range(2):
        with pytest.raises(NegotiationError, match="404"):
            await connection.start()
    assert (events.names, connection.state) == ([], State.DISCONNECTED)

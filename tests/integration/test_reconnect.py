"""Automatic reconnect with servers that drop, reject and delay connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import aiohttp
import pytest
import tenacity
from aiohttp import web
from tenacity.wait import wait_base

from signalr_client import (
    ConnectionClosedError,
    HandshakeError,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    HubProtocol,
    InvalidStateError,
    NegotiationError,
    RetryContext,
    ServerTimeoutError,
)
from signalr_client.core.messages import CancelInvocation, Close, Completion, Invocation, StreamInvocation, StreamItem
from signalr_client.core.retry import RetryPolicy, as_retry_policy
from tests.support.events import EventRecorder
from tests.support.scripted_server import OFFER
from tests.support.wire import Wire, WirePeer, WireScript, echo, stay, vanish

State = HubConnectionState


class Recording:
    """A policy that records its contexts and decides like *delays*, but without waiting."""

    def __init__(self, delays: RetryPolicy | None = None, *, attempts: int = 3) -> None:
        self.contexts: list[RetryContext] = []
        self.answers: list[object] = []
        self._delays = delays
        self._attempts = attempts

    def next_retry_delay(self, retry_context: RetryContext) -> float | None:
        """Return 0 as long as there are attempts left."""
        self.contexts.append(retry_context)
        if self._delays is None:
            return 0 if retry_context.previous_retry_count < self._attempts else None
        answer = self._delays.next_retry_delay(retry_context)
        self.answers.append(answer)
        return None if answer is None else 0


class AsyncRecording(Recording):
    """The same with a coroutine method."""

    async def next_retry_delay(self, retry_context: RetryContext) -> float | None:  # type: ignore[override]  # a coroutine method is intended
        """Yield to the event loop first."""
        await asyncio.sleep(0)
        return super().next_retry_delay(retry_context)


def answers(*negotiations: object) -> Callable[[web.Request], object]:
    """Return a function that responds to negotiate requests with *negotiations* in turn; the last one is used for later requests."""
    left = list(negotiations)

    def negotiate(request: web.Request) -> object:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return answer(request) if callable(answer) else answer

    return negotiate


# events


async def test_events_of_a_loss_are_fired_in_order_with_the_current_state(wire: Wire) -> None:
    """Pending calls fail first; then reconnecting with the error, reconnected with the new id, and finally closed."""
    order: list[str] = []

    async def drop_the_call(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.receive_until(Invocation)

    wire.play(drop_the_call, echo)
    wire.server.negotiate = answers(OFFER | {"connectionId": "first"}, OFFER | {"connectionId": "second"})
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    connection.on_reconnecting(lambda _: order.append("reconnecting"))

    async def invoke() -> None:
        with pytest.raises(ConnectionClosedError, match="without completing the close handshake"):
            await connection.invoke("Echo", 1)
        order.append("call failed")
        assert connection.state is State.RECONNECTING

    async with asyncio.timeout(10):
        await connection.start()
        assert connection.connection_id == "first"
        await invoke()
        await events.wait("reconnected")
        assert await connection.invoke("Echo", "again") == "again"
        await connection.stop()
    assert order == ["call failed", "reconnecting"]
    [lost, *rest] = events.seen
    assert (lost.name, lost.state, lost.connection_id) == ("reconnecting", State.RECONNECTING, None)
    assert isinstance(lost.argument, ConnectionClosedError)
    assert rest == [
        ("reconnected", "second", State.CONNECTED, "second"),
        ("closed", None, State.DISCONNECTED, None),
    ]


async def test_only_handlers_are_kept_after_a_reconnect(wire: Wire) -> None:
    """Invocation ids start at 1, a new token is requested, and the original URL is used."""

    async def one_call(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="Hello", arguments=["first"]))
        while not any(isinstance(message, Invocation) for message in await peer.receive()):
            pass

    async def hello(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="Hello", arguments=["second"]))
        await peer.answer_calls()

    wire.play(one_call, hello)
    tokens = iter(["n1", "w1", "n2", "w2"])
    connection = wire.builder(access_token_factory=lambda: next(tokens)).with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    got: list[str] = []
    connection.on("Hello", got.append)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError):
            await connection.invoke("Echo", 1)
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 2) == 2
        await connection.stop()
    assert got == ["first", "second"]
    first, second = ([message for message in peer.got if isinstance(message, Invocation)] for peer in wire.peers)
    assert [(message.invocation_id, message.arguments) for message in first + second] == [("1", [1]), ("1", [2])]
    assert [request.headers["Authorization"] for request in wire.server.requests] == [
        "Bearer n1",
        "Bearer w1",
        "Bearer n2",
        "Bearer w2",
    ]
    assert [request.path for request in wire.negotiations] == ["/hub/negotiate"] * 2
    assert wire.peers[0].handshake == wire.peers[1].handshake


async def test_streams_and_uploads_end_with_their_connection(wire: Wire) -> None:
    """A stream returns its items and then raises the error; upload sources are closed; the new connection is not affected."""
    source_closed = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        finally:
            source_closed.set()

    async def half(peer: WirePeer) -> None:
        await peer.shake_hands()
        [stream] = await peer.receive_until(StreamInvocation)
        assert isinstance(stream, StreamInvocation)
        await peer.receive_until(StreamItem)
        await peer.send(StreamItem(invocation_id=stream.invocation_id, item="one"))

    wire.play(half, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        uploading = asyncio.create_task(connection.invoke("Upload", source()))
        stream = connection.stream("Items")
        assert await anext(stream) == "one"
        for lost in (uploading, anext(stream)):
            with pytest.raises(ConnectionClosedError):
                await lost
        await source_closed.wait()
        await events.wait("reconnected")
        await stream.aclose()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert not any(isinstance(message, CancelInvocation | StreamItem) for message in wire.peers[1].got)


async def test_calls_received_before_a_loss_are_handled_first(wire: Wire) -> None:
    """There is one queue for all physical connections."""

    async def burst(peer: WirePeer) -> None:
        await peer.shake_hands(*(Invocation(target="M", arguments=[number]) for number in range(3)))
        await peer.receive()

    async def more(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="M", arguments=[3]), Invocation(target="Done", arguments=[]))
        await peer.until_closed()

    wire.play(burst, more)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    got: list[tuple[int, State]] = []
    done, release = asyncio.Event(), asyncio.Event()

    @connection.on("M")
    async def slow(number: int) -> None:
        await release.wait()
        got.append((number, connection.state))

    connection.on("Done", done.set)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        release.set()
        await done.wait()
        await connection.stop()
    assert got == [(number, State.CONNECTED) for number in range(4)]


async def test_a_client_result_for_a_lost_connection_is_dropped(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """On the new connection, its id would belong to another call or to none."""

    async def ask(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="Ask", arguments=[], invocation_id="7"))
        await peer.receive()

    wire.play(ask, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events, release = EventRecorder(connection), asyncio.Event()

    @connection.on("Ask")
    async def answer() -> str:
        await release.wait()
        return "too late"

    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        release.set()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert not any(isinstance(message, Completion) for message in wire.peers[1].got)
    assert "the result of 'Ask' was dropped" in caplog.text


@pytest.mark.parametrize(
    ("close", "error"),
    [
        (None, None),
        (Close(allow_reconnect=True), None),
        (Close(error="moving", allow_reconnect=True), "closed the connection with the following error: moving"),
    ],
)
async def test_an_end_without_an_error_starts_a_reconnect(close: Close | None, error: str | None, wire: Wire) -> None:
    """A normal close of the socket, and a Close that allows a reconnect."""

    async def leave(peer: WirePeer) -> None:
        await peer.shake_hands()
        if close is not None:
            await peer.send(close)
            await peer.until_closed()
        else:
            await peer.socket.close(code=1000)

    wire.play(leave, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]
    assert str(events.seen[0].argument).endswith(str(error))


@pytest.mark.parametrize("close", [Close(), Close(error="go away")])
async def test_a_close_without_allow_reconnect_is_final(close: Close, wire: Wire) -> None:
    """The policy is not called."""

    async def leave(peer: WirePeer) -> None:
        await peer.shake_hands(close)
        await peer.until_closed()

    wire.play(leave)
    policy = Recording()
    connection = wire.builder().with_automatic_reconnect(policy).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("closed")
        await connection.stop()
    assert (events.names, policy.contexts, len(wire.peers)) == (["closed"], [], 1)


async def test_a_loss_without_a_policy_closes_the_connection(wire: Wire) -> None:
    """One event is fired, with the error."""
    wire.play(vanish)
    connection = wire.connection()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.wait_closed()
        await connection.stop()
    [event] = events.seen
    assert (event.name, event.state, event.connection_id) == ("closed", State.DISCONNECTED, None)
    assert repr(event.argument) == repr(caught.value)


async def test_an_invalid_message_starts_a_reconnect(wire: Wire) -> None:
    """The new connection does not see the rest of the data."""

    async def babble(peer: WirePeer) -> None:
        await peer.shake_hands()
        whole = peer.encode(Invocation(target="M", arguments=["x" * 50]))
        await peer.write(whole[: len(whole) // 2])

    wire.play(babble, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]


async def test_each_loss_fires_a_pair_of_events(wire: Wire) -> None:
    """If connections are lost immediately, the count of retries starts at 0 for each loss."""
    wire.play(vanish, vanish, vanish, echo)
    policy = Recording(attempts=1)
    connection = wire.builder().with_automatic_reconnect(policy).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected", 3)
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected"] * 3 + ["closed"]
    assert [context.previous_retry_count for context in policy.contexts] == [0] * 3


# policies


@pytest.mark.parametrize("kind", [Recording, AsyncRecording])
async def test_a_policy_gets_the_count_the_elapsed_time_and_the_reason(kind: type[Recording], wire: Wire) -> None:
    """The reason is first the error that ended the connection, then the error of each attempt."""

    async def wrong_response(peer: WirePeer) -> None:
        await peer.take_handshake()
        await peer.write(b'{"error":"not yet"}\x1e')
        await peer.until_closed()

    wire.play(vanish, wrong_response, echo)
    wire.server.negotiate = answers(OFFER, web.Response(status=503), {"error": "later"}, OFFER)
    policy = kind()
    connection = wire.builder().with_automatic_reconnect(policy).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        lost = await events.wait("reconnecting")
        await events.wait("closed")
        await connection.stop()
    assert [context.previous_retry_count for context in policy.contexts] == [0, 1, 2, 3]
    first, *later = (context.retry_reason for context in policy.contexts)
    assert first is lost.argument
    assert [type(reason) for reason in later] == [NegotiationError, NegotiationError, HandshakeError]
    times = [context.elapsed_time for context in policy.contexts]
    assert times == sorted(times)
    assert all(0 <= elapsed < 10 for elapsed in times)


async def test_the_retry_reason_is_none_after_a_close_without_error(wire: Wire) -> None:
    """The argument of the event is None too."""

    async def leave(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.socket.close(code=1000)

    wire.play(leave, stay)
    policy = Recording()
    connection = wire.builder().with_automatic_reconnect(policy).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        await connection.stop()
    assert [context.retry_reason for context in policy.contexts] == [None]
    assert events.seen[0].argument is None


async def test_the_default_delays_equal_those_of_the_official_clients(wire: Wire) -> None:
    """0, 2, 10 and 30 seconds, then the connection is closed with the last error."""
    wire.play(vanish)
    policy = Recording(as_retry_policy(None))
    connection = wire.builder().with_automatic_reconnect(policy).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        wire.server.negotiate = answers(OFFER, {"error": "closed for good"})
        await connection.start()
        closed = await events.wait("closed")
        with pytest.raises(NegotiationError, match="closed for good") as caught:
            await connection.wait_closed()
        await connection.stop()
    assert policy.answers == [0, 2, 10, 30, None]
    assert repr(closed.argument) == repr(caught.value)
    assert events.names == ["reconnecting", "closed"]
    assert len(wire.negotiations) == 1 + 4


async def test_the_default_policy_retries_immediately_and_then_waits(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """For two seconds; stop ends the wait."""
    caplog.set_level(logging.INFO, "signalr_client")
    wire.play(vanish)
    failed = asyncio.Event()

    def refuse(_request: web.Request) -> web.Response:
        failed.set()
        return web.Response(status=500)

    connection = wire.builder().with_automatic_reconnect().build()
    async with asyncio.timeout(10):
        wire.server.negotiate = answers(OFFER, refuse)
        await connection.start()
        await failed.wait()
        while "= attempt 2 in 2 s" not in caplog.text:
            await asyncio.sleep(0)
        assert "= attempt 1 in 0 s" in caplog.text
        await connection.stop()
    assert len(wire.negotiations) == 2


async def test_the_client_waits_for_the_given_delays(wire: Wire) -> None:
    """Given as numbers and as timedeltas."""
    wire.play(vanish)
    connection = wire.builder().with_automatic_reconnect([0.1, timedelta(milliseconds=100)]).build()
    events = EventRecorder(connection)
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(10):
        wire.server.negotiate = answers(OFFER, {"error": "no"})
        await connection.start()
        await events.wait("reconnecting")
        began = clock()
        await events.wait("closed")
        waited = clock() - began
        await connection.stop()
    assert 0.19 < waited < 5
    assert len(wire.negotiations) == 1 + 2


async def test_a_tenacity_wait_gets_every_attempt(wire: Wire) -> None:
    """It retries indefinitely; the loss is its first attempt."""
    seen: list[tuple[int, type | None]] = []

    class Watching(wait_base):
        """Returns no delay."""

        def __call__(self, retry_state: tenacity.RetryCallState) -> float:
            """Record the attempt and return no delay."""
            error = retry_state.outcome.exception() if retry_state.outcome else None
            seen.append((retry_state.attempt_number, type(error)))
            return 0.0

    wire.play(vanish, echo)
    wire.server.negotiate = answers(OFFER, *[{"error": "no"}] * 7, OFFER)
    connection = wire.builder().with_automatic_reconnect(Watching()).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        await connection.stop()
    assert [number for number, _ in seen] == list(range(1, 9))
    assert [kind for _, kind in seen] == [ConnectionClosedError] + [NegotiationError] * 7
    assert events.names == ["reconnecting", "reconnected", "closed"]


async def test_tenacity_waits_can_be_combined(wire: Wire) -> None:
    """A fixed part and a random part."""
    wire.play(vanish, echo)
    wait = tenacity.wait_fixed(0.01) + tenacity.wait_random(0, 0.01)
    connection = wire.builder().with_automatic_reconnect(wait).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        await connection.stop()


async def test_a_function_can_be_used_as_a_policy(wire: Wire) -> None:
    """Sync or async."""
    asked: list[RetryContext] = []

    async def soon(context: RetryContext) -> timedelta:
        asked.append(context)
        return timedelta()

    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect(soon).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        await connection.stop()
    assert len(asked) == 1


@pytest.mark.parametrize("policy", [[], Recording(attempts=0), AsyncRecording(attempts=0)], ids=["empty", "sync", "async"])
async def test_a_policy_that_returns_none_closes_the_connection_immediately(
    policy: list[float] | Recording, wire: Wire
) -> None:
    """No reconnecting event is fired; on_close gets the error that ended the connection."""
    wire.play(vanish)
    connection = wire.builder().with_automatic_reconnect(policy).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.wait_closed()
        await connection.stop()
    [event] = events.seen
    assert (event.name, event.state, event.connection_id) == ("closed", State.DISCONNECTED, None)
    assert repr(event.argument) == repr(caught.value)


@pytest.mark.parametrize("good_answers", [0, 1])
async def test_a_policy_that_raises_closes_the_connection(
    good_answers: int, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception is logged; on_close gets the error that ended the connection or the last attempt."""

    class Flawed:
        """Returns a few delays, then fails."""

        def next_retry_delay(self, retry_context: RetryContext) -> float:
            """Raise an exception after the first calls."""
            if retry_context.previous_retry_count < good_answers:
                return 0
            raise ArithmeticError("mine")

    wire.play(vanish)
    connection = wire.builder().with_automatic_reconnect(Flawed()).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        wire.server.negotiate = answers(OFFER, {"error": "no"})
        await connection.start()
        closed = await events.wait("closed")
        await connection.stop()
    assert events.names == ["reconnecting"] * good_answers + ["closed"]
    assert type(closed.argument) is (NegotiationError if good_answers else ConnectionClosedError)
    assert "the retry policy raised an error" in caplog.text
    assert "ArithmeticError: mine" in caplog.text


# attempts


async def refuse_the_handshake(peer: WirePeer) -> None:
    """Respond with an error."""
    await peer.take_handshake()
    await peer.write(b'{"error":"starting up"}\x1e')
    await peer.until_closed()


async def forget_the_handshake(peer: WirePeer) -> None:
    """Receive the handshake request and send no response."""
    await peer.take_handshake()
    await peer.until_closed()


async def drop_the_handshake(peer: WirePeer) -> None:
    """Abort the connection during the handshake."""
    await peer.take_handshake()


@pytest.mark.parametrize("failing", [refuse_the_handshake, forget_the_handshake, drop_the_handshake])
async def test_a_failed_handshake_is_followed_by_the_next_attempt(failing: WireScript, wire: Wire) -> None:
    """Unlike in a first start."""
    wire.play(vanish, failing, echo)
    connection = wire.builder().with_handshake_timeout(0.1).with_automatic_reconnect([0, 0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]
    assert len(wire.peers) == 3


async def test_the_server_timeout_restarts_with_each_connection(wire: Wire) -> None:
    """Each silent connection times out and is closed with a close frame."""
    wire.play(stay)
    connection = wire.builder(close_timeout=0.1).with_server_timeout(0.1).with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        event = await events.wait("reconnecting", 3)
        await connection.stop()
    assert isinstance(event.argument, ServerTimeoutError)
    assert events.names[:4] == ["reconnecting", "reconnected"] * 2


Hold = Callable[[Wire, asyncio.Event], float]


def hold_delay(wire: Wire, held: asyncio.Event) -> float:
    """Lose the connection and return a delay longer than the test."""
    wire.play(vanish)
    held.set()
    return 3600


def hold_negotiate(wire: Wire, held: asyncio.Event) -> float:
    """Lose the connection; the first attempt gets no negotiate response."""

    async def silent(_request: web.Request) -> object:
        held.set()
        return await asyncio.get_running_loop().create_future()

    wire.play(vanish)
    wire.server.negotiate = answers(OFFER, silent)
    return 0


def hold_handshake(wire: Wire, held: asyncio.Event) -> float:
    """Lose the connection; the first attempt gets no handshake response."""

    async def silent(peer: WirePeer) -> None:
        await peer.take_handshake()
        held.set()
        await peer.until_closed()

    wire.play(vanish, silent)
    return 0


@pytest.mark.parametrize("hold", [hold_delay, hold_negotiate, hold_handshake])
async def test_calls_fail_while_reconnecting_and_stop_ends_it(hold: Hold, wire: Wire) -> None:
    """Immediately, at any stage; on_close gets no error, and the connection can be started again."""
    held = asyncio.Event()
    connection = wire.builder().with_automatic_reconnect([hold(wire, held)]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnecting")
        await held.wait()
        waiting = asyncio.create_task(connection.wait_closed())
        assert (connection.state, connection.connection_id) == (State.RECONNECTING, None)
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: connection.invoke("M"),
            lambda: connection.send("M"),
            lambda: anext(connection.stream("M")),
            connection.start,
        ]
        for refused in calls:
            with pytest.raises(InvalidStateError) as caught:
                await refused()
            assert caught.value.state == "Reconnecting"
        assert not waiting.done()
        await connection.stop()
        await waiting
        assert [(event.name, event.argument) for event in events.seen[1:]] == [("closed", None)]
        wire.server.negotiate = OFFER
        wire.play(echo)
        await connection.start()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()


async def test_stop_in_the_reconnecting_callback_prevents_the_first_attempt(wire: Wire) -> None:
    """Even if the first delay is 0."""
    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect([0, 0]).build()
    events = EventRecorder(connection)

    @connection.on_reconnecting
    async def stop(_error: Exception | None) -> None:
        await connection.stop()

    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("closed")
        await connection.stop()
    assert (events.names, len(wire.negotiations)) == (["reconnecting", "closed"], 1)


async def test_stop_in_the_reconnected_callback_ends_the_new_connection(wire: Wire) -> None:
    """The server receives a Close."""
    wire.play(vanish, stay)
    connection = wire.builder().with_automatic_reconnect([0, 0]).build()
    events = EventRecorder(connection)

    @connection.on_reconnected
    async def stop(_connection_id: str | None) -> None:
        await connection.stop()

    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("closed")
        await connection.stop()
        while wire.peers[-1].close_code is None:
            await asyncio.sleep(0)
    assert events.names == ["reconnecting", "reconnected", "closed"]
    assert type(wire.peers[-1].got[-1]) is Close


# callbacks


async def test_callbacks_may_use_the_connection_if_its_state_allows_it(wire: Wire) -> None:
    """While reconnecting, calls fail; once reconnected, the callback can make calls."""
    outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    refused: list[type] = []

    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect([0.01]).build()

    @connection.on_reconnecting
    async def lost(_error: Exception | None) -> None:
        try:
            await connection.send("M")
        except InvalidStateError as error:
            refused.append(type(error))

    @connection.on_reconnected
    async def back(_connection_id: str | None) -> None:
        outcome.set_result(await connection.invoke("Echo", "joined"))

    async with asyncio.timeout(10):
        await connection.start()
        assert await outcome == "joined"
        await connection.stop()
    assert refused == [InvalidStateError]


async def test_a_slow_callback_delays_events_but_not_the_connection(wire: Wire) -> None:
    """Events are delivered in order."""
    release, order = asyncio.Event(), list[str]()
    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()

    @connection.on_reconnecting
    async def slow(_error: Exception | None) -> None:
        order.append("reconnecting")
        await release.wait()
        order.append("heard")

    connection.on_reconnected(lambda _: order.append("reconnected"))
    async with asyncio.timeout(10):
        await connection.start()
        while not (order and connection.state is State.CONNECTED):
            await asyncio.sleep(0)
        assert await connection.invoke("Echo", 1) == 1
        assert order == ["reconnecting"]
        release.set()
        await connection.stop()
    assert order == ["reconnecting", "heard", "reconnected"]


async def test_a_callback_that_raises_does_not_affect_others_or_the_reconnect(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """The exception is logged."""
    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()

    @connection.on_reconnecting
    def bad(_error: Exception | None) -> None:
        raise RuntimeError("mine")

    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]
    assert "a callback of the connection raised an error" in caplog.text


# the first start


async def test_retry_start_continues_until_the_server_is_available(wire: Wire) -> None:
    """No event is fired, because no connection was lost. For a later loss, the policy starts again at 0."""
    wire.play(refuse_the_handshake, vanish, echo)
    wire.server.negotiate = answers(web.Response(status=503), OFFER)
    policy = Recording()
    connection = wire.builder().with_automatic_reconnect(policy, retry_start=True).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        assert [type(context.retry_reason) for context in policy.contexts] == [NegotiationError, HandshakeError]
        await events.wait("reconnected")
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert [context.previous_retry_count for context in policy.contexts] == [0, 1, 0]
    assert events.names == ["reconnecting", "reconnected", "closed"]


async def test_retry_start_ends_with_the_last_error(wire: Wire) -> None:
    """When the policy returns None; on_close is not called."""
    wire.server.negotiate = answers(web.Response(status=503), {"error": "first"}, {"error": "second"})
    connection = wire.builder().with_automatic_reconnect([0, 0], retry_start=True).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        with pytest.raises(NegotiationError, match="second"):
            await connection.start()
    assert (events.seen, connection.state, len(wire.negotiations)) == ([], State.DISCONNECTED, 3)


@pytest.mark.parametrize("end", ["stop", "cancel"])
async def test_the_delay_of_a_first_start_can_be_interrupted(end: str, wire: Wire) -> None:
    """Returns a long delay."""
    asked = asyncio.Event()

    class OneHour:
        """Names a long time."""

        def next_retry_delay(self, _retry_context: RetryContext) -> float:
            """Return one hour."""
            asked.set()
            return 3600

    wire.server.negotiate = {"error": "not there"}
    connection = wire.builder().with_automatic_reconnect(OneHour(), retry_start=True).build()
    async with asyncio.timeout(10):
        starting = asyncio.create_task(connection.start())
        await asked.wait()
        assert connection.state is State.CONNECTING
        if end == "stop":
            await connection.stop()
            with pytest.raises(ConnectionClosedError, match="stopped before the hub handshake could complete"):
                await starting
        else:
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
    assert repr(connection) == "<HubConnection Disconnected>"


# the real server


async def cut(connection: HubConnection, aspnetcore_url: str) -> None:
    """Abort the connection's socket from the server."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{aspnetcore_url}/probe/abort/{connection.connection_id}") as answer,
    ):
        assert answer.status == 200, await answer.text()


@pytest.mark.interop
async def test_a_connection_to_the_real_server_survives_several_losses(aspnetcore_url: str, hub_protocol: HubProtocol) -> None:
    """Each time with a new id and the same handlers; the server has removed the old connection from its groups."""
    builder = HubConnectionBuilder().with_url(f"{aspnetcore_url}/testhub").with_hub_protocol(hub_protocol)
    connection = builder.with_automatic_reconnect([0, 0.1]).build()
    events = EventRecorder(connection)
    got: asyncio.Queue[str] = asyncio.Queue()
    connection.on("M", got.put_nowait)
    ids = set()
    async with connection, asyncio.timeout(20):
        for count in range(1, 4):
            ids.add(connection.connection_id)
            pending = asyncio.create_task(connection.invoke("Delay", 60_000))
            assert await connection.invoke("Add", 1, 2) == 3
            await cut(connection, aspnetcore_url)
            with pytest.raises(ConnectionClosedError):
                await pending
            back = await events.wait("reconnected", count)
            assert back.argument == connection.connection_id == await connection.invoke("GetConnectionId")
            await connection.invoke("SendToCaller", "M", f"after cut {count}")
            assert await got.get() == f"after cut {count}"
        ids.add(connection.connection_id)
    assert len(ids) == 4
    assert events.names == ["reconnecting", "reconnected"] * 3 + ["closed"]


@pytest.mark.interop
async def test_a_connection_aborted_by_a_hub_method_is_restored(aspnetcore_url: str, hub_protocol: HubProtocol) -> None:
    """The call to the method fails too."""
    builder = HubConnectionBuilder().with_url(f"{aspnetcore_url}/testhub").with_hub_protocol(hub_protocol)
    connection = builder.with_automatic_reconnect([0, 0.1]).build()
    events = EventRecorder(connection)
    async with connection, asyncio.timeout(20):
        with pytest.raises(ConnectionClosedError):
            await connection.invoke("AbortHttp")
        await events.wait("reconnected")
        assert await connection.invoke("Add", 1, 2) == 3

"""Callbacks of `on_connected`: what they hold up, what they may do, and what happens if they fail, hang or lose the connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from signalr_client import (
    ConnectionClosedError,
    HubConnectionState,
    InvalidStateError,
    NegotiationError,
)
from signalr_client.client import readiness
from signalr_client.client.tasks import CANCEL_GRACE
from signalr_client.core.messages import Close, Invocation
from tests.support.events import EventRecorder
from tests.support.scripted_server import OFFER
from tests.support.wire import Wire, WirePeer, WireScript, echo, stay, vanish

State = HubConnectionState
CLOSE_TIMEOUT = 0.1
BOUND = CLOSE_TIMEOUT + 3 * CANCEL_GRACE + 1.0  # plus a second for slow machines


def targets(peer: WirePeer) -> list[str]:
    return [message.target for message in peer.got if isinstance(message, Invocation)]


def until_call(target: str) -> WireScript:
    """Return a script that answers calls until *target* is called, and then aborts the connection."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        while target not in targets(peer):
            if not await peer.receive():
                break

    return script


# order


async def test_callbacks_run_on_the_first_connect_and_after_each_reconnect(wire: Wire) -> None:
    """With the id of the new connection, one after another, sync and async."""
    wire.play(until_call("Drop"), echo)
    left = [OFFER | {"connectionId": "first"}, OFFER | {"connectionId": "second"}]
    wire.server.negotiate = lambda _: left.pop(0)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events, seen = EventRecorder(connection), list[tuple[str, str | None, State]]()

    @connection.on_connected
    async def slow(connection_id: str | None) -> None:
        await asyncio.sleep(0)
        seen.append(("slow", connection_id, connection.state))

    connection.on_connected(lambda connection_id: seen.append(("quick", connection_id, connection.state)))
    async with asyncio.timeout(10):
        await connection.start()
        assert seen == [("slow", "first", State.CONNECTED), ("quick", "first", State.CONNECTED)]
        await connection.send("Drop")
        await events.wait("reconnected")
        await connection.stop()
    assert seen[2:] == [("slow", "second", State.CONNECTED), ("quick", "second", State.CONNECTED)]


async def test_start_returns_after_the_callbacks_whose_calls_are_sent_at_once(wire: Wire) -> None:
    """So the group has been joined when the block of ``async with`` begins."""
    wire.play(echo)
    connection, order = wire.connection(), list[object]()

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        order.append(await connection.invoke("Join", "joined"))
        await asyncio.create_task(connection.send("Greet"))

    async with asyncio.timeout(10), connection:
        order.append(await connection.invoke("Echo", "first call"))
    assert order == ["joined", "first call"]
    assert targets(wire.peers[0]) == ["Join", "Greet", "Echo"]


async def test_on_reconnected_follows_the_callbacks_of_on_connected(wire: Wire) -> None:
    wire.play(until_call("Drop"), echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    order, done = list[str](), asyncio.Event()

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        await connection.invoke("Join") if order else None
        order.append("connected")

    @connection.on_reconnected
    def reconnected(_connection_id: str | None) -> None:
        order.append("reconnected")
        done.set()

    async with asyncio.timeout(10):
        await connection.start()
        await connection.send("Drop")
        await done.wait()
        await connection.stop()
    assert order == ["connected", "connected", "reconnected"]


async def test_a_callback_of_another_event_does_not_delay_the_callbacks(wire: Wire) -> None:
    """An on_reconnecting callback may wait for the connection."""
    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    waited = asyncio.Event()

    @connection.on_reconnecting
    async def show(_error: Exception | None) -> None:
        await connection.wait_connected()
        waited.set()

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await connection.start()
        await waited.wait()
        await connection.stop()


async def test_messages_are_handled_while_a_callback_runs(wire: Wire) -> None:
    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="Welcome", arguments=[]))
        await peer.until_closed()

    wire.play(script)
    connection, welcome = wire.connection(), asyncio.Event()
    connection.on("Welcome", welcome.set)

    @connection.on_connected
    async def wait_for_welcome(_connection_id: str | None) -> None:
        await welcome.wait()

    async with asyncio.timeout(10), connection:
        assert welcome.is_set()


async def test_a_callback_may_use_another_connection_that_has_callbacks_too(wire: Wire) -> None:
    """Calls in the callbacks of both are sent at once, on either connection."""
    wire.play(echo)
    outer = wire.builder().with_calls_while_reconnecting().build()
    inner = wire.builder().with_calls_while_reconnecting().build()
    got: list[object] = []

    @outer.on_connected
    async def start_the_other(_connection_id: str | None) -> None:
        await inner.start()

    @inner.on_connected
    async def call_both(_connection_id: str | None) -> None:
        got.extend([await outer.invoke("Echo", "outer"), await inner.invoke("Echo", "inner")])

    async with asyncio.timeout(10), outer:
        await inner.stop()
    assert got == ["outer", "inner"]


# failures


async def test_a_callback_that_raises_is_logged_and_the_others_run(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    wire.play(echo)
    connection, called = wire.connection(), asyncio.Event()

    @connection.on_connected
    async def broken(_connection_id: str | None) -> None:
        raise ArithmeticError("mine")

    @connection.on_connected
    async def cancels_itself(_connection_id: str | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    connection.on_connected(lambda _: called.set())
    async with asyncio.timeout(10), connection:
        assert called.is_set()
        assert await connection.invoke("Echo", 1) == 1
    assert "! a callback of the connection raised an error" in caplog.text
    assert "ArithmeticError: mine" in caplog.text


async def test_a_callback_that_is_not_callable_is_a_type_error(wire: Wire) -> None:
    with pytest.raises(TypeError, match="A callback must be callable, not 5"):
        wire.connection().on_connected(5)  # type: ignore[type-var]  # the wrong type is intended


async def test_a_callback_that_never_returns_cannot_block_stop(wire: Wire) -> None:
    """`start` raises, because the connection was never ready; on_close callbacks do not run."""
    wire.play(stay)
    connection = wire.connection(close_timeout=CLOSE_TIMEOUT)
    events, running, ended = EventRecorder(connection), asyncio.Event(), asyncio.Event()

    @connection.on_connected
    async def hang(_connection_id: str | None) -> None:
        running.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async with asyncio.timeout(BOUND):
        starting = asyncio.create_task(connection.start())
        await running.wait()
        states = [connection.state]
        await connection.stop()
        with pytest.raises(ConnectionClosedError, match="stopped before the callbacks of on_connected had finished"):
            await starting
    assert ended.is_set()
    assert [*states, connection.state] == [State.CONNECTED, State.DISCONNECTED]
    assert events.names == []


async def test_a_callback_that_is_still_running_after_a_while_is_named_in_the_log(
    wire: Wire, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_PATIENCE", 0.01)
    wire.play(stay)
    connection = wire.builder(close_timeout=CLOSE_TIMEOUT).with_calls_while_reconnecting().build()

    @connection.on_connected
    async def heartbeat(_connection_id: str | None) -> None:
        while "is still running" not in caplog.text:
            await asyncio.sleep(0)

    async with asyncio.timeout(10):
        starting = asyncio.create_task(connection.start())
        while connection.state is not State.CONNECTED:
            await asyncio.sleep(0)
        sending = asyncio.create_task(connection.send("M"))
        await asyncio.gather(starting, sending)
        await connection.stop()
    [line] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "heartbeat is still running after 0.01 s; start(), wait_connected() and 1 call wait for it" in line


async def test_stop_in_a_callback_makes_start_raise(wire: Wire) -> None:
    wire.play(stay)
    connection, state = wire.connection(), list[State]()

    @connection.on_connected
    async def change_my_mind(_connection_id: str | None) -> None:
        await connection.stop()
        state.append(connection.state)

    async with asyncio.timeout(10):
        with pytest.raises(ConnectionClosedError, match="stopped before the callbacks of on_connected had finished"):
            await connection.start()
    assert state == [State.DISCONNECTED]
    assert type(wire.peers[0].got[-1]) is Close


async def test_cancelling_start_while_a_callback_runs_disconnects(wire: Wire) -> None:
    wire.play(stay)
    connection, running = wire.connection(close_timeout=CLOSE_TIMEOUT), asyncio.Event()

    @connection.on_connected
    async def hang(_connection_id: str | None) -> None:
        running.set()
        await asyncio.get_running_loop().create_future()

    async with asyncio.timeout(BOUND):
        starting = asyncio.create_task(connection.start())
        await running.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert connection.state is State.DISCONNECTED


# lost connections


async def test_a_callback_is_cancelled_and_run_again_if_the_connection_is_lost(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """`start` and on_reconnected wait until all callbacks have run on one connection; nothing is logged as an error."""
    wire.play(until_call("Join"), echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events, order = EventRecorder(connection), list[str]()

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        try:
            await connection.invoke("Join")
            order.append("joined")
        except asyncio.CancelledError:
            order.append("cancelled")
            raise

    connection.on_connected(lambda _: order.append("second callback"))
    async with asyncio.timeout(10):
        await connection.start()
        assert order == ["cancelled", "joined", "second callback"]
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_callbacks_of_a_new_connection_do_not_wait_for_one_that_ignores_its_cancellation(wire: Wire) -> None:
    wire.play(vanish, echo)
    connection = wire.builder(close_timeout=CLOSE_TIMEOUT).with_automatic_reconnect([0]).build()
    release, runs = asyncio.Event(), 0

    @connection.on_connected
    async def stubborn(_connection_id: str | None) -> None:
        nonlocal runs
        runs += 1
        while runs == 1 and not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    async with asyncio.timeout(10):
        await connection.start()
        assert runs == 2
        assert await connection.invoke("Echo", 1) == 1
        release.set()
        await connection.stop()


@pytest.mark.parametrize(
    ("close", "text"),
    [
        (None, "without completing the close handshake"),
        (Close(error="full"), "closed the connection with the following error: full"),
        (Close(), r"^The server closed the connection before the callbacks of on_connected had finished\.$"),
    ],
    ids=["lost", "error", "closed"],
)
async def test_start_raises_if_the_connection_ends_while_a_callback_runs(close: Close | None, text: str, wire: Wire) -> None:
    """The caller of `start` learns of the end; on_close callbacks run only after a start that succeeded."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.receive_until(Invocation)
        if close is not None:
            await peer.send(close)
            await peer.until_closed()

    wire.play(script)
    connection = wire.connection()
    events = EventRecorder(connection)

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        await connection.invoke("Join")

    async with asyncio.timeout(10):
        with pytest.raises(ConnectionClosedError, match=text):
            await connection.start()
    assert connection.state is State.DISCONNECTED
    assert events.names == []


async def test_start_raises_if_the_policy_gives_up_after_a_loss_in_a_callback(wire: Wire) -> None:
    left: list[object] = [OFFER]
    wire.server.negotiate = lambda _: left.pop(0) if left else {"error": "gone"}
    wire.play(until_call("Join"))
    connection = wire.builder().with_automatic_reconnect([0]).build()

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        await connection.invoke("Join")

    async with asyncio.timeout(10):
        with pytest.raises(NegotiationError, match="gone"):
            await connection.start()
    assert connection.state is State.DISCONNECTED


# wait_connected


async def test_wait_connected_returns_when_start_does_in_another_task(wire: Wire) -> None:
    """After the callbacks, for all waiters; at once when connected, and in a callback."""
    wire.play(echo)
    connection, release, inside = wire.connection(), asyncio.Event(), asyncio.Event()

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        await connection.wait_connected()
        inside.set()
        await release.wait()

    async with asyncio.timeout(10):
        starting = asyncio.create_task(connection.start())
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(connection.wait_connected()) for _ in range(2)]
        await inside.wait()
        assert not any(task.done() for task in waiting)
        release.set()
        await asyncio.gather(starting, *waiting)
        await connection.wait_connected()
        await connection.stop()


async def test_wait_connected_waits_for_a_reconnect(wire: Wire) -> None:
    wire.play(vanish, echo)
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnecting")
        await connection.wait_connected()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()


async def test_wait_connected_raises_what_made_the_start_fail(wire: Wire) -> None:
    """A new exception for each waiter, and for later callers until the next start."""
    asked, answer = asyncio.Event(), asyncio.Event()

    async def negotiate(_request: object) -> object:
        asked.set()
        await answer.wait()
        return {"error": "not today"}

    wire.server.negotiate = negotiate
    connection = wire.connection()
    async with asyncio.timeout(10):
        starting = asyncio.create_task(connection.start())
        await asked.wait()
        waiting = [asyncio.create_task(connection.wait_connected()) for _ in range(2)]
        answer.set()
        outcomes = await asyncio.gather(starting, *waiting, return_exceptions=True)
        with pytest.raises(NegotiationError, match="not today"):
            await connection.wait_connected()
        wire.server.negotiate = OFFER
        wire.play(stay)
        await connection.start()
        await connection.wait_connected()
        await connection.stop()
    assert all(isinstance(outcome, NegotiationError) for outcome in outcomes)
    assert len({id(outcome) for outcome in outcomes}) == 3


async def test_wait_connected_reports_an_error_of_the_token_factory_as_a_cause(wire: Wire) -> None:
    def factory() -> str:
        raise LookupError("no token")

    connection = wire.connection(access_token_factory=factory)
    async with asyncio.timeout(10):
        with pytest.raises(LookupError):
            await connection.start()
        with pytest.raises(ConnectionClosedError, match="LookupError: no token") as caught:
            await connection.wait_connected()
    assert isinstance(caught.value.__cause__, LookupError)


async def test_wait_connected_raises_the_end_of_the_connection(wire: Wire) -> None:
    wire.play(vanish, stay)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError):
            await connection.wait_closed()
        with pytest.raises(ConnectionClosedError, match="without completing the close handshake"):
            await connection.wait_connected()
        await connection.start()
        await connection.stop()
        with pytest.raises(ConnectionClosedError, match=r"^The connection was stopped\.$"):
            await connection.wait_connected()


async def test_wait_connected_ends_when_the_connection_is_stopped(wire: Wire) -> None:
    wire.play(vanish)
    connection = wire.builder().with_automatic_reconnect([3600]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnecting")
        cancelled, waiting = (asyncio.create_task(connection.wait_connected()) for _ in range(2))
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert connection.state is State.RECONNECTING
        await connection.stop()
        with pytest.raises(ConnectionClosedError, match=r"^The connection was stopped\.$"):
            await waiting


async def test_wait_connected_before_the_first_start_is_an_error(wire: Wire) -> None:
    with pytest.raises(InvalidStateError, match=r"has not been started: call start\(\) first"):
        await wire.connection().wait_connected()

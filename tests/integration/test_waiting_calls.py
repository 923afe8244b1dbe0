"""Calls that wait for the connection, with `with_calls_while_reconnecting`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from signalr_client import (
    BindingError,
    ConnectionClosedError,
    HubConnection,
    HubConnectionState,
    InvalidStateError,
    JsonHubProtocol,
)
from signalr_client.client.outgoing import WRITE_LIMIT
from signalr_client.core.messages import (
    CancelInvocation,
    Close,
    Completion,
    HubMessage,
    Invocation,
    Ping,
    StreamInvocation,
    StreamItem,
)
from tests.support.events import EventRecorder
from tests.support.scripted_server import OFFER
from tests.support.wire import Wire, WirePeer, WireScript, echo, stay, vanish

State = HubConnectionState


class Gate:
    """Holds up the reconnects of a connection until the test opens it."""

    def __init__(self, wire: Wire, *scripts: WireScript, first: WireScript = vanish) -> None:
        wire.play(first, *scripts)
        self._opened = asyncio.Event()
        self._wire = wire
        wire.server.negotiate = self._negotiate
        self.answer: object = OFFER

    def open(self) -> None:
        self._opened.set()

    async def _negotiate(self, _request: object) -> object:
        if len(self._wire.negotiations) > 1:
            await self._opened.wait()
            return self.answer
        return OFFER


async def reconnecting(wire: Wire, *, delays: list[float] | None = None) -> HubConnection:
    """Return a connection that was lost and is reconnecting, and whose calls wait."""
    connection = wire.builder().with_automatic_reconnect(delays or [0]).with_calls_while_reconnecting().build()
    events = EventRecorder(connection)
    await connection.start()
    await events.wait("reconnecting")
    return connection


def calls(peer: WirePeer) -> list[HubMessage]:
    return [message for message in peer.got if not isinstance(message, Ping | Close)]


async def read_all(connection: HubConnection, *arguments: object) -> list[object]:
    return [item async for item in connection.stream("Items", *arguments)]


async def drop_the_call(peer: WirePeer) -> None:
    """Abort the connection when the first call has arrived."""
    await peer.shake_hands()
    await peer.receive_until(Invocation)


async def everything(peer: WirePeer) -> None:
    """Answer invocations with their first argument, and streams with two items."""
    await peer.shake_hands()
    while messages := await peer.receive():
        for message in messages:
            if isinstance(message, StreamInvocation):
                items = [StreamItem(invocation_id=message.invocation_id, item=item) for item in (1, 2)]
                await peer.send(*items, Completion(invocation_id=message.invocation_id))
            elif isinstance(message, Invocation) and message.invocation_id:
                await peer.send(Completion(invocation_id=message.invocation_id, result=message.arguments[0]))


# waiting


async def test_calls_wait_for_a_reconnect_and_keep_their_order(wire: Wire) -> None:
    """All three kinds; those made later, while the others are being sent, come after them."""
    gate = Gate(wire, everything)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        waiting: list[asyncio.Task[Any]] = []
        for number in range(10):
            waiting.append(asyncio.create_task(connection.invoke("Echo", number)))
            waiting.append(asyncio.create_task(connection.send("Record", number)))
            waiting.append(asyncio.create_task(read_all(connection, number)))
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        gate.open()
        await connection.wait_connected()
        assert await connection.invoke("Echo", "last") == "last"
        results = await asyncio.gather(*waiting)
        await connection.stop()
    assert results == [result for number in range(10) for result in (number, None, [1, 2])]
    sent = [message.arguments[0] for message in calls(wire.peers[1]) if isinstance(message, Invocation | StreamInvocation)]
    assert sent == [number for number in range(10) for _ in range(3)] + ["last"]


async def test_calls_wait_until_the_callbacks_of_on_connected_have_run(wire: Wire) -> None:
    """Those made meanwhile, too. Calls in the callbacks are sent at once."""
    gate = Gate(wire, echo)
    joining, release, order = asyncio.Event(), asyncio.Event(), list[object]()
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)

        @connection.on_connected
        async def join(_connection_id: str | None) -> None:
            order.append(await connection.invoke("Join", "joined"))
            joining.set()
            await release.wait()
            await asyncio.gather(connection.invoke("Join", "again"), read_nothing())

        async def read_nothing() -> None:
            async with connection.stream("Items"):
                pass

        early = asyncio.create_task(connection.invoke("Echo", "early"))
        gate.open()
        await joining.wait()
        late = asyncio.create_task(connection.invoke("Echo", "late"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert [message.target for message in calls(wire.peers[1]) if isinstance(message, Invocation)] == ["Join"]
        release.set()
        assert (await early, await late) == ("early", "late")
        await connection.stop()
    targets = [m.target for m in calls(wire.peers[1]) if isinstance(m, Invocation | StreamInvocation)]
    assert targets == ["Join", "Join", "Items", "Echo", "Echo"]


async def test_a_task_that_a_callback_has_started_waits_after_the_next_loss(wire: Wire) -> None:
    """Like any other task; its calls are sent at once only on the connection of its callback."""
    gate = Gate(wire, echo, first=drop_the_call)
    background: list[asyncio.Task[Any]] = []
    lost = asyncio.Event()

    async def work(connection: HubConnection) -> object:
        await lost.wait()
        return await connection.invoke("Echo", "from the background")

    async with asyncio.timeout(10):
        connection = wire.builder().with_automatic_reconnect([0]).with_calls_while_reconnecting().build()
        events = EventRecorder(connection)

        @connection.on_connected
        def begin(_connection_id: str | None) -> None:
            if not background:
                background.append(asyncio.create_task(work(connection)))

        await connection.start()
        await connection.send("Drop")
        await events.wait("reconnecting")
        lost.set()
        await asyncio.sleep(0)
        gate.open()
        assert await background[0] == "from the background"
        await connection.stop()


async def test_calls_wait_during_the_first_start(wire: Wire) -> None:
    """Before `start` was called they fail."""
    wire.play(echo)
    left: list[object] = [{"error": "starting up"}, OFFER]
    wire.server.negotiate = lambda _: left.pop(0)
    connection = wire.builder().with_automatic_reconnect([0], retry_start=True).with_calls_while_reconnecting().build()
    async with asyncio.timeout(10):
        with pytest.raises(InvalidStateError, match="Did you forget to await start"):
            await connection.invoke("Echo", 1)
        starting = asyncio.create_task(connection.start())
        await asyncio.sleep(0)
        assert await connection.invoke("Echo", 1) == 1
        await starting
        await connection.stop()
        with pytest.raises(InvalidStateError, match="if the connection is not active"):
            await connection.invoke("Echo", 1)


async def test_by_default_calls_do_not_wait(wire: Wire) -> None:
    """Nor after ``with_calls_while_reconnecting(wait=False)``. Authentication is never refreshed later."""
    gate = Gate(wire, echo)
    async with asyncio.timeout(10):
        builder = wire.builder().with_automatic_reconnect([0])
        connection = builder.with_calls_while_reconnecting().with_calls_while_reconnecting(wait=False).build()
        events = EventRecorder(connection)
        await connection.start()
        await events.wait("reconnecting")
        with pytest.raises(InvalidStateError, match=r"\(The connection is reconnecting\.\)"):
            await connection.invoke("Echo", 1)
        gate.open()
        await connection.wait_connected()
        await connection.stop()


async def test_an_authentication_refresh_does_not_wait(wire: Wire) -> None:
    Gate(wire, echo)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        with pytest.raises(InvalidStateError, match="Cannot refresh authentication when the connection is not active"):
            await connection.refresh_authentication()
        await connection.stop()


async def test_calls_in_flight_fail_when_the_connection_is_lost(wire: Wire) -> None:
    """The server may have executed them, so they are not sent again."""
    gate = Gate(wire, echo, first=drop_the_call)
    async with asyncio.timeout(10):
        connection = wire.builder().with_automatic_reconnect([0]).with_calls_while_reconnecting().build()
        await connection.start()
        with pytest.raises(ConnectionClosedError):
            await connection.invoke("Charge")
        again = asyncio.create_task(connection.invoke("Echo", "again"))
        gate.open()
        assert await again == "again"
        await connection.stop()
    assert [message.target for message in calls(wire.peers[1]) if isinstance(message, Invocation)] == ["Echo"]


async def test_calls_that_wait_survive_a_further_loss(wire: Wire) -> None:
    """In this case, of a connection that is lost while the callbacks run."""
    gate = Gate(wire, drop_the_call, echo)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)

        @connection.on_connected
        async def join(_connection_id: str | None) -> None:
            await connection.invoke("Join", 1)

        waiting = asyncio.create_task(connection.invoke("Echo", 2))
        gate.open()
        assert await waiting == 2
        await connection.stop()
    targets = [[m.target for m in calls(peer) if isinstance(m, Invocation)] for peer in wire.peers[1:]]
    assert targets == [["Join"], ["Join", "Echo"]]


async def test_waiting_calls_are_sent_no_faster_than_the_server_reads(wire: Wire) -> None:
    """So they are not all encoded at the same time; calls made meanwhile queue behind them."""
    release = asyncio.Event()

    async def deaf_at_first(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await release.wait()
        peer.transport.resume_reading()
        await peer.answer_calls()

    gate = Gate(wire, deaf_at_first)
    async with asyncio.timeout(20):
        connection = await reconnecting(wire)
        large = "x" * (20 * WRITE_LIMIT)
        sending = [asyncio.create_task(connection.send("M", number, large)) for number in range(30)]
        gate.open()
        while not any(task.done() for task in sending):
            await asyncio.sleep(0)
        late = asyncio.create_task(connection.invoke("Echo", "late"))
        ready = asyncio.create_task(connection.wait_connected())
        done, pending = await asyncio.wait(sending, timeout=0.2)
        assert done
        assert pending
        assert not ready.done()
        release.set()
        assert await late == "late"
        await asyncio.gather(*sending, ready)
        await connection.stop()
    numbers = [m.arguments[0] for m in calls(wire.peers[1]) if isinstance(m, Invocation)]
    assert numbers == [*range(30), "late"]


async def test_uploads_of_a_waiting_call_run_in_the_context_of_its_caller(wire: Wire) -> None:
    """They begin when the call is sent."""
    user: ContextVar[str] = ContextVar("user", default="nobody")
    begun = False

    async def names() -> AsyncIterator[str]:
        nonlocal begun
        begun = True
        yield user.get()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        [item] = await peer.receive_until(StreamItem)
        [call] = await peer.receive_until(Invocation)
        assert isinstance(call, Invocation)
        assert isinstance(item, StreamItem)
        await peer.send(Completion(invocation_id=str(call.invocation_id), result=item.item))
        await peer.until_closed()

    gate = Gate(wire, script)

    async def upload(connection: HubConnection) -> object:
        user.set("Anna")
        return await connection.invoke("Upload", names())

    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        uploading = asyncio.create_task(upload(connection))
        await asyncio.sleep(0)
        assert not begun
        gate.open()
        assert await uploading == "Anna"
        await connection.stop()


class Own(JsonHubProtocol):
    """A hub protocol of the application's, which calls a function when it encodes the call "Special"."""

    def __init__(self) -> None:
        super().__init__()
        self.special: Callable[[], object] = lambda: None

    def encode(self, message: HubMessage) -> bytes:
        """Encode a message."""
        if isinstance(message, Invocation) and message.target == "Special":
            self.special()
        return super().encode(message)


@pytest.fixture
def own(wire: Wire) -> Own:
    """The hub protocol of the connection."""
    wire.protocol = own = Own()
    return own


only_json = pytest.mark.parametrize("hub_protocol", [JsonHubProtocol()], ids=["own"])


@only_json
async def test_a_waiting_call_that_cannot_be_encoded_fails_alone(wire: Wire, own: Own) -> None:
    """With the same error as a call that does not wait, even if the hub protocol has a defect."""

    def fail() -> None:
        raise ArithmeticError("mine")

    own.special = fail
    gate = Gate(wire, everything)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        bad = [
            asyncio.create_task(call)
            for call in (connection.invoke("Echo", object()), connection.send("Echo", object()), read_all(connection, object()))
        ]
        defect = asyncio.create_task(connection.invoke("Special"))
        good = asyncio.create_task(connection.invoke("Echo", "good"))
        await asyncio.sleep(0)
        gate.open()
        outcomes = await asyncio.gather(*bad, return_exceptions=True)
        with pytest.raises(ArithmeticError, match="mine"):
            await defect
        assert await good == "good"
        await connection.stop()
    assert [type(outcome) for outcome in outcomes] == [BindingError] * 3


# giving up


Start = Callable[[HubConnection], Awaitable[object]]
KINDS: dict[str, Start] = {
    "invoke": lambda connection: connection.invoke("M"),
    "send": lambda connection: connection.send("M"),
    "stream": read_all,
}
each_kind = pytest.mark.parametrize("kind", KINDS)


async def as_task(kind: str, connection: HubConnection) -> object:
    return await KINDS[kind](connection)


@each_kind
async def test_cancelling_a_waiting_call_sends_nothing(kind: str, wire: Wire) -> None:
    """The server does not learn of it, and nothing is kept of it."""
    gate = Gate(wire, echo)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        cancelled = asyncio.create_task(as_task(kind, connection))
        kept = asyncio.create_task(connection.send("M"))
        await asyncio.sleep(0)
        assert connection._life is not None
        assert len(connection._life.readiness.waiting) == 2
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert len(connection._life.readiness.waiting) == 1
        gate.open()
        await kept
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert [m.target for m in calls(wire.peers[1]) if isinstance(m, Invocation)] == ["M", "Echo"]
    assert not any(isinstance(message, CancelInvocation | StreamInvocation) for message in calls(wire.peers[1]))


@only_json
async def test_a_call_that_is_cancelled_while_others_are_being_sent_is_not_sent(wire: Wire, own: Own) -> None:
    """Its task has not run since."""
    gate = Gate(wire, echo)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        special = asyncio.create_task(connection.invoke("Special", 1))
        cancelled = asyncio.create_task(connection.invoke("Echo", 2))
        own.special = cancelled.cancel
        await asyncio.sleep(0)
        gate.open()
        assert await special == 1
        assert await connection.invoke("Echo", 3) == 3
        await connection.stop()
    assert cancelled.cancelled()
    assert [m.arguments for m in calls(wire.peers[1]) if isinstance(m, Invocation)] == [[1], [3]]
    assert not any(isinstance(message, CancelInvocation) for message in calls(wire.peers[1]))


async def test_cancelling_a_call_that_has_waited_tells_the_server(wire: Wire) -> None:
    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.receive_until(CancelInvocation, 2)
        await peer.answer_calls()

    gate = Gate(wire, script)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        tasks = [asyncio.create_task(as_task(kind, connection)) for kind in ("invoke", "stream")]
        await asyncio.sleep(0)
        gate.open()
        await connection.wait_connected()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    cancelled = [message.invocation_id for message in calls(wire.peers[1]) if isinstance(message, CancelInvocation)]
    assert cancelled == ["1", "2"]


async def test_leaving_a_stream_that_waits_sends_nothing(wire: Wire) -> None:
    gate = Gate(wire, echo)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        async with connection.stream("Items"):
            pass
        gate.open()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert [type(message) for message in calls(wire.peers[1])] == [Invocation]


@each_kind
async def test_stop_fails_the_calls_that_wait(kind: str, wire: Wire) -> None:
    """At once."""
    Gate(wire, echo)
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        waiting = asyncio.create_task(as_task(kind, connection))
        await asyncio.sleep(0)
        await connection.stop()
        with pytest.raises(InvalidStateError) as caught:
            await waiting
    assert str(caught.value) == (
        f"The '{kind}' method waited for the connection, and nothing was sent. The connection was stopped."
        " (The connection is disconnecting.)"
    )
    assert (caught.value.action, caught.value.state) == (kind, "Disconnecting")


@each_kind
async def test_calls_that_wait_fail_when_the_policy_gives_up(kind: str, wire: Wire) -> None:
    """Each with an error of its own, which names the reason."""
    gate = Gate(wire, echo)
    gate.answer = {"error": "gone for good"}
    async with asyncio.timeout(10):
        connection = await reconnecting(wire)
        waiting = [asyncio.create_task(as_task(kind, connection)) for _ in range(2)]
        await asyncio.sleep(0)
        gate.open()
        first, second = await asyncio.gather(*waiting, return_exceptions=True)
        await connection.stop()
    assert isinstance(first, InvalidStateError)
    assert isinstance(second, InvalidStateError)
    assert first is not second
    assert "waited for the connection, and nothing was sent. gone for good" in str(first)
    assert "gone for good" in str(first.__cause__)


@pytest.mark.parametrize(
    ("close", "reason"),
    [(Close(), "The server closed the connection."), (Close(error="full"), "with the following error: full")],
    ids=["without error", "with error"],
)
async def test_calls_that_wait_for_a_callback_fail_when_the_server_closes_the_connection(
    close: Close, reason: str, wire: Wire
) -> None:
    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.receive_until(Invocation)
        await peer.send(close)
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder().with_calls_while_reconnecting().build()

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        await connection.invoke("Join")

    async with asyncio.timeout(10):
        starting = asyncio.create_task(connection.start())
        await asyncio.sleep(0)
        with pytest.raises(InvalidStateError) as caught:
            await connection.invoke("M")
        with pytest.raises(ConnectionClosedError):
            await starting
    assert reason in str(caught.value)


async def test_a_failed_start_fails_the_calls_that_wait(wire: Wire) -> None:
    """The error of a token factory is the cause."""
    asked = asyncio.Event()

    async def factory() -> str:
        await asked.wait()
        raise LookupError("no token")

    connection = wire.builder(access_token_factory=factory).with_calls_while_reconnecting().build()
    async with asyncio.timeout(10):
        starting = asyncio.create_task(connection.start())
        await asyncio.sleep(0)
        waiting = asyncio.create_task(connection.invoke("M"))
        await asyncio.sleep(0)
        asked.set()
        with pytest.raises(InvalidStateError, match="LookupError: no token") as caught:
            await waiting
        with pytest.raises(LookupError):
            await starting
    assert isinstance(caught.value.__cause__, LookupError)


async def test_calls_of_the_next_start_do_not_meet_those_of_the_last(wire: Wire) -> None:
    wire.play(vanish, stay)
    async with asyncio.timeout(10):
        wire.server.negotiate = OFFER
        connection = await reconnecting(wire, delays=[3600])
        lost = asyncio.create_task(connection.invoke("Lost"))
        await asyncio.sleep(0)
        await connection.stop()
        with pytest.raises(InvalidStateError):
            await lost
        wire.play(echo)
        await connection.start()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert [m.target for m in calls(wire.peers[-1]) if isinstance(m, Invocation)] == ["Echo"]

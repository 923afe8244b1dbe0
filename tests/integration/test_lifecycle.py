"""Starting, stopping and calling, against servers that delay, reject or close at each stage."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from signalr_client import (
    ConnectionClosedError,
    HandshakeError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    HubProtocol,
    InvalidStateError,
    JsonHubProtocol,
    NegotiationError,
)
from signalr_client.client.outgoing import WRITE_LIMIT
from signalr_client.core.messages import CancelInvocation, Close, Completion, Invocation, Ping, StreamInvocation, StreamItem
from tests.support.events import EventRecorder
from tests.support.scripted_server import OFFER, ScriptedServer
from tests.support.wire import Wire, WirePeer, echo, stay, vanish

State = HubConnectionState

START_REFUSED = "The HubConnection cannot be started if it is not in the Disconnected state. (The connection is {}.)"
CALL_REFUSED = "The '{}' method cannot be called if the connection is not active. (The connection is {}.)"
STOPPED_DURING_START = "The connection was stopped before the hub handshake could complete."
CLOSED_UNDER_A_CALL = "Invocation canceled due to the underlying connection being closed."


def call(target: str = "M", *arguments: object, invocation_id: str | None = None) -> Invocation:
    """Return an invocation from the server."""
    if invocation_id is None:
        return Invocation(target=target, arguments=list(arguments))
    return Invocation(target=target, arguments=list(arguments), invocation_id=invocation_id)


# calls in each state


@asynccontextmanager
async def in_state(state: State, wire: Wire) -> AsyncIterator[HubConnection]:
    """Yield a connection that is in *state* and stays in it during the block."""
    held, release = asyncio.Event(), asyncio.Event()

    async def silent(_request: web.Request) -> object:
        held.set()
        await release.wait()
        return OFFER

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await release.wait()

    wire.play(stay)
    connection = wire.builder(close_timeout=0.3).with_automatic_reconnect([3600]).build()
    other: asyncio.Task[None] | None = None
    match state:
        case State.CONNECTING:
            wire.server.negotiate = silent
            other = asyncio.create_task(connection.start())
            await held.wait()
        case State.CONNECTED:
            await connection.start()
        case State.RECONNECTING:
            wire.play(vanish)
            events = EventRecorder(connection)
            await connection.start()
            await events.wait("reconnecting")
        case State.DISCONNECTING:  # queued messages must be sent first, and the peer does not read
            wire.play(deaf)
            await connection.start()
            blocked = [asyncio.create_task(connection.send("M", "x" * 1_000_000)) for _ in range(30)]
            await asyncio.sleep(0)
            other = asyncio.create_task(connection.stop())
            await asyncio.sleep(0)
    assert connection.state is state
    yield connection
    assert connection.state is state
    await connection.stop()
    release.set()
    if state is State.DISCONNECTING:
        await asyncio.gather(*blocked)
    if other is not None:
        await asyncio.gather(other, return_exceptions=True)


@pytest.mark.parametrize("state", State, ids=str)
async def test_each_state_allows_or_rejects_calls(state: State, wire: Wire) -> None:
    """The error has the official text, the action and the state. A rejected call changes nothing."""
    shown = state.value.lower()
    async with asyncio.timeout(20), in_state(state, wire) as connection:
        if state is not State.DISCONNECTED:
            with pytest.raises(InvalidStateError) as caught:
                await connection.start()
            assert (caught.value.action, caught.value.state) == ("start", state.value)
            assert str(caught.value) == START_REFUSED.format(shown)
        if state is State.CONNECTED:
            await connection.send("M")
            connection.stream("M")
        else:
            calls: dict[str, Callable[[], Awaitable[object]]] = {
                "invoke": lambda: connection.invoke("M"),
                "send": lambda: connection.send("M"),
                "stream": lambda: anext(connection.stream("M")),
            }
            for action, refused in calls.items():
                with pytest.raises(InvalidStateError) as caught:
                    await refused()
                assert (caught.value.action, caught.value.state) == (action, state.value)
                expected = CALL_REFUSED.format(action, shown)
                if state is State.DISCONNECTED:
                    expected = expected.replace(" (", " Did you forget to await start()? (")
                assert str(caught.value) == expected
        assert (connection.connection_id is not None) == (state in (State.CONNECTED, State.DISCONNECTING))
    assert (connection.state, connection.connection_id) == (State.DISCONNECTED, None)


@pytest.mark.parametrize("state", State, ids=str)
async def test_handlers_and_callbacks_may_be_added_and_removed_in_every_state(state: State, wire: Wire) -> None:
    """They belong to the `HubConnection`, not to one physical connection."""
    async with asyncio.timeout(20), in_state(state, wire) as connection:
        with connection.on("M", lambda: None):
            pass
        connection.off("M")
        connection.on_unhandled(lambda _target, _arguments: None)
        connection.on_close(lambda _error: None)


@pytest.mark.parametrize("state", State, ids=str)
async def test_stop_works_in_every_state(state: State, wire: Wire) -> None:
    """Also if it is called several times; `on_close` runs only if the connection had been established."""
    async with asyncio.timeout(20):
        async with in_state(state, wire) as connection:
            events = EventRecorder(connection)
        await asyncio.gather(connection.stop(), connection.stop())
        assert connection.state is State.DISCONNECTED
        stood = state not in (State.DISCONNECTED, State.CONNECTING)
        assert [(event.name, event.argument, event.state) for event in events.seen] == [
            ("closed", None, State.DISCONNECTED)
        ] * stood
        await connection.wait_closed()


# a start that does not complete


@dataclass
class Stage:
    """A stage at which a start is blocked.

    Attributes:
        reached: set when the start has reached the stage.
        url: the URL of the server.
        options: options for `with_url`.
    """

    url: str
    options: dict[str, bool | HttpTransportType] = field(default_factory=dict)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def connection(self) -> HubConnection:
        """Return a connection whose start will block at this stage."""
        return HubConnectionBuilder().with_url(self.url, **self.options).build()  # type: ignore[arg-type]  # options of with_url


@pytest.fixture(params=["negotiate", "connect", "handshake"])
async def stage(request: pytest.FixtureRequest, scripted: ScriptedServer) -> AsyncIterator[Stage]:
    """Each stage of a start in turn."""
    stage = Stage(scripted.url)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request, send no response, and close when the client closes."""
        await reader.readuntil(b"\r\n\r\n")
        stage.reached.set()
        await reader.read()
        writer.close()

    async def silent(peer: WirePeer) -> None:
        await peer.take_handshake()
        stage.reached.set()
        await peer.until_closed()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        address = server.sockets[0].getsockname()
        mute_url = f"http://127.0.0.1:{address[1]}/hub"
        match request.param:
            case "negotiate":
                stage.url = mute_url
            case "connect":
                stage.url = mute_url
                stage.options = {"skip_negotiation": True, "transports": HttpTransportType.WEB_SOCKETS}
            case "handshake":
                Wire(scripted, JsonHubProtocol()).play(silent)
        yield stage


async def test_stop_ends_a_start_at_every_stage(stage: Stage) -> None:
    """`start` raises an error, no event is fired, and the connection can be started again."""
    connection = stage.connection()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        for _ in range(2):
            stage.reached.clear()
            starting = asyncio.create_task(connection.start())
            waiting = asyncio.create_task(connection.wait_closed())
            await stage.reached.wait()
            await asyncio.gather(connection.stop(), connection.stop())
            assert connection.state is State.DISCONNECTED
            with pytest.raises(ConnectionClosedError) as caught:
                await starting
            assert str(caught.value) == STOPPED_DURING_START
            await waiting
    assert events.seen == []


async def test_cancelling_a_start_at_every_stage_closes_its_sockets(stage: Stage) -> None:
    """The sockets are closed when the cancelled `start` returns."""
    connection = stage.connection()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        for _ in range(2):
            stage.reached.clear()
            starting = asyncio.create_task(connection.start())
            await stage.reached.wait()
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            assert connection.state is State.DISCONNECTED
            await connection.wait_closed()
    assert events.seen == []


async def test_asyncio_timeout_works_around_start(stage: Stage) -> None:
    connection = stage.connection()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await connection.start()
    assert connection.state is State.DISCONNECTED


async def test_cancelling_a_start_before_its_first_step_sends_nothing(wire: Wire) -> None:
    connection = wire.connection()
    starting = asyncio.create_task(connection.start())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert connection.state is State.DISCONNECTED
    assert wire.server.requests == []


async def test_a_second_start_does_not_disturb_the_first(wire: Wire) -> None:
    """The second start fails, and the first one connects."""
    wire.play(echo)
    connection = wire.connection()
    async with asyncio.timeout(10):
        first, second = await asyncio.gather(connection.start(), connection.start(), return_exceptions=True)
        assert first is None
        assert isinstance(second, InvalidStateError)
        assert await connection.invoke("Echo", "here") == "here"
        await connection.stop()


# failed starts


async def refuse(peer: WirePeer) -> None:
    """Respond to the handshake with an error."""
    await peer.take_handshake()
    await peer.write(b'{"error":"not today"}\x1e')
    await peer.until_closed()


async def close_immediately(peer: WirePeer) -> None:
    """Close the connection instead of responding to the handshake."""
    await peer.take_handshake()
    await peer.socket.close(code=1000)


async def stay_silent(peer: WirePeer) -> None:
    """Send no handshake response."""
    await peer.take_handshake()
    await peer.until_closed()


async def send_half_a_response(peer: WirePeer) -> None:
    """Send half a handshake response and close the connection."""
    await peer.take_handshake()
    await peer.write(b"{")
    await peer.socket.close(code=1000)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (refuse, "Unable to complete handshake with the server due to an error: not today"),
        (close_immediately, "The server disconnected before sending a handshake response."),
        (send_half_a_response, "The server disconnected before sending a handshake response."),
        (stay_silent, "The handshake timed out after 0.2 seconds."),
    ],
)
async def test_a_failed_handshake_fails_only_the_start(
    script: Callable[[WirePeer], Awaitable[None]], text: str, wire: Wire
) -> None:
    """`start` raises the error, no event is fired, the policy is not called, and a new start may succeed."""
    wire.play(script, echo)
    connection = wire.builder().with_handshake_timeout(0.2).with_automatic_reconnect([0, 0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        with pytest.raises(HandshakeError) as caught:
            await connection.start()
        assert str(caught.value) == text
        assert connection.state is State.DISCONNECTED
        assert len(wire.peers) == 1
        await connection.wait_closed()
        assert events.seen == []
        await connection.start()
        assert await connection.invoke("Echo", 1) == 1
        await connection.stop()
    assert events.names == ["closed"]


async def test_the_client_closes_the_websocket_after_a_rejected_handshake(wire: Wire) -> None:
    """With a close frame of code 1000, so that the server does not keep a half-open connection."""
    wire.play(refuse)
    async with asyncio.timeout(10):
        with pytest.raises(HandshakeError):
            await wire.connection().start()
        [peer] = wire.peers
        while peer.close_code is None:
            await asyncio.sleep(0)
    assert peer.close_code == 1000
    assert peer.got == []


async def test_async_with_raises_the_error_of_the_start(wire: Wire) -> None:
    """The block is not entered."""
    wire.server.negotiate = {"error": "closed"}
    entered = False
    with pytest.raises(NegotiationError, match="closed"):
        async with wire.connection():
            entered = True
    assert not entered


async def test_start_raises_the_exception_of_the_token_factory(wire: Wire) -> None:
    """The exception is raised unchanged."""

    async def factory() -> str:
        raise LookupError("no token available")

    wire.play(stay)
    connection = wire.connection(access_token_factory=factory)
    with pytest.raises(LookupError, match="no token available"):
        await connection.start()
    assert connection.state is State.DISCONNECTED


# the first messages


async def test_messages_after_the_handshake_response_are_delivered_in_order(wire: Wire) -> None:
    """In the same frame, in later frames, and byte by byte."""
    got: list[int] = []
    complete = asyncio.Event()

    async def script(peer: WirePeer) -> None:
        await peer.take_handshake()
        await peer.write(b"{")
        split = peer.encode(call("M", 2))
        await peer.write(b"}\x1e" + peer.encode(call("M", 0), call("M", 1)) + split[:5])
        for byte in split[5:]:
            await peer.write(bytes([byte]))
        await peer.send(call("M", 3), call("Done"))
        await peer.until_closed()

    wire.play(script)
    connection = wire.connection()
    connection.on("M", got.append)
    connection.on("Done", complete.set)
    async with asyncio.timeout(10):
        await connection.start()
        await complete.wait()
        await connection.stop()
    assert got == [0, 1, 2, 3]


async def test_a_handler_for_a_message_in_the_first_frame_may_invoke(wire: Wire) -> None:
    """The connection is connected when the handler runs, before or after `start` has returned."""
    answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(call("M"))
        await peer.answer_calls()

    wire.play(script)
    connection = wire.connection()

    @connection.on("M")
    async def handler() -> None:
        assert connection.state is State.CONNECTED
        answered.set_result(await connection.invoke("Echo", "from the handler"))

    async with asyncio.timeout(10):
        await connection.start()
        assert await answered == "from the handler"
        await connection.stop()


async def test_a_close_after_the_handshake_response_does_not_fail_the_start(wire: Wire) -> None:
    """The start succeeds and the connection then ends; calls before the Close are handled."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(call("M", "before"), Close(error="the server is full"), call("M", "behind"))
        await peer.until_closed()

    wire.play(script)
    connection = wire.connection()
    events = EventRecorder(connection)
    got: list[str] = []
    connection.on("M", got.append)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.wait_closed()
        await connection.stop()
    assert str(caught.value) == "The server closed the connection with the following error: the server is full"
    assert got == ["before"]
    assert [(event.name, repr(event.argument)) for event in events.seen] == [("closed", repr(caught.value))]


# stop


async def test_stop_sends_queued_messages_before_close(wire: Wire) -> None:
    """A thousand calls in order, a Close message, and a close frame with code 1000."""
    finished = asyncio.Event()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.until_closed()
        finished.set()

    wire.play(script)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        for number in range(1000):
            await connection.send("Record", number, "x" * 200)
        await connection.stop()
        await finished.wait()
    [peer] = wire.peers
    assert [message.arguments[0] for message in peer.got if isinstance(message, Invocation)] == list(range(1000))
    assert type(peer.got[-1]) is Close
    assert peer.close_code == 1000


async def test_stop_fails_pending_calls(wire: Wire) -> None:
    """Invocations and streams fail, and uploads end. Items that a stream has already received can still be read."""
    upload_left = asyncio.Event()

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.get_running_loop().create_future()
        finally:
            upload_left.set()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        [stream] = await peer.receive_until(StreamInvocation)
        assert isinstance(stream, StreamInvocation)
        await peer.send(StreamItem(invocation_id=stream.invocation_id, item="first"), call("Ready"))
        await peer.until_closed()

    wire.play(script)
    connection, ready = wire.connection(), asyncio.Event()
    connection.on("Ready", ready.set)
    async with asyncio.timeout(10):
        await connection.start()
        waiting = asyncio.create_task(connection.invoke("Never"))
        uploading = asyncio.create_task(connection.invoke("Upload", numbers()))
        stream = connection.stream("Items")
        async with stream:
            await ready.wait()
            await connection.stop()
            assert await anext(stream) == "first"
            for late in (waiting, uploading, anext(stream)):
                with pytest.raises(ConnectionClosedError) as caught:
                    await late
                assert str(caught.value) == CLOSED_UNDER_A_CALL
        assert upload_left.is_set()
    [peer] = wire.peers
    assert not any(isinstance(message, CancelInvocation) for message in peer.got)


async def test_stop_in_a_handler_does_not_wait_for_the_handler(wire: Wire) -> None:
    """Calls that were received before are still handled afterwards."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(call("Stop"), call("M", "behind"))
        await peer.until_closed()

    wire.play(script)
    connection = wire.connection()
    got: list[str] = []
    stopped = asyncio.Event()
    connection.on("M", got.append)

    @connection.on("Stop")
    async def stop() -> None:
        await connection.stop()
        assert connection.state is State.DISCONNECTED
        stopped.set()

    async with asyncio.timeout(10):
        await connection.start()
        await connection.wait_closed()
        await connection.stop()
        assert stopped.is_set()
    assert got == ["behind"]


async def test_stop_in_a_handler_with_a_client_result_drops_the_result(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """The dropped result is logged."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(call("Ask", invocation_id="7"))
        await peer.until_closed()

    wire.play(script)
    connection = wire.connection()

    @connection.on("Ask")
    async def answer() -> int:
        await connection.stop()
        return 5

    async with asyncio.timeout(10):
        await connection.start()
        await connection.wait_closed()
        await connection.stop()
    assert "the result of 'Ask' was dropped" in caplog.text
    [peer] = wire.peers
    assert not any(isinstance(message, Completion) for message in peer.got)


async def test_a_handler_may_stop_and_start_its_connection(wire: Wire) -> None:
    """The new connection works, and the old one ends with the handler."""

    async def restart_me(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(call("Restart"))
        await peer.until_closed()

    wire.play(restart_me, echo)
    connection, restarted = wire.connection(), asyncio.Event()

    @connection.on("Restart")
    async def restart() -> None:
        await connection.stop()
        await connection.start()
        restarted.set()

    async with asyncio.timeout(10):
        await connection.start()
        await restarted.wait()
        assert await connection.invoke("Echo", "new life") == "new life"
        await connection.stop()
    assert connection.state is State.DISCONNECTED


async def test_stop_in_an_on_close_callback_returns(wire: Wire) -> None:
    """The connection is already closed."""

    async def close(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(Close())
        await peer.until_closed()

    wire.play(close)
    connection, returned = wire.connection(), asyncio.Event()

    @connection.on_close
    async def stop(_error: Exception | None) -> None:
        await connection.stop()
        await connection.wait_closed()
        returned.set()

    async with asyncio.timeout(10):
        await connection.start()
        await returned.wait()
        await connection.stop()


async def test_cancelling_stop_does_not_undo_it(wire: Wire) -> None:
    """The connection still ends."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(call("M"))
        await peer.until_closed()

    wire.play(script)
    connection, begun, release = wire.connection(), asyncio.Event(), asyncio.Event()

    @connection.on("M")
    async def handler() -> None:
        begun.set()
        await release.wait()

    async with asyncio.timeout(10):
        await connection.start()
        await begun.wait()
        stopping = asyncio.create_task(connection.stop())
        await asyncio.sleep(0)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        release.set()
        await connection.wait_closed()
        assert connection.state is State.DISCONNECTED
        await connection.stop()
    [peer] = wire.peers
    assert type(peer.got[-1]) is Close


async def test_stop_returns_after_the_on_close_callbacks(wire: Wire) -> None:
    """They run in order of registration, and each is awaited."""
    wire.play(stay)
    connection = wire.connection()
    order: list[str] = []

    @connection.on_close
    async def slow(_error: Exception | None) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        order.append("slow")

    @connection.on_close
    def quick(_error: Exception | None) -> None:
        order.append("quick")

    async with asyncio.timeout(10):
        await connection.start()
        await connection.stop()
    assert order == ["slow", "quick"]


# the end of a connection


async def test_wait_closed_raises_the_error_passed_to_on_close(wire: Wire) -> None:
    """For all waiters, and for later calls until the next start."""

    async def full(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(Close(error="the server is full"))
        await peer.until_closed()

    wire.play(full, stay)
    connection = wire.connection()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        outcomes = await asyncio.gather(*(connection.wait_closed() for _ in range(3)), return_exceptions=True)
        event = await events.wait("closed")
        assert [repr(outcome) for outcome in outcomes] == [repr(event.argument)] * 3
        assert isinstance(event.argument, ConnectionClosedError)
        assert (
            len({id(error) for error in (event.argument, *outcomes)}) == 4
        )  # separate exception objects, because each raise extends the traceback
        with pytest.raises(ConnectionClosedError, match="the server is full"):
            await connection.wait_closed()
        await connection.stop()
        with pytest.raises(ConnectionClosedError, match="the server is full"):
            await connection.wait_closed()
        await connection.start()
        await connection.stop()
        await connection.wait_closed()
    assert [repr(event.argument) for event in events.seen] == [repr(outcomes[0]), "None"]


async def test_a_lost_connection_can_be_started_again_when_a_call_fails(wire: Wire) -> None:
    """The state is already Disconnected when the call raises its error."""

    async def drop_the_call(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.receive_until(Invocation)

    wire.play(drop_the_call, echo)
    connection = wire.connection()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        try:
            await connection.invoke("Echo", 1)
        except ConnectionClosedError:
            assert connection.state is State.DISCONNECTED
            await connection.start()
        assert await connection.invoke("Echo", 2) == 2
        await connection.stop()
    assert [type(event.argument) for event in events.seen] == [ConnectionClosedError, type(None)]


async def test_each_start_is_a_new_connection(wire: Wire) -> None:
    """It negotiates again, requests a new token, and its invocation ids start at 1."""
    wire.play(echo)
    tokens = iter("abc")
    connection = wire.connection(access_token_factory=lambda: next(tokens))
    async with asyncio.timeout(10):
        for number in range(3):
            tokens = iter(f"{number}{number}")
            await connection.start()
            assert await connection.invoke("Echo", number) == number
            await connection.stop()
    calls = [[message for message in peer.got if isinstance(message, Invocation)] for peer in wire.peers]
    assert [[message.invocation_id for message in each] for each in calls] == [["1"]] * 3
    assert [request.headers["Authorization"] for request in wire.negotiations] == ["Bearer 0", "Bearer 1", "Bearer 2"]


async def test_a_given_session_is_not_closed(wire: Wire) -> None:
    """After a start, a failed start and a stop; only the sockets are closed."""
    wire.play(stay, refuse)
    async with aiohttp.ClientSession() as session, asyncio.timeout(10):
        connection = wire.connection(session=session)
        await connection.start()
        await connection.stop()
        with pytest.raises(HandshakeError):
            await connection.start()
        assert not session.closed
    assert len(wire.peers) == 2


@pytest.mark.interop
def test_a_connection_can_be_used_in_several_event_loops_in_turn(aspnetcore_url: str, hub_protocol: HubProtocol) -> None:
    """After a stop, nothing refers to the event loop any more."""
    connection = HubConnectionBuilder().with_url(f"{aspnetcore_url}/testhub").with_hub_protocol(hub_protocol).build()

    async def main() -> object:
        async with connection, asyncio.timeout(10):
            return await connection.invoke("Add", 1, 2)

    assert [asyncio.run(main()) for _ in range(2)] == [3, 3]


# the write limit


async def test_send_waits_at_the_write_limit(wire: Wire) -> None:
    """Below the limit `send` does not yield to the event loop; above it waits for the network. Cancelling the wait loses no message."""
    release = asyncio.Event()

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await release.wait()
        peer.transport.resume_reading()
        await peer.answer_calls()

    wire.play(deaf)
    connection = wire.connection()
    async with asyncio.timeout(20):
        await connection.start()
        sent = 0
        while True:  # until the socket buffers are full
            sending = asyncio.create_task(connection.send("M", sent, "x" * WRITE_LIMIT))
            sent += 1
            done, _ = await asyncio.wait({sending}, timeout=0.2)
            if not done:
                break
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        stuck = asyncio.create_task(connection.invoke("Echo", "still here"))
        await asyncio.sleep(0)
        assert not stuck.done()
        release.set()
        assert await stuck == "still here"
        await connection.stop()
    [peer] = wire.peers
    numbers = [message.arguments[0] for message in peer.got if isinstance(message, Invocation) and message.target == "M"]
    assert numbers == list(range(sent))


async def test_a_waiting_send_returns_when_the_connection_ends(wire: Wire) -> None:
    cut = asyncio.Event()

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await cut.wait()

    wire.play(deaf)
    connection = wire.connection()
    async with asyncio.timeout(20):
        await connection.start()
        sending = [asyncio.create_task(connection.send("M", "x" * 1_000_000)) for _ in range(30)]
        invoking = asyncio.create_task(connection.invoke("M"))
        await asyncio.sleep(0)
        cut.set()
        with pytest.raises(ConnectionClosedError):
            await connection.wait_closed()
        await asyncio.gather(*sending)
        with pytest.raises(ConnectionClosedError):
            await invoking
        await connection.stop()


async def test_an_invocation_that_waits_may_be_cancelled_just_when_the_connection_ends(wire: Wire) -> None:
    """Nobody is interested in its error then, so it is not reported as one that was never retrieved."""
    cut = asyncio.Event()

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await cut.wait()

    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    wire.play(deaf)
    connection = wire.connection()
    async with asyncio.timeout(20):
        await connection.start()

        async def send_then_cancel() -> None:
            await connection.send("M", "x" * 30_000_000)
            invoking.cancel()  # the end wakes those who wait in order, so this one has not noticed it

        sending = asyncio.create_task(send_then_cancel())
        await asyncio.sleep(0)
        invoking = asyncio.create_task(connection.invoke("M"))
        await asyncio.sleep(0)
        cut.set()
        await sending
        with pytest.raises(asyncio.CancelledError):
            await invoking
        await connection.stop()
    gc.collect()
    assert reported == []


async def test_a_ping_is_the_first_message_and_close_the_last(wire: Wire) -> None:
    """If no calls are made."""
    wire.play(stay)
    async with asyncio.timeout(10):
        async with wire.connection():
            pass
        [peer] = wire.peers
        while peer.close_code is None:
            await asyncio.sleep(0)
    assert [type(message) for message in peer.got] == [Ping, Close]

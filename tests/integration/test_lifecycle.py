"""A life against peers that hold it up at each stage. Spec: client-behaviour.md, "B1", "B8", "B9", "E1" to "E3", "E11", "E12"."""

from __future__ import annotations

import asyncio
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
from signalr_client.client.link import WRITE_LIMIT
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
    """Return a server's call."""
    if invocation_id is None:
        return Invocation(target=target, arguments=list(arguments))
    return Invocation(target=target, arguments=list(arguments), invocation_id=invocation_id)


# what may be called when


@asynccontextmanager
async def in_state(state: State, wire: Wire) -> AsyncIterator[HubConnection]:
    """Yield a connection that is in *state* and stays there for the length of the block."""
    held, release = asyncio.Event(), asyncio.Event()

    async def silent(_request: web.Request) -> object:
        held.set()
        await release.wait()
        return OFFER

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        assert peer.request.transport is not None
        peer.request.transport.pause_reading()
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
        case State.DISCONNECTING:  # what was sent has to leave first, and the peer takes nothing
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
async def test_each_call_is_refused_or_taken_according_to_the_state(state: State, wire: Wire) -> None:
    """With the official text, the action and the state; what is refused changes nothing."""
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
    """They belong to the connection, not to a state of it."""
    async with asyncio.timeout(20), in_state(state, wire) as connection:
        with connection.on("M", lambda: None):
            pass
        connection.off("M")
        connection.on_unhandled(lambda _target, _arguments: None)
        connection.on_close(lambda _error: None)


@pytest.mark.parametrize("state", State, ids=str)
async def test_stop_leads_from_every_state_to_disconnected(state: State, wire: Wire) -> None:
    """However many want it; only a connection that stood is told that it closed."""
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


# a start that does not come to its end


@dataclass
class Stage:
    """A start that is held up, and the way to let go of it.

    Attributes:
        reached: set when the start has come there.
        url: the address that leads there.
        options: for `with_url`.
    """

    url: str
    options: dict[str, bool | HttpTransportType] = field(default_factory=dict)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def connection(self) -> HubConnection:
        """Return a connection whose start will stay at this stage."""
        return HubConnectionBuilder().with_url(self.url, **self.options).build()  # type: ignore[arg-type]  # with_url's own


@pytest.fixture(params=["negotiate", "connect", "handshake"])
async def stage(request: pytest.FixtureRequest, scripted: ScriptedServer) -> AsyncIterator[Stage]:
    """Each of the stages of a start in turn."""
    stage = Stage(scripted.url)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a request, answer nothing, and go when the client goes."""
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
    """The start raises, nobody is told of a close, and a new start is possible."""
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


async def test_cancelling_a_start_at_every_stage_leaves_nothing_open(stage: Stage) -> None:
    """When the cancelled start returns, the sockets are closed already."""
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


async def test_a_timeout_around_start_is_a_cancel(stage: Stage) -> None:
    """As `asyncio.timeout` promises."""
    connection = stage.connection()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await connection.start()
    assert connection.state is State.DISCONNECTED


async def test_cancelling_a_start_before_its_first_step_is_no_start(wire: Wire) -> None:
    """Nothing is asked of the server."""
    connection = wire.connection()
    starting = asyncio.create_task(connection.start())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert connection.state is State.DISCONNECTED
    assert wire.server.requests == []


async def test_a_second_start_does_not_disturb_the_first(wire: Wire) -> None:
    """It is refused; the first one connects."""
    wire.play(echo)
    connection = wire.connection()
    async with asyncio.timeout(10):
        first, second = await asyncio.gather(connection.start(), connection.start(), return_exceptions=True)
        assert first is None
        assert isinstance(second, InvalidStateError)
        assert await connection.invoke("Echo", "here") == "here"
        await connection.stop()


# a start that fails


async def refuse(peer: WirePeer) -> None:
    """Answer the handshake with an error."""
    await peer.take_handshake()
    await peer.write(b'{"error":"not today"}\x1e')
    await peer.until_closed()


async def close_at_once(peer: WirePeer) -> None:
    """Close instead of answering the handshake."""
    await peer.take_handshake()
    await peer.socket.close(code=1000)


async def say_nothing(peer: WirePeer) -> None:
    """Leave the handshake unanswered."""
    await peer.take_handshake()
    await peer.until_closed()


async def answer_half(peer: WirePeer) -> None:
    """Begin an answer to the handshake and close."""
    await peer.take_handshake()
    await peer.write(b"{")
    await peer.socket.close(code=1000)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (refuse, "Unable to complete handshake with the server due to an error: not today"),
        (close_at_once, "The server disconnected before sending a handshake response."),
        (answer_half, "The server disconnected before sending a handshake response."),
        (say_nothing, "The handshake timed out after 0.2 seconds."),
    ],
)
async def test_a_handshake_that_fails_is_no_life(script: Callable[[WirePeer], Awaitable[None]], text: str, wire: Wire) -> None:
    """Start raises once, no event is fired, the policy is not asked, and a new start may succeed."""
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


async def test_a_refused_handshake_is_closed_by_the_client_too(wire: Wire) -> None:
    """With a close frame of code 1000; the server is not left with half a connection."""
    wire.play(refuse)
    async with asyncio.timeout(10):
        with pytest.raises(HandshakeError):
            await wire.connection().start()
        [peer] = wire.peers
        while peer.close_code is None:
            await asyncio.sleep(0)
    assert peer.close_code == 1000
    assert peer.got == []


async def test_async_with_does_not_enter_when_the_start_fails(wire: Wire) -> None:
    """The error of the start comes out."""
    wire.server.negotiate = {"error": "closed"}
    entered = False
    with pytest.raises(NegotiationError, match="closed"):
        async with wire.connection():
            entered = True
    assert not entered


async def test_what_a_token_factory_raises_comes_out_of_start(wire: Wire) -> None:
    """As it is: it is the caller's own."""

    async def factory() -> str:
        raise LookupError("no token in the drawer")

    wire.play(stay)
    connection = wire.connection(access_token_factory=factory)
    with pytest.raises(LookupError, match="no token in the drawer"):
        await connection.start()
    assert connection.state is State.DISCONNECTED


# the first frames


async def test_messages_behind_the_handshake_answer_are_delivered_in_order(wire: Wire) -> None:
    """In the frame of the answer, across frames, and byte by byte."""
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


async def test_a_handler_of_the_first_frame_finds_a_connected_connection(wire: Wire) -> None:
    """It may call the server at once, before `start` has returned or after."""
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


async def test_a_close_behind_the_handshake_answer_comes_after_the_start(wire: Wire) -> None:
    """The start went well; then the connection ended, and the calls before the Close were handed out."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(call("M", "before"), Close(error="full house"), call("M", "behind"))
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
    assert str(caught.value) == "The server closed the connection with the following error: full house"
    assert got == ["before"]
    assert [(event.name, repr(event.argument)) for event in events.seen] == [("closed", repr(caught.value))]


# stop


async def test_stop_lets_everything_leave_then_says_goodbye(wire: Wire) -> None:
    """A thousand calls in their order, a Close message, and a close frame with code 1000."""
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


async def test_stop_fails_the_calls_that_wait(wire: Wire) -> None:
    """Invocations and streams alike, and an upload ends; what the stream had already is still read first."""
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


async def test_stop_from_a_handler_returns_before_the_handler_does(wire: Wire) -> None:
    """Calls that came before the end are still handed out behind it."""

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


async def test_stop_from_a_handler_whose_result_the_server_waits_for(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """The result has no way to go; the log says so."""

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
    """The new life is as good as the old one, and the old one ends with the handler."""

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


async def test_stop_from_a_callback_of_the_close_returns(wire: Wire) -> None:
    """There is nothing left to stop."""

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
    """The connection ends all the same."""

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


async def test_stop_returns_after_the_callbacks_of_the_close(wire: Wire) -> None:
    """In the order of their registration, each awaited."""
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


# the end


async def test_wait_closed_raises_what_on_close_gets(wire: Wire) -> None:
    """For everybody who waits, and for who comes later, until the next start."""

    async def full(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(Close(error="full house"))
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
        assert len({id(error) for error in (event.argument, *outcomes)}) == 4  # each raise adds to a traceback of its own
        with pytest.raises(ConnectionClosedError, match="full house"):
            await connection.wait_closed()
        await connection.stop()
        with pytest.raises(ConnectionClosedError, match="full house"):
            await connection.wait_closed()
        await connection.start()
        await connection.stop()
        await connection.wait_closed()
    assert [repr(event.argument) for event in events.seen] == [repr(outcomes[0]), "None"]


async def test_a_lost_connection_can_be_started_again_where_a_call_failed(wire: Wire) -> None:
    """The state says so already when the caller hears of it."""

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
    """It negotiates anew, asks for a token anew, and counts its calls from 1."""
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


async def test_a_session_of_the_callers_is_left_open(wire: Wire) -> None:
    """Through a start, a failed start and a stop; the socket itself is closed."""
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
def test_a_connection_serves_one_event_loop_after_another(aspnetcore_url: str, hub_protocol: HubProtocol) -> None:
    """Nothing of a life outlives it, so the next may be in another loop."""
    connection = HubConnectionBuilder().with_url(f"{aspnetcore_url}/testhub").with_hub_protocol(hub_protocol).build()

    async def main() -> object:
        async with connection, asyncio.timeout(10):
            return await connection.invoke("Add", 1, 2)

    assert [asyncio.run(main()) for _ in range(2)] == [3, 3]


# the write limit


async def test_send_waits_at_the_write_limit_and_goes_on(wire: Wire) -> None:
    """Below it a send does not even give up its turn; above it waits for the network, and cancelling the wait loses nothing."""
    release = asyncio.Event()

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        assert peer.request.transport is not None
        peer.request.transport.pause_reading()
        await release.wait()
        peer.request.transport.resume_reading()
        await peer.answer_calls()

    wire.play(deaf)
    connection = wire.connection()
    async with asyncio.timeout(20):
        await connection.start()
        sent = 0
        while True:  # until the network takes no more
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


async def test_a_sender_that_waits_is_let_go_when_the_connection_ends(wire: Wire) -> None:
    """It does not hang on a peer that is gone."""
    cut = asyncio.Event()

    async def deaf(peer: WirePeer) -> None:
        await peer.shake_hands()
        assert peer.request.transport is not None
        peer.request.transport.pause_reading()
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


async def test_a_ping_is_the_first_message_and_close_the_last(wire: Wire) -> None:
    """A life in which nothing is called."""
    wire.play(stay)
    async with asyncio.timeout(10):
        async with wire.connection():
            pass
        [peer] = wire.peers
        while peer.close_code is None:
            await asyncio.sleep(0)
    assert [type(message) for message in peer.got] == [Ping, Close]

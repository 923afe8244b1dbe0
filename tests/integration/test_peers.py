"""Servers that send unusual or invalid data, close at unexpected times, or do not read."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from aiohttp import WSMsgType

from signalr_client import (
    ConnectionClosedError,
    HandshakeError,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    HubException,
    InvalidStateError,
    MessagePackHubProtocol,
    ProtocolError,
    ServerTimeoutError,
    SignalRError,
)
from signalr_client.client.outgoing import WRITE_LIMIT
from tests.support.scripted_server import SEPARATOR, Peer, ScriptedServer, scripted_server


def build(server: ScriptedServer, **options: object) -> HubConnection:
    """Return a connection to the scripted server."""
    return HubConnectionBuilder().with_url(server.url, **options).build()  # type: ignore[arg-type]  # options of with_url


# handshake


async def test_the_handshake_request_is_followed_by_a_ping() -> None:
    """The server's client timeout starts with the first ping."""
    frames: list[list[dict[str, object]]] = []

    async def script(peer: Peer) -> None:
        frames.append(await peer.shake_hands())
        frames.append(await peer.receive())
        await peer.until_closed()

    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        await connection.start()
        async with asyncio.timeout(5):
            while len(frames) < 2:
                await asyncio.sleep(0)
        await connection.stop()
    assert frames == [[{"protocol": "json", "version": 1}], [{"type": 6}]]


async def test_a_binary_protocol_sends_the_handshake_in_a_binary_frame() -> None:
    """The handshake itself is still JSON."""
    frames = []

    async def script(peer: Peer) -> None:
        frame = await peer.socket.receive()
        frames.append((frame.type, frame.data))
        await peer.socket.send_bytes(b"{}\x1e")
        await peer.until_closed()

    async with scripted_server() as server:
        server.script = script
        connection = HubConnectionBuilder().with_url(server.url).with_hub_protocol(MessagePackHubProtocol()).build()
        await connection.start()
        await connection.stop()
    assert frames == [(WSMsgType.BINARY, b'{"protocol":"messagepack","version":1}\x1e')]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        ('{"error":"no such protocol"}', HandshakeError, "due to an error: no such protocol"),
        ('{"type":6}', HandshakeError, "Expected a handshake response from the server."),
        ("<html>", HandshakeError, "The server's handshake response cannot be read"),
    ],
)
async def test_a_failed_handshake_fails_the_start(answer: str, error: type[SignalRError], text: str) -> None:
    """With the error sent by the server."""

    async def script(peer: Peer) -> None:
        await peer.receive()
        await peer.socket.send_str(answer + SEPARATOR)
        await peer.until_closed()

    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        with pytest.raises(error, match=text):
            await connection.start()
        assert connection.state is HubConnectionState.DISCONNECTED


async def test_a_close_during_the_handshake_fails_the_start() -> None:
    """With a close frame, or without one."""

    async def close(peer: Peer) -> None:
        await peer.receive()
        await peer.socket.close(code=1000)

    async def vanish(peer: Peer) -> None:
        await peer.receive()

    async with scripted_server() as server:
        server.script = close
        with pytest.raises(HandshakeError, match="The server disconnected before sending a handshake response"):
            await build(server).start()
        server.script = vanish
        with pytest.raises(SignalRError, match="without completing the close handshake"):
            await build(server).start()


async def test_the_handshake_times_out() -> None:

    async def script(peer: Peer) -> None:
        await peer.receive()
        await peer.until_closed()

    async with scripted_server() as server:
        server.script = script
        connection = HubConnectionBuilder().with_url(server.url).with_handshake_timeout(0.05).build()
        with pytest.raises(HandshakeError, match=r"The handshake timed out after 0\.05 seconds\."):
            await connection.start()


async def test_stop_and_cancellation_end_a_pending_handshake() -> None:
    """Both close the socket."""
    codes = []
    waiting = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.receive()
        waiting.set()
        codes.append(await peer.until_closed())

    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        starting = asyncio.create_task(connection.start())
        await waiting.wait()
        await connection.stop()
        with pytest.raises(ConnectionClosedError, match="stopped before the hub handshake could complete"):
            await starting
        waiting.clear()
        starting = asyncio.create_task(connection.start())
        await waiting.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert connection.state is HubConnectionState.DISCONNECTED
    assert codes == [1000, 1000]


async def test_messages_after_the_handshake_response_are_processed() -> None:
    """All in the same frame, except the end of the last message."""
    call = {"type": 1, "target": "M", "arguments": [1]}
    text = json.dumps(call | {"arguments": [3]}) + SEPARATOR

    async def script(peer: Peer) -> None:
        await peer.receive()
        await peer.send({}, call, call | {"arguments": [2]}, more=text[:10])
        for character in text[10:]:
            await peer.socket.send_str(character)
        await peer.until_closed()

    got: list[int] = []
    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        connection.on("M", got.append)
        await connection.start()
        async with asyncio.timeout(5):
            while len(got) < 3:
                await asyncio.sleep(0)
        await connection.stop()
    assert got == [1, 2, 3]


# messages


async def test_unknown_messages_are_ignored() -> None:
    """Unknown types and members, unexpected results, and message types that are not sent to clients."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send(
            {"type": 42, "whatever": True},
            {"type": 3, "invocationId": "99", "result": 1},
            {"type": 2, "invocationId": "99", "item": 1},
            {"type": 4, "invocationId": "1", "target": "M", "arguments": []},
            {"type": 5, "invocationId": "1"},
            {"type": 8, "sequenceId": 3},
            {"type": 9, "sequenceId": 1},
            {"type": 1, "target": "M", "arguments": ["still here"], "unknown": {}},
        )
        await peer.until_closed()

    got: list[str] = []
    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        connection.on("M", got.append)
        await connection.start()
        async with asyncio.timeout(5):
            while not got:
                await asyncio.sleep(0)
        await connection.stop()
    assert got == ["still here"]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ("{", "Error reading JSON"),
        ("[]", "Unexpected JSON Token Type 'array'"),
        ("{}", "Missing required property 'type'"),
        ('{"type":1,"arguments":[]}', "Missing required property 'target'"),
        ('{"type":1,"target":7,"arguments":[]}', "Expected 'target' to be of type String"),
        ('{"type":3,"invocationId":"1","error":"e","result":1}', "mutually exclusive"),
    ],
)
async def test_malformed_data_ends_the_connection(record: str, text: str) -> None:
    """Pending calls fail, and on_close gets the error."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        while not any(message.get("type") == 1 for message in await peer.receive()):
            pass
        await peer.socket.send_str(record + SEPARATOR)
        await peer.until_closed()

    closed: list[Exception | None] = []
    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        connection.on_close(closed.append)
        await connection.start()
        with pytest.raises(ConnectionClosedError, match=text) as caught:
            await connection.invoke("M")
        assert isinstance(caught.value.__cause__, ProtocolError)
        with pytest.raises(ProtocolError, match=text):
            await connection.wait_closed()
        await connection.stop()
    assert [type(error) for error in closed] == [ProtocolError]


async def test_a_connection_that_ends_within_a_message_has_an_error() -> None:

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.socket.send_str('{"type":1,')
        await peer.socket.close(code=1000)

    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        await connection.start()
        with pytest.raises(ProtocolError, match=r"Connection terminated while reading a message\."):
            await connection.wait_closed()
        await connection.stop()


async def test_a_message_over_the_clients_limit_ends_the_connection() -> None:
    """Earlier messages are processed."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        while not any(message["type"] == 1 for message in await peer.receive()):
            pass
        await peer.send(
            {"type": 1, "target": "M", "arguments": ["small"]}, {"type": 1, "target": "M", "arguments": ["x" * 200]}
        )
        await peer.until_closed()

    got: list[str] = []
    async with scripted_server() as server:
        server.script = script
        connection = build(server, max_message_size=100)
        connection.on("M", got.append)
        await connection.start()
        call = asyncio.create_task(connection.invoke("Never"))
        text = (
            "The server sent a message of more than 100 bytes. To receive it, raise the max_message_size of with_url(), or set it to"
            " None for no limit."
        )
        with pytest.raises(ProtocolError) as caught:
            await connection.wait_closed()
        assert str(caught.value) == text
        with pytest.raises(ConnectionClosedError) as failed:
            await call
        assert str(failed.value).endswith(text)
        assert isinstance(failed.value.__cause__, ProtocolError)
        await connection.stop()
    assert got == ["small"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"type": 2, "item": 1}, "Streaming hub methods must be invoked with the 'stream' method."),
        ({"type": 3, "result": 1}, None),
    ],
)
async def test_a_response_of_the_wrong_kind_fails_only_its_call(answer: dict[str, object], error: str | None) -> None:
    """A stream item for `invoke`, and a result for `stream`."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        while frame := await peer.receive():
            for message in frame:
                if message["type"] in (1, 4):
                    await peer.send(answer | {"invocationId": message["invocationId"]})

    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        await connection.start()
        if error is not None:
            with pytest.raises(ProtocolError, match=error):
                await connection.invoke("M")
        else:
            with pytest.raises(ProtocolError, match="Server provided a result in a completion response to a streamed"):
                await anext(connection.stream("M"))
        assert connection.state is HubConnectionState.CONNECTED
        await connection.stop()


# the end of a connection


@pytest.mark.parametrize(
    ("close", "text", "reconnects"),
    [
        ({"type": 7}, None, False),
        ({"type": 7, "error": "full"}, "The server closed the connection with the following error: full", False),
        ({"type": 7, "allowReconnect": True}, None, True),
        ({"type": 7, "error": "later", "allowReconnect": True}, "following error: later", True),
    ],
)
async def test_a_close_has_a_reason_and_may_allow_a_reconnect(
    close: dict[str, object], text: str | None, *, reconnects: bool
) -> None:
    """Data after the Close in the same frame is ignored."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        await peer.shake_hands()
        if connections == 1:
            await peer.send(close, {"type": 1, "target": "M", "arguments": ["late"]})
        await peer.until_closed()

    got: list[str] = []
    errors: list[Exception | None] = []
    back = asyncio.Event()
    async with scripted_server() as server, asyncio.timeout(10):
        server.script = script
        connection = HubConnectionBuilder().with_url(server.url).with_automatic_reconnect([0]).build()
        connection.on("M", got.append)
        connection.on_reconnecting(errors.append)
        connection.on_reconnected(lambda _: back.set())
        connection.on_close(errors.append)
        await connection.start()
        if reconnects:
            await back.wait()
        elif text is None:
            await connection.wait_closed()
        else:
            with pytest.raises(ConnectionClosedError, match=text):
                await connection.wait_closed()
        await connection.stop()
    assert (connections, got) == (1 + reconnects, [])
    assert text is None or text in str(errors[0])
    assert text is not None or errors[0] is None


@pytest.mark.parametrize(
    ("code", "text"),
    [(1000, None), (1001, "GoingAway"), (1009, "MessageTooBig.*larger than the server accepts"), (4321, "4321")],
)
async def test_a_close_frame_without_a_close_message_ends_the_connection(code: int, text: str | None) -> None:
    """Code 1000 is a normal end, other codes are errors."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.socket.close(code=code)

    async with scripted_server() as server:
        server.script = script
        connection = build(server)
        await connection.start()
        if text is None:
            await connection.wait_closed()
        else:
            with pytest.raises(ConnectionClosedError, match=text):
                await connection.wait_closed()
        await connection.stop()


async def test_on_close_gets_the_last_error_after_failed_attempts() -> None:
    """The official clients do not report it."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()

    async with scripted_server() as server:
        server.script = script
        connection = HubConnectionBuilder().with_url(server.url).with_automatic_reconnect([0, 0, 0]).build()
        events: list[tuple[str, object]] = []
        connection.on_reconnecting(lambda error: events.append(("reconnecting", type(error))))
        connection.on_close(lambda error: events.append(("closed", str(error))))
        await connection.start()
        server.negotiate = {"error": "closed for the night"}
        with pytest.raises(SignalRError, match="closed for the night"):
            await connection.wait_closed()
        await connection.stop()
    [first, (name, text)] = events
    assert (first, name) == (("reconnecting", ConnectionClosedError), "closed")
    assert "closed for the night" in str(text)
    assert sum(request.method == "POST" for request in server.requests) == 1 + 3


async def test_calls_fail_during_a_reconnect_attempt_and_stop_ends_it() -> None:
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()

    async def never(_request: object) -> object:
        asked.set()
        return await asyncio.get_running_loop().create_future()

    async with scripted_server() as server, asyncio.timeout(10):
        server.script = script
        connection = HubConnectionBuilder().with_url(server.url).with_automatic_reconnect([0]).build()
        await connection.start()
        server.negotiate = never
        await asked.wait()
        assert connection.state is HubConnectionState.RECONNECTING
        with pytest.raises(InvalidStateError, match="reconnecting"):
            await connection.send("M")
        await connection.stop()


async def test_a_server_timeout_starts_a_reconnect() -> None:
    async with scripted_server() as server, asyncio.timeout(10):
        builder = HubConnectionBuilder().with_url(server.url).with_server_timeout(0.05)
        connection = builder.with_automatic_reconnect([0]).build()
        lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        connection.on_reconnecting(lambda error: lost.done() or lost.set_result(error))  # type: ignore[func-returns-value]  # called for its side effect
        await connection.start()
        assert isinstance(await lost, ServerTimeoutError)
        await connection.stop()


# sending


async def test_messages_of_one_loop_iteration_are_sent_in_one_frame() -> None:
    """They are sent in order."""
    frames: list[list[dict[str, object]]] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        while frame := await peer.receive():
            frames.append(frame)

    async with scripted_server() as server, asyncio.timeout(10):
        server.script = script
        connection = build(server)
        await connection.start()
        while not frames:  # the ping
            await asyncio.sleep(0)
        await asyncio.gather(*(connection.send("M", number) for number in range(10)))
        while len(frames) < 2:
            await asyncio.sleep(0)
        await connection.stop()
    assert [message["arguments"] for message in frames[1]] == [[number] for number in range(10)]


async def test_senders_wait_while_the_peer_does_not_read() -> None:
    """They continue when it does, and no message is lost."""
    release, payload, count = asyncio.Event(), "x" * 50_000, 300
    got: list[int] = []

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await release.wait()
        peer.transport.resume_reading()
        while frame := await peer.receive():
            got.extend(message["arguments"][0] for message in frame if message["type"] == 1)

    async with scripted_server() as server, asyncio.timeout(20):
        server.script = script
        connection = build(server)
        await connection.start()
        sent = 0

        async def send() -> None:
            nonlocal sent
            for number in range(count):
                await connection.send("M", number, payload)
                sent += 1

        sending = asyncio.create_task(send())
        before = -1
        while before != sent:  # until nothing changes any more
            before = sent
            for _ in range(200):
                await asyncio.sleep(0)
        assert sent < count
        assert sent * len(payload) > WRITE_LIMIT
        release.set()
        await sending
        await connection.stop()
    assert got == list(range(count))


async def test_a_peer_that_does_not_read_cannot_block_stop() -> None:
    """The close timeout limits the wait."""
    ended = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await ended.wait()

    async with scripted_server() as server, asyncio.timeout(20):
        server.script = script
        connection = build(server, close_timeout=0.05)
        await connection.start()
        sending = [asyncio.create_task(connection.send("M", "x" * 1_000_000)) for _ in range(30)]
        for _ in range(100):
            await asyncio.sleep(0)
        await connection.stop()
        ended.set()
        await asyncio.gather(*sending)


async def test_a_handler_that_never_returns_cannot_block_stop(caplog: pytest.LogCaptureFixture) -> None:
    """It is cancelled after the close timeout, which is logged."""
    cancelled, begun = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send({"type": 1, "target": "M", "arguments": []})
        await peer.until_closed()

    async with scripted_server() as server, asyncio.timeout(10):
        server.script = script
        connection = build(server, close_timeout=0.05)

        @connection.on("M")
        async def stuck() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        await connection.start()
        await begun.wait()
        await connection.stop()
        assert cancelled.is_set()
    assert re.search(r"1 handler still running after 0\.\d\d s: cancelled", caplog.text)


async def test_an_error_for_a_cancelled_call_is_ignored() -> None:

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        while frame := await peer.receive():
            for message in frame:
                if message["type"] == 5:
                    await peer.send({"type": 3, "invocationId": message["invocationId"], "error": "late"})
                elif message.get("target") == "M":
                    await peer.send({"type": 3, "invocationId": message["invocationId"], "error": "soon"})

    async with scripted_server() as server, asyncio.timeout(10):
        server.script = script
        connection = build(server)
        await connection.start()
        call = asyncio.create_task(connection.invoke("never"))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(HubException, match="soon"):
            await connection.invoke("M")
        await connection.stop()

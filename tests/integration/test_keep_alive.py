"""Keep-alive pings, timeouts, and data that is not a valid message."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from signalr_client import (
    ConnectionClosedError,
    HandshakeError,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    HubProtocol,
    ProtocolError,
    ServerTimeoutError,
    SignalRError,
)
from signalr_client.core.framing import write_varint
from signalr_client.core.messages import Close, Invocation, Ping
from tests.support.events import EventRecorder
from tests.support.wire import Wire, WirePeer, echo, stay

State = HubConnectionState

PING_BYTES = {"json": b'{"type":6}\x1e', "messagepack": b"\x02\x91\x06"}


def later(delay: float, action: Callable[[], object]) -> None:
    """Run *action* after *delay* seconds. This is the peer's timer; the test itself does not sleep."""
    asyncio.get_running_loop().call_later(delay, action)


# pings of the client


async def test_the_client_pings_immediately_after_the_handshake(wire: Wire) -> None:
    """The server's client timeout starts with this ping. Its bytes are the official ones."""
    frames: asyncio.Queue[object] = asyncio.Queue()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        frames.put_nowait((await peer.socket.receive()).data)
        await peer.until_closed()

    wire.play(script)
    async with wire.connection(), asyncio.timeout(10):
        first = await frames.get()
    assert (first.encode() if isinstance(first, str) else first) == PING_BYTES[wire.protocol.name]


async def test_an_idle_client_pings_at_its_interval(wire: Wire) -> None:
    """Not more often, and as long as it is connected."""
    clock = asyncio.get_running_loop().time
    times: list[float] = []
    enough = asyncio.Event()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        while messages := await peer.receive():
            times.extend(clock() for message in messages if isinstance(message, Ping))
            if len(times) == 5:
                enough.set()

    wire.play(script)
    connection = wire.builder().with_keep_alive_interval(0.1).build()
    async with connection, asyncio.timeout(10):
        await enough.wait()
    assert times[4] - times[0] > 0.3


async def test_a_client_that_sends_messages_does_not_ping(wire: Wire) -> None:
    """Any message replaces a ping; pings resume when the client stops sending."""
    interval = 0.4
    clock = asyncio.get_running_loop().time
    wire.play(echo)
    connection = wire.builder().with_keep_alive_interval(interval).build()
    async with connection, asyncio.timeout(20):
        [peer] = wire.peers
        await peer_got(peer, Ping, 1)
        began = clock()
        longest = 0.0
        while clock() - began < 2 * interval:
            before = clock()
            await connection.invoke("Echo", 1)
            longest = max(longest, clock() - before)
        if longest < interval / 2:  # otherwise the machine was too slow for the check
            assert sum(isinstance(message, Ping) for message in peer.got) == 1
        await peer_got(peer, Ping, 2)


async def peer_got(peer: WirePeer, kind: type, count: int) -> None:
    """Wait until a peer has received *count* messages of a type."""
    while sum(isinstance(message, kind) for message in peer.got) < count:
        await asyncio.sleep(0)


async def test_a_slow_handler_does_not_delay_pings(wire: Wire) -> None:
    release, begun = asyncio.Event(), asyncio.Event()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands(Invocation(target="M", arguments=[]))
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder().with_keep_alive_interval(0.05).build()

    @connection.on("M")
    async def handler() -> None:
        begun.set()
        await release.wait()

    async with connection, asyncio.timeout(10):
        await begun.wait()
        await peer_got(wire.peers[0], Ping, 4)
        release.set()


async def test_no_pings_are_sent_after_close(wire: Wire) -> None:
    """Close is the last message."""
    wire.play(stay)
    connection = wire.builder().with_keep_alive_interval(0.02).build()
    async with asyncio.timeout(10):
        async with connection:
            await peer_got(wire.peers[0], Ping, 3)
        while wire.peers[0].close_code is None:
            await asyncio.sleep(0)
    assert isinstance(wire.peers[0].got[-1], Close)


# silence of the server


async def test_a_silent_server_times_out(wire: Wire) -> None:
    """Calls, streams, wait_closed and on_close get the same error, and the client sends a close frame."""
    wire.play(stay)
    connection = wire.builder().with_server_timeout(0.2).build()
    events = EventRecorder(connection)
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(10):
        await connection.start()
        began = clock()
        waiting = [
            asyncio.create_task(connection.invoke("Never")),
            asyncio.create_task(anext(connection.stream("Never"))),
            asyncio.create_task(connection.wait_closed()),
        ]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        elapsed = clock() - began
        closed = await events.wait("closed")
        await connection.stop()
        while wire.peers[0].close_code is None:
            await asyncio.sleep(0)
    assert 0.15 < elapsed < 5
    for error in (*outcomes, closed.argument):
        assert isinstance(error, ServerTimeoutError)
        assert error.server_timeout == 0.2
        assert error.idle >= 0.2
        assert str(error).startswith("Server timeout (200.00ms) elapsed without receiving a message from the server.")
    assert closed.state is State.DISCONNECTED


async def send_pings(peer: WirePeer) -> None:
    """Send a ping."""
    await peer.send(Ping())


async def send_a_call(peer: WirePeer) -> None:
    """Send an invocation."""
    await peer.send(Invocation(target="Tick", arguments=[]))


@pytest.mark.parametrize("tick", [send_pings, send_a_call])
async def test_any_message_restarts_the_server_timeout(tick: Callable[[WirePeer], Awaitable[None]], wire: Wire) -> None:
    """The response to a call may take any time if the server sends messages in the meantime."""
    timeout, step = 0.5, 0.1
    clock = asyncio.get_running_loop().time

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        began = clock()
        while clock() - began < 2 * timeout:
            wake = asyncio.Event()
            later(step, wake.set)
            await wake.wait()
            await tick(peer)
        await peer.send(Close())
        await peer.until_closed()

    wire.play(script)
    connection = wire.builder().with_server_timeout(timeout).build()
    connection.on("Tick", lambda: None)
    async with asyncio.timeout(10):
        await connection.start()
        began = clock()
        await connection.wait_closed()
        assert clock() - began > 1.5 * timeout
        await connection.stop()


async def test_the_server_timeout_starts_after_the_handshake(wire: Wire) -> None:
    """Before that, the handshake timeout applies."""

    async def slow(peer: WirePeer) -> None:
        await peer.take_handshake()
        wake = asyncio.Event()
        later(0.3, wake.set)
        await wake.wait()
        await peer.write(b"{}\x1e")
        await peer.until_closed()

    wire.play(slow)
    connection = wire.builder().with_server_timeout(0.1).with_handshake_timeout(5).build()
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ServerTimeoutError):
            await connection.wait_closed()
        await connection.stop()


async def test_a_ping_is_not_a_handshake_response(wire: Wire) -> None:

    async def eager(peer: WirePeer) -> None:
        await peer.take_handshake()
        await peer.write(b'{"type":6}\x1e')
        await peer.until_closed()

    wire.play(eager)
    with pytest.raises(HandshakeError, match=r"Expected a handshake response from the server\."):
        await wire.connection().start()


async def test_a_server_that_neither_reads_nor_writes_times_out(wire: Wire) -> None:
    """Senders that wait for buffer space stop waiting."""
    release = asyncio.Event()

    async def frozen(peer: WirePeer) -> None:
        await peer.shake_hands()
        peer.transport.pause_reading()
        await release.wait()

    wire.play(frozen)
    connection = wire.builder(close_timeout=0.1).with_server_timeout(0.3).with_keep_alive_interval(0.05).build()
    async with asyncio.timeout(20):
        await connection.start()
        sending = [asyncio.create_task(connection.send("M", "x" * 1_000_000)) for _ in range(30)]
        with pytest.raises(ServerTimeoutError):
            await connection.wait_closed()
        await asyncio.gather(*sending)
        await connection.stop()
        release.set()


# unknown and invalid messages


async def ignores(wire: Wire, *frames: bytes) -> list[object]:
    """Send *frames* to a client, followed by a call; return what its handler received."""
    got: list[object] = []
    done = asyncio.Event()

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        for frame in frames:
            await peer.write(frame)
        await peer.send(Invocation(target="M", arguments=["still here"]), Invocation(target="Done", arguments=[]))
        await peer.until_closed()

    wire.play(script)
    connection = wire.connection()
    connection.on("M", got.append)
    connection.on("Done", done.set)
    async with connection, asyncio.timeout(10):
        await done.wait()
        assert connection.state is State.CONNECTED
    return got


def packed(*bodies: bytes) -> bytes:
    """Return MessagePack bodies, each prefixed with its length."""
    return b"".join(write_varint(len(body)) + body for body in bodies)


UNKNOWN = {
    "json": [
        b'{"type":42,"target":7,"whatever":{"deep":[1,2]}}\x1e',
        b'{"type":10}\x1e{"type":11,"invocationId":"1"}\x1e',
        b'{"type":6,"extra":true}\x1e',
    ],
    "messagepack": [
        packed(bytes.fromhex("92 2a 80")),
        packed(bytes.fromhex("91 0a"), bytes.fromhex("93 0b 80 a1 31")),
        packed(bytes.fromhex("92 06 c3")),
    ],
}


async def test_unknown_types_and_members_are_ignored(wire: Wire) -> None:
    """Later messages in the same frame are processed."""
    assert await ignores(wire, *UNKNOWN[wire.protocol.name]) == ["still here"]
    joined = b"".join(UNKNOWN[wire.protocol.name])
    assert await ignores(wire, joined) == ["still here"]


async def test_empty_frames_are_ignored(wire: Wire) -> None:
    """Some servers send them."""
    assert await ignores(wire, b"", b"") == ["still here"]


MALFORMED = {
    "json": [
        b"{\x1e",
        b"\x1e",
        b"[1]\x1e",
        b"7\x1e",
        b"null\x1e",
        b"{}\x1e",
        b'{"type":"1"}\x1e',
        b'{"type":1,"target":"M"}\x1e',
        b'{"type":1,"arguments":[]}\x1e',
        b'{"type":1,"target":"M","arguments":{}}\x1e',
        b'{"type":3}\x1e',
        b'{"type":2,"item":1}\x1e',
        b'{"type":1,"target":"\xc3\x28","arguments":[]}\x1e'.replace(b"\xc3\x28", b"\\ud800"),
        b'{"type":1,"target":"M","arguments":' + b"[" * 100_000 + b"]" * 100_000 + b"}\x1e",
    ],
    "messagepack": [
        packed(b""),
        packed(b"\xc0"),
        packed(b"\x01"),
        packed(b"\x90"),
        packed(b"\x80"),
        packed(b"\xc1"),
        packed(bytes.fromhex("91 01")),
        packed(bytes.fromhex("91 a1 31")),
        packed(bytes.fromhex("95 01 80 c0 c0 90")),
        packed(bytes.fromhex("95 01 80 c0 a1 4d a1 4d")),
        packed(bytes.fromhex("94 03 80 a1 31 09")),
        packed(bytes.fromhex("95 01 80 c0 a2 c3 28 90")),
        packed(bytes.fromhex("96 01 80 c0 a1 4d")),
        packed(bytes.fromhex("95 01 80 c0 a1 4d") + b"\x91" * 100_000 + b"\xc0"),
        b"\xff\xff\xff\xff\xff\xff",
    ],
}


@pytest.mark.parametrize(
    ("hub_protocol", "data"), [(name, data) for name, cases in MALFORMED.items() for data in cases], indirect=["hub_protocol"]
)
async def test_malformed_data_ends_the_connection_with_a_protocol_error(data: bytes, wire: Wire) -> None:
    """Earlier messages are processed, calls fail, and a new start works normally."""

    async def wrong(peer: WirePeer) -> None:
        await peer.shake_hands()
        while not any(isinstance(message, Invocation) for message in await peer.receive()):
            pass
        await peer.write(peer.encode(Invocation(target="M", arguments=["before"])) + data)
        await peer.until_closed()

    wire.play(wrong, echo)
    connection = wire.connection()
    events = EventRecorder(connection)
    got: list[str] = []
    connection.on("M", got.append)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError) as failed:
            await connection.invoke("Echo", 1)
        with pytest.raises(ProtocolError) as caught:
            await connection.wait_closed()
        error = (await events.wait("closed")).argument
        assert failed.value.__cause__ is error
        assert repr(error) == repr(caught.value)
        assert got == ["before"]
        await connection.start()
        assert await connection.invoke("Echo", 2) == 2
        await connection.stop()


@pytest.mark.parametrize("seed", range(20))
async def test_random_bytes_are_ignored_or_a_protocol_error(seed: int, wire: Wire) -> None:
    """The connection either stays open or is closed properly."""
    noise = random.Random(seed)
    frames = [noise.randbytes(noise.randrange(1, 60)) for _ in range(20)]
    if wire.protocol.name == "json":  # text frames contain text
        frames = [bytes(byte & 0x7F for byte in frame) for frame in frames]

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        for frame in frames:
            await peer.write(frame)
        await peer.socket.close(code=1000)

    wire.play(script)
    connection = wire.connection()
    async with asyncio.timeout(10):
        await connection.start()
        [outcome] = await asyncio.gather(connection.wait_closed(), return_exceptions=True)
        await connection.stop()
    assert outcome is None or isinstance(outcome, ProtocolError)


# Close messages of the server


@pytest.mark.parametrize("reconnects", [False, True], ids=["no policy", "policy"])
@pytest.mark.parametrize("allowed", [False, True], ids=["final", "allow reconnect"])
@pytest.mark.parametrize("error", [None, "the hub is full"])
async def test_a_close_has_a_reason_and_may_allow_a_reconnect(
    error: str | None, allowed: bool, reconnects: bool, wire: Wire
) -> None:
    """Pending calls fail, data after the Close is ignored, and the client closes with code 1000."""

    async def close(peer: WirePeer) -> None:
        await peer.shake_hands()
        while not any(isinstance(message, Invocation) for message in await peer.receive()):
            pass
        end = Close(allow_reconnect=allowed) if error is None else Close(error=error, allow_reconnect=allowed)
        await peer.send(end, Invocation(target="M", arguments=["behind"]))
        await peer.until_closed()

    wire.play(close, stay)
    builder = wire.builder()
    if reconnects:
        builder.with_automatic_reconnect([0])
    connection = builder.build()
    events = EventRecorder(connection)
    got: list[str] = []
    connection.on("M", got.append)
    async with asyncio.timeout(10):
        await connection.start()
        with pytest.raises(ConnectionClosedError) as failed:
            await connection.invoke("M")
        if allowed and reconnects:
            await events.wait("reconnected")
        else:
            await events.wait("closed")
        await connection.stop()
    text = f"The server closed the connection with the following error: {error}"
    assert str(failed.value) == (text if error else "Invocation canceled due to the underlying connection being closed.")
    first = events.seen[0].argument
    assert (str(first) if first is not None else None) == (text if error else None)
    assert events.names == (["reconnecting", "reconnected", "closed"] if allowed and reconnects else ["closed"])
    assert got == []
    assert wire.peers[0].close_code == 1000


# the real server


def fast(aspnetcore_url: str, path: str, hub_protocol: HubProtocol) -> HubConnectionBuilder:
    """Return a builder for a hub of the real server."""
    return HubConnectionBuilder().with_url(f"{aspnetcore_url}{path}").with_hub_protocol(hub_protocol)


@pytest.mark.interop
async def test_the_real_server_times_out_a_client_that_does_not_ping(aspnetcore_url: str, hub_protocol: HubProtocol) -> None:
    """Its timeout is two seconds. It sends pings every half second, so the client's server timeout of 1.5 seconds does not expire."""
    builders = [fast(aspnetcore_url, "/fasthub", hub_protocol).with_server_timeout(1.5) for _ in range(2)]
    lazy = builders[0].with_keep_alive_interval(60).build()
    alive = builders[1].with_keep_alive_interval(0.5).build()

    async def until_closed(connection: HubConnection) -> BaseException | None:
        [outcome] = await asyncio.gather(connection.wait_closed(), return_exceptions=True)
        return outcome

    async with alive, asyncio.timeout(20):
        await lazy.start()
        error = await until_closed(lazy)
        await lazy.stop()
        assert error is None or isinstance(error, SignalRError)
        assert not isinstance(error, ServerTimeoutError)
        assert alive.state is State.CONNECTED
        assert await alive.invoke("Add", 1, 2) == 3


@pytest.mark.interop
async def test_a_hub_without_pings_times_out_and_the_client_reconnects(aspnetcore_url: str, hub_protocol: HubProtocol) -> None:
    builder = fast(aspnetcore_url, "/silenthub", hub_protocol).with_server_timeout(0.6).with_automatic_reconnect([0])
    connection = builder.build()
    events = EventRecorder(connection)
    async with connection, asyncio.timeout(20):
        lost = await events.wait("reconnecting")
        assert isinstance(lost.argument, ServerTimeoutError)
        await events.wait("reconnected")
        assert await connection.invoke("Add", 1, 2) == 3

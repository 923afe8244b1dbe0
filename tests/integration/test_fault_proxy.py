"""Every fault of `FaultProxy`, seen byte by byte by two peers on real sockets. Those of hub connections: test_fault_proxy_hubs.py."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from signalr_client.testing import Direction, FaultProxy
from signalr_client.testing.relay import BUFFER_SIZE
from tests.support.loops import TIMER_TOLERANCE
from tests.support.virtual_time import run_in_virtual_time

UP, DOWN = Direction.TO_SERVER, Direction.TO_CLIENT
both_directions = pytest.mark.parametrize("direction", [UP, DOWN], ids=["to server", "to client"])

WAIT = 100.0
"""Seconds, virtual ones in some tests, after which something that does not happen fails the test."""


class Peer(asyncio.Protocol):
    """One end of a connection: takes note of what it reads, piece by piece, and of the end."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.pieces: list[bytes] = []
        self.times: list[float] = []
        self.at_eof = False
        self.error: Exception | None = None
        self.lost = False
        self._changed = asyncio.Event()

    @property
    def received(self) -> bytes:
        """Everything that was read."""
        return b"".join(self.pieces)

    def write(self, data: bytes) -> None:
        """Send."""
        self.transport.write(data)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that happens to this peer."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def read(self, count: int) -> bytes:
        """Wait for so many bytes, and return all there are."""
        await self.until(lambda: len(self.received) >= count or self.at_eof or self.lost)
        return self.received

    async def read_to_end(self) -> bytes:
        """Wait for the end of file, and return all that came."""
        await self.until(lambda: self.at_eof or self.lost)
        return self.received

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # it is one
        self._changed.set()

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self.times.append(asyncio.get_running_loop().time())
        self._changed.set()

    def eof_received(self) -> bool:
        self.at_eof = True
        self._changed.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost, self.error = True, exc
        self._changed.set()


@dataclass
class Network:
    """A server behind a proxy."""

    proxy: FaultProxy
    port: int
    stack: AsyncExitStack
    accepted: asyncio.Queue[Peer] = field(default_factory=asyncio.Queue)

    async def client(self) -> Peer:
        """Connect to the proxy."""
        loop = asyncio.get_running_loop()
        transport, peer = await loop.create_connection(Peer, "127.0.0.1", self.proxy.port)
        self.stack.callback(transport.abort)
        return peer

    async def pair(self) -> tuple[Peer, Peer]:
        """Connect to the server through the proxy; return the client and the server."""
        opened = self.proxy.count("opened")
        client = await self.client()
        server = await self.accepted.get()
        await self.proxy.wait_event("opened", opened + 1)
        return client, server

    async def ends(self, direction: Direction) -> tuple[Peer, Peer]:
        """Connect; return who sends and who receives in a direction."""
        client, server = await self.pair()
        return (client, server) if direction is UP else (server, client)


@asynccontextmanager
async def network() -> AsyncIterator[Network]:
    """Run a server and a proxy in front of it."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Queue[Peer] = asyncio.Queue()

    class Accepted(Peer):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            stack.callback(self.transport.abort)
            accepted.put_nowait(self)

    server = await loop.create_server(Accepted, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(WAIT), AsyncExitStack() as stack, FaultProxy("127.0.0.1", port) as proxy:
            yield Network(proxy, port, stack, accepted)
    finally:
        server.close()


def virtual(test: Callable[[Network], Awaitable[None]]) -> None:
    """Run a test on a network in virtual time."""

    async def run() -> None:
        async with network() as net:
            await test(net)

    run_in_virtual_time(run())


# no faults


async def test_bytes_and_ends_pass_as_they_are() -> None:
    """In both directions, and each direction ends by itself."""
    async with network() as net:
        client, server = await net.pair()
        up, down = bytes(range(256)) * 10_000, b"x" * 3_000_000
        client.write(up)
        server.write(down)
        assert await server.read(len(up)) == up
        assert await client.read(len(down)) == down
        client.transport.write_eof()
        await server.until(lambda: server.at_eof)
        server.write(b"still here")
        assert (await client.read(len(down) + 10))[-10:] == b"still here"
        server.transport.close()
        await client.until(lambda: client.at_eof)
        await net.proxy.wait_event("closed")
        [opened, closed] = net.proxy.events
        assert (opened.kind, opened.bytes_to_server, opened.bytes_to_client) == ("opened", 0, 0)
        assert (closed.bytes_to_server, closed.bytes_to_client) == (len(up), len(down) + 10)
        assert (opened.connection_id, closed.connection_id) == (1, 1)
        assert (net.proxy.bytes_to_server, net.proxy.bytes_to_client) == (len(up), len(down) + 10)


@both_directions
async def test_a_reset_by_a_peer_passes(direction: Direction) -> None:
    """After what was sent before it."""
    async with network() as net:
        sender, receiver = await net.ends(direction)
        sender.write(b"last words")
        await receiver.read(10)
        abort_with_reset(sender)
        await receiver.until(lambda: receiver.lost)
        assert isinstance(receiver.error, ConnectionResetError)
        assert (await receiver.read_to_end(), receiver.at_eof) == (b"last words", False)
        assert net.proxy.events[-1].detail == "a peer has reset the connection"


def abort_with_reset(peer: Peer) -> None:
    """Close a peer's socket with a reset."""
    peer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.transport.abort()


async def test_a_target_that_is_not_there_resets_the_client() -> None:
    async with network() as net, FaultProxy("127.0.0.1", net.proxy.port) as front:
        await net.proxy.stop()
        _, client = await asyncio.get_running_loop().create_connection(Peer, "127.0.0.1", front.port)
        await client.until(lambda: client.lost)
        assert isinstance(client.error, ConnectionResetError)
        [event] = front.events
        assert event.kind == "unreachable"
        assert "refused" in event.detail or str(net.proxy.port) in event.detail  # uvloop says less


@both_directions
async def test_a_slow_reader_slows_the_sender_down(direction: Direction) -> None:
    """The proxy holds a bounded number of bytes, and no byte is lost."""
    async with network() as net:
        sender, receiver = await net.ends(direction)
        receiver.transport.pause_reading()
        blocked = asyncio.Event()
        sender.pause_writing = blocked.set  # type: ignore[method-assign]  # the peers of other tests never care
        sent, block = 0, b"0123456789abcdef" * 4096
        while not blocked.is_set():
            sender.write(block)
            sent += len(block)
            await asyncio.sleep(0)
            assert sent < 200_000_000
        receiver.transport.resume_reading()
        sender.transport.write_eof()
        await receiver.read_to_end()
        assert len(receiver.received) == sent
        assert receiver.received == block * (sent // len(block))


# cut, reset, half-close


async def test_a_cut_ends_both_sides_without_an_error() -> None:
    async with network() as net:
        pairs = [await net.pair() for _ in range(3)]
        [connection, *_] = await net.proxy.wait_connections(3)
        assert net.proxy.cut() == 3
        assert net.proxy.cut() == 0
        assert (net.proxy.connections, connection.is_open) == ([], False)
        for peer in [peer for pair in pairs for peer in pair]:
            assert await peer.read_to_end() == b""
            assert (peer.at_eof, peer.error) == (True, None)
            peer.transport.close()
        assert [event.kind for event in net.proxy.events] == ["opened"] * 3 + ["cut"] * 3


@both_directions
async def test_a_cut_delivers_what_has_passed_and_nothing_else(direction: Direction) -> None:
    """Also while the sender goes on sending: a reset would destroy what the receiver has not read."""
    async with network() as net:
        sender, receiver = await net.ends(direction)
        receiver.transport.pause_reading()
        sender.write(b"a" * 1000)
        await net.proxy.wait_bytes(1000, direction)
        net.proxy.cut()
        sender.write(b"b" * 100_000)
        receiver.transport.resume_reading()
        assert await receiver.read_to_end() == b"a" * 1000
        assert receiver.error is None


def test_a_peer_that_ignores_a_cut_is_reset_a_second_later() -> None:
    async def test(net: Network) -> None:
        client, server = await net.pair()
        net.proxy.cut()
        await server.read_to_end()
        server.transport.close()
        await client.read_to_end()
        loop = asyncio.get_running_loop()
        start = loop.time()
        while not client.lost:
            client.write(b"is anybody there?")
            waiting = loop.create_future()
            loop.call_later(0.25, waiting.set_result, None)
            await waiting
        assert 1 <= loop.time() - start <= 1.5
        assert isinstance(client.error, OSError)

    virtual(test)


async def test_a_reset_is_one_at_both_sides() -> None:
    async with network() as net:
        pairs = [await net.pair() for _ in range(2)]
        await net.proxy.wait_connections(2)
        assert net.proxy.reset() == 2
        for peer in [peer for pair in pairs for peer in pair]:
            await peer.until(lambda peer=peer: peer.lost)  # type: ignore[misc]  # bound here
            assert isinstance(peer.error, ConnectionResetError)
            assert not peer.at_eof
        assert net.proxy.count("reset") == 2


async def test_one_connection_can_be_cut_or_reset_alone() -> None:
    async with network() as net:
        pairs = [await net.pair() for _ in range(3)]
        cut, reset, stays = await net.proxy.wait_connections(3)
        assert [connection.id for connection in (cut, reset, stays)] == [1, 2, 3]
        cut.cut()
        reset.reset()
        await pairs[0][0].until(lambda: pairs[0][0].at_eof)
        await pairs[1][0].until(lambda: pairs[1][0].lost)
        assert net.proxy.connections == [stays]
        pairs[2][0].write(b"hello")
        assert await pairs[2][1].read(5) == b"hello"
        assert (stays.bytes_to_server, stays.bytes_to_client, stays.is_open) == (5, 0, True)
        assert "<ProxyConnection 3 open to_server=5 to_client=0>" in repr(stays)


@both_directions
async def test_a_half_closed_connection_still_carries_the_other_direction(direction: Direction) -> None:
    async with network() as net:
        sender, receiver = await net.ends(direction)
        sender.write(b"before")
        await receiver.read(6)
        assert net.proxy.half_close(direction) == 1
        assert net.proxy.half_close(direction) == 0
        await receiver.until(lambda: receiver.at_eof)
        sender.write(b"dropped")
        receiver.write(b"answer")
        assert await sender.read(6) == b"answer"
        assert not sender.at_eof
        receiver.transport.close()
        assert await sender.read_to_end() == b"answer"
        await net.proxy.wait_event("closed")
        assert [event.kind for event in net.proxy.events] == ["opened", "half_closed", "closed"]
        assert receiver.received == b"before"


async def test_closing_both_halves_ends_the_connection() -> None:
    async with network() as net:
        client, server = await net.pair()
        await net.proxy.wait_connections(1)
        net.proxy.half_close(UP)
        net.proxy.half_close(DOWN)
        assert net.proxy.connections == []
        for peer in (client, server):
            await peer.until(lambda peer=peer: peer.at_eof)  # type: ignore[misc]  # bound here
            assert peer.error is None


@pytest.mark.parametrize("fault", ["half_close", "cut"])
async def test_a_peer_that_has_just_reset_its_connection_cannot_be_sent_an_end_of_file(fault: str) -> None:
    """Nor does the proxy report an error. The event loop has not noticed the reset yet."""
    async with network() as net:
        sock = socket.create_connection(("127.0.0.1", net.proxy.port))
        server = await net.accepted.get()
        await net.proxy.wait_event("opened")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        if fault == "cut":
            net.proxy.cut()
        else:
            net.proxy.half_close(DOWN)
        await server.read_to_end()
        await net.proxy.wait_until(lambda: net.proxy.connections == [])


# cut at a byte


@both_directions
@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("count", [1, 7, 65_536, 65_537, 1_000_000])
async def test_a_cut_falls_exactly_on_its_byte(direction: Direction, how: str, count: int) -> None:
    async with network() as net:
        sender, receiver = await net.ends(direction)
        point = net.proxy.cut_after(count, direction, how=how)  # type: ignore[arg-type]  # one of the two
        data = bytes(range(251)) * 5000
        sender.write(data)
        receiver.write(b"not counted" * 1000)
        assert await point.wait() == 1
        await receiver.until(lambda: receiver.lost or receiver.at_eof)
        assert receiver.received == data[:count]
        await sender.until(lambda: sender.lost or sender.at_eof)
        for peer in (sender, receiver):
            assert isinstance(peer.error, ConnectionResetError) is (how == "reset")
        event = net.proxy.events[-1]
        assert event.kind == how
        assert count == (event.bytes_to_server if direction is UP else event.bytes_to_client)
        assert point.connection_id == 1


async def test_a_cut_after_nothing_loses_the_next_byte() -> None:
    """A response that is lost, for example."""
    async with network() as net:
        client, server = await net.pair()
        client.write(b"request")
        await server.read(7)
        net.proxy.cut_after(0, DOWN)
        client.write(b"another")
        assert await server.read(14) == b"requestanother"
        assert not client.at_eof
        server.write(b"response")
        assert await client.read_to_end() == b""


async def test_the_bytes_of_all_connections_are_counted_and_one_is_cut() -> None:
    async with network() as net:
        first, second = [await net.pair() for _ in range(2)]
        point = net.proxy.cut_after(10)
        first[0].write(b"123456")
        await first[1].read(6)
        second[1].write(b"123456")
        assert await point.wait() == 2
        assert await second[0].read_to_end() == b"1234"
        first[0].write(b"7")
        assert await first[1].read(7) == b"1234567"


async def test_a_cut_can_be_planned_for_a_connection_that_is_still_to_come() -> None:
    async with network() as net:
        net.proxy.cut_after(3, UP)
        client = await net.client()
        client.write(b"abcdef")
        server = await net.accepted.get()
        assert await server.read_to_end() == b"abc"


@both_directions
async def test_a_cut_between_messages_waits_for_the_end_of_the_message(direction: Direction) -> None:
    """Of WebSocket messages here, one of them in two fragments with a ping in between, and delivered byte by byte."""
    async with network() as net:
        client, server = await net.pair()
        request = b"GET /hub HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
        response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
        client.write(request)
        await server.read(len(request))
        server.write(response)
        await client.read(len(response))
        sender, receiver = (client, server) if direction is UP else (server, client)
        head = request if direction is UP else response
        messages = [b"\x81\x03abc", b"\x01\x01a\x89\x00\x80\x01b", b"\x82\x00", b"\x81\x01x"]
        net.proxy.chunk(1)
        point = net.proxy.cut_after(6, direction, between_messages=True)  # byte 6 is the first of the second message
        sender.write(b"".join(messages))
        await point.wait()
        assert await receiver.read_to_end() == head + messages[0] + messages[1]


async def test_a_cut_between_messages_of_http_waits_for_the_end_of_the_response() -> None:
    async with network() as net:
        client, server = await net.pair()
        client.write(b"GET / HTTP/1.1\r\n\r\n")
        await server.read(18)
        response = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
        net.proxy.cut_after(50, DOWN, between_messages=True)
        server.write(response + b"HTTP/1.1 ")
        assert await client.read_to_end() == response


async def test_a_cut_between_messages_of_something_else_says_that_it_is_impossible() -> None:
    async with network() as net:
        client, server = await net.pair()
        point = net.proxy.cut_after(1, between_messages=True)
        client.write(b"\x16\x03\x01\x00\n\n")
        with pytest.raises(RuntimeError, match="Connection 1 carries no plain HTTP"):
            await point.wait()
        assert await server.read(6) == b"\x16\x03\x01\x00\n\n"


# stall, delay, throttle, pieces


@both_directions
async def test_a_stall_holds_one_direction(direction: Direction) -> None:
    async with network() as net:
        sender, receiver = await net.ends(direction)
        net.proxy.stall(direction)
        sender.write(b"held")
        sender.transport.write_eof()
        receiver.write(b"passes")
        assert await sender.read(6) == b"passes"
        assert (receiver.received, receiver.at_eof) == (b"", False)
        net.proxy.resume()
        assert await receiver.read_to_end() == b"held"


async def test_a_stall_holds_both_directions_and_new_connections() -> None:
    async with network() as net:
        net.proxy.stall()
        client, server = await net.pair()
        client.write(b"up")
        server.write(b"down")
        net.proxy.resume(UP)
        assert await server.read(2) == b"up"
        assert client.received == b""
        net.proxy.resume()
        assert await client.read(4) == b"down"


@both_directions
async def test_a_stalled_sender_is_slowed_down(direction: Direction) -> None:
    """And what a cut finds held is lost."""
    async with network() as net:
        sender, receiver = await net.ends(direction)
        net.proxy.stall(direction)
        blocked = asyncio.Event()
        sender.pause_writing = blocked.set  # type: ignore[method-assign]  # the peers of other tests never care
        while not blocked.is_set():
            sender.write(b"x" * 65_536)
            await asyncio.sleep(0)
        [connection] = await net.proxy.wait_connections()
        connection.cut()
        assert await receiver.read_to_end() == b""


@both_directions
def test_a_delay_is_the_same_for_every_byte(direction: Direction) -> None:
    async def test(net: Network) -> None:
        loop = asyncio.get_running_loop()
        sender, receiver = await net.ends(direction)
        net.proxy.delay(0.2, direction)
        sent: list[float] = []

        def send(number: int) -> None:
            sent.append(loop.time())
            sender.write(b"%d" % number)

        for number in range(10):
            loop.call_later(number * 0.05, send, number)
        assert await receiver.read(10) == b"0123456789"
        assert [arrived - left for arrived, left in zip(receiver.times, sent, strict=True)] == pytest.approx([0.2] * 10)
        receiver.write(b"back")
        start = loop.time()
        await sender.read(4)
        assert loop.time() == start
        sender.transport.write_eof()
        await receiver.read_to_end()
        assert loop.time() - start == pytest.approx(0.2)

    virtual(test)


def test_order_is_kept_when_a_delay_ends() -> None:
    async def test(net: Network) -> None:
        client, server = await net.pair()
        net.proxy.delay(5)
        client.write(b"first ")
        loop = asyncio.get_running_loop()
        loop.call_later(1, net.proxy.delay, 0)
        loop.call_later(1, client.write, b"second")
        assert await server.read(12) == b"first second"
        assert loop.time() == pytest.approx(5)

    virtual(test)


def test_a_delay_holds_a_bounded_number_of_bytes() -> None:
    async def test(net: Network) -> None:
        client, server = await net.pair()
        net.proxy.delay(1)
        size = 20 * BUFFER_SIZE
        client.write(bytes(size))
        start = asyncio.get_running_loop().time()
        await server.read(size)
        # each delay lets through what is held: the limit, and what one read brings on top
        assert 15 <= asyncio.get_running_loop().time() - start <= 41

    virtual(test)


@both_directions
@pytest.mark.parametrize(("size", "rate"), [(10_000, 10_000), (200_000, 100_000.0), (7, 2)])
def test_a_throttled_direction_needs_the_time_that_the_bytes_need(direction: Direction, size: int, rate: float) -> None:
    async def test(net: Network) -> None:
        loop = asyncio.get_running_loop()
        sender, receiver = await net.ends(direction)
        net.proxy.throttle(rate, direction)
        start = loop.time()
        sender.write(bytes(size))
        await receiver.read(size)
        assert loop.time() - start == pytest.approx(size / rate, rel=0.01)
        for at, count in zip(receiver.times, cumulated(receiver.pieces), strict=True):
            assert count <= (at - start) * rate + 0.01
        net.proxy.throttle(None)
        start = loop.time()
        sender.write(bytes(size))
        await receiver.read(2 * size)
        assert loop.time() == start

    virtual(test)


def cumulated(pieces: list[bytes]) -> list[int]:
    """Return how many bytes there were after each piece."""
    total, totals = 0, []
    for piece in pieces:
        total += len(piece)
        totals.append(total)
    return totals


def test_ending_a_throttle_does_not_wait_for_it() -> None:
    async def test(net: Network) -> None:
        client, server = await net.pair()
        net.proxy.throttle(0.001)
        client.write(b"hours")
        asyncio.get_running_loop().call_later(60, net.proxy.restore)
        assert await server.read(5) == b"hours"
        assert asyncio.get_running_loop().time() == pytest.approx(60)

    virtual(test)


@both_directions
@pytest.mark.parametrize("size", [1, 3])
async def test_bytes_are_delivered_in_pieces(direction: Direction, size: int) -> None:
    async with network() as net:
        sender, receiver = await net.ends(direction)
        net.proxy.chunk(size, direction)
        data = bytes(range(200))
        sender.write(data)
        sender.transport.write_eof()
        assert await receiver.read_to_end() == data
        assert receiver.pieces == [data[i : i + size] for i in range(0, len(data), size)]


async def test_a_throttle_keeps_its_limit_with_pieces_shorter_than_a_timer() -> None:
    """Half a millisecond each, on every event loop: uvloop's timers run up to a millisecond early."""
    async with network() as net:
        client, server = await net.pair()
        net.proxy.throttle(200_000)
        net.proxy.chunk(100)
        start = asyncio.get_running_loop().time()
        client.write(bytes(10_000))
        await server.read(10_000)
        assert asyncio.get_running_loop().time() - start >= 0.05 - TIMER_TOLERANCE


def test_pieces_of_a_throttled_line_come_evenly() -> None:
    async def test(net: Network) -> None:
        client, server = await net.pair()
        net.proxy.throttle(100)
        net.proxy.chunk(2)
        start = asyncio.get_running_loop().time()
        client.write(b"aabbcc")
        await server.read(6)
        assert server.pieces == [b"aa", b"bb", b"cc"]
        assert [at - start for at in server.times] == pytest.approx([0.02, 0.04, 0.06])

    virtual(test)


# refuse, wait, stop


async def test_new_connections_are_refused_for_a_while() -> None:
    async with network() as net:
        client, server = await net.pair()
        with net.proxy.refusing():
            for attempt in (1, 2):
                refused = await net.client()
                await refused.until(lambda: refused.lost)  # noqa: B023  # awaited here
                assert isinstance(refused.error, ConnectionResetError)
                await net.proxy.wait_event("refused", attempt)
            client.write(b"the open one stays open")
            await server.read(23)
        await net.pair()
        assert net.accepted.empty()
        assert net.proxy.count("refused") == 2
        assert [event.kind for event in net.proxy.events] == ["opened", "refused", "refused", "opened"]


async def test_restore_removes_every_fault() -> None:
    async with network() as net:
        client, server = await net.pair()
        net.proxy.stall()
        net.proxy.delay(1000)
        net.proxy.throttle(1)
        net.proxy.chunk(1)
        net.proxy.refuse()
        point = net.proxy.cut_after(1)
        net.proxy.restore()
        client.write(b"hello")
        assert await server.read(5) == b"hello"
        assert server.pieces == [b"hello"]
        await net.pair()
        with pytest.raises(RuntimeError, match="cancelled by restore"):
            await point.wait()


async def test_a_stopped_proxy_refuses_and_starts_again_on_its_port() -> None:
    async with network() as net:
        client, server = await net.pair()
        url = net.proxy.url
        point = net.proxy.cut_after(1000)
        await net.proxy.stop()
        await net.proxy.stop()
        for peer in (client, server):
            await peer.until(lambda peer=peer: peer.lost or peer.at_eof)  # type: ignore[misc]  # bound here
        with pytest.raises(ConnectionRefusedError):
            await net.client()
        with pytest.raises(RuntimeError, match="stopped"):
            await net.proxy.wait_connections(1)
        with pytest.raises(RuntimeError, match="stopped before enough bytes"):
            await point.wait()
        await net.proxy.start()
        with pytest.raises(RuntimeError, match="running already"):
            await net.proxy.start()
        assert net.proxy.url == url
        client, server = await net.pair()
        client.write(b"again")
        assert await server.read(5) == b"again"
        assert [connection.id for connection in net.proxy.connections] == [2]


async def test_waits_end_when_what_they_wait_for_happens() -> None:
    async with network() as net:
        connections = asyncio.create_task(net.proxy.wait_connections(2))
        both = asyncio.create_task(net.proxy.wait_bytes(5))
        down = asyncio.create_task(net.proxy.wait_bytes(3, DOWN))
        closed = asyncio.create_task(net.proxy.wait_event("closed"))
        exact = asyncio.create_task(net.proxy.wait_until(lambda: net.proxy.bytes_to_server == 2))
        client, server = await net.pair()
        assert not connections.done()
        await net.pair()
        assert len(await connections) == 2
        client.write(b"12")
        await exact
        assert not both.done()
        server.write(b"345")
        await both
        await down
        assert not closed.done()
        client.transport.close()
        server.transport.close()
        await closed


async def test_a_wait_can_be_cancelled_and_leaves_nothing() -> None:
    async with network() as net:
        point = net.proxy.cut_after(1)
        for wait in (net.proxy.wait_connections(), net.proxy.wait_bytes(1), net.proxy.wait_event("cut"), point.wait()):
            task = asyncio.create_task(wait)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        client, server = await net.pair()
        client.write(b"ab")
        assert await server.read_to_end() == b"a"
        assert await point.wait() == 1


@pytest.mark.parametrize("turns", range(6))
async def test_a_start_that_is_cancelled_leaves_nothing(turns: int) -> None:
    proxy = FaultProxy("127.0.0.1", 1)
    starting = asyncio.create_task(proxy.start())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await proxy.stop()


@pytest.mark.parametrize("turns", range(4))
async def test_a_stop_that_is_cancelled_closes_everything(turns: int) -> None:
    async with network() as net:
        client, server = await net.pair()
        stopping = asyncio.create_task(net.proxy.stop())
        for _ in range(turns):
            await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        if turns:  # otherwise it had not begun
            for peer in (client, server):
                await peer.until(lambda peer=peer: peer.lost or peer.at_eof)  # type: ignore[misc]  # bound here
            with pytest.raises(ConnectionError):
                await net.client()


@pytest.mark.parametrize("turns", range(8))
async def test_stopping_while_clients_connect_leaves_nothing(turns: int) -> None:
    """At each moment of a connection's beginning."""
    async with network() as net:
        clients = [asyncio.create_task(net.client()) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        await net.proxy.stop()
        for client in await asyncio.gather(*clients, return_exceptions=True):
            if isinstance(client, Peer):
                await client.until(lambda client=client: client.lost or client.at_eof)  # type: ignore[misc]  # bound here


@pytest.mark.parametrize("fault", ["stall", "delay", "throttle", "cut", "half_close", "slow reader"])
async def test_stopping_in_the_middle_of_a_fault_leaves_nothing(fault: str) -> None:
    async with network() as net:
        client, server = await net.pair()
        match fault:
            case "stall":
                net.proxy.stall()
            case "delay":
                net.proxy.delay(1000)
            case "throttle":
                net.proxy.throttle(1)
            case "half_close":
                await net.proxy.wait_connections()
                net.proxy.half_close(DOWN)
            case "slow reader":
                server.transport.pause_reading()
        client.write(bytes(10_000_000))
        await asyncio.sleep(0)
        if fault == "cut":
            net.proxy.cut()

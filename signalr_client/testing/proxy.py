"""`FaultProxy`: a TCP proxy whose network misbehaves on demand. Room: tools. See docs/testing.md."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from signalr_client.listening import close, listen
from signalr_client.testing.connection import ProxyConnection
from signalr_client.testing.cuts import CutPoint, CutPoints
from signalr_client.testing.events import EventKind, EventLog, ProxyEvent
from signalr_client.testing.faults import Cut, Direction, Faults
from signalr_client.testing.peer import Ending
from signalr_client.testing.relay import Relay
from signalr_client.testing.state import State
from signalr_client.testing.target import Target

__all__ = ["FaultProxy"]


class FaultProxy:
    """A TCP proxy between a client and a server, for tests of what they do when the network misbehaves.

    Without faults it relays every byte unchanged. ``async with`` starts and stops it. Faults can be set at any time, also before the
    start. They apply to present and future connections until they are changed, or removed with `restore`. Where a method takes a
    direction, None means both.

    The proxy holds up to 1 MiB for each direction of a connection. When more is delayed, throttled, stalled, or not read by the
    receiver, it stops reading, which slows the sender down. All times are those of the event loop's clock.

    Args:
        target: the URL of the server (http, https, ws or wss), or its host name or address.
        target_port: the port of the server; only if *target* is not a URL.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one, which is kept when the proxy is stopped and started again.

    Raises:
        ValueError: the target is neither a URL nor a host with a port.
    """

    def __init__(self, target: str, target_port: int | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._target = Target(target, target_port)
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._relays: dict[int, Relay] = {}
        self._accepted = 0
        self._refusing = False
        self._faults = {direction: Faults() for direction in Direction}
        self._log = EventLog()
        self._cuts = CutPoints(self._log)
        self._passed_earlier = dict.fromkeys(Direction, 0)  # by connections that have ended

    # Life

    async def start(self) -> None:
        """Listen. Cancelling closes what was opened.

        Raises:
            OSError: the address cannot be listened on.
            RuntimeError: the proxy is running.
        """
        if self._server is not None:
            raise RuntimeError("The proxy is running already.")
        self._server = await listen(self._accept, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self._log.open()

    async def stop(self) -> None:
        """Stop listening and close all connections at once; idempotent.

        Until the proxy is started again, clients get "connection refused". If this is cancelled, everything is closed all the same.
        """
        server, self._server = self._server, None
        if server is None:
            return
        self._cuts.drop_all("The proxy was stopped before enough bytes had passed.")
        for relay in list(self._relays.values()):
            relay.end("closed", Ending.ABORT, "the proxy was stopped")
        try:
            await close(server)
            await self._log.wait_until(lambda: not self._relays)
            await server.wait_closed()
        finally:
            self._log.close()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    @property
    def url(self) -> str:
        """The URL of the target with the proxy's host and port in place of its own.

        Raises:
            RuntimeError: as for `port`.
        """
        return self._target.through(self._host, self.port)

    @property
    def port(self) -> int:
        """The port that the proxy listens on.

        Raises:
            RuntimeError: the port is to be a free one, and the proxy has not been started.
        """
        if not self._port:
            raise RuntimeError("The proxy has not been started: use 'async with proxy' or 'await proxy.start()'.")
        return self._port

    # Connections that break

    def cut(self) -> int:
        """End all connections: both peers read end of file, in the middle of whatever was being sent.

        What the proxy holds is lost. What the peers send afterwards is dropped; a peer that has not closed its side one second later
        gets a reset.

        Returns:
            How many connections were cut.
        """
        return self._end_all("cut", Ending.FIN)

    def reset(self) -> int:
        """End all connections with a TCP reset (RST): reading and writing fail with `ConnectionResetError` at both peers.

        What the proxy holds is lost, and so is what it has passed on but the receiver's system has not received.

        Returns:
            How many connections were reset.
        """
        return self._end_all("reset", Ending.RESET)

    def half_close(self, direction: Direction) -> int:
        """Close one direction of all connections: the receiver reads end of file, while it can still send.

        The sender is not told: what it sends from now on is dropped. A connection ends when both of its directions are closed.

        Returns:
            In how many connections the direction was open.
        """
        relays = [relay for relay in self._open() if not relay.lanes[direction].ended]
        for relay in relays:
            relay.half_close(direction)
        return len(relays)

    def cut_after(
        self, count: int, direction: Direction | None = None, *, how: Cut = "cut", between_messages: bool = False
    ) -> CutPoint:
        """Cut a connection as soon as *count* more bytes have passed, exactly there.

        The bytes of all connections are counted, beginning with this call. The connection on which byte number *count* passes is cut
        after this byte; other connections are not. What was passed on before is delivered, everything after it is dropped. Several cuts
        may be planned; each happens once.

        Args:
            count: bytes that still pass. 0 cuts before the next byte, on the connection on which it would have passed.
            direction: which bytes are counted.
            how: "cut" as `cut`, or "reset" as `reset` (on Linux the reset is sent when the receiver's system has the bytes before it;
                elsewhere it may overtake them).
            between_messages: cut at the end of the message to which byte number *count* belongs: an HTTP request or response, a
                WebSocket message, an event of an event stream. 0 cuts before the next message. The other direction of the connection
                may be in the middle of a message.

        Returns:
            The planned cut, to wait for it or to cancel it.

        Raises:
            ValueError: *count* is negative, or messages are to be told apart where TLS hides them.
        """
        _check(count >= 0, f"count must be 0 bytes or more, not {count}")
        _check(how in {"cut", "reset"}, f"how must be 'cut' or 'reset', not {how!r}")
        if between_messages and self._target.encrypted:
            raise ValueError("Messages cannot be told apart inside TLS: use between_messages with an http or ws target.")
        return self._cuts.plan(count, direction, how, between_messages=between_messages)

    # Connections that are slow

    def stall(self, direction: Direction | None = None) -> None:
        """Pass on nothing, not even that a peer has closed its side, until `resume` is called. The connections stay open."""
        for each in _each(direction):
            self._faults[each].stalled = True
            self._apply(each)

    def resume(self, direction: Direction | None = None) -> None:
        """End a stall: what was held passes, then what comes."""
        for each in _each(direction):
            self._faults[each].stalled = False
            self._apply(each)

    def delay(self, seconds: float, direction: Direction | None = None) -> None:
        """Make every byte take longer. The order is kept; 0 ends the delay for the bytes that the proxy reads from then on.

        At most 1 MiB is on its way in each direction of a connection: a delay of 0.2 seconds limits it to about 5 MB a second.

        Args:
            seconds: how much longer each byte takes.
            direction: which bytes.

        Raises:
            ValueError: *seconds* is negative or not finite.
        """
        _check(math.isfinite(seconds) and seconds >= 0, f"seconds must be 0 or more, not {seconds}")
        for each in _each(direction):
            self._faults[each].delay = seconds
            self._apply(each)

    def throttle(self, bytes_per_second: float | None, direction: Direction | None = None) -> None:
        """Limit the speed, for each connection and direction by itself: *n* bytes need ``n / bytes_per_second`` seconds.

        Args:
            bytes_per_second: the limit; None removes it.
            direction: which bytes.

        Raises:
            ValueError: the limit is not a positive, finite number.
        """
        if bytes_per_second is not None:
            _check(0 < bytes_per_second < math.inf, f"bytes_per_second must be more than 0, not {bytes_per_second}")
        for each in _each(direction):
            self._faults[each].rate = bytes_per_second
            self._apply(each)

    def chunk(self, size: int | None, direction: Direction | None = None) -> None:
        """Deliver bytes in pieces: ``chunk(1)`` delivers one byte at a time.

        A receiver on the same event loop reads piece by piece. TCP has no pieces, so a receiver elsewhere may read several at once if
        it is slow; `throttle` keeps them apart.

        Args:
            size: bytes in a piece; None delivers as much at once as there is.
            direction: which bytes.

        Raises:
            ValueError: *size* is less than 1.
        """
        if size is not None:
            _check(size >= 1, f"size must be at least 1 byte, not {size}")
        for each in _each(direction):
            self._faults[each].chunk = size
            self._apply(each)

    # Connections that are not made

    def refuse(self) -> None:
        """Reset new connections at once, until `accept` is called; those that are open remain.

        A client's connect succeeds, and what it does next fails with `ConnectionResetError`, as behind a load balancer without
        servers. So attempts can be counted: see `wait_event`. For "connection refused", `stop` the proxy and `start` it again.
        """
        self._refusing = True

    def accept(self) -> None:
        """Accept new connections again."""
        self._refusing = False

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse new connections inside a ``with`` block."""
        self.refuse()
        try:
            yield
        finally:
            self.accept()

    def restore(self) -> None:
        """Remove all faults: pass on what is held, accept connections, cancel planned cuts."""
        self.accept()
        self._cuts.drop_all("The cut was cancelled by restore().")
        for faults in self._faults.values():
            faults.delay, faults.rate, faults.chunk = 0.0, None, None
        self.resume()

    # What has happened

    @property
    def connections(self) -> list[ProxyConnection]:
        """The connections that are open, oldest first. Those that have not reached the target yet do not count."""
        return [ProxyConnection(relay) for relay in self._open()]

    @property
    def bytes_to_server(self) -> int:
        """Bytes that have passed to the server, on all connections so far."""
        return self._passed(Direction.TO_SERVER)

    @property
    def bytes_to_client(self) -> int:
        """Bytes that have passed to clients, on all connections so far."""
        return self._passed(Direction.TO_CLIENT)

    @property
    def events(self) -> list[ProxyEvent]:
        """What has happened, oldest first; only the last 10,000 events are kept."""
        return list(self._log.latest)

    def count(self, kind: EventKind) -> int:
        """Return how many events of a kind there were since the proxy was made."""
        return self._log.counts[kind]

    async def wait_event(self, kind: EventKind, count: int = 1) -> None:
        """Wait until there were *count* events of a kind since the proxy was made.

        Raises:
            RuntimeError: the proxy was stopped.
        """
        await self.wait_until(lambda: self.count(kind) >= count)

    async def wait_connections(self, count: int = 1) -> list[ProxyConnection]:
        """Wait until at least *count* connections are open, and return those that are.

        Raises:
            RuntimeError: the proxy was stopped.
        """
        await self.wait_until(lambda: sum(1 for _ in self._open()) >= count)
        return self.connections

    async def wait_bytes(self, count: int, direction: Direction | None = None) -> None:
        """Wait until at least *count* bytes have passed since the proxy was made, on all connections together.

        Raises:
            RuntimeError: the proxy was stopped.
        """
        await self.wait_until(lambda: sum(self._passed(each) for each in _each(direction)) >= count)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until *condition* returns true. It is called now, and again after events and when bytes have passed.

        It may miss a state that lasts for less than a turn of the event loop; what only grows (counts, bytes) is never missed.
        Cancelling ends the wait, here as in the other methods that wait; limit it with ``asyncio.timeout``.

        Raises:
            RuntimeError: the proxy was stopped.
        """
        await self._log.wait_until(condition)

    def _accept(self) -> asyncio.Protocol:
        """Return the protocol of a client that connects."""
        self._accepted += 1
        return Relay(self._accepted, self._faults, self._cuts, self._log, self._accepted_by, self._ended).client

    def _accepted_by(self, relay: Relay) -> None:
        self._relays[relay.id] = relay
        # later, because uvloop does not call connection_lost() for what is closed in connection_made()
        asyncio.get_running_loop().call_soon(self._admit, relay)

    def _admit(self, relay: Relay) -> None:
        """Connect a new client to the target, or refuse it."""
        if self._server is None:
            relay.end("closed", Ending.ABORT, "the proxy was stopped")
        elif self._refusing:
            relay.end("refused", Ending.RESET)
        elif relay.state is State.CONNECTING:
            relay.connect(self._target.host, self._target.port)

    def _ended(self, relay: Relay) -> None:
        del self._relays[relay.id]
        for direction, lane in relay.lanes.items():
            self._passed_earlier[direction] += lane.passed
        self._log.changed()

    def _open(self) -> Iterator[Relay]:
        return (relay for relay in self._relays.values() if relay.state is State.OPEN)

    def _end_all(self, kind: EventKind, ending: Ending) -> int:
        relays = [relay for relay in self._relays.values() if relay.state in {State.CONNECTING, State.OPEN}]
        for relay in relays:
            relay.end(kind, ending)
        return len(relays)

    def _apply(self, direction: Direction) -> None:
        """Apply the changed faults of a direction to present connections."""
        for relay in list(self._relays.values()):
            relay.lanes[direction].changed()

    def _passed(self, direction: Direction) -> int:
        return self._passed_earlier[direction] + sum(relay.lanes[direction].passed for relay in self._relays.values())


def _each(direction: Direction | None) -> tuple[Direction, ...]:
    """Return the directions that an argument stands for."""
    return tuple(Direction) if direction is None else (direction,)


def _check(valid: bool, text: str) -> None:  # noqa: FBT001
    """Raise a ValueError about an argument."""
    if not valid:
        raise ValueError(text)

"""One direction of one connection: holds what one peer sends and passes it on to the other as the faults allow. Room: tools."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import Final, Protocol

from signalr_client.testing.boundaries import MessageScanner
from signalr_client.testing.cuts import CutPoints
from signalr_client.testing.faults import Cut, Direction, Faults

__all__ = ["End", "Lane", "LaneOwner", "shut_down"]

PIECES_A_SECOND: Final = 20
"""A throttled lane passes on this many pieces a second: enough for a steady flow, few enough to cost little."""

TOLERANCE: Final = 1e-6
"""Seconds by which a timer may run early, as timers of asyncio do by the resolution of the clock."""


class End(enum.Enum):
    """How a peer has stopped sending."""

    EOF = "eof"  # it has shut down its side
    RESET = "reset"  # its connection is gone


class LaneOwner(Protocol):
    """The connection that a lane belongs to, as the lane sees it."""

    id: int

    def lane_passed(self) -> None:
        """Handle that bytes have passed."""

    def lane_cut(self, how: Cut) -> None:
        """Cut the connection: the bytes before the cut have been written."""

    def lane_ended(self, end: End) -> None:
        """Handle that the sender has stopped, after everything it sent has passed."""


class Lane:
    """One direction of a connection. Bytes enter with `take`, wait in order, and leave in `_pump`, where all faults are applied.

    Attributes:
        passed: bytes that were handed to the receiver's socket.
        ended: whether no more bytes can pass, because the receiver was sent end of file or is gone.

    Args:
        owner: told what happens.
        direction: where the bytes go.
        faults: shared by all connections; `changed` must be called after a change.
        cuts: asked before bytes pass.
        scanner: is shown the bytes that pass.
        limit: bytes that may be held; with more the proxy stops reading from the sender.
    """

    def __init__(
        self, owner: LaneOwner, direction: Direction, faults: Faults, cuts: CutPoints, scanner: MessageScanner, limit: int
    ) -> None:
        self.direction = direction
        self.passed: int = 0
        self.ended: bool = False
        self._owner = owner
        self._faults = faults
        self._cuts = cuts
        self._scanner = scanner
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._source: asyncio.Transport | None = None
        self._sink: asyncio.Transport | None = None
        self._held: deque[tuple[float, bytes | End]] = deque()  # each with the time from which it may pass
        self._offset = 0  # bytes of the first item that have passed
        self._size = 0  # bytes held
        self._reading = True
        self._writable = False
        self._wake: asyncio.Handle | None = None  # nothing passes before it has run
        self._piece: tuple[int, float] | None = None  # bytes that a throttled lane transmits, and when it will have done so
        self._free_at: float | None = None  # when a throttled lane had transmitted the piece before; None if it was idle since

    def connect_source(self, transport: asyncio.Transport) -> None:
        """Set the sender's transport, for back-pressure."""
        self._source = transport

    def connect_sink(self, transport: asyncio.Transport) -> None:
        """Set the receiver's transport; from now on bytes may pass."""
        self._sink = transport
        self.set_writable(writable=True)

    def set_writable(self, *, writable: bool) -> None:
        """Note whether the receiver's socket has taken everything."""
        self._writable = writable
        self._pump()

    def take(self, data: bytes) -> None:
        """Accept bytes from the sender."""
        if not self.ended:
            self._held.append((self._loop.time() + self._faults.delay, data))
            self._size += len(data)
            self._pump()
            self._adjust_reading()

    def take_end(self, end: End) -> None:
        """Accept that the sender has stopped. This passes after the bytes before it, with the same delay."""
        self._held.append((self._loop.time() + self._faults.delay, end))
        self._pump()

    def changed(self) -> None:
        """Apply faults that have changed. A wait caused by the old ones is over."""
        self._stop_waiting()
        self._pump()

    def close(self) -> None:
        """Drop what is held and what still arrives."""
        self.ended = True
        self._stop_waiting()
        self._held.clear()
        self._size = self._offset = 0
        self._adjust_reading()

    def half_close(self) -> None:
        """Send end of file to the receiver; drop what is held and what still arrives."""
        if not self.ended:
            self.close()
            if self._sink is not None:
                shut_down(self._sink)

    def _pump(self) -> None:
        """Pass on what may pass now, and set a timer for what may pass later."""
        while self._held and self._writable and self._wake is None and not self._faults.stalled:
            due, data = self._held[0]
            if due > self._loop.time() + TOLERANCE:
                self._free_at = None
                self._wake = self._loop.call_at(due, self._wake_up)
            elif isinstance(data, End):
                self._held.popleft()
                self._pass_end(data)
            else:
                self._pass_some(data)
        if self._wake is None:
            self._free_at = None

    def _pass_some(self, data: bytes) -> None:
        """Pass on a piece of the first item held, or start the timer for the time that it takes."""
        faults = self._faults
        size = min(len(data) - self._offset, faults.chunk or len(data))
        if faults.rate is not None:
            size, done_at = self._transmit(size, faults.rate)
            if done_at > self._loop.time() + TOLERANCE:
                self._wake = self._loop.call_at(done_at, self._wake_up)
                return
            self._piece, self._free_at = None, done_at
        piece = data[self._offset : self._offset + size]
        self._offset += size
        self._size -= size
        if self._offset == len(data):
            self._held.popleft()
            self._offset = 0
        if faults.chunk is not None:
            # A receiver on this event loop reads one turn after the piece was written, so the next piece has to wait for two.
            self._wake = self._loop.call_soon(self._skip_a_turn)
        self._deliver(piece)
        self._adjust_reading()

    def _transmit(self, size: int, rate: float) -> tuple[int, float]:
        """Return how many bytes are being transmitted at this rate, and when that will be done.

        A piece begins when the one before was due, not when its timer ran, so that late timers do not lower the rate.
        """
        if self._piece is None:
            begin = self._loop.time() if self._free_at is None else self._free_at
            size = min(size, max(1, int(rate / PIECES_A_SECOND)))
            self._piece = size, begin + size / rate
        return self._piece

    def _deliver(self, piece: bytes) -> None:
        """Write the piece, or as much of it as passes before a cut."""
        assert self._sink is not None
        boundaries = self._scanner.scan(piece)
        size, cut = self._cuts.passage(self._owner.id, self.direction, len(piece), None if self._scanner.opaque else boundaries)
        if size:
            self.passed += size
            self._sink.write(piece[:size])
            self._owner.lane_passed()
        if cut is not None:
            self._owner.lane_cut(cut)

    def _pass_end(self, end: End) -> None:
        """Pass on that the sender has stopped."""
        if end is End.EOF and not self.ended:
            self.ended = True
            assert self._sink is not None
            shut_down(self._sink)
            self._owner.lane_ended(end)
        elif end is End.RESET:
            self.ended = True
            self._owner.lane_ended(end)

    def _adjust_reading(self) -> None:
        """Stop reading from the sender while too much is held."""
        if self._source is None or self._source.is_closing():
            return
        if self._reading and self._size > self._limit:
            self._reading = False
            self._source.pause_reading()
        elif not self._reading and self._size <= self._limit // 2:
            self._reading = True
            self._source.resume_reading()

    def _skip_a_turn(self) -> None:
        self._wake = self._loop.call_soon(self._wake_up)

    def _wake_up(self) -> None:
        self._wake = None
        self._pump()

    def _stop_waiting(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._piece = self._free_at = None


def shut_down(transport: asyncio.Transport) -> None:
    """Send end of file, unless the receiver has reset the connection already: asyncio may not have noticed that."""
    try:
        transport.write_eof()
    except OSError:
        transport.abort()

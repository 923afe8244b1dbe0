"""One direction of one connection: what one peer sends is held and passed on to the other as the faults allow. Room: tools."""

from __future__ import annotations

import asyncio
import enum
from collections import deque
from typing import Final, Protocol

from signalr_client.testing.boundaries import MessageScanner
from signalr_client.testing.cuts import CutPoints
from signalr_client.testing.faults import Cut, Direction, Faults

__all__ = ["End", "Lane", "LaneOwner"]

PIECES_A_SECOND: Final = 20
"""Into how many pieces a throttled lane divides what passes in a second: it moves often enough for timeouts, and costs little."""


class End(enum.Enum):
    """How what a peer sends has ended."""

    EOF = "eof"
    RESET = "reset"


class LaneOwner(Protocol):
    """The connection that a lane belongs to, as the lane sees it."""

    id: int

    def lane_passed(self) -> None:
        """Bytes have passed."""

    def lane_cut(self, how: Cut) -> None:
        """The connection has to be cut here."""

    def lane_ended(self, end: End) -> None:
        """Everything was passed on, and the end of it too."""


class Lane:
    """One direction of a connection. Bytes enter with `take`, wait in order, and leave in `_pump`, where all faults are applied.

    Attributes:
        passed: bytes that were handed to the receiver's socket.
        ended: whether the receiver has been told that nothing more comes, or is gone.

    Args:
        owner: told what happens.
        direction: where the bytes go.
        faults: shared by all connections; `changed` must be called after a change.
        cuts: asked before bytes pass.
        scanner: is shown the bytes that pass.
        limit: bytes that may be held before the sender is not read any more.
    """

    def __init__(
        self, owner: LaneOwner, direction: Direction, faults: Faults, cuts: CutPoints, scanner: MessageScanner, limit: int
    ) -> None:
        self.direction = direction
        self.passed = 0
        self.ended = False
        self._owner = owner
        self._faults = faults
        self._cuts = cuts
        self._scanner = scanner
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._source: asyncio.Transport | None = None
        self._sink: asyncio.Transport | None = None
        self._held: deque[tuple[float, bytes | End]] = deque()  # with the time before which it must not pass
        self._offset = 0  # bytes of the first one that have passed
        self._size = 0
        self._reading = True
        self._writable = False
        self._wake: asyncio.Handle | None = None  # until then nothing passes
        self._transmitted = 0  # bytes that have taken the time that a throttled line needs for them

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
        """Accept the end of what the sender sends; it passes after the bytes before it, as late as they do."""
        self._held.append((self._loop.time() + self._faults.delay, end))
        self._pump()

    def changed(self) -> None:
        """Apply faults that have changed. What waited because of the old ones begins to wait anew."""
        self._stop_waiting()
        self._pump()

    def close(self) -> None:
        """Drop what is held, and everything that still comes."""
        self.ended = True
        self._stop_waiting()
        self._held.clear()
        self._size = self._offset = 0
        self._adjust_reading()

    def half_close(self) -> None:
        """Tell the receiver that nothing more comes, and drop what is held and what still comes."""
        if not self.ended:
            self.close()
            if self._sink is not None:
                self._sink.write_eof()

    def _pump(self) -> None:
        """Pass on what may pass now, and see to it that this is called again when more may."""
        while self._held and self._writable and self._wake is None and not self._faults.stalled:
            due, data = self._held[0]
            if due > self._loop.time():
                self._wake = self._loop.call_at(due, self._wake_up, 0)
            elif isinstance(data, End):
                self._held.popleft()
                self._pass_end(data)
            else:
                self._pass_some(data)

    def _pass_some(self, data: bytes) -> None:
        """Pass on a piece of the first bytes held, or begin to wait for the time it takes."""
        faults = self._faults
        size = min(len(data) - self._offset, faults.chunk or len(data))
        if faults.rate is not None:
            if not self._transmitted:
                size = min(size, max(1, int(faults.rate / PIECES_A_SECOND)))
                self._wake = self._loop.call_later(size / faults.rate, self._wake_up, size)
                return
            size, self._transmitted = self._transmitted, 0
        piece = data[self._offset : self._offset + size]
        self._offset += size
        self._size -= size
        if self._offset == len(data):
            self._held.popleft()
            self._offset = 0
        if faults.chunk is not None:
            # A receiver on this event loop is woken one turn after the bytes have arrived, and reads them before the next piece.
            self._wake = self._loop.call_soon(self._skip_a_turn)
        self._deliver(piece)
        self._adjust_reading()

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
        """Tell the receiver that nothing more comes."""
        if end is End.EOF and not self.ended:
            self.ended = True
            assert self._sink is not None
            self._sink.write_eof()
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
        self._wake = self._loop.call_soon(self._wake_up, 0)

    def _wake_up(self, transmitted: int) -> None:
        self._wake = None
        self._transmitted = transmitted
        self._pump()

    def _stop_waiting(self) -> None:
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        self._transmitted = 0

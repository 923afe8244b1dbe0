"""What a link has still to send: the writer, and the senders that wait for it. Room: client."""

from __future__ import annotations

import asyncio
from typing import Final

from signalr_client.core.session import HubSession
from signalr_client.errors import TransportError
from signalr_client.gate import Gate
from signalr_client.transports.base import Transport

__all__ = ["FRAME_LIMIT", "WRITE_LIMIT", "Outgoing"]

FRAME_LIMIT: Final = 65_536
"""Bytes of one frame, unless a single message has more."""

WRITE_LIMIT: Final = 49_152
"""Bytes that may be queued or in flight before senders have to wait; below the frame limit, so that what is queued fits a frame."""


class Outgoing:
    """Sends what the session of a link has queued, one frame for each iteration of the event loop.

    Senders wait for two reasons: more than the write limit is queued or in flight, or, with stateful reconnect, more than the buffer
    size is not acknowledged. The second does not count while the reader is held up, because no Ack is read then.

    Servers other than ours do not count the items of an upload whose method has returned. When that may have happened, the connection
    cannot be resumed until everything has been acknowledged (see core/padding.py).

    Attributes:
        wake: set when something is queued.
        room: bytes that may be queued before senders have to wait: less while something is in flight.
    """

    def __init__(self, session: HubSession) -> None:
        self.wake: asyncio.Event = asyncio.Event()
        self.room: int = WRITE_LIMIT
        self._session = session
        self._gate = Gate(WRITE_LIMIT)  # counts what is queued or in flight, for those who wait
        self._acknowledged = asyncio.Event()
        self._doubtful = False  # whether the server may have lost count
        self._reading = True
        self._closed = False

    @property
    def waits_for_ack(self) -> bool:
        """Whether senders of a stateful session have to wait for an Ack."""
        return self._session.replay_full and self._reading and not self._closed

    async def drain(self) -> None:
        """Return when senders may go on, or after the end."""
        self._count()
        await self._gate.wait_room()
        while self.waits_for_ack:
            self._acknowledged.clear()
            await self._acknowledged.wait()

    async def wait_empty(self) -> None:
        """Return when everything was sent, or after the end."""
        self._count()
        await self._gate.wait_empty()

    def abandon_items(self) -> None:
        """Note that an upload was ended before its source was."""
        session = self._session
        self._doubtful = not session.options.counts_all_items and session.unacknowledged > 0

    def check_resumable(self) -> None:
        """Check that nothing can be lost or doubled when the session is resumed.

        Raises:
            TransportError: the server may have lost count.
        """
        if self._doubtful:
            text = (
                "The connection cannot be resumed, because the server may have ignored items of an upload that was ended early."
            )
            raise TransportError(text, "WebSockets")

    def note_received(self) -> None:
        """Note that something came from the server of a stateful session: an Ack perhaps, or what has to be acknowledged."""
        if self._session.queued:
            self.wake.set()
        if not self.waits_for_ack:
            self._acknowledged.set()
        if self._doubtful and not self._session.unacknowledged:
            self._doubtful = False

    def note_reading(self, *, reading: bool) -> None:
        """Note whether the server is being read."""
        self._reading = reading
        if not reading:
            self._acknowledged.set()

    def close(self) -> None:
        """Let everybody pass, because the link has ended."""
        self._closed = True
        self._gate.close()
        self._acknowledged.set()

    async def run(self, transport: Transport) -> None:
        """Send over *transport* until it breaks; a message is never split.

        Raises:
            Exception: whatever the transport raises.
        """
        session, gate = self._session, self._gate
        self.room = WRITE_LIMIT  # nothing of an earlier transport is in flight any more
        self.wake.set()  # something is queued already: the handshake request, or what is sent again
        while True:
            await self.wake.wait()
            self.wake.clear()
            while data := session.data_to_send(FRAME_LIMIT):
                self.room = WRITE_LIMIT - len(data)
                await transport.send(data)
                self.room = WRITE_LIMIT
                if gate.size:
                    self._count()

    def _count(self) -> None:
        """Bring the gate up to date. That is done only while somebody waits at it: for each message it would be felt."""
        gate = self._gate
        change = self._session.queued + WRITE_LIMIT - self.room - gate.size
        if change > 0:
            gate.add(change, 0)
        else:
            gate.remove(-change, 0)

"""`OutgoingMessages`: what is on its way to one client: the writer, and what holds up senders. Room: server, connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from signalr_client.core.session import HubSession
from signalr_client.gate import Gate
from signalr_client.server.server_connection import ServerConnection

__all__ = ["FRAME_SIZE", "OutgoingMessages"]

FRAME_SIZE: Final = 65_536
"""Bytes that are sent in one go, unless one message is larger."""

_OVERDRAFT: Final = 16 * 1_048_576
"""Bytes by which what is not acknowledged may exceed the limit while senders do not wait for it."""


class OutgoingMessages:
    """Sends what a session has queued, everything of one turn of the event loop together, and holds up those who queue more.

    Senders wait while too many bytes are queued or being sent, and with stateful reconnect also while too many have not been
    acknowledged. They do not wait for an Ack while the client is not being read, because the Ack may be among what is not read; but a
    client that never acknowledges must not gain by that, so the exception ends with an overdraft.

    Attributes:
        unsent: counts the bytes that are queued or being sent.

    Args:
        session: the connection's session; messages are queued there.
        connection: where they go.
        limit: bytes that may be queued or in flight before senders wait; None for no limit.
        ack_timeout: seconds that the client may take for an Ack that senders wait for.
        on_broken: called when the connection cannot be written to; returns whether the client may come back on a new socket.
        on_ack_timeout: called when the client has not sent that Ack.
    """

    def __init__(
        self,
        session: HubSession,
        connection: ServerConnection,
        limit: int | None,
        *,
        ack_timeout: float,
        on_broken: Callable[[OSError], bool],
        on_ack_timeout: Callable[[], None],
    ) -> None:
        self._session = session
        self._connection = connection
        self.unsent: Gate = Gate(limit)
        self._ack_timeout = ack_timeout
        self._on_broken = on_broken
        self._on_ack_timeout = on_ack_timeout
        self._wake = asyncio.Event()
        self._sending = 0  # bytes that the transport is sending
        self._closing = False
        self._reading = True
        self._acknowledged = asyncio.Event()  # set while the replay buffer has room
        self._acknowledged.set()
        self._ack_timer: asyncio.TimerHandle | None = None

    # for senders

    @property
    def full(self) -> bool:
        """Whether a sender has to wait."""
        return self.unsent.full or (self._session.replay_full and not self._closing and (self._reading or self.overdrawn))

    @property
    def overdrawn(self) -> bool:
        """Whether so much is not acknowledged that nobody may add to it any more."""
        limit = self._session.options.replay_limit
        return limit is not None and self._session.unacknowledged > limit + _OVERDRAFT

    async def wait_room(self) -> None:
        """Return when there is room, or when the connection has ended; others may have used the room by then."""
        if self.unsent.full:
            await self.unsent.wait_room()
        elif self.full:
            self._acknowledged.clear()
            self._expect_ack()
            await self._acknowledged.wait()

    # for the connection

    def wake(self) -> None:
        """Let the writer send what the session has queued."""
        self._count()
        self._wake.set()

    def note_acknowledged(self) -> None:
        """Let senders go on if the client has acknowledged enough, or a new socket made room."""
        if not self._session.replay_full:
            self._acknowledged.set()
            self._stop_expecting_ack()

    def note_detached(self) -> None:
        """Note that the socket is lost: there will be no Ack until the client has a new one."""
        self._stop_expecting_ack()
        self._count()

    def note_reading(self, *, reading: bool) -> None:
        """Note whether the client is being read."""
        self._reading = reading
        if not reading and self._session.replay_full:
            if not self.overdrawn:
                self._acknowledged.set()
            self._expect_ack()

    def close(self) -> None:
        """Let everybody pass, because the connection has ended; the writer ends once everything queued was sent."""
        self._closing = True
        self.unsent.close()
        self._acknowledged.set()
        self._stop_expecting_ack()
        self._wake.set()

    async def flush(self, patience: float) -> None:
        """Wait, at most *patience* seconds, until everything queued has been sent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self.unsent.wait_empty()

    async def run(self) -> None:
        """Send until the connection ends and nothing is left."""
        session, connection = self._session, self._connection
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while data := session.data_to_send(FRAME_SIZE):
                    self._sending = len(data)
                    await connection.send(data)
                    self._sending = 0
                    self._count()
            except OSError as exc:
                self._sending = 0
                self._count()
                if not self._on_broken(exc):
                    return
            if self._closing:
                return

    # inside

    def _count(self) -> None:
        """Bring the gate up to date: the session queues some messages by itself, and a lost socket drops some."""
        change = self._session.queued + self._sending - self.unsent.size
        if change > 0:
            self.unsent.add(change, 0)
        elif change < 0:
            self.unsent.remove(-change, 0)

    def _expect_ack(self) -> None:
        if self._ack_timer is None:
            self._ack_timer = asyncio.get_running_loop().call_later(self._ack_timeout, self._on_ack_timeout)

    def _stop_expecting_ack(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None

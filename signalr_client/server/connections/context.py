"""One connected client as the hub side sees it: its session, its writer, its clock, and what it has running. Room: server.

It knows no hub method: what a message means is the dispatcher's, who is connected is the lifetime's.
Spec: server-behaviour.md, "E. Timers, limits, Close", "H".
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from signalr_client.core.messages import Close, HubMessage
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.session import HubSession, Phase, SessionOptions
from signalr_client.errors import BindingError, ConnectionClosedError, HandshakeError
from signalr_client.server.errors import ClientTimeoutError, describe
from signalr_client.types import Seconds, TransferFormat, seconds

if TYPE_CHECKING:
    from signalr_client.server.connection import ServerConnection
    from signalr_client.server.options import HubOptions

__all__ = ["Caller", "Ending"]

logger = logging.getLogger("signalr_client.server.caller")

_TICK: Final = 1.0  # seconds between two looks at whether a client that is not read is still there
_CLOSED: Final = "Connection closed with an error."


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ends: what the client is told, and what `Hub.on_disconnected` gets."""

    close: Close | None
    exception: BaseException | None = None


class Caller:
    """One client's connection.

    Attributes:
        connection_id, user_identifier: what hubs find it by.
        aborted: set when the connection has ended.
        accepted: whether `Hub.on_connected` let the client in, once it has returned.
        shook_hands: whether the handshake is over and went well.
        ended: whether nothing is written to it any more.
    """

    def __init__(self, connection: ServerConnection, protocols: Sequence[HubProtocol], options: HubOptions) -> None:
        self.connection = connection
        self.connection_id = connection.connection_id
        self.user_identifier = options.user_id_provider(connection)
        self.aborted = asyncio.Event()
        self.accepted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.ended = False
        self.shook_hands = False
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._limit = options.transport_max_buffer_size or None
        self._ending: asyncio.Future[Ending] = self._loop.create_future()
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._paused: asyncio.TimerHandle | None = None
        session_options = SessionOptions(
            peer_timeout=_optional(options.client_timeout_interval),
            keep_alive_interval=_optional(options.keep_alive_interval),
            handshake_timeout=_optional(options.handshake_timeout),
            max_message_size=options.maximum_receive_message_size,
            inherent_keep_alive=connection.inherent_keep_alive,
            text_only=connection.text_only,
            enable_detailed_errors=options.enable_detailed_errors,
        )
        self._session = HubSession.server(protocols, session_options, self._loop.time())

    @property
    def protocol(self) -> HubProtocol:
        """The hub protocol that the client asked for in its handshake."""
        return self._session.protocol

    # life

    def start(self) -> None:
        """Begin to write, and to look at the clock."""
        self._writer = asyncio.create_task(self._write(), name=f"signalr writer {self.connection_id}")
        self._set_timer()
        self.expect_expiry()

    def expect_expiry(self) -> None:
        """End the connection when its user's authentication does, where the options say so."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        expires_at = self.connection.user.expires_at
        if self._options.close_on_authentication_expiration and expires_at is not None:
            left = expires_at - time.time()
            self._expiry = self._loop.call_later(max(left, 0.0), self.end, Ending(Close(allow_reconnect=True)))

    async def wait_ending(self) -> Ending:
        """Return how the connection ends, once that is known."""
        return await asyncio.shield(self._ending)

    def end(self, ending: Ending) -> None:
        """Say how the connection ends; only the first counts."""
        if not self._ending.done():
            self._ending.set_result(ending)

    def fail(self, error: BaseException) -> None:
        """End the connection because of *error*, which the client is told if it may know."""
        text = describe(_CLOSED, error, detailed=self._options.enable_detailed_errors)
        self.end(Ending(Close(error=text, allow_reconnect=True), error))

    def refuse(self, error: BaseException) -> None:
        """End the connection because `Hub.on_connected` raised *error*."""
        self.end(Ending(Close(error=describe(_CLOSED, error, detailed=self._options.enable_detailed_errors)), error))

    def refuse_unless_accepted(self, _connecting: object = None) -> None:
        """Settle `accepted` when `Hub.on_connected` is over, however it ended."""
        if not self.accepted.done():
            self.accepted.set_result(False)

    def say_goodbye(self, close: Close | None) -> None:
        """Queue the last message; nothing can be written behind it."""
        if not self.ended:
            if close is not None:
                self.send(close)
            self.ended = True
            if not self._written.is_set():
                self._written.set()  # whoever waits for room need not wait any longer ...
                self._written.clear()  # ... but `finish` still does
        self.aborted.set()

    async def finish(self, *, error: bool) -> None:
        """Let what is queued leave, then close the transport."""
        for timer in (self._timer, self._expiry):
            if timer is not None:
                timer.cancel()
        writer = self._writer
        if writer is not None:
            if not writer.done():
                await self._written.wait()  # the transport gives up by itself on a client that takes nothing
            writer.cancel()
            await asyncio.wait({writer})
        await self.connection.close(error=error)

    # in

    def receive(self, data: bytes) -> list[HubMessage]:
        """Return the messages that *data* completes; what breaks the connection is told to `fail`."""
        session = self._session
        messages = session.receive(data, self._loop.time())
        if not self.shook_hands and session.phase is not Phase.HANDSHAKE:
            self._end_handshake()
        if session.deadline_moved:  # the first Ping has armed the client timeout
            self._set_timer()
        if self.shook_hands and session.error is not None:
            self.fail(session.error)
        return messages

    def receive_end(self) -> None:
        """Note that the client's side has ended."""
        self._session.receive_end()
        if self._session.error is not None and self.shook_hands:
            self.fail(self._session.error)
        self.end(Ending(Close(allow_reconnect=True) if self.shook_hands else None, self.connection.close_error))

    def pause_reading(self) -> None:
        """Note that the client is not read, because its calls have to wait: its silence is not its own, but it may be gone."""
        self._paused = self._loop.call_later(_TICK, self._look_whether_gone)

    def resume_reading(self) -> None:
        """Note that the client is read again."""
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None

    def _look_whether_gone(self) -> None:
        if self.connection.gone:
            self.end(Ending(Close(allow_reconnect=True), self.connection.close_error))
        else:
            self.pause_reading()

    def _end_handshake(self) -> None:
        session = self._session
        self._wake_writer()  # the client is told how it went
        if isinstance(session.error, HandshakeError):
            self.end(Ending(None, session.error))
            return
        self.shook_hands = True
        transfer_format = session.protocol.transfer_format
        self.connection.binary = transfer_format is TransferFormat.BINARY
        self.connection.features[TransferFormat] = transfer_format
        self.connection.features[HubProtocol] = session.protocol
        self._set_timer()

    # out

    def send(self, message: HubMessage) -> None:
        """Queue *message*; one that cannot be written ends the connection. Nothing happens after the end."""
        if self.ended:
            return
        try:
            data = self.protocol.encode(message)
        except BindingError as exc:
            logger.error(
                "! a %s for %s cannot be sent, and its connection ends: %s", type(message).__name__, self.connection_id, exc
            )  # the caller's value, no defect
            self.fail(exc)
            return
        self.queue(data)

    def queue(self, data: bytes) -> None:
        """Queue a message that is encoded; it leaves with everything else of this turn of the event loop."""
        if not self.ended:
            self._session.send_encoded(data)
            if not self._wake.is_set():
                self._wake_writer()

    @property
    def full(self) -> bool:
        """Whether so much is queued that whoever sends has to wait."""
        return self._limit is not None and self._session.queued > self._limit and not self.ended

    async def drain(self) -> None:
        """Return when there is room again, or when the connection has ended."""
        while self.full:
            await self._written.wait()

    async def wait_written(self) -> None:
        """Return when what is queued now has left, or when the connection has ended."""
        await self._written.wait()

    def _wake_writer(self) -> None:
        self._wake.set()
        self._written.clear()

    async def _write(self) -> None:
        session, connection = self._session, self.connection
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while data := session.data_to_send():
                    await connection.send(data)
            except OSError as exc:
                # a client that is cut off is the network's affair: on_disconnected is told nothing, as in ASP.NET Core
                logger.debug("! cannot write to %s: %s", self.connection_id, exc)
                self.ended = True  # before those who wait for room look again: there will be none
                self.end(Ending(None))
                self._written.set()
                return
            self._written.set()

    # time

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._session.next_deadline()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        if self.ended:
            return
        session = self._session
        if self._paused is not None:
            session.receive(b"", self._loop.time())  # counts as a sign of life
        shaking_hands = session.phase is Phase.HANDSHAKE
        session.handle_timeout(self._loop.time())
        if shaking_hands and session.error is not None:
            self._end_handshake()
        elif session.error is not None:
            error = session.error
            if isinstance(error, ConnectionClosedError):
                error = ClientTimeoutError(error.reason)
            self.fail(error)
        else:
            if session.queued:
                self._wake_writer()
            self._set_timer()


def _optional(value: Seconds | None) -> float | None:
    return None if value is None else seconds(value)

"""`HubConnectionContext`: one client's hub connection: its state, its session, its gates and its timers.

Room: server, connections. It knows no hub method: what a message means is the dispatcher's business, and who is connected the
lifetime manager's. What ends the connection is reported at once (`end`); cleaning up follows (`finish`), within a bounded time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signalr_client.core.binding import Binding
from signalr_client.core.exact_numbers import ExactNumbers
from signalr_client.core.messages import Close, HubMessage
from signalr_client.core.protocols import HubProtocol, binding_of
from signalr_client.core.session import HubSession, Phase, SessionOptions
from signalr_client.errors import BindingError, ConnectionClosedError, HandshakeError
from signalr_client.gate import Gate
from signalr_client.server.connections.outgoing import OutgoingMessages
from signalr_client.server.connections.state import State, Trigger, advance
from signalr_client.server.errors import ClientTimeoutError, describe
from signalr_client.server.log import get_logger
from signalr_client.server.options import HubOptions
from signalr_client.server.server_connection import ServerConnection
from signalr_client.types import Seconds, TransferFormat, seconds

__all__ = ["Ending", "HubConnectionContext"]

logger: Final = get_logger("connections")

_TICK: Final = 1.0  # seconds between two checks whether a client that is not being read is still there
_FAREWELL: Final = 1.0  # seconds that a last message gets to leave when the program is about to exit
_CLOSED: Final = "Connection closed with an error."
_WRITABLE: Final = frozenset({State.CONNECTING, State.OPEN, State.DETACHED})


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ends: the Close that the client gets, if any, and the exception for `Hub.on_disconnected`."""

    close: Close | None
    exception: BaseException | None = None


class HubConnectionContext:
    """One client's hub connection; a `LifetimeConnection` for the lifetime manager.

    Attributes:
        connection_id, user_identifier: what hubs find it by.
        state: see state.py. Only `_advance` changes it.
        writable: whether messages are still accepted; after the end they are dropped. It follows from the state, and is kept because
            it is asked for every message.
        protocol: the hub protocol that the client named in its handshake.
        binding: the conversion of types for it.
        exact: which messages of the client are decoded with all digits of their numbers.
        max_pending_results: how many invocations may wait for the client's result at once; None for no limit.
        aborted: set when the connection has ended.
        outgoing: sends what is queued; senders wait while it is full.
        incoming: counts the bytes of calls that have not begun and upload items that have not been read; while it is full, the
            client is not read.
    """

    def __init__(
        self,
        connection: ServerConnection,
        user_identifier: str | None,
        protocols: Sequence[HubProtocol],
        options: HubOptions,
    ) -> None:
        self.connection = connection
        self.connection_id: str = connection.connection_id
        self.user_identifier = user_identifier
        self.state: State = State.HANDSHAKE
        self.writable: bool = False
        self.max_pending_results: int | None = options.maximum_pending_results_per_client
        self.aborted: asyncio.Event = asyncio.Event()
        self.incoming: Gate = Gate(options.application_max_buffer_size or None)
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Future[Ending] = self._loop.create_future()
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._held_up = False  # while the reader waits for a gate instead of the client
        self._watch: asyncio.TimerHandle | None = None  # looks whether a client that is not read is still there
        session_options = SessionOptions(
            peer_timeout=_optional(options.client_timeout_interval),
            keep_alive_interval=_optional(options.keep_alive_interval),
            handshake_timeout=_optional(options.handshake_timeout),
            max_message_size=options.maximum_receive_message_size,
            inherent_keep_alive=connection.inherent_keep_alive,
            text_only=connection.text_only,
            enable_detailed_errors=options.enable_detailed_errors,
            measure=True,
            replay_limit=options.stateful_reconnect_buffer_size if connection.resumable else None,
        )
        self._session = HubSession.server(protocols, session_options, self._loop.time())
        self.outgoing: OutgoingMessages = OutgoingMessages(
            self._session,
            connection,
            options.transport_max_buffer_size or None,
            ack_timeout=seconds(options.transport_send_timeout),
            on_broken=self._write_failed,
            on_ack_timeout=self.give_up,
        )
        self.exact: ExactNumbers = session_options.exact
        self.protocol: HubProtocol = self._session.protocol
        self.binding: Binding = binding_of(self.protocol)

    @property
    def sizes(self) -> list[int]:
        """The sizes in bytes of the messages that `receive` returned last."""
        return self._session.sizes

    # life

    def start(self) -> None:
        """Start the writer and the timers."""
        self._writer = asyncio.create_task(self.outgoing.run(), name=f"signalr writer {self.connection_id}")
        self._set_timer()
        self.expect_expiry()

    def accept(self) -> bool:
        """Note that `Hub.on_connected` has returned; return whether the connection is open, so that calls may begin."""
        if self.state is State.CONNECTING:
            self._advance(Trigger.ACCEPTED)
        return self.state is State.OPEN

    async def wait_ending(self) -> Ending:
        """Return how the connection ends, once that is known."""
        return await asyncio.shield(self._ending)

    def end(self, ending: Ending) -> None:
        """End the connection; only the first reason counts. Nothing can be sent after its Close."""
        if self.state in (State.ENDING, State.ENDED):
            return
        if ending.close is not None and self.writable:
            self._session.send_close(ending.close)
        self._advance(Trigger.END)
        logger.debug("= %s ends: %s", self.connection_id, ending.exception or "in good order")
        self._ending.set_result(ending)
        self.connection.forbid_resume()
        self.aborted.set()
        self.outgoing.close()
        self.incoming.close()

    def fail(self, error: BaseException) -> None:
        """End the connection because of *error*; the client is told what, if it may know, and that it may reconnect."""
        text = describe(_CLOSED, error, detailed=self._options.enable_detailed_errors)
        self.end(Ending(Close(error=text, allow_reconnect=True), error))

    def refuse(self, error: BaseException) -> None:
        """End the connection because `Hub.on_connected` raised *error*; the client should not reconnect."""
        text = describe(_CLOSED, error, detailed=self._options.enable_detailed_errors)
        self.end(Ending(Close(error=text), error))

    async def finish(self, *, error: bool) -> None:
        """Let everything queued leave, close the transport, and release what the connection holds."""
        self.end(Ending(None))
        for timer in (self._timer, self._expiry, self._watch):
            if timer is not None:
                timer.cancel()
        try:
            await self.flush(seconds(self._options.transport_send_timeout))
        finally:
            if self._writer is not None and not self._writer.done():
                self.connection.abort()
                self._writer.cancel()
                await asyncio.wait({self._writer})
            await self.connection.close(error=error)
            self._advance(Trigger.ENDED)

    async def flush(self, patience: float = _FAREWELL) -> None:
        """Wait, at most *patience* seconds, until everything queued has been sent; once the connection ends, the writer ends too."""
        if self._writer is not None and self.state is State.ENDING:
            await asyncio.wait({self._writer}, timeout=patience)
        else:
            await self.outgoing.flush(patience)

    def expect_expiry(self) -> None:
        """End the connection when its user's authentication expires, if the options say so."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        expires_at = self.connection.user.expires_at
        if self._options.close_on_authentication_expiration and expires_at is not None:
            left = expires_at - time.time()
            self._expiry = self._loop.call_later(max(left, 0.0), self.end, Ending(Close(allow_reconnect=True)))

    # in

    def receive(self, data: bytes) -> list[HubMessage]:
        """Return the messages that *data* completes; the caller acts on them and then calls `fail_if_broken`."""
        session = self._session
        messages = session.receive(data, self._loop.time())
        if self.state is State.HANDSHAKE and session.phase is not Phase.HANDSHAKE:
            self._end_handshake()
        if session.deadline_moved:
            self._set_timer()
        if session.stateful:
            self.outgoing.note_acknowledged()
            if session.queued:  # an Ack
                self.outgoing.wake()
        return messages

    def fail_if_broken(self) -> None:
        """End the connection if what the client sent last breaks the protocol."""
        if self._session.error is not None:
            self.fail(self._session.error)

    def receive_end(self) -> None:
        """Note that the client's side has ended."""
        self._session.receive_end()
        self.fail_if_broken()
        self.end(Ending(Close(allow_reconnect=True), self.connection.close_error))

    async def hold_up_reader(self, gate: Gate) -> None:
        """Wait for room in *gate* instead of reading the client; meanwhile its silence is ours, but it may be gone."""
        self._held_up = True
        if self._watch is None:  # not anew for each time: a full upload holds the reader up every few items
            self._look_after_client()
        self.outgoing.note_reading(reading=False)
        try:
            await (self._wait_room_or_loss(gate) if self.connection.resumable else gate.wait_room())
        finally:
            self.outgoing.note_reading(reading=True)
            self._held_up = False

    async def _wait_room_or_loss(self, gate: Gate) -> None:
        """Wait for room, or until the socket is lost: room is only made when the reader has gone on to a new one."""
        lost = self.connection.lost
        if lost.done():
            return
        patience = asyncio.timeout(None)  # no tasks: a full upload holds the reader up every few items

        def interrupt(_: asyncio.Future[None]) -> None:
            if waiting:
                patience.reschedule(self._loop.time())

        waiting = True
        lost.add_done_callback(interrupt)
        with contextlib.suppress(TimeoutError):
            async with patience:
                try:
                    await gate.wait_room()
                finally:
                    waiting = False
                    lost.remove_done_callback(interrupt)

    def _look_after_client(self) -> None:
        self._watch = None
        if self._held_up and self.state is not State.ENDED:
            if self.connection.gone and not self.connection.lose():
                self.end(Ending(Close(allow_reconnect=True), self.connection.close_error))
            self._watch = self._loop.call_later(_TICK, self._look_after_client)

    def _end_handshake(self) -> None:
        session = self._session
        self.outgoing.wake()  # the response is queued
        if isinstance(session.error, HandshakeError):
            self.end(Ending(None, session.error))
            return
        self.protocol = session.protocol
        self.binding = binding_of(self.protocol)
        self._advance(Trigger.HANDSHAKE_DONE)
        self.connection.note_handshake()
        if not session.stateful:
            self.connection.forbid_resume()
        transfer_format = session.protocol.transfer_format
        self.connection.binary = transfer_format is TransferFormat.BINARY
        self.connection.features[TransferFormat] = transfer_format
        self.connection.features[HubProtocol] = session.protocol
        self._set_timer()

    # out

    def send(self, message: HubMessage) -> None:
        """Queue *message*; one that cannot be encoded ends the connection. Does nothing after the end."""
        if not self.writable:
            return
        try:
            data = self.protocol.encode(message)
        except BindingError as exc:
            logger.error(
                "! a %s for %s cannot be encoded, so its connection ends: %s", type(message).__name__, self.connection_id, exc
            )  # a value of user code, not a defect: no traceback
            self.fail(exc)
            return
        self._session.send_encoded(data)
        self.outgoing.wake()

    def queue(self, data: bytes) -> None:
        """Queue an encoded message; it is sent together with everything else of this turn of the event loop."""
        if self.writable:
            self._session.send_encoded(data)
            self.outgoing.wake()

    def _write_failed(self, exc: OSError) -> bool:
        """Act on a socket that cannot be written to; return whether the client may come back on another one."""
        if self._session.resumable and self.connection.resumable:
            return True  # the reader notices the loss too, and detaches
        # The network's failure, not the hub's: on_disconnected gets None, as in ASP.NET Core.
        logger.debug("! cannot write to %s: %s", self.connection_id, exc)
        self.end(Ending(None))
        return False

    def give_up(self) -> None:
        """End the connection of a client that does not acknowledge what it was sent."""
        logger.debug("! %s acknowledges nothing", self.connection_id)
        self.end(Ending(None))

    # stateful reconnect

    def detach(self) -> bool:
        """Note that the socket is lost; return whether the connection outlives it."""
        if self.state not in (State.CONNECTING, State.OPEN) or not self._session.resumable:
            return False
        self._session.detach()
        if self.state is State.OPEN:  # otherwise `Hub.on_connected` still decides whether the connection will be open
            self._advance(Trigger.DETACH)
        self.outgoing.note_detached()
        self._set_timer()
        logger.debug("= %s lost its socket", self.connection_id)
        return True

    def resume(self) -> None:
        """Go on with a new socket: what the client has not acknowledged is sent again."""
        self._session.resume(self._loop.time())
        if self.state is State.DETACHED:
            self._advance(Trigger.RESUME)
        self.outgoing.note_acknowledged()
        self.outgoing.wake()
        self._set_timer()
        logger.debug("= %s continues on a new socket", self.connection_id)

    # time

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._session.next_deadline()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._handle_timeout)

    def _handle_timeout(self) -> None:
        if self.state in (State.ENDING, State.ENDED):
            return
        session = self._session
        if self._held_up:
            session.excuse_silence(self._loop.time())
        session.handle_timeout(self._loop.time())
        if session.error is None:
            if session.queued:
                self.outgoing.wake()
            self._set_timer()
        elif self.state is State.HANDSHAKE:
            self._end_handshake()
        elif isinstance(session.error, ConnectionClosedError):
            self.fail(ClientTimeoutError(session.error.reason))
        else:
            self.fail(session.error)

    def _advance(self, trigger: Trigger) -> None:
        self.state = advance(self.state, trigger)
        self.writable = self.state in _WRITABLE


def _optional(value: Seconds | None) -> float | None:
    return None if value is None else seconds(value)

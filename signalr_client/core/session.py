"""One hub connection without I/O: bytes and the time in; messages, bytes to send and the next deadline out.

Room: core, row 2. No socket, no clock, no event loop. Client and server share these rules and differ in the role.

Theory of operation
-------------------
A session covers one physical connection and is discarded with it, unless both sides agreed on stateful reconnect. Its phases:

    HANDSHAKE --handshake of the peer--> OPEN --error, or Close received--> ENDED
    HANDSHAKE --error--> ENDED
    OPEN --detach--> DETACHED --resume--> OPEN
    DETACHED --receive_end--> ENDED

- `receive` splits and decodes what the transport delivered and returns the messages that the caller has to act on. Ping, Ack and
  Sequence stay inside the session. A message of an unknown type is skipped and counted in `skipped`, for the caller to log.
- `send` encodes a message and queues its bytes. `data_to_send` returns everything queued, joined, or whole messages up to a
  limit. `queued` is the number of bytes left. What the session sends by itself (handshake, Ping, Ack, Sequence) leaves before the
  messages of the caller, and a Close after them. `receive` and `handle_timeout` may queue something, so look at `queued` after them.
- `next_deadline` is the time at which `handle_timeout` must be called. Sending and receiving move a deadline later, so the caller
  needs a single timer and asks again when it fires. Three events can move it earlier: the end of the handshake, on a server the
  first Ping, which arms the client timeout, and a message that has to be acknowledged. They set `deadline_moved`. A caller that
  finds it set after `receive` asks again, which clears it, and moves its timer; otherwise the timeout would come late or never.
- A silent peer is judged twice. When an event loop was blocked, its timers fire before the bytes that arrived meanwhile are
  delivered, so a peer that looks silent may be healthy. The first `handle_timeout` past the peer timeout therefore only asks to be
  called again `SECOND_LOOK` seconds later. The session fails if nothing has been received by then.
- With stateful reconnect (`stateful`), the session outlives its socket. When the socket is lost without a close frame or a Close, the
  caller calls `detach`: input that was received in part is dropped, all timers stop, `data_to_send` returns nothing, and `send` goes
  on queuing. With a new socket the caller calls `resume`: a Sequence, then everything that the peer has not acknowledged, then what
  is new leaves through `data_to_send`. Messages that arrive twice are dropped. `replay_full` tells senders to wait. See replay.py.
- Nothing that the peer does raises an exception. What breaks the connection is stored in `error`, and the messages before it are
  still returned. The caller checks `error` after each `receive` and each `handle_timeout`.

The roles differ in who speaks first, in the errors that they report, and in what moves the keep-alive: a client pings after an
interval in which it sent nothing, a server at a fixed interval, as ASP.NET Core does.
Spec: hub protocol specification, "Overview" and 'Ping (aka "Keep Alive")'; docs/protocol.md.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from signalr_client.core import handshake
from signalr_client.core.framing import Framer
from signalr_client.core.messages import COUNTED, Ack, Close, CountedMessage, HubMessage, Ping, Sequence
from signalr_client.core.outbox import Control, Outbox
from signalr_client.core.padding import item_padding
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.replay import ReceivedCounter, ReplayBuffer
from signalr_client.core.session_options import Phase, Role, SessionOptions
from signalr_client.errors import HandshakeError, InvalidStateError, ProtocolError, SignalRError

__all__ = ["SECOND_LOOK", "HubSession", "Phase", "Role", "SessionOptions"]

SECOND_LOOK: Final = 0.1
"""Seconds between finding the peer silent and giving up on it, so that bytes which have arrived can be read first."""

_PING: Final = Ping()
_DETACHED: Final = Phase.DETACHED  # looked up for each frame
_HANDSHAKE_LIMIT: Final = 65_536


class HubSession:
    """The rules of one hub connection; see the module's theory of operation. Made by `HubSession.client` and `HubSession.server`.

    Attributes:
        error: what ended the session, or None while it is open and after a Close.
        protocol: the hub protocol; a server knows it once the handshake has arrived.
        queued: bytes waiting for `data_to_send`.
        largest_sent: bytes of the largest message sent so far, which helps to explain why a server closed the connection.
        measure, sizes: if *measure*, the size in bytes of each message that the last `receive` returned, without framing.
        pending: bytes that the last `receive` has kept of an incomplete message.
        skipped: received messages of an unknown type.
        last_received: when something was received last, or else when the session began or was resumed.
        deadline_moved: `next_deadline` may be earlier than when it was last asked.
        stateful: both sides agreed on stateful reconnect in the handshake.
        replay, counter: what is kept for the peer, and what came from it, with stateful reconnect.
    """

    def __init__(self, role: Role, protocols: Collection[HubProtocol], options: SessionOptions, now: float) -> None:
        self.role = role
        self.phase: Phase = Phase.HANDSHAKE
        self.error: SignalRError | None = None
        self.options = options
        self.protocol: HubProtocol = next(iter(protocols))
        self.queued: int = 0
        self.largest_sent: int = 0
        self.skipped: int = 0
        self.pending: int = 0
        self.measure: bool = options.measure
        self.sizes: list[int] = []
        self.deadline_moved: bool = False
        self.stateful: bool = False
        self.replay: ReplayBuffer | None = None
        self._is_client = role is Role.CLIENT
        self._protocols = {protocol.name.lower(): protocol for protocol in protocols}
        self._framer: Framer | None = None
        limit = options.max_message_size
        self._handshake = handshake.HandshakeBuffer(_HANDSHAKE_LIMIT if limit is None else limit)
        self._outbox = Outbox()
        self._output = self._outbox.messages
        self._closing = False  # a Close is queued, or has left
        self.counter: ReceivedCounter | None = None
        self._reported: float | None = None  # the deadline that the caller knows
        self.last_received: float = now
        self._started = self._sent = now
        self._second_look: float | None = None  # when to give up on a peer that was found silent
        self._ping_interval = None if options.inherent_keep_alive else options.keep_alive_interval
        self._watches = role is Role.CLIENT and not options.inherent_keep_alive  # whether the peer timeout is armed

    @classmethod
    def client(cls, protocol: HubProtocol, options: SessionOptions, now: float) -> HubSession:
        """Return the client's side of a new connection; its handshake request is queued already."""
        session = cls(Role.CLIENT, [protocol], options, now)
        version = 1
        if options.replay_limit is not None and protocol.version >= handshake.STATEFUL_VERSION:
            version = handshake.STATEFUL_VERSION
            session._count_messages()
        session._queue(Control.HANDSHAKE, handshake.encode_request(protocol.name, version), now)
        return session

    @classmethod
    def server(cls, protocols: Collection[HubProtocol], options: SessionOptions, now: float) -> HubSession:
        """Return the server's side of a new connection; the client chooses one of *protocols* in its handshake."""
        return cls(Role.SERVER, protocols, options, now)

    # in

    def receive(self, data: bytes, now: float) -> list[HubMessage]:
        """Return the messages that *data* completes, for the caller to act on. Check `error` afterwards."""
        self.last_received, self._second_look = now, None
        measure, sizes = self.measure, self.sizes
        if measure:
            self.sizes = sizes = []
        if self.phase is not Phase.OPEN:
            rest = self._receive_handshake(data, now) if self.phase is Phase.HANDSHAKE else None
            if not rest:
                return []
            data = rest
        framer, decode, counter = self._framer, self.options.exact.decoder(self.protocol), self.counter
        assert framer is not None  # created at the end of the handshake
        messages: list[HubMessage] = []
        for record in framer.feed(data):
            try:
                message = decode(record)
                kind = type(message)
                if kind in COUNTED:
                    if counter is not None and not counter.accept(len(record), now):
                        continue
                    messages.append(message)  # type: ignore[arg-type]  # its type was checked
                    if measure:
                        sizes.append(len(record))
                elif kind is Close:
                    messages.append(message)  # type: ignore[arg-type]  # its type was checked
                    if measure:
                        sizes.append(len(record))
                    self.phase = Phase.ENDED  # whatever follows a Close is not read
                    return messages
                else:
                    self._keep(message)
            except ProtocolError as exc:
                self._fail(exc)
                return messages
        self.pending = framer.pending
        if framer.error is not None:
            self._fail(self.role.framing_error(framer.error))
        elif counter is not None:
            self._plan_ack(counter, now)
        return messages

    def excuse_silence(self, now: float) -> None:
        """Start the peer timeout anew, because the caller itself did not read from the transport until now."""
        self.last_received, self._second_look = now, None

    def receive_end(self) -> None:
        """Note that the transport has ended; a truncated message becomes the `error`."""
        if self.phase is Phase.OPEN and self._framer is not None and self._framer.pending:
            self._fail(ProtocolError("Connection terminated while reading a message."))
        self.phase = Phase.ENDED

    # out

    def send(self, message: CountedMessage, now: float) -> None:
        """Encode *message* and queue its bytes.

        Raises:
            BindingError: a value of the message cannot be encoded; nothing was queued.
        """
        data = self.protocol.encode(message)
        size = len(data)
        if size > self.largest_sent:
            self.largest_sent = size
        self._output.append(data)
        self.queued += size
        if self._is_client:
            self._sent = now

    def send_encoded(self, data: bytes) -> None:
        """Queue one `CountedMessage` that is already encoded (a broadcast is encoded once for many connections)."""
        self._output.append(data)
        self.queued += len(data)

    def send_close(self, close: Close) -> None:
        """Queue the last message: it leaves after everything else that is queued, and nothing may be queued after it."""
        if not self._closing:
            data = self.protocol.encode(close)
            self._outbox.put_close(data)
            self._closing = True
            self.queued += len(data)

    def data_to_send(self, limit: int | None = None) -> bytes:
        """Take queued messages off the queue and return their bytes, joined; empty if nothing is queued, or while detached.

        Args:
            limit: the bytes to return at most. Messages are never split: if the first is larger, it is returned alone. What does
                not fit stays queued. None returns everything.
        """
        queued = self.queued
        if not queued or self.phase is _DETACHED:
            return b""
        data = self._outbox.take(None if limit is None or queued <= limit else limit)
        self.queued = queued - len(data)
        return data

    # stateful reconnect

    @property
    def resumable(self) -> bool:
        """Whether the session outlives the loss of its socket: it is stateful and open, and no Close was sent or received."""
        return self.stateful and not self._closing and self.phase in (Phase.OPEN, Phase.DETACHED)

    @property
    def unacknowledged(self) -> int:
        """Bytes kept until the peer has acknowledged them, those that are still queued included; 0 if not stateful."""
        return 0 if self.replay is None else self.replay.size

    @property
    def replay_full(self) -> bool:
        """Whether senders have to wait for an Ack, because more than `SessionOptions.replay_limit` bytes are kept."""
        replay, limit = self.replay, self.options.replay_limit
        return replay is not None and limit is not None and replay.is_full(limit)

    def detach(self) -> None:
        """Note that the socket was lost. Until `resume`, nothing is read or written, and no time runs out.

        Raises:
            InvalidStateError: the session is not `resumable`, or it is detached already.
        """
        if not (self.resumable and self.phase is Phase.OPEN):
            raise InvalidStateError("detach", self.phase.value, "The session cannot outlive its socket.")
        self.phase = Phase.DETACHED
        self._framer, self.pending = None, 0  # with what was received in part
        self.queued -= self._outbox.discard_control()

    def resume(self, now: float) -> None:
        """Continue on a new socket: queue a Sequence and everything that the peer has not acknowledged; start the timers anew.

        Raises:
            InvalidStateError: the session is not detached.
        """
        replay, counter = self.replay, self.counter
        if self.phase is not Phase.DETACHED or replay is None or counter is None:
            raise InvalidStateError("resume", self.phase.value, "Only a session that has lost its socket can be resumed.")
        self.phase = Phase.OPEN
        self._framer = self.protocol.framer(self.options.max_message_size)
        self.last_received, self._sent, self._second_look = now, now, None
        self.deadline_moved = True
        counter.resume()
        self.queued -= replay.queued
        sequence = Sequence(sequence_id=replay.resume(None if self.options.counts_all_items else item_padding(self.protocol)))
        self.queued += replay.queued
        self._queue(Control.SEQUENCE, self.protocol.encode(sequence), now)

    def _count_messages(self) -> None:
        """Number the messages from now on. Nothing that is counted has been queued yet."""
        self.replay = self._output = self._outbox.messages = ReplayBuffer()
        self.counter = ReceivedCounter()

    def _plan_ack(self, counter: ReceivedCounter, now: float) -> None:
        """Queue an Ack if one is due, or see to it that the caller wakes up in time for the next one."""
        due = counter.ack_due
        if due is None:
            return
        if due <= now:
            self._queue(Control.ACK, self.protocol.encode(Ack(sequence_id=counter.acknowledge())), now)
        elif self._reported is None or due < self._reported:
            self.deadline_moved = True

    # time

    def next_deadline(self) -> float | None:
        """Return the time at which `handle_timeout` must be called, or None for never."""
        self.deadline_moved, self._reported = False, self._deadline()
        return self._reported

    def handle_timeout(self, now: float) -> None:
        """Do what is due: queue a Ping or an Ack, or end the session. Check `error` afterwards."""
        deadline = self._deadline()
        if deadline is None or now < deadline:
            return
        options = self.options
        if self.phase is Phase.HANDSHAKE:
            self._abandon_handshake(handshake.timeout_error(options.handshake_timeout or 0.0), now)
            return
        if self._watches and options.peer_timeout is not None:
            if self._second_look is None:
                if now >= self.last_received + options.peer_timeout:
                    self._second_look = now + SECOND_LOOK
            elif now >= self._second_look:
                self._fail(self.role.silence_error(options.peer_timeout, now - self.last_received))
                return
        if self._ping_interval is not None and now >= self._sent + self._ping_interval:
            self._queue(Control.PING, self.protocol.encode(_PING), now)
            self._sent = now
        if self.counter is not None:
            self._plan_ack(self.counter, now)

    def _deadline(self) -> float | None:
        options = self.options
        match self.phase:
            case Phase.HANDSHAKE:
                return None if options.handshake_timeout is None else self._started + options.handshake_timeout
            case Phase.OPEN:
                times = []
                if self._ping_interval is not None:
                    times.append(self._sent + self._ping_interval)
                if self._second_look is not None:
                    times.append(self._second_look)
                elif self._watches and options.peer_timeout is not None:
                    times.append(self.last_received + options.peer_timeout)
                if self.counter is not None and self.counter.ack_due is not None:
                    times.append(self.counter.ack_due)
                return min(times, default=None)
            case _:
                return None

    def _receive_handshake(self, data: bytes, now: float) -> bytes | None:
        """Return what follows the handshake; None while it is incomplete or after it failed."""
        buffer, limit = self._handshake, self.options.max_message_size
        parts = buffer.feed(data)
        if parts is None:
            if buffer.too_large:
                option = "" if limit is None else "max_message_size, "
                reason = f"The server's handshake response is longer than {option}{buffer.limit} bytes."
                self._abandon_handshake(HandshakeError(reason), now)
            return None
        (text, rest), options = parts, self.options
        try:
            if self._is_client:
                handshake.check_response(text)
                self.stateful = self.counter is not None
            else:
                self.protocol, version = handshake.accept_request(
                    text, self._protocols, text_only=options.text_only, detailed=options.enable_detailed_errors
                )
                if options.replay_limit is not None and version >= handshake.STATEFUL_VERSION:
                    self._count_messages()
                    self.stateful = True
                self._queue(Control.HANDSHAKE, handshake.encode_response(), now)
        except HandshakeError as exc:
            self._refuse_handshake(exc, now)
            return None
        self.phase = Phase.OPEN
        self.deadline_moved = True
        self._framer = self.protocol.framer(limit)
        if self._is_client and not options.inherent_keep_alive:
            self._queue(Control.PING, self.protocol.encode(_PING), now)  # tells the server that this client pings
        return rest

    def _abandon_handshake(self, error: HandshakeError, now: float) -> None:
        """End a handshake that takes too long or is too large; ASP.NET Core has one text for both."""
        self._refuse_handshake(error if self._is_client else HandshakeError("Handshake was canceled."), now)

    def _refuse_handshake(self, error: HandshakeError, now: float) -> None:
        """End a handshake; a server tells the client why."""
        if not self._is_client:
            self._queue(Control.HANDSHAKE, handshake.encode_response(str(error)), now)
        self._fail(error)

    def _keep(self, message: HubMessage | None) -> None:
        """Act on a message that is not for the caller: Ping, Ack, Sequence, or None for an unknown type."""
        match message:
            case None:
                self.skipped += 1
            case Ping() if not self._watches and not self.options.inherent_keep_alive:
                self._watches = True  # a client that never pings is never timed out
                self.deadline_moved = True
            case Ack() if self.replay is not None:
                self.replay.acknowledge(message.sequence_id)
            case Sequence() if self.counter is not None:
                self.counter.sequence(message.sequence_id)

    def _queue(self, kind: Control, data: bytes, now: float) -> None:
        self.queued += self._outbox.put(kind, data)
        if self._is_client:
            self._sent = now

    def _fail(self, error: SignalRError) -> None:
        self.error = error
        self.phase = Phase.ENDED

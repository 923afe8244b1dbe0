"""One hub connection without I/O: bytes and the time in; messages, bytes to send and the next deadline out.

Room: core, row 2. No socket, no clock, no event loop. Client and server share these rules and differ in the role.

Theory of operation
-------------------
A session covers one physical connection and is discarded with it. It is in one of three phases:

    HANDSHAKE --handshake of the peer--> OPEN --error, or Close received--> ENDED
    HANDSHAKE --error--> ENDED

- `receive` splits and decodes what the transport delivered and returns the messages that the caller has to act on. Ping, Ack and
  Sequence stay inside the session. A message of an unknown type is skipped and counted in `skipped`, for the caller to log.
- `send` encodes a message and queues its bytes. `data_to_send` returns everything queued, joined, or whole messages up to a
  limit. `queued` is the number of bytes left.
- `next_deadline` is the time at which `handle_timeout` must be called. Sending and receiving move a deadline later, so the caller
  needs a single timer and asks again when it fires. Two events can move it earlier: the end of the handshake, and on a server the
  first Ping, which arms the client timeout. Both set `deadline_moved`. A caller that finds it set after `receive` asks
  `next_deadline` again (which clears it) and moves its timer; otherwise the timeout would be enforced late, or never when no
  timer was running.
- A silent peer is judged twice. When an event loop was blocked, its timers fire before the bytes that arrived meanwhile are
  delivered, so a peer that looks silent may be healthy. The first `handle_timeout` past the peer timeout therefore only asks to be
  called again `SECOND_LOOK` seconds later. The session fails if nothing has been received by then.
- Nothing that the peer does raises an exception. What breaks the connection is stored in `error`, and the messages before it are
  still returned. The caller checks `error` after each `receive` and each `handle_timeout`.

The roles differ in who speaks first, in the errors that they report, and in what moves the keep-alive: a client pings after an
interval in which it sent nothing, a server at a fixed interval, as ASP.NET Core does.
Spec: hub protocol specification, "Overview" and 'Ping (aka "Keep Alive")'; docs/protocol.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from signalr_client.core import handshake
from signalr_client.core.framing import Framer, RecordTooLargeError
from signalr_client.core.messages import (
    CancelInvocation,
    Close,
    Completion,
    HubMessage,
    Invocation,
    Ping,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.protocols import HubProtocol
from signalr_client.errors import ConnectionClosedError, HandshakeError, ProtocolError, ServerTimeoutError, SignalRError
from signalr_client.types import TransferFormat

__all__ = ["SECOND_LOOK", "HubSession", "Phase", "Role", "SessionOptions"]

SECOND_LOOK: Final = 0.1
"""Seconds between finding the peer silent and giving up on it, so that bytes which have arrived can be read first."""


class Role(Enum):
    """The side of the connection that a session plays."""

    CLIENT = "client"
    SERVER = "server"


class Phase(Enum):
    """The phases of a session; see the module's theory of operation."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """Times in seconds, sizes in bytes. None switches a timer or a limit off.

    Attributes:
        peer_timeout: how long the peer may be silent.
        keep_alive_interval: how often to send a Ping.
        handshake_timeout: how long the peer's handshake may take.
        max_message_size: the size of the largest message that is received, its framing included. It also limits the handshake,
            to 64 KiB if it is None.
        inherent_keep_alive: the transport itself detects a dead peer (Long Polling): no pings and no peer timeout.
        text_only: the transport carries text only (Server-Sent Events); a server refuses a binary protocol on it.
        enable_detailed_errors: a server tells its clients what was wrong with their handshake.
        measure: keep the sizes of received messages in `HubSession.sizes`.
    """

    peer_timeout: float | None = 30.0
    keep_alive_interval: float | None = 15.0
    handshake_timeout: float | None = 15.0
    max_message_size: int | None = None
    inherent_keep_alive: bool = False
    text_only: bool = False
    enable_detailed_errors: bool = False
    measure: bool = False


_RETURNED: Final = frozenset({Invocation, StreamItem, Completion, StreamInvocation, CancelInvocation})
_PING: Final = Ping()
_HANDSHAKE_LIMIT: Final = 65_536


class HubSession:
    """The rules of one hub connection; see the module's theory of operation.

    Create one with `HubSession.client` or `HubSession.server`.

    Attributes:
        error: what ended the session, or None while it is open and after a Close.
        protocol: the hub protocol; a server knows it once the handshake has arrived.
        queued: bytes waiting for `data_to_send`.
        largest_sent: bytes of the largest message sent so far, which helps to explain why a server closed the connection.
        sizes: with `SessionOptions.measure`, the size in bytes of each message that the last `receive` returned, without framing.
        skipped: received messages of an unknown type.
        deadline_moved: `next_deadline` may be earlier than when it was last asked.
    """

    def __init__(self, role: Role, protocols: Sequence[HubProtocol], options: SessionOptions, now: float) -> None:
        self.role = role
        self.phase = Phase.HANDSHAKE
        self.error: SignalRError | None = None
        self.options = options
        self.protocol = protocols[0]
        self.queued = 0
        self.largest_sent = 0
        self.sizes: list[int] = []
        self.skipped = 0
        self.deadline_moved = False
        self._is_client = role is Role.CLIENT
        self._protocols = {protocol.name.lower(): protocol for protocol in protocols}
        self._framer: Framer | None = None
        limit = options.max_message_size
        self._handshake = handshake.HandshakeBuffer(_HANDSHAKE_LIMIT if limit is None else limit)
        self._output: deque[bytes] = deque()
        self._started = self._received = self._sent = now
        self._second_look: float | None = None  # when to give up on a peer that was found silent
        self._watches = role is Role.CLIENT and not options.inherent_keep_alive  # whether the peer timeout is armed

    @classmethod
    def client(cls, protocol: HubProtocol, options: SessionOptions, now: float) -> HubSession:
        """Return the client's side of a new connection; its handshake request is queued already."""
        session = cls(Role.CLIENT, [protocol], options, now)
        session._queue(handshake.encode_request(protocol.name, 1), now)
        return session

    @classmethod
    def server(cls, protocols: Sequence[HubProtocol], options: SessionOptions, now: float) -> HubSession:
        """Return the server's side of a new connection; the client chooses one of *protocols* in its handshake."""
        return cls(Role.SERVER, protocols, options, now)

    # in

    def receive(self, data: bytes, now: float) -> list[HubMessage]:
        """Return the messages that *data* completes, for the caller to act on. Check `error` afterwards."""
        self._received, self._second_look = now, None
        measure = self.options.measure
        if measure:
            self.sizes = []
        if self.phase is not Phase.OPEN:
            rest = self._receive_handshake(data, now) if self.phase is Phase.HANDSHAKE else None
            if not rest:
                return []
            data = rest
        framer = self._framer
        decode = self._decode_measured if measure else self.protocol.decode
        assert framer is not None  # created at the end of the handshake
        messages: list[HubMessage] = []
        for record in framer.feed(data):
            try:
                message = decode(record)
            except ProtocolError as exc:
                self._fail(exc)
                return messages
            kind = type(message)
            if kind in _RETURNED:
                messages.append(message)  # type: ignore[arg-type]  # its type was checked
            elif kind is Close:
                messages.append(message)  # type: ignore[arg-type]  # its type was checked
                self.phase = Phase.ENDED  # whatever follows a Close is not read
                return messages
            else:
                self._keep(message)
        if framer.error is not None:
            self._fail(self._framing_error(framer.error))
        return messages

    def excuse_silence(self, now: float) -> None:
        """Start the peer timeout anew, because the caller itself did not read from the transport until now."""
        self._received, self._second_look = now, None

    def receive_end(self) -> None:
        """Note that the transport has ended; a truncated message becomes the `error`."""
        if self.phase is Phase.OPEN and self._framer is not None and self._framer.pending:
            self._fail(ProtocolError("Connection terminated while reading a message."))
        self.phase = Phase.ENDED

    # out

    def send(self, message: HubMessage, now: float) -> None:
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
        """Queue one message that is already encoded (a broadcast is encoded once for many connections)."""
        self._output.append(data)
        self.queued += len(data)

    def data_to_send(self, limit: int | None = None) -> bytes:
        """Take queued messages off the queue and return their bytes, joined; empty if nothing is queued.

        Args:
            limit: the bytes to return at most. Messages are never split: if the first is larger, it is returned alone. What does
                not fit stays queued. None returns everything.
        """
        output = self._output
        if not output:
            return b""
        if limit is None or self.queued <= limit:
            data = output[0] if len(output) == 1 else b"".join(output)
            output.clear()
            self.queued = 0
            return data
        part = output.popleft()
        parts, size = [part], len(part)
        while output and size + len(output[0]) <= limit:
            part = output.popleft()
            parts.append(part)
            size += len(part)
        self.queued -= size
        return part if len(parts) == 1 else b"".join(parts)

    # time

    def next_deadline(self) -> float | None:
        """Return the time at which `handle_timeout` must be called, or None for never."""
        self.deadline_moved = False
        return self._deadline()

    def handle_timeout(self, now: float) -> None:
        """Do what is due: queue a Ping, or end the session. Check `error` afterwards."""
        deadline = self._deadline()
        if deadline is None or now < deadline:
            return
        options = self.options
        if self.phase is Phase.HANDSHAKE:
            self._abandon_handshake(handshake.timeout_error(options.handshake_timeout or 0.0), now)
            return
        if self._watches and options.peer_timeout is not None:
            if self._second_look is None:
                if now >= self._received + options.peer_timeout:
                    self._second_look = now + SECOND_LOOK
            elif now >= self._second_look:
                self._fail(self._silence(options.peer_timeout, now - self._received))
                return
        if options.keep_alive_interval is not None and now >= self._sent + options.keep_alive_interval:
            self.send(_PING, now)
            self._sent = now

    def _deadline(self) -> float | None:
        options = self.options
        match self.phase:
            case Phase.HANDSHAKE:
                return None if options.handshake_timeout is None else self._started + options.handshake_timeout
            case Phase.OPEN if not options.inherent_keep_alive:
                times = []
                if options.keep_alive_interval is not None:
                    times.append(self._sent + options.keep_alive_interval)
                if self._second_look is not None:
                    times.append(self._second_look)
                elif self._watches and options.peer_timeout is not None:
                    times.append(self._received + options.peer_timeout)
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
        text, rest = parts
        if not (self._check_response(text) if self._is_client else self._check_request(text, now)):
            return None
        self.phase = Phase.OPEN
        self.deadline_moved = True
        self._framer = self.protocol.framer(limit)
        if self._is_client and not self.options.inherent_keep_alive:
            self.send(_PING, now)  # tells the server that this client pings
        return rest

    def _decode_measured(self, record: bytes) -> HubMessage | None:
        """Decode *record* and note its size if `receive` will return it."""
        message = self.protocol.decode(record)
        kind = type(message)
        if kind in _RETURNED or kind is Close:
            self.sizes.append(len(record))
        return message

    def _check_response(self, text: bytes) -> bool:
        try:
            response = handshake.decode_response(text)
        except HandshakeError as exc:
            self._fail(exc)
            return False
        if response.error is not None:
            self._fail(HandshakeError(f"Unable to complete handshake with the server due to an error: {response.error}"))
            return False
        return True

    def _check_request(self, text: bytes, now: float) -> bool:
        try:
            request = handshake.decode_request(text)
        except HandshakeError as exc:
            detail = f" InvalidDataException: {exc}" if self.options.enable_detailed_errors else ""
            self._refuse_handshake(f"An unexpected error occurred during connection handshake.{detail}", now)
            return False
        protocol = self._protocols.get(request.protocol.lower())
        if protocol is None:
            self._refuse_handshake(f"The protocol '{request.protocol}' is not supported.", now)
        elif request.version > protocol.version:
            unsupported = f"The server does not support version {request.version} of the '{request.protocol}' protocol."
            self._refuse_handshake(unsupported, now)
        elif self.options.text_only and protocol.transfer_format is not TransferFormat.TEXT:
            wanted = protocol.transfer_format.value
            self._refuse_handshake(
                f"Cannot use the '{protocol.name}' protocol on the current transport."
                f" The transport does not support '{wanted}' transfer format.",
                now,
            )
        else:
            self.protocol = protocol
            self._queue(handshake.encode_response(), now)
            return True
        return False

    def _abandon_handshake(self, error: HandshakeError, now: float) -> None:
        """End a handshake that takes too long or is too large; ASP.NET Core has one text for both."""
        if self.role is Role.SERVER:
            self._refuse_handshake("Handshake was canceled.", now)
        else:
            self._fail(error)

    def _refuse_handshake(self, reason: str, now: float) -> None:
        """End a handshake and tell the client why."""
        self._queue(handshake.encode_response(reason), now)
        self._fail(HandshakeError(reason))

    def _keep(self, message: HubMessage | None) -> None:
        """Act on a message that is not for the caller: Ping, Ack, Sequence, or None for an unknown type."""
        if message is None:
            self.skipped += 1
        elif type(message) is Ping and not self._watches and not self.options.inherent_keep_alive:
            self._watches = True  # a client that never pings is never timed out
            self.deadline_moved = True

    def _framing_error(self, error: ProtocolError) -> ProtocolError:
        """Return *error* as this role reports it: the text about a large record names the option of a server."""
        if not (self._is_client and isinstance(error, RecordTooLargeError)):
            return error
        return ProtocolError(
            f"The server sent a message of more than {error.max_size} bytes. To receive it, raise the max_message_size of"
            " with_url(), or set it to None for no limit."
        )

    def _silence(self, timeout: float, idle: float) -> SignalRError:
        if self._is_client:
            return ServerTimeoutError(timeout, idle)
        return ConnectionClosedError("Client hasn't sent a message/ping within the configured ClientTimeoutInterval.")

    def _queue(self, data: bytes, now: float) -> None:
        self._output.append(data)
        self.queued += len(data)
        if self._is_client:
            self._sent = now

    def _fail(self, error: SignalRError) -> None:
        self.error = error
        self.phase = Phase.ENDED

"""One hub connection without I/O: bytes and the time in, messages out, bytes to send, and when to look again.

Room: core, row 2. No socket, no clock, no event loop: client and server drive the same rules with their own.

Theory of operation
-------------------
A session is one physical connection and is thrown away with it. It is in one of three phases:

    HANDSHAKE --the other side's handshake--> OPEN --error, or a Close that came--> ENDED
    HANDSHAKE --error--> ENDED

- `receive` takes what came from the transport, splits it, decodes it and returns what the caller has to act on. Ping, Ack and
  Sequence never leave the session.
- `send` encodes a message and keeps its bytes until `data_to_send` takes them all at once: messages of one turn of the event
  loop leave together. `queued` says how many bytes wait, for the caller's write limit.
- `next_deadline` says when `handle_timeout` wants to be called. Deadlines only ever move back when something is sent or received,
  so a caller may set one timer and look again when it fires.
- Nothing raises because of what the peer did. What breaks the connection is kept in `error`; the messages before the break are
  still returned. A caller looks at `error` after each `receive` and each `handle_timeout`.

The two roles differ in three places: who speaks first, which errors a silent peer makes, and what moves the keep-alive (a client
pings after a time in which it sent nothing, the server at a fixed rhythm, as ASP.NET Core does).
Spec: client-behaviour.md, "B8", "E9", "E10"; server-behaviour.md, "C", "E".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from signalr_client.core import handshake
from signalr_client.core.framing import Framer
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

__all__ = ["HubSession", "Phase", "Role", "SessionOptions"]


class Role(Enum):
    """Which side of the connection a session is."""

    CLIENT = "client"
    SERVER = "server"


class Phase(Enum):
    """Where a session is in its life; see the module's theory of operation."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """Times in seconds, sizes in bytes. None switches a timer or a limit off.

    Attributes:
        peer_timeout: how long the other side may be silent.
        keep_alive_interval: how often to send a Ping.
        handshake_timeout: how long the other side's handshake may take.
        max_message_size: bytes that one received message may have.
        inherent_keep_alive: the transport notices a dead peer by itself (Long Polling): no pings and no peer timeout.
        text_only: the transport carries text only (Server-Sent Events); a server refuses a binary protocol on it.
        enable_detailed_errors: a server tells its clients what was wrong with their handshake.
    """

    peer_timeout: float | None = 30.0
    keep_alive_interval: float | None = 15.0
    handshake_timeout: float | None = 15.0
    max_message_size: int | None = None
    inherent_keep_alive: bool = False
    text_only: bool = False
    enable_detailed_errors: bool = False


_PASSED: Final = frozenset({Invocation, StreamItem, Completion, StreamInvocation, CancelInvocation})
_PING: Final = Ping()


class HubSession:
    """The rules of one hub connection; see the module's theory of operation.

    Make one with `HubSession.client` or `HubSession.server`.
    """

    def __init__(self, role: Role, protocols: Sequence[HubProtocol], options: SessionOptions, now: float) -> None:
        self.role = role
        self._is_client = role is Role.CLIENT
        self.phase = Phase.HANDSHAKE
        self.error: SignalRError | None = None
        """What ended the session from inside, once something has."""
        self.options = options
        self.protocol = protocols[0]
        """The hub protocol; on a server it is only known once the handshake has come."""
        self.largest_sent = 0
        """Bytes of the largest message sent so far, to explain a connection that ends because of it."""
        self._protocols = {protocol.name.lower(): protocol for protocol in protocols}
        self._framer: Framer | None = None
        self._handshake = bytearray()
        self._output: list[bytes] = []
        self.queued = 0
        """Bytes that wait for `data_to_send`."""
        self._started = now
        self._received = now
        self._sent = now
        self._pings = role is Role.CLIENT and not options.inherent_keep_alive  # whether the peer's silence is watched

    @classmethod
    def client(cls, protocol: HubProtocol, options: SessionOptions, now: float) -> HubSession:
        """Return the client's side of a new connection; its handshake request is the first of `data_to_send`."""
        session = cls(Role.CLIENT, [protocol], options, now)
        session._queue(handshake.encode_request(protocol.name, 1), now)
        return session

    @classmethod
    def server(cls, protocols: Sequence[HubProtocol], options: SessionOptions, now: float) -> HubSession:
        """Return the server's side of a new connection, which may speak any of *protocols* that its transport carries."""
        return cls(Role.SERVER, protocols, options, now)

    # in

    def receive(self, data: bytes, now: float) -> list[HubMessage]:
        """Return the messages that *data* completes, for the caller to act on; then look at `error`."""
        self._received = now
        if self.phase is not Phase.OPEN:
            rest = self._receive_handshake(data, now) if self.phase is Phase.HANDSHAKE else None
            if not rest:
                return []
            data = rest
        framer = self._framer
        assert framer is not None  # made when the handshake ended
        decode = self.protocol.decode
        messages: list[HubMessage] = []
        for record in framer.feed(data):
            try:
                message = decode(record)
            except ProtocolError as exc:
                self._fail(exc)
                return messages
            kind = type(message)
            if kind in _PASSED:
                messages.append(message)  # type: ignore[arg-type]  # its type was looked at
            elif kind is Close:
                messages.append(message)  # type: ignore[arg-type]  # the same
                self.phase = Phase.ENDED  # what follows a Close is not ours to read
                return messages
            else:  # Ping, Ack, Sequence, or None for a type that is not known
                self._keep(message)
        if framer.error is not None:
            self._fail(framer.error)
        return messages

    def receive_end(self) -> None:
        """Note that the transport has ended; a message that was cut off becomes the `error`."""
        if self.phase is Phase.OPEN and self._framer is not None and self._framer.pending:
            self._fail(ProtocolError("Connection terminated while reading a message."))
        self.phase = Phase.ENDED

    # out

    def send(self, message: HubMessage, now: float) -> None:
        """Encode *message* and queue its bytes.

        Raises:
            BindingError: a value of the message cannot be written; nothing was queued.
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
        """Queue a message that was encoded already, once for many connections."""
        self._output.append(data)
        self.queued += len(data)

    def data_to_send(self) -> bytes:
        """Return all that is queued and forget it; empty when there is nothing."""
        output = self._output
        if not output:
            return b""
        data = output[0] if len(output) == 1 else b"".join(output)
        output.clear()
        self.queued = 0
        return data

    # time

    def next_deadline(self) -> float | None:
        """Return the time at which `handle_timeout` wants to be called, or None for never."""
        options = self.options
        match self.phase:
            case Phase.HANDSHAKE:
                return None if options.handshake_timeout is None else self._started + options.handshake_timeout
            case Phase.OPEN if not options.inherent_keep_alive:
                times = []
                if options.keep_alive_interval is not None:
                    times.append(self._sent + options.keep_alive_interval)
                if self._pings and options.peer_timeout is not None:
                    times.append(self._received + options.peer_timeout)
                return min(times, default=None)
            case _:
                return None

    def handle_timeout(self, now: float) -> None:
        """Do what is due: queue a Ping, or end the session; then look at `error`."""
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return
        options = self.options
        if self.phase is Phase.HANDSHAKE:
            waited = options.handshake_timeout or 0.0
            self._give_up_handshake(f"The handshake timed out after {waited:g} seconds.", now)
            return
        if self._pings and options.peer_timeout is not None and now - self._received >= options.peer_timeout:
            self._fail(self._silence(options.peer_timeout, now - self._received))
            return
        self.send(_PING, now)
        self._sent = now

    # inside

    def _receive_handshake(self, data: bytes, now: float) -> bytes | None:
        """Return what follows the handshake, or None while it has not ended, or if it failed."""
        self._handshake += data
        parts = handshake.split_handshake(self._handshake)
        limit = self.options.max_message_size
        if limit is not None and (len(parts[0]) + 1 if parts else len(self._handshake)) > limit:
            self._give_up_handshake(f"The server's handshake response is longer than max_message_size, {limit} bytes.", now)
            return None
        if parts is None:
            return None
        text, rest = parts
        self._handshake.clear()
        if not (self._check_response(text) if self.role is Role.CLIENT else self._check_request(text, now)):
            return None
        self.phase = Phase.OPEN
        self._framer = self.protocol.framer(limit)
        if self.role is Role.CLIENT and not self.options.inherent_keep_alive:
            self.send(_PING, now)  # tells the server that this client pings
        return rest

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

    def _give_up_handshake(self, reason: str, now: float) -> None:
        """End a handshake that takes too long, or too much: a client says *reason*, a server what ASP.NET Core says for both."""
        if self.role is Role.SERVER:
            self._refuse_handshake("Handshake was canceled.", now)
        else:
            self._fail(HandshakeError(reason))

    def _refuse_handshake(self, reason: str, now: float) -> None:
        """End a handshake and tell the client why."""
        self._queue(handshake.encode_response(reason), now)
        self._fail(HandshakeError(reason))

    def _keep(self, message: object) -> None:
        """Act on a message that is the session's own."""
        if type(message) is Ping:
            self._pings = not self.options.inherent_keep_alive  # a client that never pings is never timed out

    def _silence(self, timeout: float, idle: float) -> SignalRError:
        if self.role is Role.CLIENT:
            return ServerTimeoutError(timeout, idle)
        return ConnectionClosedError("Client hasn't sent a message/ping within the configured ClientTimeoutInterval.")

    def _queue(self, data: bytes, now: float) -> None:
        self._output.append(data)
        self.queued += len(data)
        if self.role is Role.CLIENT:
            self._sent = now

    def _fail(self, error: SignalRError) -> None:
        self.error = error
        self.phase = Phase.ENDED

"""What a `HubSession` is told: its role and its options; and the phases that it goes through. Room: core, row 2."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from signalr_client.core.exact_numbers import ExactNumbers
from signalr_client.core.framing import RecordTooLargeError
from signalr_client.errors import ConnectionClosedError, ProtocolError, ServerTimeoutError, SignalRError

__all__ = ["Phase", "Role", "SessionOptions"]


class Role(Enum):
    """The side of the connection that a session plays, and the errors that this side reports."""

    CLIENT = "client"
    SERVER = "server"

    def silence_error(self, timeout: float, idle: float) -> SignalRError:
        """Return the error for a peer that was silent for *idle* seconds although only *timeout* are allowed."""
        if self is Role.CLIENT:
            return ServerTimeoutError(timeout, idle)
        return ConnectionClosedError("Client hasn't sent a message/ping within the configured ClientTimeoutInterval.")

    def framing_error(self, error: ProtocolError) -> ProtocolError:
        """Return *error* as this side reports it: the text about a large record names the option of a server."""
        if self is Role.SERVER or not isinstance(error, RecordTooLargeError):
            return error
        return ProtocolError(
            f"The server sent a message of more than {error.max_size} bytes. To receive it, raise the max_message_size of"
            " with_url(), or set it to None for no limit."
        )


class Phase(Enum):
    """The phases of a session; see the module's theory of operation."""

    HANDSHAKE = "handshake"
    OPEN = "open"
    DETACHED = "detached"
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
        measure: keep the sizes of received messages in `HubSession.sizes`, from the beginning.
        replay_limit: allow stateful reconnect: how much may be sent but not acknowledged before `HubSession.replay_full` asks senders
            to wait. None does not allow it.
        exact: which messages are decoded with all digits of their numbers; it belongs to one session, and may change at any time.
        counts_all_items: the peer counts a StreamItem also after its stream has ended; see padding.py.
    """

    peer_timeout: float | None = 30.0
    keep_alive_interval: float | None = 15.0
    handshake_timeout: float | None = 15.0
    max_message_size: int | None = None
    inherent_keep_alive: bool = False
    text_only: bool = False
    enable_detailed_errors: bool = False
    measure: bool = False
    replay_limit: int | None = None
    exact: ExactNumbers = field(default_factory=ExactNumbers)
    counts_all_items: bool = True

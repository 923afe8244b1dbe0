"""The options of a connection that do not concern HTTP. Room: client."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from signalr_client.client.refresh import RefreshOptions
from signalr_client.core.exact_numbers import ExactNumbers
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.retry import RetryPolicy
from signalr_client.core.session import HubSession, SessionOptions
from signalr_client.gate import Gate

__all__ = ["ConnectionOptions", "ReceiveLimit"]


@dataclass(frozen=True, slots=True)
class ReceiveLimit:
    """What the client takes from the server before it stops reading; None for no limit.

    Attributes:
        bytes, messages: of calls that wait for their handlers, and likewise of items of streams that were not read.
        requests: calls for a result that run at once; others wait for their handlers.
    """

    bytes: int | None = 16_777_216
    messages: int | None = 100_000
    requests: int | None = 1000

    def gate(self) -> Gate:
        """Return a new gate with these limits."""
        return Gate(self.bytes, self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What `HubConnectionBuilder` collects, except for `HttpOptions`. Times in seconds, sizes in bytes."""

    protocol: HubProtocol
    server_timeout: float
    keep_alive_interval: float
    handshake_timeout: float
    close_timeout: float
    max_message_size: int | None
    receive_limit: ReceiveLimit
    retry_policy: RetryPolicy | None
    retry_start: bool
    calls_wait: bool
    stateful_buffer_size: int | None
    refresh: RefreshOptions

    def session(
        self,
        now: float,
        *,
        handshake_timeout: float,
        inherent_keep_alive: bool,
        stateful: bool,
        counts_all_items: bool,
        exact_targets: Container[str],
    ) -> HubSession:
        """Return the session of a new physical connection.

        Args:
            now: the time.
            handshake_timeout: shorter than the option while there are other transports to try.
            inherent_keep_alive: see `Transport`.
            stateful: the server lets the connection be resumed on another WebSocket.
            counts_all_items: see `SessionOptions`.
            exact_targets: the targets whose handlers take a Decimal; they may change at any time.
        """
        options = SessionOptions(
            peer_timeout=self.server_timeout,
            keep_alive_interval=self.keep_alive_interval,
            handshake_timeout=handshake_timeout,
            max_message_size=self.max_message_size,
            inherent_keep_alive=inherent_keep_alive,
            replay_limit=self.stateful_buffer_size if stateful else None,
            counts_all_items=counts_all_items,
            exact=ExactNumbers(exact_targets),
        )
        return HubSession.client(self.protocol, options, now)

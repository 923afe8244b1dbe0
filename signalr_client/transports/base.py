"""The door to the network: what every transport offers to the client room. Room: transports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from signalr_client.types import AccessTokenFactory, HttpTransportType

__all__ = ["HttpOptions", "Transport"]


class Transport(Protocol):
    """One connection to a server that carries bytes both ways.

    A transport is given out connected. `receive` has one caller and `send` has one caller, at the same time or not; `close` may
    come from anywhere.
    """

    @property
    def name(self) -> str:
        """As negotiate spells it: "WebSockets"."""

    @property
    def inherent_keep_alive(self) -> bool:
        """Whether a dead peer is noticed without pings, as with Long Polling."""

    async def receive(self) -> bytes | None:
        """Return the next bytes, or None when the server has ended the connection without an error.

        Raises:
            TransportError: the connection broke.
        """

    async def send(self, data: bytes) -> None:
        """Send *data*; waits while the network takes no more.

        Raises:
            TransportError: the connection broke; some of *data* may have arrived.
        """

    async def close(self) -> None:
        """End the connection in the transport's own way, within the close timeout; idempotent. Cancelling ends it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpOptions:
    """How to reach a hub; the arguments of `HubConnectionBuilder.with_url`, which explains them.

    ``session``, ``ssl``, ``proxy`` and ``proxy_auth`` are handed to aiohttp as they are.
    """

    url: str
    transports: HttpTransportType = HttpTransportType.ALL
    skip_negotiation: bool = False
    access_token_factory: AccessTokenFactory | None = None
    access_token_in_query: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    ssl: Any = True
    proxy: str | None = None
    proxy_auth: Any = None
    session: Any = None
    close_timeout: float = 5.0
    max_message_size: int | None = None

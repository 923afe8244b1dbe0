"""The door between the hub side of the server and its HTTP side. Room: server.

Behind it stands one client's connection over one transport; in front of it `HubEndpoint.serve`. What passes are bytes without
meaning. A second implementation, of queues, is what the unit tests drive the hub side with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from signalr_client.server.authorization import User
    from signalr_client.types import HttpTransportType

__all__ = ["ServerConnection"]


class ServerConnection(Protocol):
    """One client's connection, whatever carries it.

    Attributes:
        connection_id: the public id, as in `HubCallerContext.connection_id`.
        transport: the one transport that carries it.
        inherent_keep_alive: the transport notices a dead client by itself (Long Polling): no pings, no client timeout.
        text_only: the transport carries text only (Server-Sent Events).
        binary: whether frames are sent as binary ones; set when the handshake has named the hub protocol.
        user: who it is; `User()` for an anonymous client.
        features: what the hub sees as `HubCallerContext.features`.
        request: the HTTP request that opened the connection (Long Polling: the first poll); None outside HTTP.
        refreshed: set by the hub side as long as it serves the connection; to be called when `user` was renewed.
    """

    connection_id: str
    transport: HttpTransportType
    inherent_keep_alive: bool
    text_only: bool
    binary: bool
    user: User
    features: dict[object, Any]
    request: web.Request | None
    refreshed: Callable[[], Awaitable[None]] | None

    @property
    def close_error(self) -> BaseException | None:
        """What broke the connection, once `receive` has returned None; None after an orderly end."""

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone, though what it sent may not have been received."""

    async def receive(self) -> bytes | None:
        """Return what came next, in pieces of any size, or None when the client's side has ended.

        Cancelling loses nothing, but is only used when nothing more will be read.
        """

    async def send(self, data: bytes) -> None:
        """Send *data* as one WebSocket message, one event, or one part of a poll's body; wait while there is no room.

        Only one call runs at a time. Cancelling leaves the connection fit only for `close` and `abort`.

        Raises:
            OSError: the connection is gone (`ConnectionError` and its kind).
        """

    async def close(self, *, error: bool = False) -> None:
        """End the connection after what was sent; with *error* a WebSocket is closed with 1011. Never raises."""

    def abort(self) -> None:
        """Drop the socket without a word; a `send` that waits ends with OSError, a `receive` that waits returns None."""

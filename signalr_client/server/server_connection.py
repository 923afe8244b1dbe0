"""`ServerConnection`: the door between a hub connection and the HTTP room that carries it. Room: server.

On one side is a client's connection over some transport, on the other `HubConnectionHandler.serve`. Bytes pass through it; neither
side knows what they mean to the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from signalr_client.server.security.users import User
    from signalr_client.types import HttpTransportType

__all__ = ["ServerConnection", "TransportLostError"]


class TransportLostError(Exception):
    """Raised by `ServerConnection.receive`: the socket is lost, and the client may come back on another one."""


class ServerConnection(Protocol):
    """One client's connection, whatever transport carries it.

    Attributes:
        connection_id: the public id, as in `HubCallerContext.connection_id`.
        transport: the transport that carries it.
        inherent_keep_alive: the transport detects a dead client by itself (Long Polling): no pings, no client timeout.
        text_only: the transport carries text only (Server-Sent Events).
        binary: whether frames are sent as binary ones; set when the handshake has named the hub protocol.
        user: the user; `User()` for an anonymous client.
        features: what the hub sees as `HubCallerContext.features`.
        request: the HTTP request that opened the connection (Long Polling: the first poll); None outside HTTP.
        refreshed: set by the hub side while it serves the connection; called after `user` was renewed.
        resumable: whether the connection may outlive its socket (stateful reconnect).
        lost: done once that socket has been given up; replaced when the client has come back.
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
    resumable: bool
    lost: asyncio.Future[None]

    @property
    def close_error(self) -> BaseException | None:
        """What broke the connection, once `receive` has returned None; None after an orderly end."""

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone, even if not everything it sent has been received."""

    def note_handshake(self) -> None:
        """Note that the client has completed its handshake."""

    async def receive(self) -> bytes | None:
        """Return the next bytes, in pieces of any size, or None when the client's side has ended.

        Cancelling loses nothing, but is only used when nothing more will be read.

        Raises:
            TransportLostError: the socket is lost; call `wait_resumed`.
        """

    async def wait_resumed(self) -> bool:
        """Return True when the client has come back: from now on the new socket is used. Return False when it has not in time."""

    def lose(self) -> bool:
        """Give up the socket of a client that is `gone`; return whether it may come back on another one."""

    def forbid_resume(self) -> None:
        """Let the connection end with its socket from now on."""

    async def send(self, data: bytes) -> None:
        """Send *data*, which is one or more whole hub messages; waits while the transport has no room.

        Only one call runs at a time. After a cancelled call only `close` and `abort` may be used.

        Raises:
            OSError: the connection is gone (`ConnectionError` and subclasses).
        """

    async def close(self, *, error: bool = False) -> None:
        """End the connection after everything sent so far, within the close timeout. Never raises.

        Args:
            error: end it as a failure: a WebSocket is closed with code 1011.
        """

    def abort(self) -> None:
        """Drop the connection at once; a waiting `send` raises OSError, a waiting `receive` returns None."""

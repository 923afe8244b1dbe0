"""`HttpConnectionManager`: the connections of one mapped hub, by their tokens. Room: server, http."""

from __future__ import annotations

import asyncio
from typing import Final

from signalr_client.server.http.context import HttpConnectionContext
from signalr_client.server.log import OccasionalLog, get_logger
from signalr_client.server.options import HubOptions

__all__ = ["HttpConnectionManager", "TooManyConnectionsError"]

logger: Final = get_logger("http")


class TooManyConnectionsError(Exception):
    """Too many connections have not completed their handshake; the text is the response. Never leaves the room."""


class HttpConnectionManager:
    """The connections that have been negotiated and not been disposed of.

    A connection is pending until its handshake is complete. One that fails before stays pending until nothing of it is left, so that
    the maximum bounds what pending connections hold in memory.
    """

    def __init__(self, options: HubOptions) -> None:
        self._options = options
        self._max_pending = options.maximum_pending_connections
        self._refusals = OccasionalLog(logger)
        self._by_token: dict[str, HttpConnectionContext] = {}
        self._pending: set[HttpConnectionContext] = set()
        self._serving: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return the number of connections, including those that are only negotiated."""
        return len(self._by_token)

    @property
    def pending(self) -> int:
        """The number of connections whose handshake is not complete."""
        return len(self._pending)

    def create(self, version: int) -> HttpConnectionContext:
        """Return a new connection; it is disposed of if no request carries it in time.

        Raises:
            TooManyConnectionsError: the maximum of pending connections is reached.
        """
        if self._max_pending is not None and len(self._pending) >= self._max_pending:
            now = asyncio.get_running_loop().time()
            text = "! refused a connection: %d others are open before their handshake (maximum_pending_connections)"
            self._refusals.warning(now, text, len(self._pending))
            raise TooManyConnectionsError("Too many connections have not completed their handshake. Try again later.")
        connection = HttpConnectionContext(self._options, version, on_handshake=self._pending.discard, on_disposed=self._forget)
        self._by_token[connection.token] = connection
        self._pending.add(connection)
        return connection

    def get(self, token: str) -> HttpConnectionContext | None:
        """Return the connection with this token, or None."""
        return self._by_token.get(token)

    def watch(self, application: asyncio.Task[None]) -> None:
        """Remember a task that serves a connection, also after the connection was disposed of."""
        self._serving.add(application)
        application.add_done_callback(self._serving.discard)

    @property
    def serving(self) -> set[asyncio.Task[None]]:
        """The tasks that serve connections."""
        return set(self._serving)

    def drop(self) -> None:
        """Drop every connection at once, and the tasks that serve them."""
        for connection in list(self._by_token.values()):
            connection.expire()
        for task in self._serving:
            task.cancel()

    def _forget(self, connection: HttpConnectionContext) -> None:
        self._by_token.pop(connection.token, None)
        application = connection.application
        if application is None or application.done():
            self._pending.discard(connection)
        else:
            application.add_done_callback(lambda _: self._pending.discard(connection))

"""`HttpConnectionManager`: the connections of one mapped hub, by their tokens. Room: server, http."""

from __future__ import annotations

import asyncio

from signalr_client.server.http.context import HttpConnectionContext
from signalr_client.server.options import HubOptions

__all__ = ["HttpConnectionManager"]


class HttpConnectionManager:
    """The connections that have been negotiated and not been disposed of."""

    def __init__(self, options: HubOptions) -> None:
        self._options = options
        self._by_token: dict[str, HttpConnectionContext] = {}
        self._serving: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        """Return the number of connections, including those that are only negotiated."""
        return len(self._by_token)

    def create(self, version: int) -> HttpConnectionContext:
        """Return a new connection; it is disposed of if no request carries it in time."""
        connection = HttpConnectionContext(self._options, version, self._forget)
        self._by_token[connection.token] = connection
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

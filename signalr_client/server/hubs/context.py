"""`HubCallerContext`: what a hub knows of the connection that calls it. Room: server, hubs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp import web

    from signalr_client.server.security.users import User

__all__ = ["HubCallerContext"]


class HubCallerContext:
    """The connection that calls a hub method; one object for the connection's whole life.

    Attributes:
        connection_id: the public id, the same until the client connects anew.
        user_identifier: what `HubClients.user` finds the connection by, or None.
        user: the user; ``user.is_authenticated`` is False for an anonymous client.
        items: a dict for the hub's own use, kept as long as the connection; still there in `Hub.on_disconnected`.
        features: facts about the transport, for example ``features[HttpTransportType]`` and ``features[TransferFormat]``.
        connection_aborted: set when the connection has ended; ``is_set()`` and ``wait()`` as in `asyncio.Event`. It does not
            cancel a hub method by itself.
    """

    __slots__ = (
        "_abort",
        "_request",
        "connection_aborted",
        "connection_id",
        "features",
        "items",
        "user",
        "user_identifier",
    )

    def __init__(
        self,
        connection_id: str,
        *,
        user: User,
        user_identifier: str | None,
        features: dict[object, Any],
        connection_aborted: asyncio.Event,
        request: Callable[[], web.Request | None],
        abort: Callable[[], None],
    ) -> None:
        self.connection_id: str = connection_id
        self.user: User = user
        self.user_identifier: str | None = user_identifier
        self.items: dict[object, Any] = {}
        self.features: dict[object, Any] = features
        self.connection_aborted: asyncio.Event = connection_aborted
        self._request = request
        self._abort = abort

    def for_user(self, user: User, user_identifier: str | None) -> HubCallerContext:
        """Return the context of the same connection after its authentication was renewed; ``items`` is shared."""
        context = copy.copy(self)
        context.user, context.user_identifier = user, user_identifier
        return context

    def get_http_request(self) -> web.Request | None:
        """Return the request that opened the connection (Long Polling: the first poll), or None if there was none."""
        return self._request()

    def abort(self) -> None:
        """End the connection: the client gets a Close without an error, and `Hub.on_disconnected` gets None.

        Returns at once. What is sent to the client afterwards is dropped.
        """
        self._abort()

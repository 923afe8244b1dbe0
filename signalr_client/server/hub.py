"""`Hub`, which every hub derives from, and what a hub sees of its caller. Room: server. Spec: server-behaviour.md, "A" rows 2 to 17.

A hub lives as long as one call: it is made, attached to its caller, used and finished, and what outlives the call is kept in
`HubCallerContext.items` or in a service.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, Generic

from signalr_client.core.hub_method import hub_method
from signalr_client.server.clients import C
from signalr_client.server.errors import HubUsageError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp import web

    from signalr_client.server.authorization import User
    from signalr_client.server.clients import HubCallerClients
    from signalr_client.server.groups import Groups

__all__ = ["Hub", "HubCallerContext", "attach", "finish", "hub_method"]


class HubCallerContext:
    """What a hub knows of the connection that calls it; one object for the connection's whole life.

    Attributes:
        connection_id: the public id, the same until the client connects anew.
        user_identifier: what `HubClients.user` finds the connection by, or None.
        user: who it is; ``user.is_authenticated`` is False for an anonymous client.
        items: anything that hub methods want to keep for this connection; still there in `Hub.on_disconnected`.
        features: what the transport tells, for example ``features[HttpTransportType]`` and ``features[TransferFormat]``.
        connection_aborted: set when the connection has ended; ``is_set()`` and ``wait()`` as in `asyncio.Event`. It never
            cancels a hub method by itself.
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
        self.connection_id = connection_id
        self.user = user
        self.user_identifier = user_identifier
        self.items: dict[object, Any] = {}
        self.features = features
        self.connection_aborted = connection_aborted
        self._request = request
        self._abort = abort

    def for_user(self, user: User, user_identifier: str | None) -> HubCallerContext:
        """Return the context of the same connection from where its authentication was renewed; items are shared."""
        context = copy.copy(self)
        context.user, context.user_identifier = user, user_identifier
        return context

    def get_http_request(self) -> web.Request | None:
        """Return the request that opened the connection (Long Polling: the first poll), or None if it was none of HTTP."""
        return self._request()

    def abort(self) -> None:
        """End the connection: the client gets a Close without an error, `Hub.on_disconnected` gets None.

        It returns at once; what is written to the client from here on is dropped.
        """
        self._abort()


_LIFETIME: Final = "a hub is made for one call and is over with it; keep what must outlive the call in a variable"


class Hub(Generic[C]):
    """The parent of every hub. Its public methods are what clients may call; a new instance is made for each call.

    ``Hub[ChatClient]``, where ChatClient is a Protocol of the client's methods, makes `clients` offer those methods and nothing
    else: ``await self.clients.all.ReceiveMessage(user, message)``. Constructor parameters are services, found by annotation.

    `context`, `clients` and `groups` may be assigned, which is how a hub is tested without a server.
    Spec: server-behaviour.md, "A" rows 2 to 9 and 33.
    """

    # Class attributes, so that a hub whose __init__ does not call super().__init__() is a hub as well.
    _hub_state: str = "not attached"
    _hub_context: HubCallerContext | None = None
    _hub_clients: HubCallerClients[C] | None = None
    _hub_groups: Groups | None = None

    @property
    def context(self) -> HubCallerContext:
        """The connection that calls.

        Raises:
            HubUsageError: this instance's call is over, or has not begun.
        """
        return self._hub_context or self._refuse("context")

    @context.setter
    def context(self, context: HubCallerContext) -> None:
        self._hub_context = context

    @property
    def clients(self) -> HubCallerClients[C]:
        """Where messages can be sent to; what it returns stays usable when this instance's call is over.

        Raises:
            HubUsageError: this instance's call is over, or has not begun.
        """
        return self._hub_clients or self._refuse("clients")

    @clients.setter
    def clients(self, clients: HubCallerClients[C]) -> None:
        self._hub_clients = clients

    @property
    def groups(self) -> Groups:
        """Who belongs to which group.

        Raises:
            HubUsageError: this instance's call is over, or has not begun.
        """
        return self._hub_groups or self._refuse("groups")

    @groups.setter
    def groups(self, groups: Groups) -> None:
        self._hub_groups = groups

    async def on_connected(self) -> None:
        """Override to act on a new connection; no message of the client is looked at before it returns.

        An exception ends the connection, and `on_disconnected` is then not called.
        """

    async def on_disconnected(self, exception: BaseException | None) -> None:
        """Override to act on the end of a connection that `on_connected` had accepted.

        Args:
            exception: what broke the connection; None when client or server ended it on purpose.
        """

    async def on_authentication_refreshed(self) -> None:
        """Override to act on a renewed authentication: `context` has the new user, and so has every call from here on.

        Calls that run already keep the old one. See `HubOptions.enable_authentication_refresh`.
        """

    def dispose(self) -> None:
        """Override to release what the instance holds; called when the call it was made for is over."""

    def _refuse(self, member: str) -> Any:
        name = type(self).__name__
        if self._hub_state == "finished":
            text = f"Cannot access a disposed object. Object name: '{name}' ('{member}' was used; {_LIFETIME})."
        else:
            text = f"'{member}' of '{name}' is not known yet: the instance has not been given its call."
        raise HubUsageError(member, self._hub_state, text)


LIFECYCLE: Final = frozenset(name for name in vars(Hub) if not name.startswith("_"))
"""The names that are a hub's own and that no client may call."""


def attach(hub: Hub[Any], context: HubCallerContext, clients: HubCallerClients[Any], groups: Groups) -> None:
    """Give *hub* its call."""
    hub._hub_state = "attached"
    hub._hub_context, hub._hub_clients, hub._hub_groups = context, clients, groups


def finish(hub: Hub[Any]) -> None:
    """End the call of *hub*, which may no longer be used."""
    hub._hub_state = "finished"
    hub._hub_context = hub._hub_clients = hub._hub_groups = None

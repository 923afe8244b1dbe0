"""`Hub`, the base class of every hub. Room: server, hubs.

A hub instance lives for one call: it is created, attached to the call, used and detached. What outlives the call is kept in
`HubCallerContext.items` or in a service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic

from signalr_client.core.hub_method import hub_method
from signalr_client.server.errors import HubUsageError
from signalr_client.server.hubs.clients import C, S

if TYPE_CHECKING:
    from signalr_client.server.hubs.clients import HubCallerClients
    from signalr_client.server.hubs.context import HubCallerContext
    from signalr_client.server.hubs.groups import Groups

__all__ = ["LIFECYCLE", "Hub", "attach", "detach", "hub_method"]


@dataclass(slots=True)
class _Call:
    """What a hub instance has while its call lasts; a test may set only some of it."""

    state: str = "not attached"
    context: HubCallerContext | None = None
    clients: HubCallerClients[Any] | None = None
    groups: Groups | None = None


_LIFETIME: Final = "a hub instance serves one call and is disposed with it; keep what must outlive the call in a variable"


class Hub(Generic[C, S]):
    """The base class of every hub. Its public methods are what clients may call; each call gets a new instance.

    ``Hub[ChatClient]``, where ChatClient is a Protocol of the client's methods, makes `clients` offer exactly those methods:
    ``await self.clients.all.ReceiveMessage(user, message)``. With a second Protocol, ``Hub[ChatClient, SingleChatClient]``, single
    clients have the methods of that one. The parameters of the constructor are services, found by annotation.

    `context`, `clients` and `groups` can be assigned, so that a hub can be tested without a server. See docs/server.md.
    """

    # The name is mangled, so that it cannot clash with an attribute of a subclass. It is looked up lazily, so that a subclass whose
    # __init__ does not call super().__init__() works too.
    __call: _Call | None = None

    @property
    def context(self) -> HubCallerContext:
        """The connection that calls.

        Raises:
            HubUsageError: this instance's call is over, or has not begun.
        """
        return self._own_call().context or self._refuse("context")

    @context.setter
    def context(self, context: HubCallerContext) -> None:
        self._own_call().context = context

    @property
    def clients(self) -> HubCallerClients[C, S]:
        """The clients that messages can be sent to; what it returns stays usable after this instance's call.

        Raises:
            HubUsageError: this instance's call is over, or has not begun.
        """
        return self._own_call().clients or self._refuse("clients")

    @clients.setter
    def clients(self, clients: HubCallerClients[C, S]) -> None:
        self._own_call().clients = clients

    @property
    def groups(self) -> Groups:
        """Group membership.

        Raises:
            HubUsageError: this instance's call is over, or has not begun.
        """
        return self._own_call().groups or self._refuse("groups")

    @groups.setter
    def groups(self, groups: Groups) -> None:
        self._own_call().groups = groups

    async def on_connected(self) -> None:
        """Override to act on a new connection; no call of the client begins before it returns.

        An exception ends the connection, and `on_disconnected` is then not called.
        """

    async def on_disconnected(self, exception: BaseException | None) -> None:
        """Override to act on the end of a connection that `on_connected` has accepted.

        Args:
            exception: what broke the connection; None when the client or the server ended it on purpose.
        """

    async def on_authentication_refreshed(self) -> None:
        """Override to act on a renewed authentication: `context` has the new user, as has every later call.

        Calls that are already running keep the old one. See `HubOptions.enable_authentication_refresh`.
        """

    def dispose(self) -> None:
        """Override to release what the instance holds; called after the call it was created for."""

    def _own_call(self) -> _Call:
        call = self.__call
        if call is None:
            call = _Call()
            object.__setattr__(self, "_Hub__call", call)  # a hub may be a frozen dataclass
        return call

    def _refuse(self, member: str) -> Any:
        name, state = type(self).__name__, self._own_call().state
        if state == "detached":
            text = f"Cannot access a disposed object. Object name: '{name}' ('{member}' was used; {_LIFETIME})."
        else:
            text = f"'{member}' of '{name}' is not available yet: the instance has not been attached to a call."
        raise HubUsageError(member, state, text)


LIFECYCLE: Final = frozenset(name for name in vars(Hub) if not name.startswith("_"))
"""The names that are a hub's own and that no client may call."""


def attach(hub: Hub[Any], context: HubCallerContext, clients: HubCallerClients[Any], groups: Groups) -> None:
    """Attach *hub* to its call."""
    call = Hub._own_call(hub)
    call.state, call.context, call.clients, call.groups = "attached", context, clients, groups


def detach(hub: Hub[Any]) -> None:
    """Detach *hub* from its call, which is over; the instance can no longer be used."""
    call = Hub._own_call(hub)
    call.state, call.context, call.clients, call.groups = "detached", None, None, None

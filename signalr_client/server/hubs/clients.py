"""The clients that a hub can send messages to: `HubClients` with its targets, and the proxies they return. Room: server, hubs.

A proxy knows its target and the lifetime manager, not the hub instance that it came from, so it stays usable after the call.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, cast, overload

from typing_extensions import TypeForm, TypeVar

from signalr_client.server.errors import HubUsageError

if TYPE_CHECKING:
    from signalr_client.server.lifetime.manager import HubLifetimeManager

__all__ = ["C", "ClientProxy", "HubCallerClients", "HubClients", "S", "SingleClientProxy", "Wrap", "single_clients_only"]

T = TypeVar("T")

Deliver = Callable[[str, tuple[object, ...]], Awaitable[None]]
"""Sends one invocation, target and arguments, to all clients of a proxy."""


class ClientProxy:
    """The connections of one target, looked up at each `send`."""

    __slots__ = ("_deliver",)

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def send(self, target: str, /, *arguments: object) -> None:
        """Invoke the handlers of *target* on each of the clients.

        Returns when every connection has accepted the message into its buffer, not when it has been delivered; a target without
        connections is no error. Cancelling only stops the waiting: connections that have the message in their buffer get it.

        Raises:
            BindingError: an argument cannot be encoded; nothing was sent.
        """
        await self._deliver(target, arguments)


class SingleClientProxy(ClientProxy):
    """One connection, which can also be invoked for a result."""

    __slots__ = ("_before_invoke", "_connection_id", "_manager")

    def __init__(self, manager: HubLifetimeManager, connection_id: str, before_invoke: Callable[[], None] | None) -> None:
        super().__init__(partial(manager.send_connections, (connection_id,)))
        self._manager = manager
        self._connection_id = connection_id
        self._before_invoke = before_invoke

    @overload
    async def invoke(self, target: str, /, *arguments: object, result_type: TypeForm[T]) -> T: ...
    @overload
    async def invoke(self, target: str, /, *arguments: object) -> object: ...

    async def invoke(self, target: str, /, *arguments: object, result_type: Any = object) -> object:
        """Invoke the handler of *target* on the client and return its result; limit the wait with `asyncio.timeout`.

        Waits first while the client's buffer is full. Cancelling stops the waiting; the client is not told, and a late result is
        dropped.

        Args:
            target: the handler's name, as the client registered it.
            arguments: the handler's arguments.
            result_type: type to convert the result to; without it the plain decoded value is returned.

        Raises:
            HubException: the handler failed, returned no result, or one that is not a *result_type*; or too many invocations wait
                for a result of this client already, and nothing was sent (`HubOptions.maximum_pending_results_per_client`).
            ConnectionClosedError: there is no such connection, or it ended before it answered.
            BindingError: an argument cannot be encoded, or *result_type* is not supported; nothing was sent.
            HubUsageError: called from `Hub.on_connected`, where no result could be received.
        """
        if self._before_invoke is not None:
            self._before_invoke()
        return await self._manager.invoke_connection(self._connection_id, target, arguments, result_type)


C = TypeVar("C", default=ClientProxy)
"""The type of clients: `ClientProxy`, or the Protocol of a typed hub."""

S = TypeVar("S", default=C)
"""The type of a single client; a typed hub may have a Protocol of its own for it, with the methods that have results."""

Wrap = Callable[[ClientProxy], Any]
"""Makes a typed proxy from a plain one."""


class HubClients(Generic[C, S]):
    """The targets that messages can be sent to from outside a hub method; `HubCallerClients` has the others."""

    __slots__ = ("_before_invoke", "_manager", "_wrap", "_wrap_single")

    def __init__(
        self,
        manager: HubLifetimeManager,
        wrap: Wrap | None = None,
        wrap_single: Wrap | None = None,
        before_invoke: Callable[[], None] | None = None,
    ) -> None:
        self._manager = manager
        self._wrap = wrap
        self._wrap_single = wrap_single
        self._before_invoke = before_invoke

    @property
    def all(self) -> C:
        """Every connection of the hub."""
        return self._proxy(partial(self._manager.send_all, frozenset()))

    def all_except(self, excluded_connection_ids: Iterable[str]) -> C:
        """Every connection except these; unknown ids are ignored."""
        return self._proxy(partial(self._manager.send_all, frozenset(_texts(excluded_connection_ids))))

    @overload
    def client(self: HubClients[ClientProxy, ClientProxy], connection_id: str) -> SingleClientProxy: ...
    @overload
    def client(self, connection_id: str) -> S: ...

    def client(self, connection_id: str) -> object:
        """One connection; with an unknown id, ``send`` does nothing and ``invoke`` raises."""
        proxy = SingleClientProxy(self._manager, _given(connection_id, "connection_id"), self._before_invoke)
        return proxy if self._wrap_single is None else self._wrap_single(proxy)

    def clients(self, connection_ids: Iterable[str]) -> C:
        """These connections, each once."""
        return self._proxy(partial(self._manager.send_connections, _texts(connection_ids)))

    def group(self, group_name: str) -> C:
        """The members of a group; names are case-sensitive, and a group without members is no error."""
        return self._proxy(partial(self._manager.send_groups, (_given(group_name, "group_name"),), frozenset()))

    def group_except(self, group_name: str, excluded_connection_ids: Iterable[str]) -> C:
        """The members of a group except these."""
        excluded = frozenset(_texts(excluded_connection_ids))
        return self._proxy(partial(self._manager.send_groups, (_given(group_name, "group_name"),), excluded))

    def groups(self, group_names: Iterable[str]) -> C:
        """The members of several groups; a member of two of them gets each message twice.

        Sending raises ValueError if a name is empty.
        """
        return self._proxy(partial(self._send_groups, _texts(group_names)))

    def user(self, user_id: str) -> C:
        """Every connection with this `HubCallerContext.user_identifier`, which is case-sensitive."""
        return self._proxy(partial(self._manager.send_users, (_given(user_id, "user_id"),)))

    def users(self, user_ids: Iterable[str]) -> C:
        """Every connection of these users, each once."""
        return self._proxy(partial(self._manager.send_users, _texts(user_ids)))

    async def _send_groups(self, group_names: tuple[str, ...], target: str, arguments: tuple[object, ...]) -> None:
        if not all(group_names):
            raise ValueError("Cannot send to an empty group name.")
        await self._manager.send_groups(group_names, frozenset(), target, arguments)

    def _proxy(self, deliver: Deliver) -> C:
        proxy = ClientProxy(deliver)
        return cast("C", proxy) if self._wrap is None else cast("C", self._wrap(proxy))


class _Caller:
    """The property `HubCallerClients.caller`; only a descriptor class can give it a type that depends on the hub's."""

    @overload
    def __get__(self, clients: HubCallerClients[ClientProxy, ClientProxy], owner: object) -> SingleClientProxy: ...
    @overload
    def __get__(self, clients: HubCallerClients[C, S], owner: object) -> S: ...

    def __get__(self, clients: HubCallerClients[Any, Any], owner: object) -> object:
        return clients.client(clients.connection_id)


class HubCallerClients(HubClients[C, S]):
    """The targets of a hub method: those of `HubClients`, and those relative to the caller."""

    __slots__ = ("connection_id",)

    def __init__(
        self,
        manager: HubLifetimeManager,
        connection_id: str,
        wrap: Wrap | None = None,
        wrap_single: Wrap | None = None,
        before_invoke: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(manager, wrap, wrap_single, before_invoke)
        self.connection_id: str = connection_id

    caller: Final = _Caller()
    """The connection that calls."""

    @property
    def others(self) -> C:
        """Every connection of the hub except the caller's."""
        return self.all_except((self.connection_id,))

    def others_in_group(self, group_name: str) -> C:
        """The members of a group except the caller, which need not be a member."""
        return self.group_except(group_name, (self.connection_id,))


def single_clients_only() -> HubUsageError:
    """Return the error for a typed method with a result on a target that may be several clients."""
    return HubUsageError("invoke", "several clients", "InvokeAsync only works with Single clients.")


def _given(value: str, name: str) -> str:
    if value is None:
        raise ValueError(f"{name} must not be None.")
    return value


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    """Return a snapshot of ids or names; a single string is one of them, not a sequence of characters."""
    return (values,) if isinstance(values, str) else tuple(values)

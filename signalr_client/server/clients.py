"""Where a hub can send messages: `HubClients` with its targets, and the proxies that these return. Room: server.

A proxy knows its target and the hub's lifetime, not the hub instance that it came from, so it stays usable after the call.
Spec: server-behaviour.md, "A" rows 18 to 34, "F. Client results".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, cast, overload

from typing_extensions import TypeVar

from signalr_client.server.errors import HubUsageError

if TYPE_CHECKING:
    from signalr_client.server.groups import Groups
    from signalr_client.server.hub import Hub
    from signalr_client.server.lifetime import HubLifetime

__all__ = ["C", "ClientProxy", "HubCallerClients", "HubClients", "HubContext", "SingleClientProxy"]

T = TypeVar("T")

Deliver = Callable[[str, tuple[object, ...]], Awaitable[None]]
"""Sends one invocation, target and arguments, to everybody whom a proxy stands for."""


class ClientProxy:
    """The connections that one target stands for at the time of each `send`."""

    __slots__ = ("_deliver",)

    def __init__(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def send(self, target: str, /, *arguments: object) -> None:
        """Call the handlers of *target* on each of the clients.

        It returns when every connection has taken the message into its buffer, not when it has arrived; nobody being there is
        no error. Cancelling ends the waiting: who has the message in the buffer gets it.

        Spec: server-behaviour.md, "A" row 29, "H".
        """
        await self._deliver(target, arguments)


class SingleClientProxy(ClientProxy):
    """One connection, which can also be asked for a result."""

    __slots__ = ("_before_invoke", "_connection_id", "_lifetime")

    def __init__(self, lifetime: HubLifetime, connection_id: str, before_invoke: Callable[[], None] | None) -> None:
        super().__init__(partial(lifetime.send_connections, (connection_id,)))
        self._lifetime = lifetime
        self._connection_id = connection_id
        self._before_invoke = before_invoke

    @overload
    async def invoke(self, target: str, /, *arguments: object, result_type: type[T]) -> T: ...
    @overload
    async def invoke(self, target: str, /, *arguments: object) -> object: ...

    async def invoke(self, target: str, /, *arguments: object, result_type: Any = object) -> object:
        """Call the handler of *target* on the client and return what it returns; limit the wait with `asyncio.timeout`.

        Cancelling ends the waiting; the client is not told, and its late answer is dropped.

        Args:
            target: the handler's name, as the client wrote it.
            arguments: what the handler gets.
            result_type: what the result has to be; without it the plain decoded value is returned.

        Raises:
            HubException: the handler failed, gave no result, or one that is no *result_type*.
            ConnectionClosedError: there is no such connection, or it ended before it answered.
            HubUsageError: called from `Hub.on_connected`, where no answer could be read.

        Spec: server-behaviour.md, "F. Client results".
        """
        if self._before_invoke is not None:
            self._before_invoke()
        return await self._lifetime.invoke_connection(self._connection_id, target, arguments, result_type)


C = TypeVar("C", default=ClientProxy)
"""What stands for clients: a `ClientProxy`, or the Protocol of a typed hub."""

Wrap = Callable[[ClientProxy], Any]
"""Makes a typed proxy of a plain one."""


class HubClients(Generic[C]):
    """The targets that messages can be sent to, for code outside a hub method; see `HubCallerClients` for the rest."""

    __slots__ = ("_before_invoke", "_lifetime", "_wrap")

    def __init__(
        self,
        lifetime: HubLifetime,
        wrap: Wrap | None = None,
        before_invoke: Callable[[], None] | None = None,
    ) -> None:
        self._lifetime = lifetime
        self._wrap = wrap
        self._before_invoke = before_invoke

    @property
    def all(self) -> C:
        """Every connection of the hub."""
        return self._proxy(partial(self._lifetime.send_all, frozenset()))

    def all_except(self, excluded_connection_ids: Iterable[str]) -> C:
        """Every connection but these; ids that are not known do no harm."""
        return self._proxy(partial(self._lifetime.send_all, frozenset(_texts(excluded_connection_ids))))

    @overload
    def client(self: HubClients[ClientProxy], connection_id: str) -> SingleClientProxy: ...
    @overload
    def client(self, connection_id: str) -> C: ...

    def client(self, connection_id: str) -> object:
        """One connection; an id that is not known is no error for ``send``, and one for ``invoke``."""
        proxy = SingleClientProxy(self._lifetime, _given(connection_id, "connection_id"), self._before_invoke)
        return proxy if self._wrap is None else self._wrap(proxy)

    def clients(self, connection_ids: Iterable[str]) -> C:
        """These connections, each of them once."""
        return self._proxy(partial(self._lifetime.send_connections, _texts(connection_ids)))

    def group(self, group_name: str) -> C:
        """The members of a group; case matters, and a group without members is no error."""
        return self._proxy(partial(self._lifetime.send_groups, (_given(group_name, "group_name"),), frozenset()))

    def group_except(self, group_name: str, excluded_connection_ids: Iterable[str]) -> C:
        """The members of a group but these."""
        excluded = frozenset(_texts(excluded_connection_ids))
        return self._proxy(partial(self._lifetime.send_groups, (_given(group_name, "group_name"),), excluded))

    def groups(self, group_names: Iterable[str]) -> C:
        """The members of several groups: who is in two of them gets each message twice.

        Sending raises ValueError if one of the names is empty.
        """
        return self._proxy(partial(self._send_groups, _texts(group_names)))

    def user(self, user_id: str) -> C:
        """Every connection whose `HubCallerContext.user_identifier` is this; case matters."""
        return self._proxy(partial(self._lifetime.send_users, (_given(user_id, "user_id"),)))

    def users(self, user_ids: Iterable[str]) -> C:
        """Every connection of these users, each of them once."""
        return self._proxy(partial(self._lifetime.send_users, _texts(user_ids)))

    async def _send_groups(self, group_names: tuple[str, ...], target: str, arguments: tuple[object, ...]) -> None:
        if not all(group_names):
            raise ValueError("Cannot send to an empty group name.")
        await self._lifetime.send_groups(group_names, frozenset(), target, arguments)

    def _proxy(self, deliver: Deliver) -> C:
        proxy = ClientProxy(deliver)
        return cast("C", proxy) if self._wrap is None else cast("C", self._wrap(proxy))


class _Caller:
    """The property `HubCallerClients.caller`; a class because only so it can have a type that depends on the hub's."""

    @overload
    def __get__(self, clients: HubCallerClients[ClientProxy], owner: object) -> SingleClientProxy: ...
    @overload
    def __get__(self, clients: HubCallerClients[C], owner: object) -> C: ...

    def __get__(self, clients: HubCallerClients[Any], owner: object) -> object:
        return clients.client(clients.connection_id)


class HubCallerClients(HubClients[C]):
    """The targets of a hub method: those of `HubClients`, and those that are told from who calls."""

    __slots__ = ("connection_id",)

    def __init__(
        self,
        lifetime: HubLifetime,
        connection_id: str,
        wrap: Wrap | None = None,
        before_invoke: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(lifetime, wrap, before_invoke)
        self.connection_id = connection_id

    caller = _Caller()
    """The connection that calls."""

    @property
    def others(self) -> C:
        """Every connection of the hub but the one that calls."""
        return self.all_except((self.connection_id,))

    def others_in_group(self, group_name: str) -> C:
        """The members of a group but the one that calls, which need not be a member."""
        return self.group_except(group_name, (self.connection_id,))


H = TypeVar("H", bound="Hub[Any]")


class HubContext(Generic[H, C]):
    """A hub's clients and groups for code outside of it; one for each hub type.

    From `HubServer.hub_context`, or injected as a service: ``HubContext[ChatHub]``, and for a typed hub
    ``HubContext[ChatHub, ChatClient]``. A hub method that waits for a client's result through it keeps its turn while it waits.

    Spec: server-behaviour.md, "A" rows 9 and 31.
    """

    def __init__(self, clients: HubClients[C], groups: Groups) -> None:
        self.clients = clients
        self.groups = groups


def single_clients_only() -> HubUsageError:
    """Return the error for a typed method with a result on a target that may be several clients."""
    return HubUsageError("invoke", "several clients", "InvokeAsync only works with Single clients.")


def _given(value: str, name: str) -> str:
    if value is None:
        raise ValueError(f"{name} must not be None.")
    return value


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    """Return ids or names as they are now; one text stands for itself, not for its characters."""
    return (values,) if isinstance(values, str) else tuple(values)

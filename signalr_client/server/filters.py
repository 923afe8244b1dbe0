"""Hub filters: code that runs around every call, around connecting and around disconnecting. Room: server.

Spec: server-behaviour.md, "A" row 55. The first filter is the outermost; those of the server run around those of the hub.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signalr_client.server.hub import Hub, HubCallerContext
    from signalr_client.server.services import ServiceScope

__all__ = ["HubFilter", "HubInvocationContext", "HubLifetimeContext"]


@dataclass(frozen=True, slots=True)
class HubLifetimeContext:
    """One run of `Hub.on_connected` or `Hub.on_disconnected`.

    Attributes:
        context: the connection.
        hub: the instance that was made for it.
        services: where its services come from.
    """

    context: HubCallerContext
    hub: Hub[Any]
    services: ServiceScope


@dataclass(frozen=True, slots=True)
class HubInvocationContext:
    """One call of a hub method; `dataclasses.replace` makes a changed one for ``next``.

    Attributes:
        context: the connection that calls.
        hub: the instance that was made for the call.
        services: where its services come from.
        hub_method_name: the method, as the server spells it.
        hub_method_arguments: all arguments as the method gets them, services and uploads included.
    """

    context: HubCallerContext
    hub: Hub[Any]
    services: ServiceScope
    hub_method_name: str
    hub_method_arguments: Sequence[object]


InvokeNext = Callable[[HubInvocationContext], Awaitable[object]]
LifetimeNext = Callable[[HubLifetimeContext], Awaitable[None]]
DisconnectNext = Callable[[HubLifetimeContext, BaseException | None], Awaitable[None]]


class HubFilter:
    """Override what is wanted and call ``next`` for the rest; what is not overridden passes straight through.

    One given as a class is made anew for each call, with its services; one given as an object serves all calls.
    """

    async def invoke_method(self, invocation: HubInvocationContext, next: InvokeNext) -> object:
        """Run around a hub method; what is returned is the client's result. A streaming method's result is the stream."""
        return await next(invocation)

    async def on_connected(self, lifetime: HubLifetimeContext, next: LifetimeNext) -> None:
        """Run around `Hub.on_connected`."""
        await next(lifetime)

    async def on_disconnected(
        self, lifetime: HubLifetimeContext, exception: BaseException | None, next: DisconnectNext
    ) -> None:
        """Run around `Hub.on_disconnected`."""
        await next(lifetime, exception)

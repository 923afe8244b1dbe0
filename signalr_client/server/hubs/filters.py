"""Hub filters: code that runs around every call, around connecting and around disconnecting. Room: server, hubs.

The first filter is the outermost; those of the server run around those of the hub. See docs/server.md, "Filters".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signalr_client.server.hubs.context import HubCallerContext
    from signalr_client.server.hubs.hub import Hub
    from signalr_client.server.injection.containers import ServiceScope

__all__ = ["HubFilter", "HubInvocationContext", "HubLifetimeContext"]


@dataclass(frozen=True, slots=True)
class HubLifetimeContext:
    """One run of `Hub.on_connected` or `Hub.on_disconnected`.

    Attributes:
        context: the connection.
        hub: the instance created for it.
        services: the scope its services come from.
    """

    context: HubCallerContext
    hub: Hub[Any]
    services: ServiceScope


@dataclass(frozen=True, slots=True)
class HubInvocationContext:
    """One call of a hub method; use `dataclasses.replace` to pass a changed one to ``next``.

    Attributes:
        context: the connection that calls.
        hub: the instance created for the call.
        services: the scope its services come from.
        hub_method_name: the method, as the server spells it.
        hub_method_arguments: all arguments as the method gets them, including services and upload streams.
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
    """Override the methods you need and call ``next`` to go on; the others pass straight through.

    A filter given as a class is created anew for each call, with its services; one given as an object serves all calls.
    """

    async def invoke_method(self, invocation: HubInvocationContext, next: InvokeNext) -> object:
        """Run around a hub method and return the client's result. The result of a streaming method is the stream."""
        return await next(invocation)

    async def on_connected(self, lifetime: HubLifetimeContext, next: LifetimeNext) -> None:
        """Run around `Hub.on_connected`."""
        await next(lifetime)

    async def on_disconnected(
        self, lifetime: HubLifetimeContext, exception: BaseException | None, next: DisconnectNext
    ) -> None:
        """Run around `Hub.on_disconnected`."""
        await next(lifetime, exception)

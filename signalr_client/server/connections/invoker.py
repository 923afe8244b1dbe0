"""`HubInvoker`: creates hub instances and runs their methods inside the hub filters. Room: server, connections.

The exceptions of hub code pass through here. They are judged where the call ends, in dispatcher.py and handler.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from signalr_client.server.errors import HubUsageError
from signalr_client.server.hubs.clients import HubCallerClients
from signalr_client.server.hubs.context import HubCallerContext
from signalr_client.server.hubs.descriptor import HubDescriptor
from signalr_client.server.hubs.filters import HubFilter, HubInvocationContext, HubLifetimeContext
from signalr_client.server.hubs.hub import Hub, attach, detach
from signalr_client.server.hubs.methods import HubMethodDescriptor
from signalr_client.server.injection.activation import Activator
from signalr_client.server.injection.containers import ServiceScope
from signalr_client.server.injection.provider import ServiceProvider
from signalr_client.user_code import call, settle

__all__ = ["HubInvoker"]


class HubInvoker:
    """Runs one hub's methods, each with an instance and a service scope of its own.

    Args:
        hub: the hub.
        filters: the filters around every call, the outermost first.
    """

    def __init__(self, hub: HubDescriptor, filters: Sequence[HubFilter | type[HubFilter]]) -> None:
        self._hub = hub
        self._filters = tuple(reversed(filters))
        container = hub.container
        names = container.service_names if isinstance(container, ServiceProvider) else dict
        self._activator = Activator(container, names)

    def create_scope(self) -> contextlib.aclosing[ServiceScope]:
        """Return a scope for the services of one call, to be used with ``async with``."""
        return contextlib.aclosing(self._hub.container.create_scope())

    @contextlib.asynccontextmanager
    async def instance(
        self, context: HubCallerContext, scope: ServiceScope, before_invoke: Callable[[], None] | None = None
    ) -> AsyncIterator[Hub[Any]]:
        """Create a hub for one call, and dispose of it at the end of the block.

        Args:
            context: the connection that calls.
            scope: where its services come from.
            before_invoke: called before the hub invokes a client for a result; an exception is raised there.
        """
        hub, created = self._activator.activate(self._hub.hub_type, scope)
        clients = HubCallerClients(
            self._hub.manager, context.connection_id, self._hub.wrap, self._hub.wrap_single, before_invoke
        )
        attach(hub, context, clients, self._hub.groups)
        try:
            yield hub
        finally:
            if created:  # one that is a service itself belongs to the container
                try:
                    await call(hub.dispose)
                finally:
                    detach(hub)

    async def run_method(
        self, method: HubMethodDescriptor, hub: Hub[Any], context: HubCallerContext, scope: ServiceScope, values: Any
    ) -> object:
        """Run a hub method inside the filters and return its result; for a streaming method, the stream."""

        async def innermost(invocation: HubInvocationContext) -> object:
            return await settle(method.call(invocation.hub, invocation.hub_method_arguments))

        run: Any = innermost
        for hub_filter in self._create_filters(scope):
            run = _around(hub_filter.invoke_method, run)
        return await settle(run(HubInvocationContext(context, hub, scope, method.name, values)))

    async def run_connected(self, context: HubCallerContext) -> None:
        """Run `Hub.on_connected` inside the filters."""

        def refuse() -> None:
            text = "Client results inside OnConnectedAsync Hub methods are not allowed."
            raise HubUsageError("invoke", "connecting", text)

        async def innermost(lifetime: HubLifetimeContext) -> None:
            await settle(lifetime.hub.on_connected())

        async with self.create_scope() as scope, self.instance(context, scope, refuse) as hub:
            run: Any = innermost
            for hub_filter in self._create_filters(scope):
                run = _around(hub_filter.on_connected, run)
            await settle(run(HubLifetimeContext(context, hub, scope)))

    async def run_disconnected(self, context: HubCallerContext, exception: BaseException | None) -> None:
        """Run `Hub.on_disconnected` inside the filters."""

        async def innermost(lifetime: HubLifetimeContext, exception: BaseException | None) -> None:
            await settle(lifetime.hub.on_disconnected(exception))

        async with self.create_scope() as scope, self.instance(context, scope) as hub:
            run: Any = innermost
            for hub_filter in self._create_filters(scope):
                run = _around(hub_filter.on_disconnected, run)
            await settle(run(HubLifetimeContext(context, hub, scope), exception))

    async def run_authentication_refreshed(self, context: HubCallerContext) -> None:
        """Run `Hub.on_authentication_refreshed`."""
        async with self.create_scope() as scope, self.instance(context, scope) as hub:
            await settle(hub.on_authentication_refreshed())

    def _create_filters(self, scope: ServiceScope) -> list[HubFilter]:
        """Return the filters, innermost first; those given as classes are created for this call."""
        return [f if isinstance(f, HubFilter) else self._activator.activate(f, scope)[0] for f in self._filters]


def _around(around: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: object) -> Any:
        return around(*arguments, inner)

    return run

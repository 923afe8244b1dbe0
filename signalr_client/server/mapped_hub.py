"""A hub as it is mapped: its methods, options, services, filters and connections, and how an instance of it is run. Room: server.

Spec: server-behaviour.md, "A" rows 7 to 9, 33, 43, 44 and 55.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from signalr_client.server.activation import activate
from signalr_client.server.authorization import requirements_of, resolve_requirements
from signalr_client.server.clients import HubCallerClients, HubClients, HubContext
from signalr_client.server.errors import HubDefinitionError, HubUsageError
from signalr_client.server.filters import HubFilter, HubInvocationContext, HubLifetimeContext
from signalr_client.server.groups import Groups
from signalr_client.server.hub import Hub, HubCallerContext, attach, finish
from signalr_client.server.lifetime import HubLifetime
from signalr_client.server.methods import HubMethod, read_hub
from signalr_client.server.options import HubOptions
from signalr_client.server.provider import ServiceProvider
from signalr_client.server.services import ServiceContainer, ServiceScope
from signalr_client.server.typed_clients import client_protocol_of, typed_proxy

__all__ = ["MappedHub"]

logger = logging.getLogger("signalr_client.server.hub")


class MappedHub:
    """One hub type under one set of options.

    Raises:
        HubDefinitionError: the hub cannot be mapped; the text says which method and why.
    """

    def __init__(
        self, hub_type: type[Hub[Any]], options: HubOptions, container: ServiceContainer, lifetime: HubLifetime
    ) -> None:
        if not (isinstance(hub_type, type) and issubclass(hub_type, Hub)):
            raise HubDefinitionError(f"A hub is a class that derives from Hub; {hub_type!r} does not.")
        self.hub_type = hub_type
        self.options = options
        self.container = container
        self.lifetime = lifetime
        self.groups = Groups(lifetime)
        client = client_protocol_of(hub_type)
        self._wrap: Callable[..., Any] | None = None if client is None else typed_proxy(client)
        self.context: HubContext[Any, Any] = HubContext(HubClients(lifetime, self._wrap), self.groups)
        if isinstance(container, ServiceProvider):  # before the methods are read: one may want it injected
            container.provide(HubContext[hub_type], self.context)  # type: ignore[valid-type]  # a type made at run time
            if client is not None:
                container.provide(HubContext[hub_type, client], self.context)  # type: ignore[valid-type]  # the same
        self.methods = read_hub(
            hub_type,
            container,
            options.authorization_policies,
            implicit_services=not options.disable_implicit_from_services_parameters,
        )
        self.requirements = resolve_requirements(requirements_of(*hub_type.__mro__), options.authorization_policies)

    @contextlib.asynccontextmanager
    async def instance(
        self, context: HubCallerContext, scope: ServiceScope, before_invoke: Callable[[], None] | None = None
    ) -> AsyncIterator[Hub[Any]]:
        """Make a hub for one call, and end it when the block ends.

        Args:
            context: the connection that calls.
            scope: where its services come from.
            before_invoke: called before the hub asks a client for a result; what it raises is raised there.
        """
        hub, ours = activate(self.hub_type, self.container, scope)
        attach(hub, context, HubCallerClients(self.lifetime, context.connection_id, self._wrap, before_invoke), self.groups)
        try:
            yield hub
        finally:
            if ours:
                try:
                    hub.dispose()
                finally:
                    finish(hub)

    async def run_method(
        self, method: HubMethod, hub: Hub[Any], context: HubCallerContext, scope: ServiceScope, values: Any
    ) -> object:
        """Run a hub method inside the filters and return what it returns: for a streaming method, the stream."""

        async def call(invocation: HubInvocationContext) -> object:
            result = method.call(invocation.hub, invocation.hub_method_arguments)
            return await result if inspect.isawaitable(result) else result

        run: Any = call
        for hub_filter in self._filters(scope):
            run = _around(hub_filter.invoke_method, run)
        return await run(HubInvocationContext(context, hub, scope, method.name, values))

    async def run_connected(self, context: HubCallerContext) -> None:
        """Run `Hub.on_connected` inside the filters."""

        def refuse() -> None:
            text = "Client results inside OnConnectedAsync Hub methods are not allowed."
            raise HubUsageError("invoke", "connecting", text)

        async def call(lifetime: HubLifetimeContext) -> None:
            await lifetime.hub.on_connected()

        async with contextlib.aclosing(self.container.create_scope()) as scope, self.instance(context, scope, refuse) as hub:
            run: Any = call
            for hub_filter in self._filters(scope):
                run = _around(hub_filter.on_connected, run)
            await run(HubLifetimeContext(context, hub, scope))

    async def run_disconnected(self, context: HubCallerContext, exception: BaseException | None) -> None:
        """Run `Hub.on_disconnected` inside the filters."""

        async def call(lifetime: HubLifetimeContext, exception: BaseException | None) -> None:
            await lifetime.hub.on_disconnected(exception)

        async with contextlib.aclosing(self.container.create_scope()) as scope, self.instance(context, scope) as hub:
            run: Any = call
            for hub_filter in self._filters(scope):
                run = _around(hub_filter.on_disconnected, run)
            await run(HubLifetimeContext(context, hub, scope), exception)

    async def run_authentication_refreshed(self, context: HubCallerContext) -> None:
        """Run `Hub.on_authentication_refreshed`."""
        async with contextlib.aclosing(self.container.create_scope()) as scope, self.instance(context, scope) as hub:
            await hub.on_authentication_refreshed()

    def _filters(self, scope: ServiceScope) -> list[HubFilter]:
        """Return the filters, the innermost first; those given as classes are made for this call."""
        filters = self.options.hub_filters
        if not filters:
            return []
        return [f if isinstance(f, HubFilter) else activate(f, self.container, scope)[0] for f in reversed(filters)]


def _around(around: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: object) -> Any:
        return around(*arguments, inner)

    return run

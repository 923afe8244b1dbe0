"""`HubDescriptor`: a hub class, read once when it is mapped. Room: server, hubs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hubs.clients import HubClients, Wrap
from signalr_client.server.hubs.groups import Groups
from signalr_client.server.hubs.hub import Hub
from signalr_client.server.hubs.hub_context import HubContext
from signalr_client.server.hubs.methods import HubMethods, read_methods
from signalr_client.server.hubs.typed_clients import client_types_of, typed_proxy
from signalr_client.server.injection.containers import ServiceContainer
from signalr_client.server.injection.provider import ServiceProvider
from signalr_client.server.lifetime.manager import HubLifetimeManager
from signalr_client.server.security.authorization import (
    AuthorizeRequirement,
    Policy,
    check_marks,
    requirements_of,
    resolve_requirements,
)

__all__ = ["HubDescriptor"]


class HubDescriptor:
    """One hub type: what clients may call, what users need, and its clients and groups.

    Attributes:
        methods: what clients may call.
        requirements: what `authorize` requires for every HTTP request to the hub.
        wrap: makes the typed proxies of a ``Hub[ChatClient]``; None for a hub with plain ones.
        wrap_single: the same for single clients.
        context: its clients and groups, for code outside of it.

    Raises:
        HubDefinitionError: the hub cannot be mapped; the text says which method, and why.
    """

    def __init__(
        self,
        hub_type: type[Hub[Any]],
        container: ServiceContainer,
        manager: HubLifetimeManager,
        *,
        policies: Mapping[str, Policy],
        implicit_services: bool = True,
    ) -> None:
        if not (isinstance(hub_type, type) and issubclass(hub_type, Hub)):
            raise HubDefinitionError(f"A hub is a class that derives from Hub; {hub_type!r} is not.")
        self.hub_type = hub_type
        self.container = container
        self.manager = manager
        self.groups: Groups = Groups(manager)
        clients = client_types_of(hub_type)
        self.wrap: Wrap | None = None if clients is None else typed_proxy(clients.every)
        self.wrap_single: Wrap | None = None if clients is None else typed_proxy(clients.single)
        self.context: HubContext[Any, Any] = HubContext(HubClients(manager, self.wrap, self.wrap_single), self.groups)
        if isinstance(container, ServiceProvider):  # before the methods are read: a parameter may ask for it
            generic: Any = HubContext  # its arguments are known at run time only
            container.provide(generic[hub_type], self.context)
            if clients is not None:
                container.provide(generic[hub_type, clients.every], self.context)
                container.provide(generic[hub_type, clients.every, clients.single], self.context)
        check_marks(hub_type)
        self.methods: HubMethods = read_methods(hub_type, container, policies, implicit_services=implicit_services)
        self.requirements: tuple[AuthorizeRequirement, ...] = resolve_requirements(requirements_of(*hub_type.__mro__), policies)

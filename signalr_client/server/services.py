"""What services a server's hubs may ask for. Room: server. How they are made is in provider.py.

A service is looked up by its type, or by type and key. What makes it gets its own services by the annotations of its
parameters. Another container can stand in for ours: see `ServiceContainer`.
Spec: server-behaviour.md, "A" rows 37 to 42; names and texts are those of .NET's dependency injection.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from signalr_client.core.binding import type_name
from signalr_client.server.annotations import FromKeyedServices, FromServices
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.provider import NO_KEY, Lifetime, ServiceDescriptor, ServiceProvider

__all__ = [
    "FromKeyedServices",
    "FromServices",
    "KeyedServiceContainer",
    "ServiceCollection",
    "ServiceContainer",
    "ServiceScope",
    "TypedServiceContainer",
    "build_container",
]

T = TypeVar("T")


class ServiceScope(Protocol):
    """Where the services of one call come from, and what releases them when it is over."""

    def get(self, service: Any) -> Any:
        """Return a service, or raise `LookupError`."""

    async def aclose(self) -> None:
        """Release what was made for this scope."""


@runtime_checkable
class ServiceContainer(Protocol):
    """A container that hubs can get their services from."""

    def create_scope(self) -> ServiceScope:
        """Return a new scope, for one call."""


@runtime_checkable
class TypedServiceContainer(ServiceContainer, Protocol):
    """One that also knows which types are services: only with it are unmarked parameters injected."""

    def is_service(self, service: Any) -> bool:
        """Return whether *service* can be asked for."""


@runtime_checkable
class KeyedServiceContainer(ServiceContainer, Protocol):
    """One that also has keyed services; the scopes it makes have ``get_keyed(service, key)``."""

    def is_keyed_service(self, service: Any, key: Hashable) -> bool:
        """Return whether *service* can be asked for under *key*."""


class ServiceCollection:
    """What a server's hubs may ask for. Methods return the collection, so that calls can be chained.

    Each takes the type to ask for, then what makes it: a class; a function, whose annotated parameters are services again (one
    without an annotation gets the scope); or, for a singleton, the object itself. Without it the type makes itself.
    A service with ``aclose`` or ``close`` that was made here is closed when its lifetime ends, the newest first.
    """

    def __init__(self) -> None:
        self._descriptors: dict[tuple[Any, Hashable], list[ServiceDescriptor]] = {}
        self._provider: ServiceProvider | None = None

    def add_singleton(self, service: Any, implementation: object = None) -> Self:
        """Register a service that lives as long as the server; *service* alone may also be the object itself."""
        return self._add(service, implementation, Lifetime.SINGLETON)

    def add_scoped(self, service: Any, implementation: object = None) -> Self:
        """Register a service that lives as long as one call of a hub method."""
        return self._add(service, implementation, Lifetime.SCOPED)

    def add_transient(self, service: Any, implementation: object = None) -> Self:
        """Register a service that is made anew whenever it is asked for."""
        return self._add(service, implementation, Lifetime.TRANSIENT)

    def add_keyed_singleton(self, service: Any, key: Hashable, implementation: object = None) -> Self:
        """Register a singleton under *key*; it is asked for with `FromKeyedServices`."""
        return self._add(service, implementation, Lifetime.SINGLETON, key)

    def add_keyed_scoped(self, service: Any, key: Hashable, implementation: object = None) -> Self:
        """Register a scoped service under *key*; it is asked for with `FromKeyedServices`."""
        return self._add(service, implementation, Lifetime.SCOPED, key)

    def add_keyed_transient(self, service: Any, key: Hashable, implementation: object = None) -> Self:
        """Register a transient service under *key*; it is asked for with `FromKeyedServices`."""
        return self._add(service, implementation, Lifetime.TRANSIENT, key)

    def build(self) -> ServiceProvider:
        """Return the provider of these services: the same one until it is closed, so that all hubs share the singletons."""
        if self._provider is None or self._provider.closed:
            self._provider = ServiceProvider(self._descriptors)
        return self._provider

    async def aclose(self) -> None:
        """Close the singletons that were made; the next `build` starts anew."""
        if self._provider is not None:
            await self._provider.aclose()

    def _add(self, service: Any, implementation: object, lifetime: Lifetime, key: Hashable = NO_KEY) -> Self:
        if implementation is None and not callable(service):
            service, implementation = type(service), service
        make = _maker(service, implementation)
        if make is None and lifetime is not Lifetime.SINGLETON:
            raise HubDefinitionError(
                f"An object can only be registered as a singleton; '{type_name(service)}' is {lifetime.value}."
            )
        descriptor = ServiceDescriptor(service, lifetime, make, implementation)
        self._descriptors.setdefault((service, key), []).append(descriptor)
        return self


def build_container(services: ServiceCollection | ServiceContainer) -> ServiceContainer:
    """Return the container to ask: that of a collection, or one of the caller's own."""
    return services.build() if isinstance(services, ServiceCollection) else services


def _maker(service: Any, implementation: object) -> Callable[..., object] | None:
    """Return what makes *service*, or None when *implementation* is the service itself.

    A callable object is a service of its own if it is an instance of the type that is asked for, else a function that makes one.
    """
    if implementation is None:
        make: Callable[..., object] = service
        return make
    if isinstance(implementation, type):
        return implementation
    try:
        is_instance = isinstance(implementation, service)
    except TypeError:  # a Protocol or a generic type, of which nothing can be told to be an instance
        is_instance = False
    return implementation if callable(implementation) and not is_instance else None

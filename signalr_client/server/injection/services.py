"""`ServiceCollection`: registering the services that hubs may ask for. Room: server, injection.

A service is looked up by its type, or by type and key. The callable that makes it gets its own services by the annotations of its
parameters. Another container can take the place of ours: see `ServiceContainer`. Names and error texts are those of .NET's
dependency injection. How services are created is in provider.py.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Self

from signalr_client.core.binding import type_name
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.injection.activation import NO_KEY
from signalr_client.server.injection.containers import ServiceContainer
from signalr_client.server.injection.provider import Lifetime, ServiceDescriptor, ServiceProvider

__all__ = ["ServiceCollection", "build_container"]


class ServiceCollection:
    """The services that hubs may ask for. Every ``add_`` method returns the collection, so that calls can be chained.

    Each takes the type to ask for, then the implementation: a class; a function, whose annotated parameters are services again
    (one without an annotation gets the scope); or, for a singleton, the object itself. Without it, the type is the implementation.
    A service created here that has ``aclose`` or ``close`` is closed when its lifetime ends, newest first.
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
        """Register a service that is created anew each time it is asked for."""
        return self._add(service, implementation, Lifetime.TRANSIENT)

    def add_keyed_singleton(self, service: Any, key: Hashable, implementation: object = None) -> Self:
        """Register a singleton under *key*, for parameters marked with `FromKeyedServices`."""
        return self._add(service, implementation, Lifetime.SINGLETON, key)

    def add_keyed_scoped(self, service: Any, key: Hashable, implementation: object = None) -> Self:
        """Register a scoped service under *key*, for parameters marked with `FromKeyedServices`."""
        return self._add(service, implementation, Lifetime.SCOPED, key)

    def add_keyed_transient(self, service: Any, key: Hashable, implementation: object = None) -> Self:
        """Register a transient service under *key*, for parameters marked with `FromKeyedServices`."""
        return self._add(service, implementation, Lifetime.TRANSIENT, key)

    def build(self) -> ServiceProvider:
        """Return the provider of these services: the same one until it is closed, so that all hubs share singletons."""
        if self._provider is None or self._provider.closed:
            self._provider = ServiceProvider(self._descriptors)
        return self._provider

    async def aclose(self) -> None:
        """Close the singletons that were created; the next `build` starts afresh."""
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
    """Return the container of a collection, or the caller's own container as it is."""
    return services.build() if isinstance(services, ServiceCollection) else services


def _maker(service: Any, implementation: object) -> Callable[..., object] | None:
    """Return the callable that makes *service*, or None if *implementation* is the service object itself.

    A callable object that is an instance of *service* is the service itself; any other callable makes one.
    """
    if implementation is None:
        make: Callable[..., object] = service
        return make
    if isinstance(implementation, type):
        return implementation
    try:
        is_instance = isinstance(implementation, service)
    except TypeError:  # a Protocol or a generic type: isinstance() cannot be used
        is_instance = False
    return implementation if callable(implementation) and not is_instance else None

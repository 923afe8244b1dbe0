"""Our service container: how services are created and kept, and when they are closed. Room: server, injection.

How they are registered is in services.py.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar, cast

from signalr_client.core.binding import type_name
from signalr_client.server.errors import ServiceError
from signalr_client.server.injection.activation import NO_KEY, Activator
from signalr_client.server.injection.annotations import element_type
from signalr_client.user_code import call

__all__ = ["Lifetime", "Scope", "ServiceDescriptor", "ServiceProvider"]

T = TypeVar("T")

_NOTHING: Final = object()


class Lifetime(Enum):
    """How long a service lives: as long as the server, as long as one call, or a new one for each request."""

    SINGLETON = "singleton"
    SCOPED = "scoped"
    TRANSIENT = "transient"


@dataclass(frozen=True, slots=True, eq=False)
class ServiceDescriptor:
    """One registration: the type asked for, and either the callable that makes it or the object itself."""

    service: Any
    lifetime: Lifetime
    make: Callable[..., object] | None
    instance: object = None


class Scope:
    """The services of one call. One is made for nearly every message, so it allocates nothing until it is used."""

    __slots__ = ("_closing", "_kept", "_provider")

    def __init__(self, provider: ServiceProvider) -> None:
        self._provider = provider
        self._kept: dict[ServiceDescriptor, object] | None = None
        self._closing: AsyncExitStack | None = None

    def get(self, service: type[T]) -> T:
        """Return the service, the last registration if there are several.

        Raises:
            ServiceError: it is not registered, or cannot be created.
        """
        return cast("T", self._provider.resolve(service, NO_KEY, self))

    def get_keyed(self, service: type[T], key: Hashable) -> T:
        """Return the service registered under *key*.

        Raises:
            ServiceError: it is not registered under that key, or cannot be created.
        """
        return cast("T", self._provider.resolve(service, key, self))

    def get_all(self, service: type[T]) -> list[T]:
        """Return every registration of the service, in the order they were added."""
        return cast("list[T]", self._provider.resolve_all(service, self))

    async def aclose(self) -> None:
        """Close what was created for this scope, newest first; a failure does not keep the others from being closed."""
        if self._closing is not None:
            closing, self._closing = self._closing, None
            await closing.aclose()

    def kept(self, descriptor: ServiceDescriptor) -> object:
        """Return the object already created for *descriptor*, or `_NOTHING`."""
        return _NOTHING if self._kept is None else self._kept.get(descriptor, _NOTHING)

    def keep(self, descriptor: ServiceDescriptor, made: object) -> None:
        """Keep an object: for later requests unless it is transient, and to close it with the scope."""
        if descriptor.lifetime is not Lifetime.TRANSIENT:
            self._kept = self._kept or {}
            self._kept[descriptor] = made
        close = getattr(made, "aclose", None) or getattr(made, "close", None)
        if close is not None:
            self._closing = self._closing or AsyncExitStack()
            self._closing.push_async_callback(call, close)


class ServiceProvider:
    """Creates the services of one `ServiceCollection` and keeps its singletons."""

    def __init__(self, descriptors: Mapping[tuple[Any, Hashable], list[ServiceDescriptor]]) -> None:
        self.closed: bool = False
        self._descriptors = descriptors
        self._objects: dict[Any, object] = {}
        self._root = Scope(self)
        self._resolving: list[ServiceDescriptor] = []  # the chain being resolved, to detect a circular dependency
        self._activator = Activator(self, self.service_names)

    def provide(self, service: Any, instance: object) -> None:
        """Resolve *service* to *instance*; the server adds its own objects this way, such as a hub's `HubContext`."""
        self._objects[service] = instance

    def create_scope(self) -> Scope:
        """Return a new scope, for one call."""
        return Scope(self)

    def is_service(self, service: Any) -> bool:
        """Return whether *service* can be resolved; ``list[T]`` and similar types can if T can."""
        element = element_type(service)
        wanted = service if element is None else element
        return self.is_keyed_service(wanted, NO_KEY) or (_is_hashable(wanted) and wanted in self._objects)

    def is_keyed_service(self, service: Any, key: Hashable) -> bool:
        """Return whether *service* can be resolved under *key*."""
        return _is_hashable(service) and (service, key) in self._descriptors

    def service_names(self) -> dict[str, object]:
        """Return the registered types by name, for annotations that their own module cannot resolve."""
        return {type_name(service): service for service, _key in self._descriptors}

    async def aclose(self) -> None:
        """Close the singletons, newest first."""
        self.closed = True
        await self._root.aclose()

    def resolve(self, service: Any, key: Hashable, scope: Scope) -> object:
        """Return one service for *scope*; use `Scope.get`."""
        descriptors = self._descriptors.get((service, key))
        if descriptors:
            return self._resolve(descriptors[-1], scope)
        if key is NO_KEY:
            if service in self._objects:
                return self._objects[service]
            element = element_type(service)
            if element is not None and (element, NO_KEY) in self._descriptors:
                return self.resolve_all(element, scope)
        under = "" if key is NO_KEY else f" with the key {key!r}"
        raise ServiceError(f"No service for type '{type_name(service)}'{under} has been registered.")

    def resolve_all(self, service: Any, scope: Scope) -> list[object]:
        """Return every registration of one service for *scope*; use `Scope.get_all`."""
        return [self._resolve(descriptor, scope) for descriptor in self._descriptors.get((service, NO_KEY), ())]

    def _resolve(self, descriptor: ServiceDescriptor, scope: Scope) -> object:
        if descriptor.make is None:
            return descriptor.instance
        if descriptor.lifetime is Lifetime.SINGLETON:
            scope = self._root  # the dependencies of a singleton must outlive the call that created it
        kept = scope.kept(descriptor)
        if kept is not _NOTHING:
            return kept
        name = type_name(descriptor.service)
        if descriptor.lifetime is Lifetime.SCOPED and scope is self._root:
            raise ServiceError(f"Cannot resolve scoped service '{name}' from root provider.")
        if descriptor in self._resolving:
            raise ServiceError(f"A circular dependency was detected for the service of type '{name}'.")
        self._resolving.append(descriptor)
        try:
            made = self._activator.call(descriptor.make, scope)
        finally:
            self._resolving.pop()
        scope.keep(descriptor, made)
        return made


def _is_hashable(service: Any) -> bool:
    """Return whether *service* can be a key of the table; ``Literal[[]]``, for example, cannot."""
    try:
        hash(service)
    except TypeError:
        return False
    return True

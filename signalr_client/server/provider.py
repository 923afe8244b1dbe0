"""How services are made and kept, and when they are closed. Room: server. How they are registered is in services.py."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar, cast

from signalr_client.core.binding import type_name
from signalr_client.server.annotations import element_type, read_annotations, read_hint
from signalr_client.server.errors import ServiceError

__all__ = ["NO_KEY", "Lifetime", "Scope", "ServiceDescriptor", "ServiceProvider"]

T = TypeVar("T")

NO_KEY: Final = object()
"""The key of a service that is registered without one."""

_NOTHING: Final = object()


class Lifetime(Enum):
    """How long a service lives: with the server, with one call, or made anew for whoever asks."""

    SINGLETON = "singleton"
    SCOPED = "scoped"
    TRANSIENT = "transient"


@dataclass(frozen=True, slots=True, eq=False)
class ServiceDescriptor:
    """One registration: the type asked for, and either what makes it or the object itself."""

    service: Any
    lifetime: Lifetime
    make: Callable[..., object] | None
    instance: object = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """One parameter of what makes a service: the type it wants (none for the scope itself), the key, and what else will do."""

    name: str
    service: Any
    key: Hashable
    default: object
    positional: bool


class Scope:
    """The services of one call. Made for nearly every message, so it holds nothing until it is asked."""

    __slots__ = ("_closing", "_kept", "_provider")

    def __init__(self, provider: ServiceProvider) -> None:
        self._provider = provider
        self._kept: dict[ServiceDescriptor, object] | None = None
        self._closing: AsyncExitStack | None = None

    def get(self, service: type[T]) -> T:
        """Return the service, the one that was registered last if there are several.

        Raises:
            ServiceError: it is not registered, or cannot be made.
        """
        return cast("T", self._provider.resolve(service, NO_KEY, self))

    def get_keyed(self, service: type[T], key: Hashable) -> T:
        """Return the service that is registered under *key*.

        Raises:
            ServiceError: it is not registered under that key, or cannot be made.
        """
        return cast("T", self._provider.resolve(service, key, self))

    def get_all(self, service: type[T]) -> list[T]:
        """Return every registration of the service, in the order in which they were added."""
        return cast("list[T]", self._provider.resolve_all(service, self))

    def activate(self, kind: type[T]) -> T:
        """Return a new *kind*, which need not be registered, made with the services that its constructor asks for.

        Raises:
            ServiceError: one of those cannot be made.
        """
        return cast("T", self._provider.call(kind, self))

    async def aclose(self) -> None:
        """Close what was made for this scope, the newest first; one that fails does not keep the rest from it."""
        if self._closing is not None:
            closing, self._closing = self._closing, None
            await closing.aclose()

    def kept(self, descriptor: ServiceDescriptor) -> object:
        """Return what was made of *descriptor* before, or `_NOTHING`."""
        return _NOTHING if self._kept is None else self._kept.get(descriptor, _NOTHING)

    def keep(self, descriptor: ServiceDescriptor, made: object) -> None:
        """Remember what was made, for the next who asks and to be closed in the end."""
        if descriptor.lifetime is not Lifetime.TRANSIENT:
            self._kept = self._kept or {}
            self._kept[descriptor] = made
        close = getattr(made, "aclose", None) or getattr(made, "close", None)
        if close is not None:
            self._closing = self._closing or AsyncExitStack()
            self._closing.push_async_callback(_close, close)


class ServiceProvider:
    """Makes the services of one `ServiceCollection` and keeps its singletons."""

    def __init__(self, descriptors: Mapping[tuple[Any, Hashable], list[ServiceDescriptor]]) -> None:
        self.closed = False
        self._descriptors = descriptors
        self._objects: dict[Any, object] = {}
        self._root = Scope(self)
        self._resolving: list[ServiceDescriptor] = []  # what waits for what, to notice a circle
        self._plans: dict[Callable[..., object], list[Dependency]] = {}

    def provide(self, service: Any, instance: object) -> None:
        """Answer for *service* with *instance*; how the server adds what is its own, such as a hub's `HubContext`."""
        self._objects[service] = instance

    def create_scope(self) -> Scope:
        """Return a new scope, for one call."""
        return Scope(self)

    def is_service(self, service: Any) -> bool:
        """Return whether *service* can be asked for; ``list[T]`` and its kind can when T can."""
        element = element_type(service)
        wanted = service if element is None else element
        return self.is_keyed_service(wanted, NO_KEY) or (_is_hashable(wanted) and wanted in self._objects)

    def is_keyed_service(self, service: Any, key: Hashable) -> bool:
        """Return whether *service* can be asked for under *key*."""
        return _is_hashable(service) and (service, key) in self._descriptors

    def service_names(self) -> dict[str, object]:
        """Return the registered types by name, for annotations whose module does not know them."""
        return {type_name(service): service for service, _key in self._descriptors}

    async def aclose(self) -> None:
        """Close the singletons, the newest first."""
        self.closed = True
        await self._root.aclose()

    def resolve(self, service: Any, key: Hashable, scope: Scope) -> object:
        """Return one service for *scope*; `Scope.get` is the public way."""
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
        """Return every registration of one service for *scope*; `Scope.get_all` is the public way."""
        return [self._resolve(descriptor, scope) for descriptor in self._descriptors.get((service, NO_KEY), ())]

    def call(self, make: Callable[..., object], scope: Scope) -> object:
        """Return what *make* makes out of the services that its parameters ask for."""
        plan = self._plans.get(make)
        if plan is None:
            plan = self._plans[make] = self._plan(make)
        if not plan:
            return make()
        found = [(dependency, self._find(dependency, make, scope)) for dependency in plan]
        return make(
            *(value for dependency, value in found if dependency.positional),
            **{dependency.name: value for dependency, value in found if not dependency.positional},
        )

    def _resolve(self, descriptor: ServiceDescriptor, scope: Scope) -> object:
        if descriptor.make is None:
            return descriptor.instance
        if descriptor.lifetime is Lifetime.SINGLETON:
            scope = self._root  # what a singleton is made of must not be over when one call is
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
            made = self.call(descriptor.make, scope)
        finally:
            self._resolving.pop()
        scope.keep(descriptor, made)
        return made

    def _plan(self, make: Callable[..., object]) -> list[Dependency]:
        """Return what the parameters of *make* ask for."""
        hints = read_annotations(make, self.service_names())
        plan = []
        for parameter in inspect.signature(make).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            default = _NOTHING if parameter.default is parameter.empty else parameter.default
            annotation = hints.get(parameter.name, parameter.annotation)
            positional = parameter.kind is not parameter.KEYWORD_ONLY
            if annotation is parameter.empty:
                plan.append(Dependency(parameter.name, None, NO_KEY, default, positional))
                continue
            hint = read_hint(annotation, parameter.name)
            key = NO_KEY if hint.keyed is None else hint.keyed.key
            default = None if hint.optional and default is _NOTHING else default
            plan.append(Dependency(parameter.name, hint.type, key, default, positional))
        return plan

    def _find(self, dependency: Dependency, make: Callable[..., object], scope: Scope) -> object:
        if dependency.service is None:
            return scope if dependency.default is _NOTHING else dependency.default
        known = (
            self.is_service(dependency.service)
            if dependency.key is NO_KEY
            else self.is_keyed_service(dependency.service, dependency.key)
        )
        if known:
            return self.resolve(dependency.service, dependency.key, scope)
        if dependency.default is not _NOTHING:
            return dependency.default
        raise ServiceError(
            f"Unable to resolve service for type '{type_name(dependency.service)}'"
            f" while attempting to activate '{type_name(make)}'."
        )


async def _close(close: Callable[[], object]) -> None:
    """Close a service that says how, sync or async."""
    closed = close()
    if inspect.isawaitable(closed):
        await closed


def _is_hashable(service: Any) -> bool:
    """Return whether *service* can be looked up at all; ``Literal[[]]`` and its kind cannot."""
    try:
        hash(service)
    except TypeError:
        return False
    return True

"""The activator: calls a class or a function with the services that its parameters ask for. Room: server, injection.

Hubs, filters and services are all made here, whichever container their own services come from. The parameters of a callable are
read once; after that a call only looks up values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from signalr_client.core.binding import type_name
from signalr_client.server.errors import ServiceError
from signalr_client.server.injection.annotations import read_annotations, read_hint
from signalr_client.server.injection.containers import (
    KeyedServiceContainer,
    ServiceContainer,
    ServiceScope,
    TypedServiceContainer,
)

__all__ = ["NO_KEY", "Activator"]

T = TypeVar("T")

NO_KEY: Final = object()
"""The key of a service that is registered without one."""

_NO_DEFAULT: Final = object()


@dataclass(frozen=True, slots=True)
class _Dependency:
    """One parameter: the type it asks for (None for the scope itself), the key, and what to use if there is no such service."""

    name: str
    service: Any
    key: Hashable
    default: object
    positional: bool


class Activator:
    """Makes objects out of the services of one container.

    Args:
        container: where the services come from.
        names: the registered types by name, for annotations that their own module cannot resolve.
    """

    def __init__(self, container: ServiceContainer, names: Callable[[], Mapping[str, object]] = dict) -> None:
        # Looked up once: isinstance() against a runtime protocol costs more than the rest of a call.
        self._typed = container if isinstance(container, TypedServiceContainer) else None
        self._keyed = container if isinstance(container, KeyedServiceContainer) else None
        self._names = names
        self._plans: dict[Callable[..., object], list[_Dependency]] = {}

    def activate(self, kind: type[T], scope: ServiceScope) -> tuple[T, bool]:
        """Return a *kind*, and whether it was made for this call; one that is a service itself belongs to the container.

        Raises:
            LookupError: a service that its constructor asks for is missing.
        """
        if self._typed is not None and self._typed.is_service(kind):
            return cast("T", scope.get(kind)), False
        return cast("T", self.call(kind, scope)), True

    def call(self, make: Callable[..., object], scope: ServiceScope) -> object:
        """Return the result of *make*, called with the services that its parameters ask for.

        Raises:
            LookupError: one of them is missing.
        """
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

    def _plan(self, make: Callable[..., object]) -> list[_Dependency]:
        hints = read_annotations(make, self._names())
        plan = []
        for parameter in inspect.signature(make).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                continue
            default = _NO_DEFAULT if parameter.default is parameter.empty else parameter.default
            annotation = hints.get(parameter.name, parameter.annotation)
            positional = parameter.kind is not parameter.KEYWORD_ONLY
            if annotation is parameter.empty:
                plan.append(_Dependency(parameter.name, None, NO_KEY, default, positional))
                continue
            hint = read_hint(annotation, parameter.name)
            key = NO_KEY if hint.keyed is None else hint.keyed.key
            default = None if hint.optional and default is _NO_DEFAULT else default
            plan.append(_Dependency(parameter.name, hint.type, key, default, positional))
        return plan

    def _find(self, dependency: _Dependency, make: Callable[..., object], scope: ServiceScope) -> object:
        if dependency.service is None:
            return scope if dependency.default is _NO_DEFAULT else dependency.default
        if self._knows(dependency) is not False:
            try:
                if dependency.key is NO_KEY:
                    return scope.get(dependency.service)
                return scope.get_keyed(dependency.service, dependency.key)  # type: ignore[attr-defined]  # a keyed container's
            except LookupError as exc:
                if self._knows(dependency) or dependency.default is _NO_DEFAULT:
                    if isinstance(exc, ServiceError):
                        raise  # it already says what is missing
                    raise self._missing(dependency, make) from exc
        if dependency.default is not _NO_DEFAULT:
            return dependency.default
        raise self._missing(dependency, make)

    def _knows(self, dependency: _Dependency) -> bool | None:
        """Return whether the container has the service; None if it cannot tell without being asked for it."""
        if dependency.key is not NO_KEY:
            return None if self._keyed is None else self._keyed.is_keyed_service(dependency.service, dependency.key)
        return None if self._typed is None else self._typed.is_service(dependency.service)

    def _missing(self, dependency: _Dependency, make: Callable[..., object]) -> ServiceError:
        return ServiceError(
            f"Unable to resolve service for type '{type_name(dependency.service)}'"
            f" while attempting to activate '{type_name(make)}'."
        )

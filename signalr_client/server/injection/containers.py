"""The doors to a service container: ours (provider.py) or one that the caller brings. Room: server, injection."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol, runtime_checkable

__all__ = ["KeyedServiceContainer", "ServiceContainer", "ServiceScope", "TypedServiceContainer"]


class ServiceScope(Protocol):
    """The services of one call, released when the call is over."""

    def get(self, service: Any) -> Any:
        """Return a service.

        Raises:
            LookupError: it is not registered, or cannot be created.
        """

    async def aclose(self) -> None:
        """Release everything created for this scope."""


@runtime_checkable
class ServiceContainer(Protocol):
    """A container that hubs can get their services from."""

    def create_scope(self) -> ServiceScope:
        """Return a new scope for one call."""


@runtime_checkable
class TypedServiceContainer(ServiceContainer, Protocol):
    """A container that also knows which types are services; only then are unmarked hub method parameters injected."""

    def is_service(self, service: Any) -> bool:
        """Return whether *service* can be resolved."""


@runtime_checkable
class KeyedServiceContainer(ServiceContainer, Protocol):
    """A container that also has keyed services; its scopes have ``get_keyed(service, key)``."""

    def is_keyed_service(self, service: Any, key: Hashable) -> bool:
        """Return whether *service* can be resolved under *key*."""

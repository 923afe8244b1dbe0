"""Making hubs and filters from the services that their constructors ask for. Room: server.

Our own scopes can do it themselves; for a container of somebody else's the constructor's annotations are read here.
Spec: server-behaviour.md, "A" rows 7 and 37.
"""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from signalr_client.core.binding import type_name
from signalr_client.server.annotations import read_annotations, read_hint
from signalr_client.server.errors import ServiceError
from signalr_client.server.services import ServiceContainer, ServiceScope, TypedServiceContainer

__all__ = ["activate"]

T = TypeVar("T")


def activate(kind: type[T], container: ServiceContainer, scope: ServiceScope) -> tuple[T, bool]:
    """Return a *kind*, and whether it was made for this call: one that is a service itself belongs to the container.

    Raises:
        LookupError: a service that its constructor asks for is missing.
    """
    if isinstance(container, TypedServiceContainer) and container.is_service(kind):
        made: T = scope.get(kind)
        return made, False
    make = getattr(scope, "activate", None)
    return (make(kind) if make is not None else _construct(kind, scope)), True


def _construct(kind: type[T], scope: ServiceScope) -> T:
    hints = read_annotations(kind, {})
    values: dict[str, Any] = {}
    for parameter in inspect.signature(kind).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        hint = read_hint(hints.get(parameter.name, object), parameter.name)
        try:
            values[parameter.name] = (
                scope.get(hint.type) if hint.keyed is None else scope.get_keyed(hint.type, hint.keyed.key)  # type: ignore[attr-defined]  # only a container that has it
            )
        except LookupError as exc:
            if parameter.default is parameter.empty and not hint.optional:
                raise ServiceError(
                    f"Unable to resolve service for type '{type_name(hint.type)}'"
                    f" while attempting to activate '{type_name(kind)}'."
                ) from exc
            values[parameter.name] = None if parameter.default is parameter.empty else parameter.default
    return kind(**values)

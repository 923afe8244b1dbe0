"""The parameters of a hub method: which are arguments, upload streams, services or the cancellation token. Room: server, hubs."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Hashable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from signalr_client.core.binding import type_name
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hubs.cancellation import CancellationToken
from signalr_client.server.injection.annotations import Hint, read_hint
from signalr_client.server.injection.containers import (
    KeyedServiceContainer,
    ServiceContainer,
    ServiceScope,
    TypedServiceContainer,
)

__all__ = ["Parameter", "ParameterReader", "Source", "stream_item_type"]

MAX_PARAMETERS_WITH_SERVICES: Final = 64

_STREAMS: Final = (AsyncIterator, AsyncIterable, AsyncGenerator)


class Source(Enum):
    """Where the value of a parameter comes from."""

    ARGUMENT = "argument"
    STREAM = "stream"
    SERVICE = "service"
    CANCELLATION = "cancellation"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a hub method: its type, the source of its value, and the key of a keyed service."""

    name: str
    source: Source
    type: Any
    optional: bool = False
    keyed: bool = False
    key: Hashable = None
    keyword: bool = False

    def resolve(self, scope: ServiceScope) -> object:
        """Return the service for the parameter; None for an optional one that is not registered."""
        try:
            return scope.get_keyed(self.type, self.key) if self.keyed else scope.get(self.type)  # type: ignore[attr-defined]  # checked when the hub was mapped
        except LookupError:
            if self.optional:
                return None
            raise


class ParameterReader:
    """Reads the parameters of one hub method.

    Args:
        hub_name, name: the hub and the method, for errors.
        container: where services come from.
        implicit_services: whether unmarked parameters of a registered type are services.
    """

    def __init__(self, hub_name: str, name: str, container: ServiceContainer, *, implicit_services: bool) -> None:
        self._where = f"'{hub_name}.{name}'"
        self._name = name
        self._container = container
        self._implicit = implicit_services and isinstance(container, TypedServiceContainer)

    def read(self, function: types.FunctionType, hints: Mapping[str, Any]) -> tuple[Parameter, ...]:
        """Return the parameters of *function* except the first, which is the hub.

        Raises:
            HubDefinitionError: a parameter is something that a client cannot send.
        """
        _self, *parameters = inspect.signature(function).parameters.values()
        read = tuple(self._read(parameter, hints) for parameter in parameters)
        if len(read) > MAX_PARAMETERS_WITH_SERVICES and any(p.source is Source.SERVICE for p in read):
            raise HubDefinitionError(
                f"{self._where}: Hub methods can't use services from DI when they have more than"
                f" {MAX_PARAMETERS_WITH_SERVICES} parameters."
            )
        return read

    def _read(self, parameter: inspect.Parameter, hints: Mapping[str, Any]) -> Parameter:
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise HubDefinitionError(
                f"{self._where}: '{name}' takes any number of arguments, but a client has to send exactly as many as a hub method"
                " has; use a list."
            )
        hint = read_hint(hints.get(name, object), f"parameter '{name}' of {self._where}")
        keyword = parameter.kind is parameter.KEYWORD_ONLY
        if hint.keyed is not None:
            self._check_keyed(hint)
            return Parameter(name, Source.SERVICE, hint.type, hint.optional, keyed=True, key=hint.keyed.key, keyword=keyword)
        if hint.from_services:
            return Parameter(name, Source.SERVICE, hint.type, hint.optional, keyword=keyword)
        if hint.type is CancellationToken:
            return Parameter(name, Source.CANCELLATION, hint.type, keyword=keyword)
        stream = stream_item_type(hint.type)
        if stream is not None:
            return Parameter(name, Source.STREAM, _item_type(stream[0]), keyword=keyword)
        if self._implicit and self._container.is_service(hint.type):  # type: ignore[attr-defined]  # _implicit says it can
            return Parameter(name, Source.SERVICE, hint.type, hint.optional, keyword=keyword)
        if isinstance(hint.type, TypeVar):
            raise HubDefinitionError(f"Method '{self._name}' is a generic method which is not supported on a Hub.")
        wanted = hints.get(name, object)
        return Parameter(name, Source.ARGUMENT, _item_type(wanted), keyword=keyword)

    def _check_keyed(self, hint: Hint) -> None:
        assert hint.keyed is not None
        if not isinstance(self._container, KeyedServiceContainer):
            raise HubDefinitionError(
                "Unable to resolve service referenced by FromKeyedServicesAttribute. The service provider doesn't support keyed"
                f" services. ({self._where})"
            )
        if not self._container.is_keyed_service(hint.type, hint.keyed.key):
            raise HubDefinitionError(f"'{type_name(hint.type)}' is not in DI as a keyed service. ({self._where})")


def stream_item_type(annotation: Any) -> tuple[Any] | None:
    """Return the item type of a stream annotation in a tuple, or None if the annotation is not a stream."""
    origin = typing.get_origin(annotation) or annotation
    if origin not in _STREAMS:
        return None
    arguments = typing.get_args(annotation)
    return (arguments[0] if arguments else object,)


def _item_type(annotation: Any) -> Any:
    """Return the type to convert to; object, which converts nothing, for Any and for no annotation."""
    return object if annotation is Any or annotation is inspect.Parameter.empty else annotation

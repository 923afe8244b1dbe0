"""What a hub's clients may call: its methods, read once when the hub is mapped. Room: server.

Each method is taken apart into what the client sends (arguments), what it streams (uploads) and what is injected (services), so that
a call only puts values in their places. What cannot work is refused here, before the server starts.
Spec: server-behaviour.md, "A" rows 2 to 6, 35 to 42, and "D".
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, Protocol, TypeVar

from signalr_client.core.binding import bind, type_name
from signalr_client.core.hub_method import wire_name
from signalr_client.errors import BindingError
from signalr_client.server.annotations import Hint, read_annotations, read_hint, stream_item_type
from signalr_client.server.authorization import AuthorizeRequirement, Policy, requirements_of, resolve_requirements
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hub import LIFECYCLE, Hub
from signalr_client.server.provider import ServiceProvider
from signalr_client.server.services import KeyedServiceContainer, ServiceContainer, ServiceScope, TypedServiceContainer

__all__ = ["HubMethod", "HubMethods", "read_hub"]

MAX_PARAMETERS_WITH_SERVICES: Final = 64


class Source(Enum):
    """Where the value of a parameter comes from."""

    ARGUMENT = "argument"
    STREAM = "stream"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a hub method: the type it wants, where its value comes from, and the key of a keyed service."""

    name: str
    source: Source
    type: Any
    optional: bool = False
    keyed: bool = False
    key: Hashable = None
    keyword: bool = False

    def resolve(self, scope: ServiceScope) -> object:
        """Return the service that the parameter wants; None for an optional one that is not known."""
        try:
            return scope.get_keyed(self.type, self.key) if self.keyed else scope.get(self.type)  # type: ignore[attr-defined]  # looked at when the hub was mapped
        except LookupError:
            if self.optional:
                return None
            raise


@dataclass(frozen=True, slots=True)
class HubMethod:
    """One method that clients may call.

    Attributes:
        name: how the server spells it: the name given with `hub_method`, or Python's.
        function: the function, to be called with a hub instance.
        streaming: whether it answers with a stream.
        requirements: what `authorize` asks for on the method.
    """

    name: str
    function: Callable[..., Any]
    streaming: bool
    requirements: tuple[AuthorizeRequirement, ...]
    parameters: tuple[Parameter, ...]
    argument_types: tuple[Any, ...] = field(init=False)
    stream_types: tuple[Any, ...] = field(init=False)
    _plain: bool = field(init=False)

    def __post_init__(self) -> None:
        """Sort the parameters by their source."""
        kinds = {source: tuple(p.type for p in self.parameters if p.source is source) for source in Source}
        object.__setattr__(self, "argument_types", kinds[Source.ARGUMENT])
        object.__setattr__(self, "stream_types", kinds[Source.STREAM])
        plain = all(p.source is Source.ARGUMENT and not p.keyword for p in self.parameters)
        object.__setattr__(self, "_plain", plain)

    def bind(self, arguments: Sequence[object], *, count_first: bool) -> list[object]:
        """Return what a client sent as what the method wants.

        Args:
            arguments: as they were decoded.
            count_first: complain about their number before their types, as the MessagePack protocol of .NET does.

        Raises:
            BindingError: their number or a type does not fit; the text is the official one.
        """
        wanted = self.argument_types
        if count_first:
            self._check_count(arguments)
        try:
            bound = [value if kind is object else bind(value, kind) for value, kind in zip(arguments, wanted, strict=False)]
        except BindingError as exc:
            raise BindingError(
                "Error binding arguments. Make sure that the types of the provided values match the types of the hub method"
                " being invoked."
            ) from exc
        self._check_count(arguments)
        return bound

    def place(self, arguments: Sequence[object], streams: Sequence[object], scope: ServiceScope) -> Sequence[object]:
        """Return what every parameter gets, in their order: arguments, uploads and services.

        Raises:
            LookupError: a service is missing.
        """
        if self._plain:
            return arguments
        sent, uploads = iter(arguments), iter(streams)
        placed: list[object] = []
        for parameter in self.parameters:
            match parameter.source:
                case Source.ARGUMENT:
                    placed.append(next(sent))
                case Source.STREAM:
                    placed.append(next(uploads))
                case Source.SERVICE:
                    placed.append(parameter.resolve(scope))
        return placed

    def call(self, hub: Hub[Any], values: Sequence[object]) -> Any:
        """Call the method with what `place` returned."""
        if self._plain:
            return self.function(hub, *values)
        pairs = list(zip(self.parameters, values, strict=True))
        keywords = {parameter.name: value for parameter, value in pairs if parameter.keyword}
        return self.function(hub, *(value for parameter, value in pairs if not parameter.keyword), **keywords)

    def _check_count(self, arguments: Sequence[object]) -> None:
        if len(arguments) != len(self.argument_types):
            raise BindingError(
                f"Invocation provides {len(arguments)} argument(s) but target expects {len(self.argument_types)}."
            )


class HubMethods:
    """The methods of a hub by name; case does not matter, and snake_case is also known under its PascalCase form."""

    def __init__(self, methods: Sequence[HubMethod]) -> None:
        self._by_name: dict[str, HubMethod] = {}
        self._known: dict[str, HubMethod] = {}  # by the spelling that a client used last time: no lower() for each call
        for method in methods:
            self._add(method.name.lower(), method)
        for method in methods:
            # send_message is SendMessage to a .NET client; a name that was given with hub_method is meant as it is
            if "_" in method.name and method.name == method.function.__name__:
                self._add(method.name.replace("_", "").lower(), method)

    def __iter__(self) -> Iterator[HubMethod]:
        """Return the methods, each once."""
        return iter(dict.fromkeys(self._by_name.values()))

    def find(self, target: str) -> HubMethod | None:
        """Return the method that a client calls *target*, or None."""
        method = self._known.get(target)
        if method is None and (method := self._by_name.get(target.lower())) is not None and len(self._known) < 1024:
            self._known[target] = method
        return method

    def _add(self, name: str, method: HubMethod) -> None:
        if self._by_name.setdefault(name, method) is not method:
            raise HubDefinitionError(
                f"Duplicate definitions of '{method.name}'. Overloading is not supported."
                " (Names are compared without regard to case, and snake_case is also known as PascalCase.)"
            )


def read_hub(
    hub_type: type[Hub[Any]],
    container: ServiceContainer,
    policies: Mapping[str, Policy],
    *,
    implicit_services: bool = True,
) -> HubMethods:
    """Return what clients may call on *hub_type*.

    Raises:
        HubDefinitionError: a method cannot be called: an overload, a duplicate, a generic method, variable arguments, an annotation
            that stands for nothing, or a keyed service that is not registered.
    """
    known = container.service_names() if isinstance(container, ServiceProvider) else {}
    methods = []
    for name, definitions in _definitions(hub_type):
        function = definitions[0]
        if isinstance(function, functools.singledispatchmethod) or typing.get_overloads(getattr(hub_type, name)):
            raise HubDefinitionError(f"Duplicate definitions of '{name}'. Overloading is not supported.")
        assert isinstance(function, types.FunctionType)
        hints = read_annotations(function, known)
        if getattr(function, "__type_params__", ()):
            raise HubDefinitionError(f"Method '{name}' is a generic method which is not supported on a Hub.")
        reader = _ParameterReader(hub_type, name, container, implicit_services=implicit_services)
        methods.append(
            HubMethod(
                name=next((given for definition in definitions if (given := wire_name(definition))), name),
                function=function,
                streaming=inspect.isasyncgenfunction(function) or stream_item_type(hints.get("return")) is not None,
                requirements=resolve_requirements(requirements_of(*definitions), policies),
                parameters=reader.read(function, hints),
            )
        )
    return HubMethods(methods)


def _definitions(hub_type: type[Hub[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the name of each public method and its definitions, the one that counts first."""
    bases = [kind for kind in hub_type.__mro__ if kind not in (Hub, Generic, Protocol, object)]
    names = dict.fromkeys(name for kind in reversed(bases) for name in vars(kind))
    for name in names:
        if name.startswith("_") or name in LIFECYCLE:
            continue
        definitions = [vars(kind)[name] for kind in bases if name in vars(kind)]
        if isinstance(definitions[0], types.FunctionType | functools.singledispatchmethod):
            yield name, definitions


class _ParameterReader:
    """Takes the parameters of one method apart."""

    def __init__(self, hub_type: type[Hub[Any]], name: str, container: ServiceContainer, *, implicit_services: bool) -> None:
        self._where = f"'{hub_type.__name__}.{name}'"
        self._name = name
        self._container = container
        self._implicit = implicit_services and isinstance(container, TypedServiceContainer)

    def read(self, function: types.FunctionType, hints: Mapping[str, Any]) -> tuple[Parameter, ...]:
        """Return the parameters of *function* but the first, which is the hub."""
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
        stream = stream_item_type(hint.type)
        if stream is not None:
            return Parameter(name, Source.STREAM, _item_type(stream[0]), keyword=keyword)
        if self._implicit and self._container.is_service(hint.type):  # type: ignore[attr-defined]  # _implicit looked
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


def _item_type(annotation: Any) -> Any:
    """Return the type to convert to; object, which asks for nothing, for Any."""
    return object if annotation is Any or annotation is inspect.Parameter.empty else annotation

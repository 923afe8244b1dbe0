"""The methods of a hub that clients may call, read once when the hub is mapped. Room: server, hubs.

Each method is split into what the client sends (arguments), what it streams (uploads) and what the server supplies (services, the
cancellation token), so that a call only puts values in their places. What cannot work is refused here, before the server starts.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol

from signalr_client.core.binding import Binding, Converter, json_binding, messagepack_binding
from signalr_client.core.hub_method import first_wire_name, is_cancellable
from signalr_client.core.portable import PORTABLE_DEPTH, find_unportable, find_unportable_from_json, is_portable_as_typed
from signalr_client.errors import BindingError, UnsupportedTypeError
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hubs.cancellation import CancellationToken
from signalr_client.server.hubs.hub import LIFECYCLE, Hub
from signalr_client.server.hubs.parameters import Parameter, ParameterReader, Source, stream_item_type
from signalr_client.server.injection.annotations import read_annotations
from signalr_client.server.injection.containers import ServiceContainer, ServiceScope
from signalr_client.server.injection.provider import ServiceProvider
from signalr_client.server.security.authorization import (
    AuthorizeRequirement,
    Policy,
    requirements_of,
    resolve_requirements,
)

__all__ = ["HubMethodDescriptor", "HubMethods", "read_methods"]


@dataclass(frozen=True, slots=True)
class HubMethodDescriptor:
    """One method that clients may call.

    Attributes:
        name: the server's spelling: the name given with `hub_method`, or Python's.
        function: the function, to be called with a hub instance.
        streaming: whether it returns a stream.
        cancellable: whether a client that cancels a plain call cancels the method's task.
        requirements: what `authorize` requires for the method.
    """

    name: str
    function: Callable[..., Any]
    streaming: bool
    cancellable: bool
    requirements: tuple[AuthorizeRequirement, ...]
    parameters: tuple[Parameter, ...]
    argument_types: tuple[Any, ...] = field(init=False)
    stream_types: tuple[Any, ...] = field(init=False)
    takes_token: bool = field(init=False)
    _plain: bool = field(init=False)
    _converters: dict[Binding, tuple[Converter[Any] | None, ...]] = field(init=False, default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Sort the parameters by their source."""
        kinds = {source: tuple(p.type for p in self.parameters if p.source is source) for source in Source}
        object.__setattr__(self, "argument_types", kinds[Source.ARGUMENT])
        object.__setattr__(self, "stream_types", kinds[Source.STREAM])
        object.__setattr__(self, "takes_token", bool(kinds[Source.CANCELLATION]))
        plain = all(p.source is Source.ARGUMENT and not p.keyword for p in self.parameters)
        object.__setattr__(self, "_plain", plain)

    @property
    def needs_digits(self) -> bool:
        """Whether an argument is a Decimal, or contains one."""
        return any(converter is not None and converter.needs_digits for converter in self.converters(json_binding()))

    def converters(self, binding: Binding) -> tuple[Converter[Any] | None, ...]:
        """Return what converts each argument; None where nothing has to be converted.

        Raises:
            UnsupportedTypeError: arguments cannot be converted to the type of a parameter.
        """
        found = self._converters.get(binding)
        if found is None:
            converters = [binding.converter(kind) for kind in self.argument_types]
            if any(converter.needs_digits for converter in converters):  # then all of them get numbers with all digits
                found = tuple(binding.converter(kind, digits=True) for kind in self.argument_types)
            else:
                pairs = zip(self.argument_types, converters, strict=True)
                found = tuple(None if kind is object else converter for kind, converter in pairs)
            self._converters[binding] = found
        return found

    def bind(self, arguments: list[Any], binding: Binding, *, count_first: bool, from_json: bool = False) -> list[object]:
        """Return the arguments of a client, converted to the parameter types.

        Args:
            arguments: as they were decoded.
            binding: the conversion for the hub protocol of the client.
            count_first: check their number before their types, as .NET's MessagePack protocol does.
            from_json: whether `JsonHubProtocol` has decoded them.

        Raises:
            BindingError: their number or a type does not fit; the text is the official one, its cause says what does not fit.
        """
        if count_first:
            self._check_count(arguments)
        try:
            find = find_unportable_from_json if from_json else find_unportable
            reason = find(arguments, PORTABLE_DEPTH + 1)
            if reason is not None and not self.needs_digits:
                raise BindingError(reason)
            bound = [
                value if converter is None else converter.convert(value, f"arguments[{index}]")
                for index, (value, converter) in enumerate(zip(arguments, self.converters(binding), strict=False))
            ]
            if reason is not None and not is_portable_as_typed(bound):
                raise BindingError(reason)
        except BindingError as exc:
            raise BindingError(
                "Error binding arguments. Make sure that the types of the provided values match the types of the hub method"
                " being invoked."
            ) from exc
        self._check_count(arguments)
        return bound

    def place(
        self,
        arguments: Sequence[object],
        streams: Sequence[object],
        token: CancellationToken | None,
        scope: ServiceScope,
    ) -> Sequence[object]:
        """Return the value of every parameter, in order.

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
                case Source.CANCELLATION:
                    placed.append(token)
        return placed

    def call(self, hub: Hub[Any], values: Sequence[object]) -> Any:
        """Call the method with the values that `place` returned."""
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
    """The methods of a hub by name, ignoring case; a snake_case name is also known in its PascalCase form.

    Attributes:
        exact_targets: the names of the methods with a Decimal in an argument, for `ExactNumbers`; None if there are none.

    Two methods whose names differ only in case, and a method named like the PascalCase form of another, are refused. Where a form is
    ambiguous only because case is ignored (``get_it`` beside ``getit``), it is not available, and both methods keep their own names.
    """

    def __init__(self, methods: Sequence[HubMethodDescriptor]) -> None:
        self._methods = tuple(methods)
        self._by_name: dict[str, HubMethodDescriptor] = {}
        self.exact_targets: _ExactTargets | None = (
            _ExactTargets(self) if any(method.needs_digits for method in methods) else None
        )
        self._known: dict[str, HubMethodDescriptor] = {}  # by the spelling that clients use: saves a lower() for each call
        for method in methods:
            if self._by_name.setdefault(method.name.lower(), method) is not method:
                raise _duplicate(method.name)
        # send_message is SendMessage to a .NET client; a name given with hub_method is used as it is
        forms = {
            method: "".join(part.capitalize() for part in method.name.split("_"))
            for method in methods
            if "_" in method.name and method.name == method.function.__name__
        }
        spellings = Counter([*(method.name for method in methods), *forms.values()])
        ambiguous = Counter(form.lower() for form in forms.values())
        for method, form in forms.items():
            if spellings[form] > 1:
                raise _duplicate(form)
            if ambiguous[form.lower()] == 1:
                self._by_name.setdefault(form.lower(), method)

    def __iter__(self) -> Iterator[HubMethodDescriptor]:
        """Return the methods, each once."""
        return iter(self._methods)

    def find(self, target: str) -> HubMethodDescriptor | None:
        """Return the method that a client calls *target*, or None."""
        method = self._known.get(target)
        if method is None and (method := self._by_name.get(target.lower())) is not None and len(self._known) < 1024:
            self._known[target] = method
        return method


class _ExactTargets(Container[str]):
    """The targets of calls with a Decimal in an argument, in any spelling."""

    def __init__(self, methods: HubMethods) -> None:
        self._methods = methods

    def __contains__(self, target: object) -> bool:
        method = self._methods.find(target) if isinstance(target, str) else None
        return method is not None and method.needs_digits


def read_methods(
    hub_type: type[Hub[Any]],
    container: ServiceContainer,
    policies: Mapping[str, Policy],
    *,
    implicit_services: bool = True,
) -> HubMethods:
    """Return what clients may call on *hub_type*.

    Raises:
        HubDefinitionError: a method cannot be called: an overload, a duplicate, a generic method, variable arguments, an annotation
            that cannot be resolved or converted to, or a keyed service that is not registered.
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
        reader = ParameterReader(hub_type.__name__, name, container, implicit_services=implicit_services)
        method = HubMethodDescriptor(
            name=first_wire_name(definitions) or name,
            function=function,
            streaming=inspect.isasyncgenfunction(function) or stream_item_type(hints.get("return")) is not None,
            cancellable=any(is_cancellable(definition) for definition in definitions),
            requirements=resolve_requirements(requirements_of(*definitions), policies),
            parameters=reader.read(function, hints),
        )
        _check_types(method, hub_type)
        methods.append(method)
    return HubMethods(methods)


def _check_types(method: HubMethodDescriptor, hub_type: type[Hub[Any]]) -> None:
    """Compile the types of the parameters, so that mistakes are found before the server starts.

    Raises:
        HubDefinitionError: values cannot be converted to one.
    """
    for binding in (json_binding(), messagepack_binding()):
        try:
            method.converters(binding)
            for kind in method.stream_types:
                binding.converter(kind)
        except UnsupportedTypeError as exc:
            raise HubDefinitionError(f"'{hub_type.__name__}.{method.name}' cannot be called: {exc}") from exc


def _definitions(hub_type: type[Hub[Any]]) -> Iterator[tuple[str, list[Any]]]:
    """Yield the name of each public method and its definitions, the effective one first."""
    bases = [kind for kind in hub_type.__mro__ if kind not in (Hub, Generic, Protocol, object)]
    names = dict.fromkeys(name for kind in reversed(bases) for name in vars(kind))
    for name in names:
        if name.startswith("_") or name in LIFECYCLE:
            continue
        definitions = [vars(kind)[name] for kind in bases if name in vars(kind)]
        if isinstance(definitions[0], types.FunctionType | functools.singledispatchmethod):
            yield name, definitions


def _duplicate(name: str) -> HubDefinitionError:
    return HubDefinitionError(
        f"Duplicate definitions of '{name}'. Overloading is not supported."
        " (Names are compared without regard to case, and snake_case is also known as PascalCase.)"
    )

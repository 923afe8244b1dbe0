"""From a hub or a Protocol in Python to a description. Room: generate."""

from __future__ import annotations

import inspect
import types
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from typing_extensions import is_protocol

from signalr_client.core.binding import function_types
from signalr_client.core.binding.naming import pascal_case
from signalr_client.core.contracts import NO_ANNOTATION, read_contract
from signalr_client.errors import UnsupportedTypeError
from signalr_client.generate.description import (
    REQUIRED,
    Constant,
    Default,
    Description,
    EnumConstant,
    GenerateError,
    Hub,
    Interface,
    Method,
    Parameter,
    Stream,
    Warn,
    without_clients,
)
from signalr_client.generate.names import dotnet_name, parameter_name, python_name, without_interface_prefix
from signalr_client.generate.python_fields import Spelling, default_of
from signalr_client.generate.python_types import PythonTypes
from signalr_client.generate.types import Scalar, Type
from signalr_client.server.hubs.hub import Hub as PythonHub
from signalr_client.server.hubs.methods import HubMethodDescriptor, read_methods
from signalr_client.server.hubs.parameters import Source, stream_item_type
from signalr_client.server.hubs.typed_clients import client_types_of, typed_proxy
from signalr_client.server.injection.containers import ServiceScope
from signalr_client.server.security.authorization import Policy

__all__ = ["read_python"]


def read_python(
    *sources: type, client: type | None = None, spelling: Spelling | None = None, warn: Warn = lambda _text: None
) -> Description:
    """Return the description of hubs and Protocols.

    Args:
        sources: hub classes, as they are mapped, or Protocols with the methods of a hub, as `HubConnection.proxy` takes them.
        client: a Protocol with the methods that the hubs call on their clients, for sources that are not a ``Hub[ChatClient]``.
        spelling: how the hub protocols spell names, if not by default.
        warn: is told what could not be expressed.

    Raises:
        GenerateError: a source is neither, or a type cannot be described.
        HubDefinitionError: a hub could not be mapped either.
        UnsupportedTypeError: a type cannot be converted, or an annotation cannot be resolved.
    """
    reader = _Reader(spelling or Spelling(), warn)
    hubs = without_clients([reader.hub(source, client) for source in sources])
    names = ", ".join(f"{source.__module__}:{source.__qualname__}" for source in sources)
    return Description(hubs, tuple(reader.types.declarations.values()), names)


class _Reader:
    def __init__(self, spelling: Spelling, warn: Warn) -> None:
        self.types = PythonTypes(spelling)
        self._warn = warn

    def hub(self, source: type, client: type | None) -> Hub:
        """Return the description of one source; *client* is used if it does not name one itself."""
        if isinstance(source, type) and issubclass(source, PythonHub):
            methods = tuple(self._hub_methods(source))
            found = client_types_of(source)
            clients = [client] if found is None else [found.single, found.every]
        elif isinstance(source, type) and is_protocol(source):
            methods = tuple(self._protocol_methods(source))
            clients = [client]
        else:
            raise GenerateError(f"{source!r} is neither a class that derives from Hub nor a Protocol.")
        return Hub(
            without_interface_prefix(source.__name__),
            methods,
            _doc(source),
            client=self._client([kind for kind in clients if kind is not None]),
        )

    def _client(self, protocols: Sequence[type]) -> Interface | None:
        """Return what clients offer: the methods of the Protocols of single and of all clients, which are mostly the same."""
        if not protocols:
            return None
        methods: dict[str, Method] = {}
        for protocol in dict.fromkeys(protocols):
            typed_proxy(protocol)  # refuses what a typed hub cannot use
            methods = {method.name: method for method in self._protocol_methods(protocol)} | methods
        *_, every = protocols
        return Interface(without_interface_prefix(every.__name__), tuple(methods.values()), _doc(every))

    # hubs

    def _hub_methods(self, hub: type[PythonHub[Any]]) -> Iterator[Method]:
        methods = read_methods(hub, _Offline(hub, self._warn), _AnyPolicy())
        known = {hub.__name__: hub}
        for method in methods:
            where = f"{hub.__name__}.{method.function.__name__}"
            wire = method.name
            form = pascal_case(wire)
            # a name that hub_method gave is used as it is
            if wire == method.function.__name__ and methods.find(form) is method:
                wire = form
            result = function_types(method.function, known, returns=True).get("return", NO_ANNOTATION)
            if method.streaming and (item := stream_item_type(result)) is not None:
                result = item[0]
            yield Method(
                wire,
                python_name(wire),
                dotnet_name(wire),
                tuple(self._hub_parameters(method, where)),
                self._result(result, where, streaming=method.streaming),
                _doc(method.function),
            )

    def _hub_parameters(self, method: HubMethodDescriptor, where: str) -> Iterator[Parameter]:
        for parameter in method.parameters:
            place = f"{where}: parameter '{parameter.name}'"
            if parameter.source is Source.ARGUMENT:
                kind: Type | Stream = self.types.read(parameter.type, place)
            elif parameter.source is Source.STREAM:
                kind = Stream(self.types.read(parameter.type, place))
            else:
                continue
            yield Parameter(parameter.name, parameter_name(parameter.name), kind)

    # Protocols

    def _protocol_methods(self, protocol: Any) -> Iterator[Method]:
        for name, method in read_contract(protocol).methods.items():
            kinds = function_types(method.function, {protocol.__name__: protocol})
            yield Method(
                method.target,
                python_name(name),
                dotnet_name(method.target),
                tuple(self._protocol_parameters(method.function, kinds, method.name)),
                self._result(method.result, method.name, streaming=method.stream is not None),
                _doc(method.function),
            )

    def _protocol_parameters(self, function: types.FunctionType, kinds: Mapping[str, Any], where: str) -> Iterator[Parameter]:
        _self, *parameters = inspect.signature(function).parameters.values()
        for parameter in parameters:
            place = f"{where}: parameter '{parameter.name}'"
            if parameter.kind is parameter.VAR_POSITIONAL:
                raise GenerateError(f"{place} takes any number of arguments, but a hub method has a fixed number.")
            wanted = kinds.get(parameter.name, object)
            item = stream_item_type(wanted)
            kind = self.types.read(wanted, place) if item is None else Stream(self.types.read(item[0], place))
            yield Parameter(parameter.name, parameter_name(parameter.name), kind, self._default(parameter, place))

    def _default(self, parameter: inspect.Parameter, where: str) -> Default:
        if parameter.default is parameter.empty:
            return REQUIRED
        default = default_of(parameter.default)
        if not isinstance(default, Constant | EnumConstant):
            self._warn(f"{where}: its default can be written in Python only, so it has none here.")
            return REQUIRED
        return default

    def _result(self, result: Any, where: str, *, streaming: bool) -> Type | Stream | None:
        """Return the type of a result, or of the items of a stream."""
        place = f"the result of {where}"
        if result is None or result is type(None):
            return Stream(Scalar.NULL) if streaming else None
        if result is NO_ANNOTATION:
            self._warn(f"{place} has no annotation; it is taken for any value.")
            result = object
        kind = self.types.read(result, place)
        return Stream(kind) if streaming else kind


class _Offline:
    """A container for reading hubs without their application: only what cannot be an argument is a service."""

    def __init__(self, hub: type, warn: Warn) -> None:
        self._hub = hub
        self._warn = warn

    def create_scope(self) -> ServiceScope:
        """Refuse: nothing is called."""
        raise NotImplementedError

    def is_service(self, service: Any) -> bool:
        """Return whether a client could not send a value of the type, because it is a class without fields, such as a clock."""
        if not isinstance(service, type) or service.__module__ == "builtins":
            return False
        try:
            PythonTypes(Spelling()).read(service, "")
        except (GenerateError, UnsupportedTypeError):
            self._warn(
                f"{self._hub.__name__}: {service.__name__} is taken for a service, because it has no fields that a client could send."
                " Mark such parameters with FromServices."
            )
            return True
        return False

    def is_keyed_service(self, service: Any, key: Hashable) -> bool:  # noqa: ARG002  # the door has them
        """Return True: the parameter is marked."""
        return True


class _AnyPolicy(Mapping[str, Policy]):
    """Has every authorization policy, because only the application knows them."""

    def __getitem__(self, name: str) -> Policy:
        return lambda _user: False

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _doc(described: Any) -> str:
    text = vars(described).get("__doc__") if isinstance(described, type) else described.__doc__
    return inspect.cleandoc(text) if isinstance(text, str) else ""

"""From a hub or a Protocol in Python to a contract. Room: generate."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator, Mapping
from typing import Any, Generic, Protocol

from signalr_client.core.binding.naming import pascal_case
from signalr_client.core.hub_method import wire_name
from signalr_client.errors import UnsupportedTypeError
from signalr_client.generate.contract import (
    REQUIRED,
    UNKNOWN,
    Contract,
    Default,
    GenerateError,
    Hub,
    Interface,
    Method,
    Parameter,
    Scalar,
    Stream,
    Type,
    Warn,
)
from signalr_client.generate.names import dotnet_name, parameter_name, python_name, without_interface_prefix
from signalr_client.generate.python_fields import Spelling, default_of
from signalr_client.generate.python_types import PythonTypes
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hubs.hub import Hub as PythonHub
from signalr_client.server.hubs.methods import HubMethodDescriptor, read_methods
from signalr_client.server.hubs.parameters import Source, stream_item_type
from signalr_client.server.hubs.typed_clients import client_protocol_of, typed_proxy
from signalr_client.server.injection.annotations import read_annotations
from signalr_client.server.injection.containers import ServiceScope
from signalr_client.server.security.authorization import Policy

__all__ = ["read_python"]


def read_python(
    *sources: type, client: type | None = None, spelling: Spelling | None = None, warn: Warn = lambda _text: None
) -> Contract:
    """Return the contract of hubs and Protocols.

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
    hubs = tuple(reader.hub(source, client) for source in sources)
    names = ", ".join(f"{source.__module__}:{source.__qualname__}" for source in sources)
    return Contract(hubs, tuple(reader.types.declarations.values()), names)


class _Reader:
    def __init__(self, spelling: Spelling, warn: Warn) -> None:
        self.types = PythonTypes(spelling)
        self._warn = warn

    def hub(self, source: type, client: type | None) -> Hub:
        """Return the contract of one source; *client* is used if it does not name one itself."""
        if isinstance(source, type) and issubclass(source, PythonHub):
            methods = tuple(self._hub_methods(source))
            client = client_protocol_of(source) or client
        elif getattr(source, "_is_protocol", False):
            methods = tuple(self._protocol_methods(source))
        else:
            raise GenerateError(f"{source!r} is neither a class that derives from Hub nor a Protocol.")
        return Hub(
            without_interface_prefix(source.__name__),
            methods,
            _doc(source),
            client=None if client is None else self._client(client),
        )

    def _client(self, protocol: type) -> Interface:
        typed_proxy(protocol)  # refuses what a typed hub cannot use
        return Interface(without_interface_prefix(protocol.__name__), tuple(self._protocol_methods(protocol)), _doc(protocol))

    # hubs

    def _hub_methods(self, hub: type[PythonHub[Any]]) -> Iterator[Method]:
        methods = read_methods(hub, _Offline(hub, self._warn), _AnyPolicy())
        for method in methods:
            where = f"{hub.__name__}.{method.function.__name__}"
            wire = method.name
            form = pascal_case(wire)
            # a name that hub_method gave is used as it is
            if wire == method.function.__name__ and methods.find(form) is method:
                wire = form
            result = _result_annotation(method.function, where)
            yield Method(
                wire,
                python_name(wire),
                dotnet_name(wire),
                tuple(self._hub_parameters(method, where)),
                self._result(result, method.streaming, where),
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

    def _protocol_methods(self, protocol: type) -> Iterator[Method]:
        bases = [kind for kind in protocol.__mro__ if kind not in (object, Generic, *Protocol.__mro__)]
        for name in dict.fromkeys(name for kind in reversed(bases) for name in vars(kind)):
            if name.startswith("_"):
                continue
            member = next(vars(kind)[name] for kind in bases if name in vars(kind))
            where = f"{protocol.__name__}.{name}"
            if not isinstance(member, types.FunctionType):
                raise GenerateError(f"{where} is not a method; a Protocol of a hub or a client consists of methods only.")
            returns = _result_annotation(member, where)
            streaming = stream_item_type(returns) is not None
            if not streaming and not inspect.iscoroutinefunction(member):
                if typing.get_origin(returns) not in (Awaitable, Coroutine):
                    raise GenerateError(f"{where} is neither 'async def' nor returns an AsyncIterator, so it cannot be called.")
                returns = typing.get_args(returns)[-1]
            wire = next((given for kind in bases if (given := wire_name(vars(kind).get(name)))), name)
            yield Method(
                wire,
                python_name(name),
                dotnet_name(wire),
                tuple(self._protocol_parameters(member, where)),
                self._result(returns, streaming, where),
                _doc(member),
            )

    def _protocol_parameters(self, function: types.FunctionType, where: str) -> Iterator[Parameter]:
        hints = read_annotations(function, {})
        _self, *parameters = inspect.signature(function).parameters.values()
        for parameter in parameters:
            place = f"{where}: parameter '{parameter.name}'"
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise GenerateError(f"{place} takes any number of arguments, but a hub method has a fixed number.")
            hint = hints.get(parameter.name, object)
            item = stream_item_type(hint)
            kind = self.types.read(hint, place) if item is None else Stream(self.types.read(item[0], place))
            yield Parameter(parameter.name, parameter_name(parameter.name), kind, self._default(parameter, place))

    def _default(self, parameter: inspect.Parameter, where: str) -> Default:
        if parameter.default is parameter.empty:
            return REQUIRED
        default = default_of(parameter.default)
        if default is UNKNOWN:
            self._warn(f"{where}: its default can be written in Python only, so it has none here.")
            return REQUIRED
        return default

    def _result(self, returns: Any, streaming: bool, where: str) -> Type | Stream | None:  # noqa: FBT001  # both are known
        place = f"the result of {where}"
        if streaming:
            item = stream_item_type(returns)
            return Stream(Scalar.ANY if item is None else self.types.read(item[0], place))
        if returns is None or returns is type(None):
            return None
        if returns is inspect.Signature.empty:
            self._warn(f"{place} has no annotation; it is taken for any value.")
            return Scalar.ANY
        return self.types.read(returns, place)


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


def _result_annotation(function: Callable[..., object], where: str) -> Any:
    """Return the resolved return annotation.

    Raises:
        HubDefinitionError: it cannot be resolved.
    """
    plain = inspect.unwrap(function)
    hints = read_annotations(plain, {})
    written = getattr(plain, "__annotations__", {})
    if "return" in written and "return" not in hints:
        raise HubDefinitionError(
            f"The annotation '{written['return']}' of the result of '{where}' cannot be resolved. Define or import the type at the"
            " top level of its module, outside of `if TYPE_CHECKING`."
        )
    return hints.get("return", inspect.Signature.empty)


def _doc(described: Any) -> str:
    text = vars(described).get("__doc__") if isinstance(described, type) else described.__doc__
    return inspect.cleandoc(text) if isinstance(text, str) else ""



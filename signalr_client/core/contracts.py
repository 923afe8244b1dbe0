"""Contracts: what a Protocol says about the methods of the other side. Room: core, row 1.

The proxies of a connection and the typed clients of a hub are made from the same description, which is read once for each Protocol.
It knows names, parameters and results, and nothing about how a call is sent.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Mapping, Sequence
from types import FunctionType
from typing import Any, ClassVar, Final, TypeVar

import typing_extensions

from signalr_client.core.binding import Binding, Checker, checker, function_types, plain_name, substitute, type_variables
from signalr_client.core.hub_method import first_wire_name, is_send
from signalr_client.errors import BindingError, UnsupportedTypeError

__all__ = ["NO_ANNOTATION", "Contract", "ContractMethod", "ContractProxy", "read_contract"]

ProxyT = TypeVar("ProxyT", bound="ContractProxy")

NO_ANNOTATION: Final[Any] = inspect.Signature.empty
"""The result of a method without a return annotation."""

_MOST_CONTRACTS: Final = 256
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_AWAITABLES: Final = (Awaitable, Coroutine)


class ContractMethod:
    """One method of a Protocol.

    Attributes:
        name: the name in Python, with that of the Protocol, for errors.
        target: the name on the wire.
        function: the function of the Protocol.
        result: the type of the result, or of the items of a stream; None for no result, or `NO_ANNOTATION`.
        stream: the class of the stream that it returns; None for a method that is awaited.
        send: whether `hub_method` says that no response is waited for.
    """

    def __init__(self, name: str, target: str, function: FunctionType, types: Mapping[str, Any]) -> None:
        self.name = name
        self.target = target
        self.function = function
        stream, result = _outcome(name, function, types.get("return", NO_ANNOTATION))
        self.stream: Any = stream
        self.result: Any = result
        self.send: bool = is_send(function)
        if self.send and (self.stream is not None or self.result not in (None, NO_ANNOTATION)):
            raise TypeError(f"'{name}' has send=True, so nobody waits for a response: its result must be None.")
        parameters = _parameters(name, function)
        self._signature = inspect.Signature(parameters)
        # how many arguments are taken as they are; never, if some have to be given by name or may be any number
        self._count = len(parameters) if all(parameter.kind in _POSITIONAL for parameter in parameters) else -1
        self._rest = next((parameter.name for parameter in parameters if parameter.kind is parameter.VAR_POSITIONAL), None)
        self._checkers = {parameter.name: self._checker(parameter, types) for parameter in parameters}
        found = enumerate(self._checkers.items())
        self._checks = tuple((index, path, check.kinds, check) for index, (path, check) in found if check is not None)

    def arguments(self, given: tuple[object, ...], named: Mapping[str, object]) -> Sequence[object]:
        """Return the arguments of a call as they are sent: in the order of the parameters, with their defaults.

        Raises:
            TypeError: there are too many or too few, or one has an unknown name.
            BindingError: one does not fit its annotation; the message names its path.
        """
        if named or len(given) != self._count:
            return self._bind(given, named)
        for index, path, kinds, check in self._checks:
            value = given[index]
            if type(value) not in kinds:
                self._require(check, value, path)
        return given

    def checked_result(self, binding: Binding) -> Any:
        """Return the type that results or items are converted to; None if there is none, or no annotation.

        Raises:
            UnsupportedTypeError: values cannot be converted to it.
        """
        if self.result is None or self.result is NO_ANNOTATION:
            return None
        try:
            binding.converter(self.result)
        except UnsupportedTypeError as exc:
            raise UnsupportedTypeError(f"The result of '{self.name}' cannot be received: {exc}") from exc
        return self.result

    def _bind(self, given: tuple[object, ...], named: Mapping[str, object]) -> Sequence[object]:
        """Do what `arguments` does, with names, defaults and any number of arguments."""
        try:
            bound = self._signature.bind(*given, **named)
        except TypeError as exc:
            raise TypeError(f"{self.name}() {exc}") from None
        bound.apply_defaults()
        arguments: list[object] = []
        for name, value in bound.arguments.items():
            check = self._checkers[name]
            values = {f"{name}[{index}]": item for index, item in enumerate(value)} if name == self._rest else {name: value}
            for path, item in values.items():
                if check is not None:
                    self._require(check, item, path)
            arguments += values.values()
        return arguments

    def _require(self, check: Checker, value: object, path: str) -> None:
        try:
            check.require(value, path)
        except BindingError as exc:
            raise BindingError(f"Cannot call {self.name}: {exc}") from exc.__cause__

    def _checker(self, parameter: inspect.Parameter, types: Mapping[str, Any]) -> Checker | None:
        where = f"The parameter '{parameter.name}' of '{self.name}'"
        try:
            found = checker(types.get(parameter.name, object))
        except UnsupportedTypeError as exc:
            raise UnsupportedTypeError(f"{where} cannot be sent: {exc}") from exc
        if parameter.default is Ellipsis:
            raise TypeError(f"{where} has the default '...', which cannot be sent: write the value.")
        if found is not None and parameter.default is not parameter.empty:
            try:
                found.require(parameter.default, "the default")
            except BindingError as exc:
                raise TypeError(f"{where} does not fit its annotation: {exc}") from exc
        return found


class Contract:
    """The methods of a Protocol.

    Attributes:
        name: the name of the Protocol.
        doc: its docstring.
        methods: the methods by their names in Python.
    """

    def __init__(self, protocol: Any) -> None:
        kind = typing.get_origin(protocol) or protocol
        if not (isinstance(kind, type) and typing_extensions.is_protocol(kind)):
            raise TypeError(f"Type must be an interface. ({protocol!r} is not a typing.Protocol.)")
        self.name: str = kind.__name__
        self.doc: str | None = kind.__doc__
        self.methods: dict[str, ContractMethod] = {}
        variables = type_variables(kind, typing.get_args(protocol))
        bases = [base for base in kind.__mro__ if typing_extensions.is_protocol(base)]
        for base in bases:
            self._check_attributes(base)
            for name, member in vars(base).items():
                if not name.startswith("_") and name not in self.methods:
                    function = self._function(name, member)
                    target = first_wire_name(vars(other).get(name) for other in bases) or name
                    types = _types(function, base, variables.get(base, {}))
                    self.methods[name] = ContractMethod(f"{self.name}.{name}", target, function, types)

    def implement(self, base: type[ProxyT], make: Callable[[ContractMethod], Callable[..., Any]]) -> type[ProxyT]:
        """Return a subclass of *base* with the methods of the Protocol, their names, docstrings and signatures.

        Args:
            base: the class of all proxies of this kind.
            make: returns the method of a proxy for a method of the Protocol.
        """
        methods = {name: functools.wraps(method.function)(make(method)) for name, method in self.methods.items()}
        members = {"__slots__": (), "__doc__": self.doc, "__module__": base.__module__, "_contract": self}
        return type(f"{self.name}Proxy", (base,), members | methods)

    def missing(self, name: str) -> AttributeError:
        """Return the error for a method that is not in the Protocol; its text names the one that was probably meant."""
        import difflib  # noqa: PLC0415  # only mistakes need it

        spellings = {plain_name(known): known for known in self.methods}
        close = difflib.get_close_matches(plain_name(name), spellings, 1)
        hint = f" Did you mean '{spellings[close[0]]}'?" if close else f" It has {', '.join(self.methods) or 'none'}."
        return AttributeError(f"'{self.name}' has no method '{name}'.{hint}", name=name)

    def _check_attributes(self, base: type) -> None:
        if typing_extensions.get_annotations(base, format=typing_extensions.Format.FORWARDREF):
            raise TypeError(f"Type must not contain properties. ('{base.__name__}' has attributes.)")

    def _function(self, name: str, member: object) -> FunctionType:
        if isinstance(member, property | functools.cached_property):
            raise TypeError(f"Type must not contain properties. ('{name}' of '{self.name}' is one.)")
        if not isinstance(member, FunctionType):
            raise _no_proxy(f"{self.name}.{name}", f"It is of type {type(member).__name__}, not a method.")
        return member


class ContractProxy:
    """The base of everything that has the methods of a Protocol; see `Contract.implement`."""

    __slots__ = ()
    _contract: ClassVar[Contract]

    def __getattr__(self, name: str) -> Any:
        """Raise the error for a method that is not in the Protocol."""
        raise self._contract.missing(name)


@functools.lru_cache(_MOST_CONTRACTS)
def read_contract(protocol: Any) -> Contract:
    """Return the description of a Protocol, or of a generic one with its arguments. It is read once and kept.

    Raises:
        TypeError: it is not a Protocol, or a member is not a method that can be called remotely.
        UnsupportedTypeError: the type of a parameter or of a result cannot be sent.
    """
    return Contract(protocol)


def _parameters(name: str, function: FunctionType) -> list[inspect.Parameter]:
    """Return the parameters of a method without the first, which is the object."""
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters or parameters[0].kind not in _POSITIONAL:
        raise TypeError(f"'{name}' has no parameter 'self'.")
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            raise TypeError(f"'{name}' takes any keyword arguments (**{parameter.name}), but arguments are sent without names.")
    return parameters[1:]


def _types(function: FunctionType, owner: type, variables: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the types of the parameters and of the result, with the type variables of the Protocol replaced."""
    known = {parameter.__name__: parameter for parameter in getattr(owner, "__type_params__", ())}
    found = function_types(function, {owner.__name__: owner, **known}, returns=True)
    return {name: substitute(annotation, variables) for name, annotation in found.items()}


def _outcome(name: str, function: FunctionType, returns: Any) -> tuple[Any, Any]:
    """Return the class of the stream that a method returns, or None, and the type of its items or its result."""
    origin, arguments = typing.get_origin(returns) or returns, typing.get_args(returns)
    stream = isinstance(origin, type) and issubclass(origin, AsyncIterable)
    if inspect.iscoroutinefunction(function):
        if stream:
            reason = "It is 'async def' and returns a stream, which is not awaited: write 'def' instead."
            raise _no_proxy(name, reason)
        return None, _none(returns)
    if stream:
        return origin, arguments[0] if arguments else Any
    if origin in _AWAITABLES:
        return None, _none(arguments[-1] if arguments else Any)
    raise _no_proxy(name, "A method must be 'async def', return an Awaitable, or return a stream (AsyncIterator).")


def _none(result: Any) -> Any:
    return None if result is type(None) else result


def _no_proxy(name: str, reason: str) -> TypeError:
    return TypeError(f"Cannot generate proxy implementation for '{name}'. {reason}")

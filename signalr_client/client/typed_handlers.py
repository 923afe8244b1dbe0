"""Handlers whose annotations say what their arguments are. Room: client.

A handler is wrapped when it is registered, and only if there is something to convert: others are called as they are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

from signalr_client.core.binding import Binding, Converter, function_types
from signalr_client.errors import BindingError

__all__ = ["ArgumentError", "HandlerTypes", "TypedHandler"]

_PLAIN: Final = (Any, object)


class ArgumentError(BindingError):
    """An argument of the server does not fit the annotation of a handler."""


class HandlerTypes:
    """The annotations of one handler, read once.

    Attributes:
        needs_digits: an argument is a Decimal, or contains one.

    Raises:
        UnsupportedTypeError: an annotation cannot be resolved, or arguments cannot be converted to it.
    """

    def __init__(self, handler: Callable[..., Any], binding: Binding) -> None:
        types = {name: wanted for name, wanted in function_types(handler).items() if wanted not in _PLAIN}
        self._handler = handler
        self._binding = binding
        self._positional: list[Any] = []
        self._rest: Any = object
        if types:
            for parameter in inspect.signature(handler).parameters.values():
                if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                    self._positional.append(types.get(parameter.name, object))
                elif parameter.kind is parameter.VAR_POSITIONAL:
                    self._rest = types.get(parameter.name, object)
        found = [binding.converter(wanted) for wanted in (*self._positional, self._rest)]
        self.needs_digits = any(converter.needs_digits for converter in found)

    def runnable(self, *, digits: bool) -> Callable[..., Any]:
        """Return what to call with the arguments of the server; the handler itself if there is nothing to convert.

        Args:
            digits: the arguments are decoded with all digits, because a handler of the target needs them.
        """
        if not digits and all(wanted is object for wanted in (*self._positional, self._rest)):
            return self._handler
        converter = functools.partial(self._binding.converter, digits=digits)
        return TypedHandler(self._handler, list(map(converter, self._positional)), converter(self._rest))


class TypedHandler:
    """Calls a handler with converted arguments."""

    def __init__(self, handler: Callable[..., Any], positional: list[Converter[Any]], rest: Converter[Any]) -> None:
        functools.update_wrapper(self, handler, updated=())
        self._handler = handler
        self._steps = tuple((index, converter.convert, f"arguments[{index}]") for index, converter in enumerate(positional))
        self._rest = rest.convert

    def __call__(self, *arguments: Any) -> Any:
        """Return what the handler returns: a result, or something to await.

        Raises:
            ArgumentError: an argument does not fit.
        """
        values = list(arguments)
        size = len(values)
        try:
            for index, convert, path in self._steps:
                if index < size:
                    values[index] = convert(values[index], path)
            for index in range(len(self._steps), size):
                values[index] = self._rest(values[index], f"arguments[{index}]")
        except BindingError as exc:
            raise ArgumentError(str(exc)) from exc.__cause__
        return self._handler(*values)

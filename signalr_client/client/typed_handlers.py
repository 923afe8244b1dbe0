"""Handlers whose annotations say what their arguments are. Room: client.

A handler is wrapped when it is registered, and only if there is something to convert: others are called as they are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from signalr_client.core.binding import Binding, Converter, function_types
from signalr_client.errors import BindingError

__all__ = ["ArgumentError", "HandlerTypes"]

_PLAIN: Final = (Any, object)
_MISSING: Final[Any] = object()


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
        self.needs_digits: bool = any(converter.needs_digits for converter in found)

    def runnable(self, *, digits: bool) -> Callable[..., Any]:
        """Return what to call with the arguments of the server; the handler itself if there is nothing to convert.

        Args:
            digits: the arguments are decoded with all digits, because a handler of the target needs them.
        """
        if not digits and all(wanted is object for wanted in (*self._positional, self._rest)):
            return self._handler
        converter = functools.partial(self._binding.converter, digits=digits)
        return typed_handler(self._handler, list(map(converter, self._positional)), converter(self._rest))


def typed_handler(
    handler: Callable[..., Any], positional: Sequence[Converter[Any]], rest: Converter[Any]
) -> Callable[..., Any]:
    """Return a function that calls *handler* with converted arguments. It raises `ArgumentError` if one does not fit.

    Args:
        handler: the handler.
        positional: converters for its parameters, in order.
        rest: the converter for what follows.
    """
    steps = tuple((index, converter.convert, f"arguments[{index}]") for index, converter in enumerate(positional))
    count = len(steps)

    def convert_and_call(*arguments: Any) -> Any:
        values = list(arguments)
        size = len(values)
        try:
            for index, convert, path in steps[:size]:
                values[index] = convert(values[index], path)
            for index in range(count, size):
                values[index] = rest.convert(values[index], f"arguments[{index}]")
        except BindingError as exc:
            raise ArgumentError(str(exc)) from exc.__cause__
        return handler(*values)

    return functools.wraps(handler, updated=())(_fast(handler, [converter.kind for converter in positional], convert_and_call))


def _fast(handler: Callable[..., Any], kinds: Sequence[type | None], slow: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls *handler* at once if the arguments have the types *kinds* already, and *slow* otherwise.

    Most handlers have one or two arguments that are texts or numbers. For these the check costs a tenth of what `slow` does.
    """
    if None in kinds or not 1 <= len(kinds) <= 2:
        return slow
    if len(kinds) == 1:
        (only,) = kinds

        def call_one(value: Any = _MISSING, *others: Any) -> Any:
            if type(value) is only and not others:
                return handler(value)
            return slow(*_given(value), *others)

        return call_one
    first, second = kinds

    def call_two(one: Any = _MISSING, two: Any = _MISSING, *others: Any) -> Any:
        if type(one) is first and type(two) is second and not others:
            return handler(one, two)
        return slow(*_given(one, two), *others)

    return call_two


def _given(*values: Any) -> list[Any]:
    return [value for value in values if value is not _MISSING]

"""The values of a message, as the encoder of a hub protocol takes them. Room: core, row 1."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from signalr_client.core.binding import PLAIN, Binding
from signalr_client.core.messages import UNSET, Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from signalr_client.core.protocols.nesting import MAX_DEPTH

__all__ = ["plain_arguments", "plain_value", "with_plain_values"]

_ARGUMENT: Final = MAX_DEPTH - 2  # levels: the message and its list of arguments are two
_VALUE: Final = MAX_DEPTH - 1


def with_plain_values(message: HubMessage, binding: Binding) -> HubMessage:
    """Return *message* with its values as the encoder takes them: itself, if they are plain already.

    Raises:
        BindingError: a value has no form on the wire.
        TooDeep: its values are not plain, and nested too deeply.
    """
    if type(message) is Invocation or type(message) is StreamInvocation:
        arguments = message.arguments
        plain = plain_arguments(arguments, binding)
        return message if plain is arguments else replace(message, arguments=plain)
    if type(message) is StreamItem:
        return message if type(message.item) in PLAIN else replace(message, item=plain_value(message.item, "item", binding))
    if type(message) is Completion and type(message.result) not in PLAIN and message.result is not UNSET:
        return replace(message, result=plain_value(message.result, "result", binding))
    return message


def plain_arguments(arguments: list[object], binding: Binding) -> list[object]:
    """Return the arguments of a call as the encoder takes them: the same list, if they are plain already."""
    for argument in arguments:
        if type(argument) not in PLAIN:
            return binding.write_arguments(arguments, _ARGUMENT)
    return arguments


def plain_value(value: object, name: str, binding: Binding) -> Any:
    """Return an item or a result as the encoder takes it; *name* is what errors call it."""
    return value if type(value) in PLAIN else binding.write(value, name, _VALUE)

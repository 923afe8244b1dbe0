"""Which received values every hub protocol can carry. Room: core, row 1; no I/O, no clock.

A hub often passes on what a client sent to clients that speak the other protocol. Some values can be decoded from one protocol and
cannot be encoded in the other, and a client whose message cannot be encoded is disconnected. A server therefore checks what comes
from clients with `find_unportable` and fails the call of the sender.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from msgspec.msgpack import Encoder, Ext

from signalr_client.core.messages import Invocation
from signalr_client.core.protocols import MessagePackHubProtocol
from signalr_client.core.protocols.nesting import MAX_DEPTH
from signalr_client.core.timestamps import PreciseDatetime
from signalr_client.errors import BindingError

__all__ = ["PORTABLE_DEPTH", "find_unportable", "find_unportable_from_json", "is_portable_as_typed"]

PORTABLE_DEPTH: Final = MAX_DEPTH - 2
"""Levels that a value may have as an argument: the message and its list of arguments are two more."""

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
_PLAIN: Final = frozenset({str, float, bool, type(None), bytes, datetime, PreciseDatetime})
_KEYS: Final = frozenset({str, int})
_LONGEST_PATH: Final = 200

_MESSAGEPACK: Final = MessagePackHubProtocol()
_encode_messagepack: Final = Encoder().encode


def find_unportable(value: object, depth: int = PORTABLE_DEPTH) -> str | None:
    """Return where and why *value* cannot be sent in every hub protocol, or None if it can.

    *value* is one argument, stream item or result as `HubProtocol.decode` returned it. Refused are integers outside the range of
    MessagePack, MessagePack extensions, map keys that are neither text nor integers, and more than *depth* levels. NaN
    and the infinities pass: JSON writes them as null. Types that neither protocol decodes to pass as well; they are the business of
    the protocol that made them.
    """
    kind = type(value)
    if kind in _PLAIN or (kind is int and _SMALLEST <= value <= _LARGEST):  # type: ignore[operator]  # an int
        return None
    if (kind is list or kind is dict) and _is_portable(value, depth):
        return None
    return _find(value, depth)


def find_unportable_from_json(arguments: list[Any], depth: int) -> str | None:
    """Return what `find_unportable` returns, for the arguments of a call that `JsonHubProtocol` has decoded.

    They can only hold integers that are too large: JSON has neither extensions nor other keys, and the protocol has checked the
    depth. The encoder of MessagePack finds such integers many times faster than walking over the values.
    """
    try:
        _encode_messagepack(arguments)
    except (OverflowError, TypeError, ValueError, RecursionError):
        return find_unportable(arguments, depth)
    return None


def is_portable_as_typed(values: list[object]) -> bool:
    """Return whether MessagePack can carry *values*, which were decoded from JSON and converted to types.

    An integer of more than 64 bits can become a Decimal, which MessagePack carries as a text.
    """
    try:
        _MESSAGEPACK.encode(Invocation(target="", arguments=values))
    except BindingError:
        return False
    return True


def _is_portable(value: Any, depth: int) -> bool:
    """Return whether a list or dict is portable. Level by level and without paths, to be fast for what almost all values are."""
    level = [value]
    for _ in range(depth):
        below: list[Any] = []
        for container in level:
            if type(container) is dict:
                if not _KEYS.issuperset(map(type, container)):
                    return False
                container = container.values()  # noqa: PLW2901  # its items, as a list's
            for item in container:
                kind = type(item)
                if kind in _PLAIN:
                    continue
                if kind is int:
                    if not _SMALLEST <= item <= _LARGEST:
                        return False
                elif kind is list or kind is dict:
                    below.append(item)
                elif kind is Ext:
                    return False
        if not below:
            return True
        level = below
    return False


def _find(value: Any, depth: int) -> str | None:
    """Return the first reason in document order. Without recursion: the stack holds what is left of each level."""
    stack: list[Iterator[tuple[str, Any]]] = [iter([("$", value)])]
    while stack:
        for path, item in stack[-1]:
            kind = type(item)
            if kind is list or kind is dict:
                if len(stack) > depth:
                    return f"a value nested more than {depth} levels deep"
                if kind is dict:
                    for key in item:
                        if type(key) not in _KEYS:
                            return f"a map key of type {type(key).__name__}, which JSON cannot carry - at `{path}`"
                stack.append(_members(path, item) if kind is dict else _items(path, item))
                break
            if kind is int and not _SMALLEST <= item <= _LARGEST:
                return f"an integer of more than 64 bits, which MessagePack cannot carry - at `{path}`"
            if kind is Ext:
                return f"a MessagePack extension of type {item.code}, which JSON cannot carry - at `{path}`"
        else:
            stack.pop()
    return None


def _items(path: str, items: list[Any]) -> Iterator[tuple[str, Any]]:
    """Yield each item of a list with its path."""
    for index, item in enumerate(items):
        yield _shorten(f"{path}[{index}]"), item


def _members(path: str, members: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each value of a dict with its path."""
    for key, item in members.items():
        yield _shorten(f"{path}.{key}"), item


def _shorten(path: str) -> str:
    """Return *path* without what a peer could use to fill a log: its end if it is long, and no control characters."""
    if len(path) > _LONGEST_PATH:
        path = f"...{path[-_LONGEST_PATH:]}"
    return path if path.isprintable() else ascii(path)[1:-1]

"""Readers of lists, tuples, sets and dicts. Room: core, row 1."""

from __future__ import annotations

import collections
from collections import abc
from collections.abc import Callable, Sequence
from typing import Any, Final

from signalr_client.core.binding.misfit import Misfit, expected, index_part, key_part
from signalr_client.core.binding.reader import Reader

__all__ = ["DICTS", "LISTS", "dict_reader", "list_reader", "tuple_reader"]

LISTS: Final[dict[Any, Callable[[list[Any]], Any] | None]] = {
    list: None,
    abc.Sequence: None,
    abc.MutableSequence: None,
    abc.Iterable: None,
    abc.Collection: None,
    abc.Reversible: None,
    set: set,
    abc.Set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
    collections.deque: collections.deque,
}
"""The types that are arrays on the wire, with what makes them out of a list."""

DICTS: Final[dict[Any, Callable[[dict[Any, Any]], Any] | None]] = {
    dict: None,
    abc.Mapping: None,
    abc.MutableMapping: None,
    collections.OrderedDict: collections.OrderedDict,
}
"""The types that are maps on the wire, with what makes them out of a dict."""

_LIST: Final = frozenset({list})
_DICT: Final = frozenset({dict})


def list_reader(name: str, item: Reader, make: Callable[[list[Any]], Any] | None) -> Reader:
    """Return the reader of a type that is an array of any length; *make* turns a list into it, None leaves the list."""
    same = item.same

    def read(value: Any) -> Any:
        if type(value) is not list:
            raise expected(name, value)
        items = value if same.issuperset(map(type, value)) else _read_items(value, item)
        if make is None:
            return items
        try:
            return make(items)
        except TypeError:
            raise Misfit(f"expected {name}, got a list whose items cannot be in a set") from None

    return Reader(name, read, _LIST)


def tuple_reader(name: str, items: Sequence[Reader]) -> Reader:
    """Return the reader of a tuple of a certain length.

    .NET writes a Tuple as an array over MessagePack, and as an object with ``item1``, ``item2`` over JSON; both are read.
    """
    size = len(items)
    members = {f"item{number}" for number in range(1, size + 1)}

    def read(value: Any) -> tuple[Any, ...]:
        if type(value) is dict and size and members == {key.lower() for key in value if type(key) is str}:
            value = [item for _, item in sorted(value.items(), key=lambda pair: int(pair[0][4:]))]
        if type(value) is not list:
            raise expected(name, value)
        if len(value) != size:
            raise Misfit(f"expected {size} items, got {len(value)}")
        found: list[Any] = []
        try:
            for reader, item in zip(items, value, strict=True):
                found.append(reader.read(item))
        except Misfit as exc:
            exc.inside(index_part(len(found)))
            raise
        return tuple(found)

    return Reader(name, read, frozenset({list, dict}), members=frozenset(members))


def dict_reader(name: str, key: Reader, item: Reader, make: Callable[[dict[Any, Any]], Any] | None) -> Reader:
    """Return the reader of a map; *make* turns a dict into the type, None leaves the dict."""
    same_keys, same_items = key.same, item.same

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise expected(name, value)
        found = value
        if not (same_keys.issuperset(map(type, value)) and same_items.issuperset(map(type, value.values()))):
            found = _read_entries(value, key, item)
        return found if make is None else make(found)

    return Reader(name, read, _DICT)


def _read_items(values: list[Any], item: Reader) -> list[Any]:
    read = item.read
    found: list[Any] = []
    try:
        for value in values:
            found.append(read(value))  # noqa: PERF401  # its length tells where a misfit is
    except Misfit as exc:
        exc.inside(index_part(len(found)))
        raise
    return found


def _read_entries(entries: dict[Any, Any], key: Reader, item: Reader) -> dict[Any, Any]:
    read_key, read_item = key.read, item.read
    found: dict[Any, Any] = {}
    name: Any = None
    try:
        for name, value in entries.items():
            found[read_key(name)] = read_item(value)
    except Misfit as exc:
        exc.inside(key_part(name))
        raise
    return found

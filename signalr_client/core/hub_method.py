"""The names of methods on the wire. Room: core, row 0.

A method has the same name on the wire as in Python, character for character, unless `hub_method` renames it. The decorator works on
a method of a hub and on a method of a Protocol that describes the peer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["hub_method", "wire_name"]

T = TypeVar("T", bound=Callable[..., object])

_NAME: Final = "__hub_method_name__"


def hub_method(name: str) -> Callable[[T], T]:
    """Give a method another name on the wire, which replaces its Python name there.

    Args:
        name: the name; any text that is not empty, "renamed-method" for example.

    Raises:
        ValueError: the name is empty.
    """
    if not name:
        raise ValueError("The name of a hub method must not be empty.")

    def rename(function: T) -> T:
        setattr(function, _NAME, name)
        return function

    return rename


def wire_name(function: object) -> str | None:
    """Return the name that `hub_method` gave *function* itself, or None."""
    name: str | None = getattr(function, _NAME, None)
    return name

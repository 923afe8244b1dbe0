"""The names that methods have on the wire. Room: core, row 0.

A method is called what it is called in Python, character for character, unless `hub_method` says otherwise: on a hub's own
method, or on a method of a Protocol that describes the other side. Spec: server-behaviour.md, "A" rows 34 to 36.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["hub_method", "wire_name"]

T = TypeVar("T", bound=Callable[..., object])

_NAME: Final = "__hub_method_name__"


def hub_method(name: str) -> Callable[[T], T]:
    """Give a method another name on the wire; the Python name is then not known there.

    Args:
        name: the name, which may be anything but empty: "renamed-method" for example.

    Raises:
        ValueError: the name is empty.

    Spec: server-behaviour.md, "A" rows 34 and 36.
    """
    if not name:
        raise ValueError("the name of a hub method must not be empty")

    def rename(function: T) -> T:
        setattr(function, _NAME, name)
        return function

    return rename


def wire_name(function: object) -> str | None:
    """Return the name that `hub_method` gave *function* itself, or None."""
    name: str | None = getattr(function, _NAME, None)
    return name

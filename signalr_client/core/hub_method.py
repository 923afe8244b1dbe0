"""The names of methods on the wire. Room: core, row 0.

A method has the same name on the wire as in Python, character for character, unless `hub_method` renames it. The decorator works on
a method of a hub and on a method of a Protocol that describes the peer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

__all__ = ["first_wire_name", "hub_method", "is_cancellable", "is_send", "wire_name"]

T = TypeVar("T", bound=Callable[..., object])

_NAME: Final = "__hub_method_name__"
_CANCELLABLE: Final = "__hub_method_cancellable__"
_SEND: Final = "__hub_method_send__"


def hub_method(name: str | None = None, *, cancellable: bool = False, send: bool = False) -> Callable[[T], T]:
    """Set how a method appears to the other side.

    Args:
        name: its name on the wire, instead of the Python name, which is then unknown there; "renamed-method" for example.
        cancellable: on a hub's method: a client that cancels a call cancels the task that runs it, so the method sees
            `asyncio.CancelledError` where it waits. Without it, a plain method runs to its end (a stream is always cancelled).
        send: on a method of a Protocol for `HubConnection.proxy`: a call returns when it is queued, like `HubConnection.send`,
            instead of when the method has completed.

    Raises:
        ValueError: the name is empty.
    """
    if name is not None and not name:
        raise ValueError("The name of a hub method must not be empty.")

    def mark(function: T) -> T:
        if name is not None:
            setattr(function, _NAME, name)
        if cancellable:
            setattr(function, _CANCELLABLE, True)
        if send:
            setattr(function, _SEND, True)
        return function

    return mark


def wire_name(function: object) -> str | None:
    """Return the name that `hub_method` gave *function* itself, or None."""
    name: str | None = getattr(function, _NAME, None)
    return name


def first_wire_name(definitions: Iterable[object]) -> str | None:
    """Return the name that `hub_method` gave the first of *definitions* that has one: those of a method and of what it overrides."""
    return next((name for definition in definitions if (name := wire_name(definition)) is not None), None)


def is_cancellable(function: object) -> bool:
    """Return whether `hub_method` made *function* itself cancellable."""
    return bool(getattr(function, _CANCELLABLE, False))


def is_send(function: object) -> bool:
    """Return whether `hub_method` says that a call of *function* waits for no response."""
    return bool(getattr(function, _SEND, False))

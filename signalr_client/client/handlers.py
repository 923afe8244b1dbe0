"""The registered handlers of a connection. Room: client. How they are run: dispatch.py."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Self

from signalr_client.core.hub_method import wire_name

__all__ = ["Handler", "Handlers", "Subscription", "UnhandledHandler", "handler_methods"]

Handler = Callable[..., object] | Callable[..., Awaitable[object]]
"""Takes the arguments of the server's call; sync or async. Its result is the response to a server that waits for one."""

UnhandledHandler = Callable[[str, list[object]], object] | Callable[[str, list[object]], Awaitable[object]]
"""Takes the target and the arguments of a call that has no handler."""


class Subscription:
    """The registration of a handler; end it with `unsubscribe`, or use it as a context manager."""

    __slots__ = ("_handler", "_handlers", "target")

    def __init__(self, handlers: Handlers, target: str, handler: Handler) -> None:
        self.target = target
        self._handlers = handlers
        self._handler: Handler | None = handler

    def unsubscribe(self) -> None:
        """Remove the handler; idempotent. Other registrations of the same function stay."""
        if self._handler is not None:
            self._handlers.remove(self.target, self._handler)
            self._handler = None

    def __enter__(self) -> Self:
        """Return the subscription."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Unsubscribe."""
        self.unsubscribe()


class Handlers:
    """The handlers of each target. They survive reconnects and restarts. Targets are case-sensitive."""

    def __init__(self) -> None:
        self.unhandled: list[UnhandledHandler] = []
        self.by_target: dict[str, tuple[Handler, ...]] = {}

    def add(self, target: str, handler: Handler) -> Subscription:
        """Register *handler* after those that *target* already has."""
        if not callable(handler):
            raise TypeError(f"A handler must be callable; the one for {target!r} is {handler!r}.")
        # A new tuple each time, so that a handler may register others while the tuple is being iterated over.
        self.by_target[target] = (*self.by_target.get(target, ()), handler)
        return Subscription(self, target, handler)

    def remove(self, target: str, handler: Handler | None = None) -> None:
        """Remove one registration of *handler*, or all handlers of the target; unknown ones are ignored."""
        left = list(self.by_target.get(target, ()))
        if handler is not None and handler in left:
            left.remove(handler)
        if handler is None or not left:
            self.by_target.pop(target, None)
        else:
            self.by_target[target] = tuple(left)


def handler_methods(receiver: object) -> Iterator[tuple[str, Handler]]:
    """Yield the target and the bound method of each method of *receiver* that `HubConnection.register` takes.

    Members are looked up statically, so that no property is evaluated.
    """
    for name in dir(receiver):
        member = inspect.getattr_static(receiver, name)
        function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
        if not callable(function):
            continue
        target = wire_name(function)
        if target is None and (name.startswith("_") or not inspect.iscoroutinefunction(function)):
            continue
        yield target or name, getattr(receiver, name)

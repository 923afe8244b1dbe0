"""The registered handlers of a connection. Room: client. How they are run: dispatch.py."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Self

from signalr_client.client.typed_handlers import HandlerTypes
from signalr_client.core.binding import Binding
from signalr_client.core.hub_method import first_wire_name
from signalr_client.errors import UnsupportedTypeError

__all__ = ["Handler", "Handlers", "Subscription", "UnhandledHandler", "handler_methods"]

Handler = Callable[..., object] | Callable[..., Awaitable[object]]
"""Takes the arguments of the server's call; sync or async. Its result is the response to a server that waits for one."""

UnhandledHandler = Callable[[str, list[object]], object] | Callable[[str, list[object]], Awaitable[object]]
"""Takes the target and the arguments of a call that has no handler."""


class Subscription:
    """The registration of a handler; end it with `unsubscribe`, or use it as a context manager."""

    __slots__ = ("_handler", "_handlers", "target")

    def __init__(self, handlers: Handlers, target: str, handler: Handler) -> None:
        self.target: str = target
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
    """The handlers of each target. They survive reconnects and restarts. Targets are case-sensitive.

    Attributes:
        by_target: what to call for each target, in order: handlers, or wrappers that convert their arguments.
        exact_targets: the targets with a Decimal in an argument of a handler.

    Args:
        binding: the conversion of arguments.
    """

    def __init__(self, binding: Binding) -> None:
        self.unhandled: list[UnhandledHandler] = []
        self.by_target: dict[str, tuple[Handler, ...]] = {}
        self.exact_targets: set[str] = set()
        self._binding = binding
        self._registered: dict[str, list[tuple[Handler, HandlerTypes]]] = {}

    def add(self, target: str, handler: Handler) -> Subscription:
        """Register *handler* after those that *target* already has.

        Raises:
            TypeError: it cannot be called.
            UnsupportedTypeError: an annotation cannot be resolved, or is not a type that values can be converted to.
        """
        if not callable(handler):
            raise TypeError(f"A handler must be callable; the one for {target!r} is {handler!r}.")
        try:
            types = HandlerTypes(handler, self._binding)
        except UnsupportedTypeError as exc:
            raise UnsupportedTypeError(f"The handler for {target!r} cannot be registered. {exc}") from exc
        self._registered.setdefault(target, []).append((handler, types))
        self._update(target)
        return Subscription(self, target, handler)

    def remove(self, target: str, handler: Handler | None = None) -> None:
        """Remove one registration of *handler*, or all handlers of the target; unknown ones are ignored."""
        registered = self._registered.get(target, [])
        index = next((index for index, (known, _) in enumerate(registered) if known == handler), None)
        if handler is None:
            registered.clear()
        elif index is not None:
            del registered[index]
        self._update(target)

    def _update(self, target: str) -> None:
        """Note what to call for *target* from now on."""
        registered = self._registered.get(target)
        digits = any(types.needs_digits for _, types in registered or ())
        (self.exact_targets.add if digits else self.exact_targets.discard)(target)
        if registered:
            # A new tuple each time, so that a handler may register others while the tuple is being iterated over.
            self.by_target[target] = tuple(types.runnable(digits=digits) for _, types in registered)
        else:
            self._registered.pop(target, None)
            self.by_target.pop(target, None)


def handler_methods(receiver: object) -> Iterator[tuple[str, Handler]]:
    """Yield the target and the bound method of each method of *receiver* that `HubConnection.register` takes.

    Members are looked up statically, so that no property is evaluated. A method that overrides one with a name from `hub_method`
    keeps that name, so a class may implement a Protocol whose methods are renamed.
    """
    for name in dir(receiver):
        member = inspect.getattr_static(receiver, name)
        function = _function(member)
        if not callable(function):
            continue
        definitions = [member, *(vars(kind)[name] for kind in type(receiver).__mro__ if name in vars(kind))]
        target = first_wire_name(map(_function, definitions))
        if target is None and (name.startswith("_") or not inspect.iscoroutinefunction(function)):
            continue
        yield target or name, getattr(receiver, name)


def _function(member: object) -> object:
    return member.__func__ if isinstance(member, staticmethod | classmethod) else member

"""From a server's call to the handlers: in the order of arrival, off the read loop. Room: client.

Calls without an invocation id wait in one queue and are handled one after another. A call whose result the server waits for runs
in a task of its own beside that queue. What a handler raises is logged, and told to a server that waits; it ends nothing.
Spec: client-behaviour.md, "E6. Dispatch and ordering", "E7. Client results".
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Final, Self

from signalr_client.client.link import HubLink
from signalr_client.core.messages import Completion, HubMessage, Invocation
from signalr_client.errors import BindingError, SignalRError

__all__ = ["Dispatcher", "Handler", "Handlers", "Subscription", "UnhandledHandler"]

Handler = Callable[..., object] | Callable[..., Awaitable[object]]
"""Takes the arguments of the server's call; may be async; what it returns answers a server that waits for a result."""

UnhandledHandler = Callable[[str, list[object]], object] | Callable[[str, list[object]], Awaitable[object]]
"""Takes the target and the arguments of a call that has no handler."""

_TURN: Final = 1024  # handlers in a row before the event loop gets a turn, so that a burst of calls does not hold up the pings

_NO_RESULT: Final = "Client didn't provide a result."


class Subscription:
    """A handler's registration; leave it with `unsubscribe`, or use it as a context manager."""

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
    """The handlers of a connection, by target; they outlive reconnects and restarts. Targets are case-sensitive."""

    def __init__(self) -> None:
        self.unhandled: list[UnhandledHandler] = []
        self.by_target: dict[str, tuple[Handler, ...]] = {}

    def add(self, target: str, handler: Handler) -> Subscription:
        """Register *handler* behind those that *target* has already."""
        if not callable(handler):
            raise TypeError(f"A handler is a function; the one for {target!r} is {handler!r}.")
        # a new tuple each time: one that is being walked does not change under the walker
        self.by_target[target] = (*self.by_target.get(target, ()), handler)
        return Subscription(self, target, handler)

    def remove(self, target: str, handler: Handler | None = None) -> None:
        """Remove one registration of *handler*, or all of the target; unknown ones are no error."""
        left = list(self.by_target.get(target, ()))
        if handler is not None and handler in left:
            left.remove(handler)
        if handler is None or not left:
            self.by_target.pop(target, None)
        else:
            self.by_target[target] = tuple(left)


class Dispatcher:
    """Runs the handlers of one life of a connection.

    Args:
        handlers: whom to call.
        spawn: starts a task that its owner will wait for.
    """

    def __init__(
        self,
        handlers: Handlers,
        spawn: Callable[[Coroutine[object, object, None]], object],
        logger: logging.Logger,
    ) -> None:
        self._handlers = handlers
        self._spawn = spawn
        self._log = logger.getChild("dispatch")
        self._queue: deque[Invocation] = deque()
        self._wake = asyncio.Event()
        self._finishing = False

    def put(self, link: HubLink, message: HubMessage) -> None:
        """Take what the server sent, answers and items apart; hop 3 of 4."""
        if type(message) is not Invocation:  # the TypeScript client passes over what is not for clients, too
            self._log.warning("! ignored a %s: servers do not send it", type(message).__name__)
        elif message.invocation_id:
            self._spawn(self._answer(link, message, message.invocation_id))
        else:
            queue = self._queue
            if not queue:
                self._wake.set()
            queue.append(message)

    def finish(self) -> None:
        """Let `run` return once the queue is empty."""
        self._finishing = True
        self._wake.set()

    async def run(self) -> None:
        """Handle the queue, one call after another, for the whole life of the connection."""
        queue, handlers_of = self._queue, self._handlers.by_target.get
        handled = 0
        while True:
            while not queue:
                if self._finishing:
                    return
                self._wake.clear()
                await self._wake.wait()
                handled = 0
            message = queue.popleft()
            handlers = handlers_of(message.target, ())
            if not handlers:
                await self._unhandled(message)
            for handler in handlers:
                try:
                    result = handler(*message.arguments)
                    if result is not None and inspect.isawaitable(result):
                        result = await result
                except Exception as exc:  # user code: whatever it raises must not end the connection
                    self._report(handler, message, exc)
                else:
                    if result is not None:
                        self._log.warning("! result given for '%s' method but server is not expecting a result", message.target)
            handled += 1
            if handled >= _TURN:
                handled = 0
                await asyncio.sleep(0)

    async def _unhandled(self, message: Invocation) -> None:
        if not self._handlers.unhandled:
            self._log.warning("! failed to find handler for '%s' method", message.target)
        for handler in self._handlers.unhandled:
            try:
                result = handler(message.target, message.arguments)
                if inspect.isawaitable(result):
                    await result
            except Exception as exc:  # user code
                self._report(handler, message, exc)

    async def _answer(self, link: HubLink, message: Invocation, invocation_id: str) -> None:
        """Run the handlers of a call that the server waits for, and send it what they say."""
        completion = await self._result(message, invocation_id)
        if link.ended:
            self._log.warning("! the result of '%s' was dropped: the connection that asked for it has ended", message.target)
            return
        try:
            link.send(completion)
        except BindingError as exc:
            self._log.exception("! the result of '%s' cannot be sent", message.target)
            link.send(Completion(invocation_id=invocation_id, error=str(exc)))

    async def _result(self, message: Invocation, invocation_id: str) -> Completion:
        """Return the answer that the handlers make together. Spec: "E7. Client results"."""
        handlers = self._handlers.by_target.get(message.target, ())
        if not handlers:
            await self._unhandled(message)
            return Completion(invocation_id=invocation_id, error=_NO_RESULT)
        results: list[object] = []
        errors: list[str] = []
        for handler in handlers:
            try:
                result = handler(*message.arguments)
                if inspect.isawaitable(result):
                    result = await result
            except Exception as exc:  # user code
                errors.append(self._report(handler, message, exc))
            else:
                if result is not None:
                    results.append(result)
        if len(results) > 1:
            self._log.error("! multiple results provided for '%s'; the server gets none", message.target)
            return Completion(invocation_id=invocation_id, error="Client provided multiple results.")
        if results:
            return Completion(invocation_id=invocation_id, result=results[0])
        if errors:
            return Completion(invocation_id=invocation_id, error=errors[-1])
        return Completion(invocation_id=invocation_id, result=None)

    def _report(self, handler: object, message: Invocation, exc: Exception) -> str:
        """Log what a handler raised and return what a waiting server is told: the message, no traceback."""
        if isinstance(exc, BindingError) or (isinstance(exc, TypeError) and not _takes(handler, message.arguments)):
            self._log.error(
                "! failed to bind arguments received in invocation '%s' of '%s': %s",
                message.invocation_id or "",
                message.target,
                exc,
            )
            return "Client failed to parse argument(s)."
        level = logging.WARNING if isinstance(exc, SignalRError) else logging.ERROR
        self._log.log(level, "! invoking client side method '%s' failed", message.target, exc_info=exc)
        return str(exc) or type(exc).__name__


def _takes(handler: object, arguments: Sequence[object]) -> bool:
    """Return whether *handler* can be called with *arguments*, as far as its signature tells."""
    try:
        inspect.signature(handler).bind(*arguments)  # type: ignore[arg-type]  # registered handlers are callable
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True

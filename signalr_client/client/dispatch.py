"""From a call of the server to its handlers: in order of arrival, off the read loop. Room: client.

Calls that need no response wait in one queue and are handled one after another, in a task that exists only while there are some. A
call whose result the server waits for runs in a task of its own, beside that queue (requests.py). What a handler raises is logged, and
sent to a server that waits; it ends nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections import deque
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from signalr_client.client.describe import shown
from signalr_client.client.handlers import Handlers
from signalr_client.client.requests import Requests
from signalr_client.client.tasks import TaskSet, counted
from signalr_client.client.typed_handlers import ArgumentError
from signalr_client.core.error_header import error_headers
from signalr_client.core.messages import Completion, CountedMessage, Invocation
from signalr_client.errors import BindingError, SignalRError
from signalr_client.gate import Gate
from signalr_client.user_code import call, failure, text_of

__all__ = ["Dispatcher", "ReplyTo"]

_TURN: Final = 1024  # handlers in a row before the event loop gets a turn, so that a burst of calls does not delay the pings

_NO_RESULT: Final = "Client didn't provide a result."


class ReplyTo(Protocol):
    """The link that a call arrived on, for its response.

    Attributes:
        over: whether nothing can be sent any more.
    """

    over: bool

    @property
    def full(self) -> bool:
        """Whether senders have to wait, with `drain`."""

    def send(self, message: CountedMessage) -> None:
        """Queue *message*."""

    async def drain(self) -> None:
        """Return when senders may go on, or the link has ended."""


@dataclass(slots=True)
class _Batch:
    """The calls of one received frame, which enter and leave the gate together.

    Attributes:
        left: the calls that have not been handled.
        size: bytes of the frame.
        count: the calls that the frame had.
    """

    left: Iterator[Invocation]
    size: int
    count: int


class Dispatcher:
    """Runs the handlers of one life of a connection.

    Attributes:
        handlers: what to call.

    Args:
        handlers: what to call.
        gate: counts the calls that wait, for the receive limit.
        max_requests: how many calls that the server waits for run at once; None for no limit.
        tasks: owns the tasks in which handlers run.
        context: the context of the handlers.
    """

    def __init__(
        self,
        handlers: Handlers,
        gate: Gate,
        max_requests: int | None,
        tasks: TaskSet,
        context: contextvars.Context,
        logger: logging.Logger,
    ) -> None:
        self.handlers = handlers
        self._gate = gate
        self._tasks = tasks
        self._context = context
        self._log = logger.getChild("dispatch")
        self._batches: deque[_Batch] = deque()
        self._requests = Requests(self._answer, self._start_request, gate, max_requests)
        self._running = False
        self.awaited: Invocation | None = None
        """The call whose asynchronous handler is running, if any."""

    def put(self, link: ReplyTo, calls: list[Invocation], requests: Sequence[Invocation], size: int) -> None:
        """Take the calls of one frame of *size* bytes; *requests* are those that the server waits for. Hop 3 of 4."""
        if requests:
            self._requests.put(link, requests, size)
        if calls:
            self._gate.add(size, len(calls))
            self._batches.append(_Batch(iter(calls), size, len(calls)))
            if not self._running:
                self._start()

    def drop(self) -> None:
        """Forget the calls that have not begun; their number is logged."""
        dropped = self._requests.drop() + sum(sum(1 for _ in batch.left) for batch in self._batches)
        self._batches.clear()
        if dropped:
            self._log.warning("! dropped %s", counted(dropped, "queued server call"))

    def _start_request(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.start(work, name="signalr request", context=self._context.copy())

    def _start(self) -> None:
        self._running = True
        self._tasks.start(self._run(), name="signalr handlers", context=self._context.copy())

    async def _run(self) -> None:
        """Handle the calls that wait, one after another."""
        batches = self._batches
        try:
            while batches:
                batch = batches[0]
                await self._handle(batch.left)
                if batches and batches[0] is batch:  # else they were dropped meanwhile
                    batches.popleft()
                self._gate.remove(batch.size, batch.count)
        finally:
            self._running, self.awaited = False, None
            if batches:  # a handler cancelled its own task: the calls behind it go on
                self._start()

    async def _handle(self, calls: Iterator[Invocation]) -> None:
        """Run the handlers of *calls*; hop 4 of 4."""
        handlers_of, turn = self.handlers.by_target.get, _TURN
        for message in calls:
            handlers = handlers_of(message.target, ())
            if not handlers:
                await self._unhandled(message)
            for handler in handlers:
                try:
                    result = handler(*message.arguments)
                    if result is not None and inspect.isawaitable(result):
                        self.awaited = message
                        result = await result
                        self.awaited = None
                except BaseException as exc:  # not by `call`: one more coroutine for each message would be felt
                    self._report(handler, message, failure(exc))
                else:
                    if result is not None:
                        self._log.warning("! result given for '%s' method but server is not expecting a result", message.target)
            turn -= 1
            if not turn:
                turn = _TURN
                await asyncio.sleep(0)

    async def _unhandled(self, message: Invocation) -> None:
        if not self.handlers.unhandled:
            self._log.warning("! failed to find handler for '%s' method", shown(message.target))
        for handler in self.handlers.unhandled:
            try:
                await call(handler, message.target, message.arguments)
            except Exception as exc:  # user code
                self._report(handler, message, exc)

    async def _answer(self, link: ReplyTo, message: Invocation) -> None:
        """Run the handlers of a call that the server waits for, send the response, and wait until there is room for another one."""
        completion = await self._result(message, str(message.invocation_id))
        if link.over:
            self._log.warning(
                "! the result of '%s' was dropped: the connection that asked for it has ended", shown(message.target)
            )
            return
        try:
            link.send(completion)
        except BindingError as exc:
            self._log.exception("! the result of '%s' cannot be sent", message.target)
            link.send(Completion(invocation_id=completion.invocation_id, error=str(exc)))
        if link.full:  # a server that asks without reading the answers is not read either
            await link.drain()

    async def _result(self, message: Invocation, invocation_id: str) -> Completion:
        """Return the response that the handlers give together."""
        handlers = self.handlers.by_target.get(message.target, ())
        if not handlers:
            await self._unhandled(message)
            return Completion(invocation_id=invocation_id, error=_NO_RESULT)
        results: list[object] = []
        errors: list[Completion] = []
        for handler in handlers:
            try:
                result = await call(handler, *message.arguments)
            except Exception as exc:  # user code
                text = self._report(handler, message, exc)
                headers = error_headers(exc, self._log)
                errors.append(Completion(headers=headers, invocation_id=invocation_id, error=text))
            else:
                if result is not None:
                    results.append(result)
        if len(results) > 1:
            self._log.error("! multiple results provided for '%s'; the server gets none", message.target)
            return Completion(invocation_id=invocation_id, error="Client provided multiple results.")
        if results:
            return Completion(invocation_id=invocation_id, result=results[0])
        if errors:
            return errors[-1]
        return Completion(invocation_id=invocation_id, result=None)

    def _report(self, handler: object, message: Invocation, exc: Exception) -> str:
        """Log what a handler raised, and return the error for a server that waits: the message, without a traceback."""
        if isinstance(exc, ArgumentError) or (isinstance(exc, TypeError) and not _takes(handler, message.arguments)):
            self._log.error(
                "! failed to bind arguments received in invocation '%s' of '%s': %s",
                shown(message.invocation_id or ""),
                shown(message.target),
                exc,
            )
            return "Client failed to parse argument(s)."
        level = logging.WARNING if isinstance(exc, SignalRError) else logging.ERROR
        self._log.log(level, "! invoking client side method '%s' failed", shown(message.target), exc_info=exc)
        return text_of(exc) or type(exc).__name__


def _takes(handler: object, arguments: Sequence[object]) -> bool:
    """Return whether *handler* can be called with *arguments*, as far as its signature tells."""
    try:
        inspect.signature(handler).bind(*arguments)  # type: ignore[arg-type]  # registered handlers are callable
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True

"""The one door to the user's code: handlers, callbacks, factories, policies, hub methods, filters. Room: top.

User code is called in many places, and all of them must agree on three questions: is the result awaited, is a `CancelledError`
ours or the user's, and which exceptions are reported rather than passed on. The answers are here:

- An awaitable result is awaited, whatever kind of callable returned it.
- A `CancelledError` is ours when somebody has asked to cancel the current task (`asyncio.Task.cancelling`); then it passes through.
  Otherwise user code raised it: an ordinary failure, which must not end a task of the library.
- A cancellation of ours that user code swallowed is not lost: it takes effect when the user code returns.
- `KeyboardInterrupt` and `SystemExit` pass through. Any other exception, `BaseException` subclasses included, is a failure.

`call` does all of it. A loop that is too hot for one more coroutine calls the function itself and hands what it caught to `failure`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

__all__ = ["UserCodeError", "call", "failure", "settle", "text_of"]

T = TypeVar("T")


class UserCodeError(Exception):
    """User code raised something that is not an `Exception`: a `CancelledError` of its own, for example.

    ``error`` is what it raised. The message is its type and text, so that it reads well in a log line and in an error response.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        """Return the type of the original exception and its text, if any."""
        name, text = type(self.error).__name__, text_of(self.error)
        return f"{name}: {text}" if text else name


@overload
async def call(function: Callable[..., Awaitable[T]], /, *arguments: object) -> T: ...
@overload
async def call(function: Callable[..., T | Awaitable[T]], /, *arguments: object) -> T: ...
async def call(function: Callable[..., Any], /, *arguments: object) -> Any:
    """Call *function* and return its result, awaited if it is awaitable.

    Raises:
        Exception: what the function raised, as `failure` returns it.
        CancelledError: the current task was cancelled by somebody else, even if the function swallowed it.
    """
    task = asyncio.current_task()
    requests = task.cancelling() if task is not None else 0
    try:
        result = await settle(function(*arguments))
    except BaseException as exc:  # the one place that decides what an exception of user code means
        reported = failure(exc)
        if task is not None and task.cancelling() > requests:
            raise asyncio.CancelledError from exc
        if reported is exc:
            raise
        raise reported from exc
    if task is not None and task.cancelling() > requests:
        raise asyncio.CancelledError
    return result


async def settle(result: Any) -> Any:
    """Return *result*, awaited if it is awaitable; for a caller that has called the function itself."""
    return await result if inspect.isawaitable(result) else result


def failure(exc: BaseException) -> Exception:
    """Return what user code raised as an `Exception` to report; called from an ``except`` block.

    Raises:
        CancelledError: the current task was cancelled by somebody else.
        KeyboardInterrupt, SystemExit: the program is to end.
    """
    if isinstance(exc, Exception):
        return exc
    if isinstance(exc, KeyboardInterrupt | SystemExit):
        raise exc
    if isinstance(exc, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise exc
    return UserCodeError(exc)


def text_of(exc: BaseException) -> str:
    """Return the text of an exception of user code, fit to be sent to a peer; empty if there is none or it cannot be had.

    ``__str__`` is user code too, and what it returns may hold lone surrogates, which no protocol can encode.
    """
    try:
        return str(exc).encode(errors="replace").decode()
    except Exception:  # the text of an error must not hide the error
        return ""

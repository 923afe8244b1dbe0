"""When to try again: retry policies, put in terms of tenacity, which runs them. Room: core, row 2; no clock of its own.

A lost connection counts as the failed first attempt. So a policy is asked before each reconnect: with 0 previous retries right
after the loss, and once more after each attempt that failed. A policy that covers the first `start()` is asked in the same way.
Spec: client-behaviour.md, "F. Automatic reconnect".
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, runtime_checkable

from tenacity import RetryCallState
from tenacity.wait import wait_base

from signalr_client.types import Seconds, seconds

__all__ = ["DEFAULT_DELAYS", "RetryContext", "RetryPolicy", "RetryWait", "as_retry_policy"]

logger = logging.getLogger("signalr_client.retry")

DEFAULT_DELAYS: Final = (0.0, 2.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """What a retry policy may look at.

    Attributes:
        previous_retry_count: attempts that have failed since the connection was lost; 0 at the first question.
        elapsed_time: seconds since the loss.
        retry_reason: what ended the connection or the last attempt; None after a clean end.
    """

    previous_retry_count: int
    elapsed_time: float
    retry_reason: BaseException | None


@runtime_checkable
class RetryPolicy(Protocol):
    """Decides when to connect again. It should keep no state: one policy serves every loss of a connection."""

    def next_retry_delay(self, retry_context: RetryContext, /) -> Seconds | None | Awaitable[Seconds | None]:
        """Return the time to wait before the next attempt, or None to give up. May be a coroutine function."""


class DelaySequence:
    """A delay for each attempt; it gives up after the last one."""

    def __init__(self, delays: Iterable[Seconds]) -> None:
        self.delays = tuple(seconds(delay) for delay in delays)
        for delay in self.delays:
            if delay < 0:
                raise ValueError(f"A reconnect delay is a time from now on: {delay:g} s cannot be waited.")

    def next_retry_delay(self, retry_context: RetryContext) -> float | None:
        """Return the delay with the number of the attempt."""
        count = retry_context.previous_retry_count
        return self.delays[count] if count < len(self.delays) else None


class RetryWait(wait_base):
    """A retry policy as tenacity's ``wait``; `gave_up` is the ``stop`` that goes with it.

    A policy that raises is logged and means to give up. Spec: client-behaviour.md, "F" (policy throws).
    """

    def __init__(self, policy: RetryPolicy | wait_base) -> None:
        self._policy = policy
        self._gave_up = False

    async def __call__(self, retry_state: RetryCallState) -> float:  # type: ignore[override]  # AsyncRetrying awaits it
        """Return the seconds to wait."""
        self._gave_up = False
        try:
            delay = await self._ask(retry_state)
        except Exception:  # a policy is user code: whatever it raises must not end the program
            logger.exception("the retry policy raised an error; giving up")
            delay = None
        if delay is None:
            self._gave_up = True
            return 0.0
        return max(delay, 0.0)

    def gave_up(self, _retry_state: RetryCallState) -> bool:
        """Return whether the policy named no delay."""
        return self._gave_up

    async def _ask(self, retry_state: RetryCallState) -> float | None:
        if isinstance(self._policy, wait_base):
            return self._policy(retry_state)
        context = RetryContext(
            previous_retry_count=retry_state.attempt_number - 1,
            elapsed_time=retry_state.seconds_since_start or 0.0,
            retry_reason=_reason(retry_state),
        )
        delay = self._policy.next_retry_delay(context)
        if inspect.isawaitable(delay):
            delay = await delay
        return None if delay is None else seconds(delay)


class ConnectionLost(Exception):
    """Stands for the attempt that a lost connection counts as; ``error`` is what ended it, or None. Never leaves the package."""

    def __init__(self, error: BaseException | None) -> None:
        super().__init__(error)
        self.error = error


def _reason(retry_state: RetryCallState) -> BaseException | None:
    error = retry_state.outcome.exception() if retry_state.outcome else None
    return error.error if isinstance(error, ConnectionLost) else error


class _CallablePolicy:
    """A plain function as a retry policy."""

    def __init__(self, function: Callable[[RetryContext], Seconds | None | Awaitable[Seconds | None]]) -> None:
        self.next_retry_delay = function


def as_retry_policy(policy: object) -> RetryPolicy | wait_base:
    """Return *policy* if it is a RetryPolicy or a tenacity wait, or a policy made of a function or of a sequence of delays.

    Raises:
        TypeError: it is none of these.
        ValueError: a delay is negative.
    """
    match policy:
        case None:
            return DelaySequence(DEFAULT_DELAYS)
        case wait_base() | RetryPolicy():
            return policy
        case str() | bytes():
            pass
        case Iterable():
            delays = list(policy)
            if all(isinstance(delay, int | float | timedelta) for delay in delays):
                return DelaySequence(delays)
        case _ if callable(policy):
            return _CallablePolicy(policy)
    raise TypeError(
        "A retry policy is a sequence of delays in seconds, an object with next_retry_delay(context), or a tenacity wait;"
        f" {policy!r} is none of them."
    )

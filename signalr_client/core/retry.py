"""Retry policies: when to connect again. Room: core, row 2; no clock of its own, and the loop that asks is in the client room.

A policy is asked once before each attempt: with 0 previous retries right after the loss of a connection (or after a first `start()`
that failed, if the policy covers it), and once more after each attempt that failed. None means to give up.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol, runtime_checkable

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_chain, wait_exponential, wait_fixed, wait_random_exponential

from signalr_client.errors import ConnectionClosedError
from signalr_client.types import Seconds, seconds

__all__ = ["DEFAULT_DELAYS", "ExponentialBackoff", "RetryContext", "RetryPolicy", "as_retry_policy", "retry_delay"]

DEFAULT_DELAYS: Final = (0.0, 2.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryContext:
    """What a retry policy bases its decision on.

    Attributes:
        previous_retry_count: attempts that have failed since the connection was lost; 0 the first time.
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
        self.delays: tuple[float, ...] = tuple(_checked_delay(delay) for delay in delays)

    def next_retry_delay(self, retry_context: RetryContext, /) -> float | None:
        """Return the delay of this attempt."""
        count = retry_context.previous_retry_count
        return self.delays[count] if count < len(self.delays) else None


class CallablePolicy:
    """A function, sync or async, as a retry policy."""

    def __init__(self, function: Callable[[RetryContext], Seconds | None | Awaitable[Seconds | None]]) -> None:
        self.next_retry_delay = function


class TenacityPolicy:
    """A tenacity wait as a retry policy. It never gives up, and sees the loss of the connection as the first failed attempt."""

    def __init__(self, wait: wait_base) -> None:
        self._wait = wait

    def next_retry_delay(self, retry_context: RetryContext, /) -> float:
        """Return the delay that the wait chooses."""
        state = RetryCallState(Retrying(wait=self._wait), None, (), {})
        state.attempt_number = retry_context.previous_retry_count + 1
        reason = retry_context.retry_reason or ConnectionClosedError()
        state.set_exception((type(reason), reason, reason.__traceback__))
        state.start_time, state.outcome_timestamp = 0.0, retry_context.elapsed_time
        return self._wait(state)


class ExponentialBackoff:
    """A retry policy that never gives up: *first*, then 1, 2, 4 ... seconds, up to *max_delay*.

    With *jitter*, each delay after the first is chosen at random between 0 and that number ("full jitter"), so that the clients of
    a server that was restarted do not all come back at the same moment.

    Args:
        first: seconds before the first attempt; it has no jitter.
        max_delay: the longest delay in seconds.
        jitter: whether to choose the delays at random.

    Raises:
        ValueError: a delay is negative, infinite or not a number, or *max_delay* is 0 or less than *first*.
    """

    def __init__(self, *, first: Seconds = 0.0, max_delay: Seconds = 60.0, jitter: bool = True) -> None:
        self.first: float = _checked_delay(first)
        self.max_delay: float = _checked_delay(max_delay)
        self.jitter: bool = jitter
        if not self.max_delay > 0:
            raise ValueError("max_delay= must be more than 0 seconds: without a delay, a server that is down would be flooded.")
        if self.first > self.max_delay:
            raise ValueError(f"first= must not be more than max_delay=: {self.first:g} s is more than {self.max_delay:g} s.")
        later = (wait_random_exponential if jitter else wait_exponential)(multiplier=0.5, max=self.max_delay)
        self._policy = TenacityPolicy(wait_chain(wait_fixed(self.first), later))  # the exponential wait begins with attempt 2

    def next_retry_delay(self, retry_context: RetryContext, /) -> float:
        """Return the delay before the next attempt."""
        return self._policy.next_retry_delay(retry_context)

    def __repr__(self) -> str:
        """Return the arguments."""
        return f"ExponentialBackoff(first={self.first:g}, max_delay={self.max_delay:g}, jitter={self.jitter})"


def as_retry_policy(policy: object) -> RetryPolicy:
    """Return a policy made from a RetryPolicy, a tenacity wait, a function, a sequence of delays, or None for the default delays.

    Raises:
        TypeError: *policy* is none of these.
        ValueError: a delay is negative, infinite or not a number.
    """
    match policy:
        case None:
            return DelaySequence(DEFAULT_DELAYS)
        case wait_base():
            return TenacityPolicy(policy)
        case type():
            pass  # a class that was not instantiated
        case RetryPolicy():
            return policy
        case str() | bytes():
            pass
        case Iterable():
            delays = list(policy)
            if all(isinstance(delay, int | float | timedelta) for delay in delays):
                return DelaySequence(delays)
        case _ if callable(policy):
            return CallablePolicy(policy)
    raise TypeError(
        "A retry policy must be a sequence of delays in seconds, a function, an object with next_retry_delay(context), or a"
        f" tenacity wait, not {policy!r}."
    )


def retry_delay(delay: Seconds) -> float:
    """Return *delay* in seconds.

    Raises:
        ValueError: it is infinite or not a number.
    """
    number = seconds(delay)
    if not math.isfinite(number):
        raise ValueError(f"A reconnect delay must be a finite number of seconds, not {number:g}.")
    return number


def _checked_delay(delay: Seconds) -> float:
    """Return *delay*, an argument of a policy, in seconds.

    Raises:
        ValueError: it is negative, infinite or not a number.
    """
    number = retry_delay(delay)
    if number < 0:
        raise ValueError(f"A reconnect delay must not be negative: {number:g} s.")
    return number

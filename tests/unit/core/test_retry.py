"""Accepted retry policies, and the state passed to tenacity waits. For the retry loop, see tests/unit/client/test_reconnect.py."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState, wait_exponential, wait_fixed
from tenacity.wait import wait_base

from signalr_client.core.retry import (
    DEFAULT_DELAYS,
    ExponentialBackoff,
    RetryContext,
    RetryPolicy,
    as_retry_policy,
    retry_delay,
)
from signalr_client.errors import ConnectionClosedError
from signalr_client.types import Seconds


def context(count: int, elapsed: float = 0.0, reason: BaseException | None = None) -> RetryContext:
    return RetryContext(previous_retry_count=count, elapsed_time=elapsed, retry_reason=reason)


class Recorder:
    """A policy that records its contexts."""

    def __init__(self, answer: Seconds | None) -> None:
        self.answer = answer
        self.asked: list[RetryContext] = []

    def next_retry_delay(self, retry_context: RetryContext) -> Seconds | None:
        self.asked.append(retry_context)
        return self.answer


class AsyncPolicy:
    """A policy with a coroutine method."""

    async def next_retry_delay(self, retry_context: RetryContext) -> float | None:
        return 2.5 if retry_context.previous_retry_count == 0 else None


LOST: Final = OSError("cable")


# accepted policies


def test_without_a_policy_the_default_delays_are_used() -> None:
    policy = as_retry_policy(None)
    assert DEFAULT_DELAYS == (0.0, 2.0, 10.0, 30.0)
    assert [policy.next_retry_delay(context(count)) for count in range(6)] == [0.0, 2.0, 10.0, 30.0, None, None]


@pytest.mark.parametrize(
    ("delays", "answers"),
    [
        ([1, 2.5], [1.0, 2.5, None]),
        ((0,), [0.0, None]),
        ([], [None]),
        ([timedelta(milliseconds=1500)], [1.5, None]),
        ((delay for delay in (1, 2)), [1.0, 2.0, None]),
        (range(2), [0.0, 1.0, None]),
    ],
)
def test_a_sequence_of_delays_ends_with_none(delays: object, answers: list[float | None]) -> None:
    policy = as_retry_policy(delays)
    assert [policy.next_retry_delay(context(count)) for count in range(len(answers))] == answers


def test_one_policy_can_be_used_for_every_loss() -> None:
    policy = as_retry_policy(delay for delay in (1, 2))
    for _loss in range(2):
        assert [policy.next_retry_delay(context(count)) for count in range(3)] == [1.0, 2.0, None]


def test_a_function_can_be_used_as_a_policy() -> None:
    policy = as_retry_policy(lambda retry_context: retry_context.previous_retry_count * 2)
    assert isinstance(policy, RetryPolicy)
    assert policy.next_retry_delay(context(3)) == 6


@pytest.mark.parametrize("policy", [Recorder(1.0), AsyncPolicy()])
def test_a_policy_object_is_used_unchanged(policy: object) -> None:
    assert as_retry_policy(policy) is policy


@pytest.mark.parametrize("policy", [5, 1.5, "1,2", b"12", ["1"], [1, None], object(), timedelta(1), Recorder])
def test_an_object_of_another_type_is_a_type_error(policy: object) -> None:
    with pytest.raises(TypeError) as caught:
        as_retry_policy(policy)
    assert str(caught.value) == (
        "A retry policy must be a sequence of delays in seconds, a function, an object with next_retry_delay(context), or a"
        f" tenacity wait, not {policy!r}."
    )


@pytest.mark.parametrize(("delays", "shown"), [([1, -1], "-1"), ([timedelta(seconds=-0.5)], "-0.5")])
def test_a_negative_delay_is_a_value_error(delays: object, shown: str) -> None:
    with pytest.raises(ValueError, match="must not be negative") as caught:
        as_retry_policy(delays)
    assert str(caught.value) == f"A reconnect delay must not be negative: {shown} s."


@pytest.mark.parametrize("delay", [math.nan, math.inf, -math.inf])
def test_a_delay_that_is_not_finite_is_a_value_error(delay: float) -> None:
    with pytest.raises(ValueError, match="must be a finite number of seconds"):
        retry_delay(delay)
    with pytest.raises(ValueError, match="must be a finite number of seconds"):
        as_retry_policy([0, delay])


def test_the_context_is_immutable() -> None:
    with pytest.raises(AttributeError):
        setattr(context(0), "previous_retry_count", 1)  # noqa: B010  # mypy would reject the plain assignment


# tenacity waits


@pytest.mark.parametrize(
    ("wait", "expected"), [(wait_fixed(1.5), [1.5, 1.5, 1.5]), (wait_exponential(multiplier=1), [1.0, 2.0, 4.0])]
)
def test_a_tenacity_wait_retries_indefinitely(wait: wait_base, expected: list[float]) -> None:
    policy = as_retry_policy(wait)
    assert [policy.next_retry_delay(context(count)) for count in range(3)] == expected


class Watching(wait_base):
    """A wait that records its state."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, BaseException | None, float | None]] = []

    def __call__(self, retry_state: RetryCallState) -> float:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        self.seen.append((retry_state.attempt_number, error, retry_state.seconds_since_start))
        return 0.0


def test_a_tenacity_wait_gets_the_loss_as_the_first_failed_attempt() -> None:
    wait = Watching()
    policy = as_retry_policy(wait)
    late = TimeoutError("late")
    assert policy.next_retry_delay(context(0, 0.0, LOST)) == 0.0
    assert policy.next_retry_delay(context(1, 3.5, late)) == 0.0
    assert wait.seen == [(1, LOST, 0.0), (2, late, 3.5)]


def test_a_tenacity_wait_gets_an_error_after_a_close_without_error() -> None:
    """The state of a tenacity wait always has an outcome."""
    wait = Watching()
    as_retry_policy(wait).next_retry_delay(context(0))
    assert isinstance(wait.seen[0][1], ConnectionClosedError)


# exponential back-off


def delays(policy: RetryPolicy, count: int) -> list[object]:
    return [policy.next_retry_delay(context(number, float(number), LOST)) for number in range(count)]


def test_exponential_backoff_doubles_the_delay_up_to_the_maximum() -> None:
    assert delays(ExponentialBackoff(jitter=False), 9) == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert delays(ExponentialBackoff(first=0.5, max_delay=3, jitter=False), 5) == [0.5, 1, 2, 3, 3]
    assert delays(ExponentialBackoff(first=timedelta(), max_delay=timedelta(milliseconds=500), jitter=False), 3) == [
        0,
        0.5,
        0.5,
    ]


@given(count=st.integers(0, 1_000_000), max_delay=st.floats(0.001, 1e9))
def test_exponential_backoff_never_gives_up_and_never_exceeds_the_maximum(count: int, max_delay: float) -> None:
    """For instance a server that is down for a year."""
    limit = 0 if count == 0 else min(2 ** min(count - 1, 60), max_delay)
    assert ExponentialBackoff(max_delay=max_delay, jitter=False).next_retry_delay(context(count)) == pytest.approx(limit)
    assert 0 <= ExponentialBackoff(max_delay=max_delay).next_retry_delay(context(count)) <= limit


def test_jitter_spreads_the_delays_over_the_whole_interval() -> None:
    """Two hundred clients; the chance that half of the interval stays empty is below 1e-60."""
    policy = ExponentialBackoff(max_delay=60)
    chosen = [policy.next_retry_delay(context(5)) for _ in range(200)]
    assert min(chosen) < 8 < max(chosen) <= 16
    assert {policy.next_retry_delay(context(0)) for _ in range(10)} == {0.0}


def test_exponential_backoff_is_a_policy_and_shows_its_arguments() -> None:
    policy = ExponentialBackoff(max_delay=timedelta(minutes=2))
    assert as_retry_policy(policy) is policy
    assert repr(policy) == "ExponentialBackoff(first=0, max_delay=120, jitter=True)"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"first": -1}, "must not be negative: -1 s"),
        ({"max_delay": timedelta(seconds=-1)}, "must not be negative: -1 s"),
        ({"max_delay": math.inf}, "must be a finite number of seconds, not inf"),
        ({"first": math.nan}, "must be a finite number of seconds, not nan"),
        ({"max_delay": 0}, "must be more than 0 seconds"),
        ({"first": 61}, r"first= must not be more than max_delay=: 61 s is more than 60 s\."),
    ],
)
def test_exponential_backoff_checks_its_arguments(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        ExponentialBackoff(**options)

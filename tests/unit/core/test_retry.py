"""What a retry policy is asked and what its answers mean. Coroutines that never wait are run by hand, without a loop."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any, Final, TypeVar

import pytest
from tenacity import AsyncRetrying, RetryCallState, wait_exponential, wait_fixed
from tenacity.wait import wait_base

from signalr_client.core.retry import (
    DEFAULT_DELAYS,
    ConnectionLost,
    RetryContext,
    RetryPolicy,
    RetryWait,
    as_retry_policy,
)
from signalr_client.types import Seconds

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that never waits."""
    with pytest.raises(StopIteration) as finished:
        coroutine.send(None)
    result: T = finished.value.value
    return result


def after(attempts: int, error: BaseException, elapsed: float = 0.0) -> RetryCallState:
    """Return tenacity's state after *attempts* that failed, the last one with *error*."""
    state = RetryCallState(AsyncRetrying(), None, (), {})
    state.attempt_number = attempts
    state.set_exception((type(error), error, None))
    state.start_time, state.outcome_timestamp = 100.0, 100.0 + elapsed
    return state


def context(count: int) -> RetryContext:
    return RetryContext(previous_retry_count=count, elapsed_time=0.0, retry_reason=None)


class Recorder:
    """A policy that remembers what it was asked."""

    def __init__(self, answer: Seconds | None) -> None:
        self.answer = answer
        self.asked: list[RetryContext] = []

    def next_retry_delay(self, retry_context: RetryContext) -> Seconds | None:
        self.asked.append(retry_context)
        return self.answer


class AsyncPolicy:
    """A policy whose answer is a coroutine."""

    async def next_retry_delay(self, retry_context: RetryContext) -> float | None:
        return 2.5 if retry_context.previous_retry_count == 0 else None


LOST: Final = OSError("cable")


# what a policy may be


def test_no_policy_means_the_default_delays() -> None:
    policy = as_retry_policy(None)
    assert not isinstance(policy, wait_base)
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
def test_a_sequence_of_delays_gives_up_at_its_end(delays: object, answers: list[float | None]) -> None:
    policy = as_retry_policy(delays)
    assert not isinstance(policy, wait_base)
    assert [policy.next_retry_delay(context(count)) for count in range(len(answers))] == answers


def test_one_policy_serves_every_loss() -> None:
    wait = RetryWait(as_retry_policy(delay for delay in (1, 2)))
    for _loss in range(2):
        assert [run(wait(after(attempts, LOST))) for attempts in (1, 2)] == [1.0, 2.0]
        assert not wait.gave_up(after(2, LOST))
        run(wait(after(3, LOST)))
        assert wait.gave_up(after(3, LOST))


def test_a_function_is_a_policy() -> None:
    policy = as_retry_policy(lambda retry_context: retry_context.previous_retry_count * 2)
    assert isinstance(policy, RetryPolicy)
    assert policy.next_retry_delay(context(3)) == 6


@pytest.mark.parametrize("policy", [Recorder(1.0), AsyncPolicy(), wait_fixed(1)])
def test_an_object_that_is_a_policy_is_taken_as_it_is(policy: object) -> None:
    assert as_retry_policy(policy) is policy


@pytest.mark.parametrize("policy", [5, 1.5, "1,2", b"12", ["1"], [1, None], object(), timedelta(1)])
def test_what_is_no_policy_is_a_type_error(policy: object) -> None:
    with pytest.raises(TypeError) as caught:
        as_retry_policy(policy)
    assert str(caught.value) == (
        "A retry policy is a sequence of delays in seconds, an object with next_retry_delay(context), or a tenacity wait;"
        f" {policy!r} is none of them."
    )


@pytest.mark.parametrize(("delays", "shown"), [([1, -1], "-1"), ([timedelta(seconds=-0.5)], "-0.5")])
def test_a_negative_delay_is_a_value_error(delays: object, shown: str) -> None:
    with pytest.raises(ValueError, match="cannot be waited") as caught:
        as_retry_policy(delays)
    assert str(caught.value) == f"A reconnect delay is a time from now on: {shown} s cannot be waited."


# what it is asked


def test_the_loss_counts_as_the_first_attempt() -> None:
    policy = Recorder(1.0)
    wait = RetryWait(policy)
    run(wait(after(1, ConnectionLost(LOST), 0.0)))
    run(wait(after(2, TimeoutError("late"), 3.5)))
    first, second = policy.asked
    assert first == RetryContext(previous_retry_count=0, elapsed_time=0.0, retry_reason=LOST)
    assert (second.previous_retry_count, second.elapsed_time) == (1, 3.5)
    assert isinstance(second.retry_reason, TimeoutError)


def test_a_clean_end_has_no_reason() -> None:
    policy = Recorder(1.0)
    run(RetryWait(policy)(after(1, ConnectionLost(None))))
    assert policy.asked[0].retry_reason is None


def test_the_context_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        setattr(context(0), "previous_retry_count", 1)  # noqa: B010  # a type checker would refuse the plain form


# what its answer means


@pytest.mark.parametrize(
    ("answer", "seconds"), [(0, 0.0), (2.5, 2.5), (timedelta(milliseconds=250), 0.25), (-3, 0.0), (timedelta(seconds=-1), 0.0)]
)
def test_an_answer_is_the_time_to_wait(answer: Seconds, seconds: float) -> None:
    wait, state = RetryWait(Recorder(answer)), after(1, LOST)
    assert run(wait(state)) == seconds
    assert wait.gave_up(state) is False


def test_none_gives_up() -> None:
    wait, state = RetryWait(Recorder(None)), after(1, LOST)
    assert run(wait(state)) == 0.0
    assert wait.gave_up(state) is True


def test_giving_up_is_forgotten_with_the_next_question() -> None:
    policy = Recorder(None)
    wait, state = RetryWait(policy), after(1, LOST)
    run(wait(state))
    policy.answer = 1.0
    run(wait(state))
    assert wait.gave_up(state) is False


def test_an_answer_may_be_awaited() -> None:
    wait = RetryWait(AsyncPolicy())
    assert run(wait(after(1, LOST))) == 2.5
    run(wait(after(2, LOST)))
    assert wait.gave_up(after(2, LOST)) is True


@pytest.mark.parametrize("answer", ["soon", object()])
def test_an_answer_that_is_no_time_gives_up(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    wait, state = RetryWait(Recorder(answer)), after(1, LOST)
    assert run(wait(state)) == 0.0
    assert wait.gave_up(state) is True
    assert [record.getMessage() for record in caplog.records] == ["the retry policy raised an error; giving up"]


def test_a_policy_that_raises_is_logged_and_gives_up(caplog: pytest.LogCaptureFixture) -> None:
    def raises(retry_context: RetryContext) -> float:
        raise LookupError("bug")

    wait, state = RetryWait(as_retry_policy(raises)), after(1, LOST)
    assert run(wait(state)) == 0.0
    assert wait.gave_up(state) is True
    [record] = caplog.records
    assert (record.name, record.levelno) == ("signalr_client.retry", logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


@pytest.mark.parametrize(
    ("policy", "expected"), [(wait_fixed(1.5), [1.5, 1.5, 1.5]), (wait_exponential(multiplier=1), [1.0, 2.0, 4.0])]
)
def test_a_wait_of_tenacity_never_gives_up(policy: wait_base, expected: list[float]) -> None:
    wait = RetryWait(policy)
    assert list(answers(wait, 3)) == expected


def answers(wait: RetryWait, attempts: int) -> Iterator[float]:
    """Yield the waits after each of *attempts*."""
    for attempt in range(1, attempts + 1):
        yield run(wait(after(attempt, LOST)))
        assert not wait.gave_up(after(attempt, LOST))

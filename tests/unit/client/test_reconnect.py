"""The retry loop: what is passed to a policy, and how its return values are used."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from signalr_client.client.ends import End
from signalr_client.client.reconnect import retry
from signalr_client.core.retry import RetryContext, as_retry_policy
from signalr_client.types import Seconds

LOGGER = logging.getLogger("signalr_client.test")
LOST = OSError("cable")


class Recorder:
    """A policy that records its contexts and returns the given delays in turn, then None."""

    def __init__(self, *answers: Seconds | None) -> None:
        self.answers = list(answers)
        self.asked: list[RetryContext] = []

    def next_retry_delay(self, retry_context: RetryContext, /) -> Seconds | None:
        self.asked.append(retry_context)
        return self.answers.pop(0) if self.answers else None


def failing(*errors: BaseException) -> Callable[[], Coroutine[Any, Any, str]]:
    """Return a connect function that raises *errors* in turn and then succeeds."""
    left = list(errors)

    async def connect() -> str:
        await asyncio.sleep(0)
        if left:
            raise left.pop(0)
        return "connected"

    return connect


async def run(
    policy: object, *errors: BaseException, reason: Exception | None = LOST, delays: list[str] | None = None
) -> str | End:
    """Run the loop after *reason*, with attempts that fail with *errors*; store the first delay in *delays*."""
    seen = [] if delays is None else delays
    return await retry(
        failing(*errors),
        as_retry_policy(policy),
        reason,
        began=asyncio.get_running_loop().time(),
        on_first_delay=lambda: seen.append("first"),
        logger=LOGGER,
    )


async def test_the_policy_is_called_before_each_attempt() -> None:
    policy = Recorder(0, 0, 0)
    late = TimeoutError("late")
    assert await run(policy, late, LOST) == "connected"
    assert [(asked.previous_retry_count, asked.retry_reason) for asked in policy.asked] == [(0, LOST), (1, late), (2, LOST)]
    times = [asked.elapsed_time for asked in policy.asked]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] < 5


async def test_retry_reason_is_none_after_a_close_without_error() -> None:
    policy = Recorder(0)
    assert await run(policy, reason=None) == "connected"
    assert policy.asked[0].retry_reason is None


async def test_the_loop_ends_with_the_last_error_when_the_policy_returns_none() -> None:
    late = TimeoutError("late")
    assert await run(Recorder(0), late) == End(late)
    assert await run(Recorder()) == End(LOST)
    assert await run(Recorder(), reason=None) == End()


async def test_the_first_delay_is_reported_once_if_there_is_one() -> None:
    delays: list[str] = []
    await run(Recorder(), delays=delays)
    assert delays == []
    await run(Recorder(0, 0), LOST, delays=delays)
    assert delays == ["first"]


@pytest.mark.parametrize("answer", [0, 0.0, timedelta(), -3, timedelta(seconds=-1)])
async def test_a_delay_that_is_not_positive_means_immediately(answer: Seconds) -> None:
    async with asyncio.timeout(2):
        assert await run(Recorder(answer)) == "connected"


async def test_a_policy_may_be_async() -> None:
    async def policy(context: RetryContext) -> float | None:
        await asyncio.sleep(0)
        return 0 if context.previous_retry_count < 2 else None

    assert await run(policy, LOST) == "connected"
    assert await run(policy, LOST, LOST, LOST) == End(LOST)


@pytest.mark.parametrize("answer", ["soon", object(), math.nan, math.inf])
async def test_a_delay_of_the_wrong_type_ends_the_loop(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert await run(Recorder(answer)) == End(LOST)
    [record] = caplog.records
    assert record.getMessage() == "! the retry policy raised an error; giving up"


class Unusual(BaseException):
    """An exception that ``except Exception`` does not catch."""


@pytest.mark.parametrize("error", [LookupError("bug"), asyncio.CancelledError(), Unusual()])
async def test_an_exception_in_the_policy_is_logged_and_ends_the_loop(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def policy(_context: RetryContext) -> float:
        raise error

    assert await run(policy) == End(LOST)
    [record] = caplog.records
    assert (record.name, record.levelno) == ("signalr_client.test", logging.ERROR)
    assert type(error).__name__ in caplog.text


async def test_keyboard_interrupt_in_the_policy_is_raised() -> None:
    def policy(_context: RetryContext) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await run(policy)


async def test_an_attempt_that_raises_cancelled_error_is_a_failed_attempt() -> None:
    """An access token factory may raise CancelledError; only a cancellation of the loop's own task ends the loop."""
    policy = Recorder(0, 0)
    assert await run(policy, asyncio.CancelledError()) == "connected"
    assert len(policy.asked) == 2


@pytest.mark.parametrize("where", ["policy", "delay", "attempt"])
async def test_cancelling_ends_the_loop_at_any_point(where: str) -> None:
    waiting = asyncio.Event()

    async def forever(*_arguments: object) -> Any:
        waiting.set()
        await asyncio.get_running_loop().create_future()

    policy = {"policy": forever, "delay": lambda _: 3600, "attempt": lambda _: 0}[where]
    working = asyncio.create_task(
        retry(forever, as_retry_policy(policy), LOST, began=0.0, on_first_delay=waiting.set, logger=LOGGER)
    )
    await waiting.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

"""The tests that interrupt coroutines notice a coroutine that swallows its cancellation, or ends with another error."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.support.interruption import WAYS, Outcome, at_each_await, counting_awaits, interrupted

pytestmark = pytest.mark.quality


async def three() -> str:
    """Wait three times: in a task of its own, for a turn, and for a moment."""
    await asyncio.create_task(asyncio.sleep(0))
    await asyncio.sleep(0)
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, event.set)
    await event.wait()
    return "done"


async def swallow() -> None:
    """Wait, and go on after a cancellation."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def replace() -> None:
    """Wait, and turn a cancellation into another error."""
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        raise ValueError from None


@pytest.mark.parametrize("way", WAYS)
async def test_every_await_is_interrupted(way: str) -> None:
    outcomes: list[Outcome] = []

    async def check(outcome: Outcome) -> None:
        outcomes.append(outcome)

    await at_each_await(three, check, way)
    *first, _, _, _ = outcomes
    assert len(first) >= 3 - (way in ("timed out", "in a failing group"))  # these come a turn later
    assert all(outcome.interrupted for outcome in first)
    assert outcomes[-1].result == "done"


@pytest.mark.parametrize("way", ["cancelled", "cancelled with the result", "cancelled in a cleanup"])
async def test_a_cancellation_that_is_swallowed_is_a_failure(way: str) -> None:
    async with counting_awaits():
        with pytest.raises(AssertionError, match="await 1: the cancellation was swallowed"):
            await interrupted(swallow(), 1, way)


async def test_a_cancellation_that_becomes_another_error_is_a_failure() -> None:
    async with counting_awaits():
        with pytest.raises(AssertionError, match="swallowed") as raised:
            await interrupted(replace(), 1)
    assert isinstance(raised.value.__cause__, ValueError)


async def test_a_cancellation_that_comes_too_late_is_none() -> None:
    async with counting_awaits():
        assert await interrupted(three(), 100) == Outcome(100, interrupted=False, result="done")

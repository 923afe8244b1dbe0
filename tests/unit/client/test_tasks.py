"""Owned tasks: how long ending them may take, and what happens to tasks that do not end."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator

import pytest

from signalr_client.client.tasks import CANCEL_GRACE, TaskSet, counted

LOGGER = logging.getLogger("signalr_client.test")


@pytest.fixture
async def release() -> AsyncIterator[asyncio.Event]:
    """An event that is set at the end of the test; tasks that ignore their cancellation wait for it."""
    event = asyncio.Event()
    yield event
    event.set()
    for _ in range(5):
        await asyncio.sleep(0)


async def stubborn(release: asyncio.Event) -> str:
    """Ignore cancellation until the end of the test."""
    while not release.is_set():
        try:
            await release.wait()
        except asyncio.CancelledError:
            continue
    return "done"


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_tasks_may_finish_before_the_deadline(caplog: pytest.LogCaptureFixture) -> None:
    tasks = TaskSet("handler", LOGGER)
    ended: list[int] = []

    async def work(depth: int) -> None:
        await asyncio.sleep(0)
        ended.append(depth)
        if depth:
            tasks.start(work(depth - 1), name="nested")

    tasks.start(work(3), name="first")
    await tasks.finish(now() + 60)
    assert ended == [3, 2, 1, 0]
    assert caplog.records == []


async def test_tasks_that_run_past_the_deadline_are_cancelled_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    tasks = TaskSet("handler", LOGGER)
    order: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            order.append("cancelled")

    for _ in range(3):
        tasks.start(work(), name="work")
    await tasks.finish(now(), drop=lambda: order.append("dropped"))
    assert order == ["dropped"] + ["cancelled"] * 3
    assert [record.getMessage() for record in caplog.records] == ["! 3 handlers still running after 0.00 s: cancelled"]


async def test_tasks_that_ignore_their_cancellation_are_abandoned_and_logged(
    release: asyncio.Event, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = TaskSet("upload", LOGGER)
    task = tasks.spawn(stubborn(release), name="stubborn")
    began = now()
    await tasks.finish(began)
    assert now() - began < CANCEL_GRACE + 1
    assert "1 upload still running" in caplog.records[-1].getMessage()
    assert caplog.records[-1].getMessage().endswith("were abandoned, because they ignored their cancellation")
    release.set()
    assert await task == "done"


async def test_a_task_is_started_even_if_the_deadline_has_passed() -> None:
    tasks = TaskSet("handler", LOGGER)
    begun: list[bool] = []

    async def work() -> None:
        begun.append(True)

    tasks.start(work(), name="work")
    await tasks.finish(now() - 1)
    assert begun == [True]


async def test_a_task_runs_in_the_given_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")

    async def look() -> str:
        return variable.get()

    assert await TaskSet("handler", LOGGER).spawn(look(), name="look", context=context) == "inside"


def test_counted_uses_the_plural() -> None:
    assert [counted(number, "call") for number in (0, 1, 2)] == ["0 calls", "1 call", "2 calls"]

"""The check for leaked tasks and sockets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

TURNS = 200
"""Iterations of the event loop to wait for closing resources: asyncio closes a socket one iteration after its transport."""


def open_sockets() -> set[str]:
    """Return the open sockets of this process; empty if the system does not provide them."""
    sockets = set()
    for descriptor in Path("/proc/self/fd").glob("*"):
        try:
            target = os.readlink(descriptor)
        except OSError:  # closed in the meantime
            continue
        if target.startswith("socket:"):
            sockets.add(target)
    return sockets


def sockets_of_the_loop() -> int:
    """Return how many sockets the event loop itself opens when it runs: uvloop opens a pair for signals, asyncio none."""
    return 2 if type(asyncio.get_running_loop()).__module__.startswith("uvloop") else 0


async def left_behind(tasks_before: set[asyncio.Task[object]], sockets_before: set[str]) -> list[str]:
    """Return the tasks and sockets that are new and do not disappear."""
    for _ in range(TURNS):
        tasks = asyncio.all_tasks() - tasks_before - {asyncio.current_task()}
        sockets = open_sockets() - sockets_before
        if not tasks and len(sockets) <= sockets_of_the_loop():
            return []
        await asyncio.sleep(0)
    return [f"task {task.get_name()}: {task.get_coro()}" for task in tasks if task is not None] + sorted(sockets)


@pytest.fixture
async def no_leaks() -> AsyncIterator[None]:
    """Fail a test that leaks a task or a socket. Folders whose tests open connections enable it for all their tests."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    yield
    left = await left_behind(tasks, sockets)
    if left:
        pytest.fail("left behind:\n" + "\n".join(left), pytrace=False)

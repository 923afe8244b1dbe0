"""Counts what is alive in this process, to find leaks that grow by a little in each of many cycles."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from tests.support.interruption import nothing_unhandled

__all__ = ["Census", "grown", "repeat", "take_census"]

COUNTED = ("signalr_client", "asyncio", "_asyncio", "uvloop", "aiohttp")
"""The packages whose objects are counted by type."""

PATIENCE = 60.0
"""Seconds after which a cycle that does not end, or a process that does not come to rest, fails the test."""

SETTLED = 3
"""Turns of the event loop without a change in tasks and descriptors after which the process is at rest."""

SLACK = 8
"""Objects of one type by which two moments may differ: pooled HTTP connections, the event that is being logged."""

TIMERS = 300
"""The same for timers: asyncio removes cancelled ones from its heap only when there are many."""

BLOCKS_A_CYCLE = 2.0
"""Memory blocks by which a cycle may add to the process, on average; the smallest object that leaks takes at least one."""

CACHED_BLOCKS = 3_000
"""Memory blocks that caches may still add after the first third, whatever the number of cycles."""

RESIDENT = 16 * 2**20
"""Bytes of resident memory that may be added: the most that was needed at one time since, which varies with the machine's load."""


@dataclass(frozen=True)
class Census:
    """What is alive at one moment.

    Attributes:
        cycles: how many cycles had run.
        tasks: tasks of the running event loop.
        descriptors: open file descriptors; 0 where the system does not show them.
        objects: objects of the counted packages, by type.
        blocks: memory blocks that Python has allocated.
        resident: bytes of memory that the process occupies; 0 where the system does not show it.
    """

    cycles: int
    tasks: int
    descriptors: int
    objects: Counter[str]
    blocks: int
    resident: int

    def __str__(self) -> str:
        return (
            f"{self.cycles:6,} cycles: {self.tasks} tasks, {self.descriptors} descriptors, {self.objects.total():,} objects,"
            f" {self.blocks:,} blocks, {self.resident / 2**20:.1f} MiB"
        )


async def take_census(cycles: int, at_rest: Callable[[], bool]) -> Census:
    """Wait until the process is at rest, collect garbage, and count."""
    async with asyncio.timeout(PATIENCE):
        await _rest(at_rest)
        gc.collect()
        await _rest(at_rest)
    objects: Counter[str] = Counter()
    for thing in gc.get_objects():
        kind = type(thing)
        if isinstance(thing, type | ModuleType) or not kind.__module__.startswith(COUNTED):
            continue
        objects[f"{kind.__module__}.{kind.__qualname__}"] += 1
    return Census(cycles, len(asyncio.all_tasks()), _descriptors(), objects, sys.getallocatedblocks(), _resident())


async def repeat(
    cycle: Callable[[int], Awaitable[None]], cycles: int, *, at_rest: Callable[[], bool] = lambda: True
) -> tuple[Census, Census]:
    """Run *cycle* many times; return what was alive after the first third, the warm-up, and at the end.

    Args:
        cycle: is given its number.
        cycles: how many.
        at_rest: whether what the cycles leave for a while, such as timers of the server, is gone.
    """
    third = cycles // 3
    taken: list[Census] = []
    async with nothing_unhandled():
        for number in range(1, cycles + 1):
            async with asyncio.timeout(PATIENCE):
                await cycle(number)
            if number in (third, 2 * third, cycles):
                taken.append(await take_census(number, at_rest))
                print(taken[-1])
    return taken[0], taken[-1]


def grown(first: Census, last: Census) -> list[str]:
    """Return what there is more of at the end than the cycles since the first census may have added."""
    cycles = last.cycles - first.cycles
    found = []
    if last.tasks > first.tasks + SLACK:
        found.append(f"tasks: {first.tasks} -> {last.tasks}")
    if last.descriptors > first.descriptors + SLACK:
        found.append(f"descriptors: {first.descriptors} -> {last.descriptors}")
    for name, count in last.objects.items():
        before = first.objects[name]
        if count > before + (TIMERS if name.endswith("Handle") else SLACK):
            found.append(f"{name}: {before} -> {count}")
    if last.blocks > first.blocks + CACHED_BLOCKS + BLOCKS_A_CYCLE * cycles:
        found.append(f"memory blocks: {first.blocks:,} -> {last.blocks:,}")
    if last.resident > first.resident + RESIDENT:
        found.append(f"resident memory: {first.resident:,} -> {last.resident:,} bytes")
    return found


async def _rest(at_rest: Callable[[], bool]) -> None:
    """Wait until nothing has changed for a few turns of the event loop."""
    before, quiet = (-1, -1), 0
    while quiet < SETTLED:
        await asyncio.sleep(0)
        now = len(asyncio.all_tasks()), _descriptors()
        quiet = quiet + 1 if now == before and at_rest() else 0
        before = now


def _descriptors() -> int:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0

"""Runs the workloads on both sides in turn and keeps what each round took."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final, TypeVar

from benchmarks.raw import raw_client
from benchmarks.workloads import Workload
from signalr_client import HubConnection, HubConnectionBuilder, HubProtocol, JsonHubProtocol, MessagePackHubProtocol

__all__ = ["HUB", "PROTOCOLS", "Figures", "Outcome", "connection", "measure"]

HUB: Final = "/testhub"
PROTOCOLS: Final = ("json", "messagepack")

ClientT = TypeVar("ClientT")


@dataclass(slots=True)
class Figures:
    """The rounds of one side: microseconds of this process's CPU time for one operation, and operations in a second."""

    cpu_us: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Median of the CPU time."""
        return median(self.cpu_us)

    @property
    def least(self) -> float:
        """The CPU time of the round that was disturbed least."""
        return min(self.cpu_us)

    @property
    def rate(self) -> float:
        """Median of the operations in a second."""
        return median(self.per_second)


@dataclass(slots=True)
class Outcome:
    """A workload over one protocol, measured on both sides."""

    workload: Workload
    protocol: str
    operations: int
    ours: Figures = field(default_factory=Figures)
    raw: Figures = field(default_factory=Figures)

    @property
    def ratio(self) -> float:
        """How many times the CPU time of the loop written by hand the client takes, by their medians."""
        return self.ours.cpu / self.raw.cpu

    @property
    def least_ratio(self) -> float:
        """The same by the least disturbed rounds."""
        return self.ours.least / self.raw.least


def connection(protocol: str, url: str) -> HubConnection:
    """Return a client of *protocol*, "json" or "messagepack", not connected yet."""
    chosen: HubProtocol = JsonHubProtocol() if protocol == "json" else MessagePackHubProtocol()
    return HubConnectionBuilder().with_url(url).with_hub_protocol(chosen).build()


async def measure(
    base_url: str, protocols: Sequence[str], workloads: Sequence[Workload], *, scale: float, rounds: int
) -> AsyncIterator[Outcome]:
    """Measure each workload over each protocol: a round of each side to warm up, then *rounds* of each in turn."""
    url = base_url.rstrip("/") + HUB
    for protocol in protocols:
        async with connection(protocol, url) as ours, raw_client(protocol, url) as raw:
            for workload in workloads:
                outcome = Outcome(workload, protocol, max(1, int(workload.operations * scale)))
                for number in range(rounds + 1):
                    warm_up = number == 0
                    await _round(workload.ours, ours, outcome.operations, None if warm_up else outcome.ours)
                    await _round(workload.raw, raw, outcome.operations, None if warm_up else outcome.raw)
                yield outcome


async def _round(work: Callable[[ClientT, int], Awaitable[None]], client: ClientT, count: int, figures: Figures | None) -> None:
    gc.collect()  # so that nobody pays for the garbage of the side before
    wall, cpu = time.perf_counter(), time.process_time()
    await work(client, count)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if figures is not None:
        figures.cpu_us.append(cpu / count * 1e6)
        figures.per_second.append(count / wall)

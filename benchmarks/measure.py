"""Run the workloads on both clients in turn and record the results of each round."""

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

__all__ = ["HUB", "PROTOCOLS", "Figures", "Outcome", "builder", "connection", "measure", "run_round"]

HUB: Final = "/testhub"
PROTOCOLS: Final = ("json", "messagepack")

ClientT = TypeVar("ClientT")


@dataclass(slots=True)
class Figures:
    """The rounds of one client: CPU time of this process in microseconds per operation, and operations per second."""

    cpu_us: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """Median CPU time per operation."""
        return median(self.cpu_us)

    @property
    def least(self) -> float:
        """CPU time per operation in the fastest round, which was disturbed least."""
        return min(self.cpu_us)

    @property
    def rate(self) -> float:
        """Median number of operations per second."""
        return median(self.per_second)


@dataclass(slots=True)
class Outcome:
    """The results of a workload over one hub protocol, for both clients."""

    workload: Workload
    protocol: str
    operations: int
    ours: Figures = field(default_factory=Figures)
    raw: Figures = field(default_factory=Figures)

    @property
    def ratio(self) -> float:
        """Ratio of the client's median CPU time to that of the handwritten client."""
        return self.ours.cpu / self.raw.cpu

    @property
    def least_ratio(self) -> float:
        """Ratio of the CPU times in the fastest rounds."""
        return self.ours.least / self.raw.least


def builder(protocol: str, url: str) -> HubConnectionBuilder:
    """Return the builder of a client for *protocol*, "json" or "messagepack"."""
    chosen: HubProtocol = JsonHubProtocol() if protocol == "json" else MessagePackHubProtocol()
    return HubConnectionBuilder().with_url(url).with_hub_protocol(chosen)


def connection(protocol: str, url: str) -> HubConnection:
    """Return an unconnected client for *protocol*, "json" or "messagepack"."""
    return builder(protocol, url).build()


async def measure(
    base_url: str, protocols: Sequence[str], workloads: Sequence[Workload], *, scale: float, rounds: int
) -> AsyncIterator[Outcome]:
    """Measure each workload over each protocol: one warm-up round per client, then *rounds* rounds of each, alternating."""
    url = base_url.rstrip("/") + HUB
    for protocol in protocols:
        async with connection(protocol, url) as ours, raw_client(protocol, url) as raw:
            for workload in workloads:
                outcome = Outcome(workload, protocol, max(1, int(workload.operations * scale)))
                for number in range(rounds + 1):
                    warm_up = number == 0
                    await run_round(workload.ours, ours, outcome.operations, None if warm_up else outcome.ours)
                    await run_round(workload.raw, raw, outcome.operations, None if warm_up else outcome.raw)
                yield outcome


async def run_round(
    work: Callable[[ClientT, int], Awaitable[None]], client: ClientT, count: int, figures: Figures | None
) -> None:
    """Run *work* once, and add what it took to *figures*, if there are any."""
    gc.collect()  # so that the garbage of the previous round is not collected during this one
    wall, cpu = time.perf_counter(), time.process_time()
    await work(client, count)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if figures is not None:
        figures.cpu_us.append(cpu / count * 1e6)
        figures.per_second.append(count / wall)

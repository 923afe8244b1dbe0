"""Measuring: CPU time of this process for each operation, ours and the raw loop's in turns."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

from benchmarks.raw import JsonCodec, MessagePackCodec, RawClient
from benchmarks.workloads import WORKLOADS, Client
from signalr_client import HttpTransportType, HubConnectionBuilder, JsonHubProtocol, MessagePackHubProtocol

PROTOCOLS = {"json": (JsonHubProtocol, JsonCodec), "messagepack": (MessagePackHubProtocol, MessagePackCodec)}


@dataclass(frozen=True)
class Result:
    """One workload over one protocol: CPU microseconds and operations a second, the medians of all rounds."""

    workload: str
    protocol: str
    ours_us: float
    raw_us: float
    ours_per_s: float
    raw_per_s: float

    @property
    def ratio(self) -> float:
        """How many times the raw loop's CPU time ours is."""
        return self.ours_us / self.raw_us

    def as_json(self) -> dict[str, object]:
        """Return everything, the ratio too."""
        return asdict(self) | {"ratio": round(self.ratio, 3)}


@asynccontextmanager
async def ours(url: str, protocol: str) -> AsyncIterator[Client]:
    """Yield a connection of ours."""
    builder = HubConnectionBuilder().with_url(url, transports=HttpTransportType.WEB_SOCKETS)
    async with builder.with_hub_protocol(PROTOCOLS[protocol][0]()).build() as connection:
        yield connection


@asynccontextmanager
async def raw(url: str, protocol: str) -> AsyncIterator[Client]:
    """Yield a connection of the raw loop."""
    async with RawClient(PROTOCOLS[protocol][1]()) as client:
        await client.connect(url)
        yield client


async def once(client: Client, workload: str, scale: float) -> tuple[float, float]:
    """Run one round; return (CPU microseconds an operation, operations a second)."""
    run, count = WORKLOADS[workload]
    count = max(int(count * scale), 1)
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await run(client, count)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu / count * 1e6, count / wall


async def measure(url: str, workload: str, protocol: str, *, rounds: int, scale: float) -> Result:
    """Run *rounds* rounds of each side in turns, after one that does not count."""
    figures: dict[str, list[tuple[float, float]]] = {"ours": [], "raw": []}
    for number in range(rounds + 1):
        for side, connect in (("ours", ours), ("raw", raw)):
            async with connect(url, protocol) as client:
                figure = await once(client, workload, scale if number else scale / 10)
            if number:
                figures[side].append(figure)
    cpu = {side: statistics.median(figure[0] for figure in all_) for side, all_ in figures.items()}
    speed = {side: statistics.median(figure[1] for figure in all_) for side, all_ in figures.items()}
    return Result(workload, protocol, cpu["ours"], cpu["raw"], speed["ours"], speed["raw"])

"""What stateful reconnect costs: the workloads with it and without it. ``python -m benchmarks.stateful``; ``--help`` has the options.

The server is the bundled one with the interop hubs, because the official server holds clients up at 100,000 unacknowledged bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from benchmarks.measure import HUB, PROTOCOLS, Figures, builder, run_round
from benchmarks.workloads import WORKLOADS, Workload
from tests.support.aspnetcore import running

__all__ = ["Comparison", "compare"]

_COLUMNS = "{:<12} {:<28} {:>12} {:>12} {:>7}"


@dataclass(slots=True)
class Comparison:
    """The results of a workload over one hub protocol, without stateful reconnect and with it."""

    workload: Workload
    protocol: str
    plain: Figures = field(default_factory=Figures)
    stateful: Figures = field(default_factory=Figures)

    @property
    def ratio(self) -> float:
        """Ratio of the median throughput with stateful reconnect to that without."""
        return self.stateful.rate / self.plain.rate


async def compare(
    base_url: str, protocols: Sequence[str], workloads: Sequence[Workload], *, scale: float, rounds: int
) -> AsyncIterator[Comparison]:
    """Measure each workload over each protocol: one warm-up round per connection, then *rounds* rounds of each, alternating."""
    url = base_url.rstrip("/") + HUB
    for protocol in protocols:
        stateful = builder(protocol, url).with_stateful_reconnect().build()
        async with builder(protocol, url).build() as plain, stateful:
            for workload in workloads:
                comparison = Comparison(workload, protocol)
                count = max(1, int(workload.operations * scale))
                for number in range(rounds + 1):
                    warm_up = number == 0
                    await run_round(workload.ours, plain, count, None if warm_up else comparison.plain)
                    await run_round(workload.ours, stateful, count, None if warm_up else comparison.stateful)
                yield comparison


async def _print(url: str, options: argparse.Namespace) -> bool:
    """Print a line for each comparison; return whether all of them are above the limit of ``--check``."""
    print(f"Operations a second (median of {options.rounds} rounds)\n")
    print(_COLUMNS.format("protocol", "workload", "without", "with", "ratio"))
    good = True
    async for found in compare(url, PROTOCOLS, WORKLOADS, scale=options.scale, rounds=options.rounds):
        rates = (f"{figures.rate:,.0f}" for figures in (found.plain, found.stateful))
        print(_COLUMNS.format(found.protocol, found.workload.title, *rates, f"{found.ratio:.2f}"), flush=True)
        good = good and found.ratio >= options.check
    return good


def main() -> int:
    """Run the benchmark; return 1 if a ratio is below the limit of ``--check``."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.stateful", description="Compare throughput with and without stateful reconnect."
    )
    parser.add_argument("--url", help="base URL of a server with the interop hubs (default: start the bundled one)")
    parser.add_argument("--scale", type=float, default=1.0, help="factor for the operations per round (default: 1)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds with and without, alternating (default: 7)")
    parser.add_argument("--check", type=float, default=0.0, metavar="RATIO", help="exit with status 1 if a ratio is below this")
    options = parser.parse_args()
    command = [sys.executable, "-m", "tests.interop.server"]
    with nullcontext(options.url) if options.url else running(command) as url:
        return 0 if asyncio.run(_print(url, options)) else 1


if __name__ == "__main__":
    sys.exit(main())

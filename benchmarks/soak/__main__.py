"""The command line: ``scripts/soak`` or ``python -m benchmarks.soak``."""

from __future__ import annotations

import argparse
import asyncio
import platform
import random
import sys

from benchmarks.soak.report import table
from benchmarks.soak.run import Plan, soak
from tests.support.loops import LOOPS


def main() -> int:
    """Run the soak test, print what has happened, and return 1 if it has failed."""
    options = _parser().parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    plan = Plan(
        seconds=options.seconds,
        clients=options.clients,
        seed=seed,
        fault_interval=options.fault_interval,
        patience=options.patience,
        growth=options.growth * 1_000_000,
    )
    print(
        f"seed {seed}: {plan.clients} clients, {plan.seconds:g} s, {options.loop}, Python {platform.python_version()}",
        flush=True,
    )
    with asyncio.Runner(loop_factory=LOOPS[options.loop]) as runner:
        outcome = runner.run(soak(plan))
    tally = outcome.tally
    print(table(tally, seconds=outcome.seconds, cpu=outcome.cpu, memory=outcome.memory, warnings=outcome.warnings))
    if tally.failures:
        first = tally.failures[0].splitlines()[0]
        print(f"verdict: FAILED: {len(tally.failures)} failures (seed {seed}), the first: {first}")
        return 1
    print("verdict: PASSED")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Run many clients against a server through a network that misbehaves, and check every result.",
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60); ending takes up to a minute more")
    parser.add_argument("--clients", type=int, default=200, help="number of clients (default: 200)")
    parser.add_argument("--seed", type=int, help="for everything random (default: a new one, which is printed)")
    parser.add_argument("--loop", choices=sorted(LOOPS), default="asyncio", help="event loop (eager: Python 3.12)")
    parser.add_argument(
        "--fault-interval",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="mean time between two faults of one proxy (default: 3)",
    )
    parser.add_argument(
        "--patience", type=float, default=60.0, metavar="SECONDS", help="after which an operation has hung (default: 60)"
    )
    parser.add_argument(
        "--growth",
        type=int,
        default=50,
        metavar="MB",
        help="by which the memory may grow between first and last third (default: 50)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

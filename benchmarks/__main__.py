"""The command line: ``scripts/bench`` or ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import aiohttp
import msgspec
import pytest

from benchmarks.measure import PROTOCOLS, Figures, Outcome, measure
from benchmarks.workloads import WORKLOADS
from tests.support.aspnetcore import aspnetcore_server

_COLUMNS = "{:<12} {:<28} {:>9} {:>9} {:>7} {:>7} {:>12} {:>12}"


def main() -> int:
    """Run the benchmarks, print the results, and return 1 if a ratio exceeds the limit of ``--check``."""
    options = _parser().parse_args()
    try:
        with nullcontext(options.url) if options.url else aspnetcore_server() as url:
            outcomes = asyncio.run(_run(url, options))
    except pytest.skip.Exception as exc:
        print(f"{exc}, or pass the URL of a running server with --url.", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(_report(outcomes, options), indent=2) + "\n")
    slow = [outcome for outcome in outcomes if options.check is not None and outcome.ratio > options.check]
    for outcome in slow:
        print(f"{outcome.protocol} {outcome.workload.name}: {outcome.ratio:.2f} is above {options.check:g}", file=sys.stderr)
    return 1 if slow else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Compare the client with a minimal handwritten WebSocket client, both connected to an ASP.NET Core server.",
    )
    parser.add_argument("--url", help="base URL of a running interop-server (default: start one)")
    parser.add_argument(
        "--only",
        action="append",
        choices=[work.name for work in WORKLOADS],
        help="a workload to run; repeatable (default: all)",
    )
    parser.add_argument("--protocol", action="append", choices=PROTOCOLS, help="a hub protocol; repeatable (default: both)")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="factor for the operations per round (default: 1, which is 3,000 to 50,000)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds per client, alternating (default: 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results of every round to this file")
    parser.add_argument("--check", type=float, metavar="RATIO", help="exit with status 1 if a ratio of medians exceeds this")
    return parser


async def _run(url: str, options: argparse.Namespace) -> list[Outcome]:
    workloads = [work for work in WORKLOADS if not options.only or work.name in options.only]
    print(f"CPU microseconds per operation (median of {options.rounds} rounds); least: ratio of the fastest rounds\n")
    print(_COLUMNS.format("protocol", "workload", "ours", "raw", "ratio", "least", "ours ops/s", "raw ops/s"))
    outcomes = []
    async for outcome in measure(url, options.protocol or PROTOCOLS, workloads, scale=options.scale, rounds=options.rounds):
        outcomes.append(outcome)
        print(_line(outcome), flush=True)
    return outcomes


def _line(outcome: Outcome) -> str:
    ours, raw = outcome.ours, outcome.raw
    return _COLUMNS.format(
        outcome.protocol,
        outcome.workload.title,
        f"{ours.cpu:.2f}",
        f"{raw.cpu:.2f}",
        f"{outcome.ratio:.2f}",
        f"{outcome.least_ratio:.2f}",
        f"{ours.rate:,.0f}",
        f"{raw.rate:,.0f}",
    )


def _report(outcomes: Sequence[Outcome], options: argparse.Namespace) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "aiohttp": aiohttp.__version__,
        "msgspec": msgspec.__version__,
        "scale": options.scale,
        "rounds": options.rounds,
        "results": [
            {
                "protocol": outcome.protocol,
                "workload": outcome.workload.name,
                "operations": outcome.operations,
                "ratio": round(outcome.ratio, 3),
                "least_ratio": round(outcome.least_ratio, 3),
                "ours": _figures(outcome.ours),
                "raw": _figures(outcome.raw),
            }
            for outcome in outcomes
        ],
    }


def _figures(figures: Figures) -> dict[str, object]:
    return {
        "cpu_us_per_op": round(figures.cpu, 3),
        "ops_per_s": round(figures.rate, 1),
        "rounds_cpu_us": [round(value, 3) for value in figures.cpu_us],
        "rounds_ops_per_s": [round(value, 1) for value in figures.per_second],
    }


if __name__ == "__main__":
    sys.exit(main())

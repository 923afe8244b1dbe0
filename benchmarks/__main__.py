"""Run the benchmarks: ``scripts/bench [--only WORKLOAD] [--protocol NAME] [--check RATIO] [--json FILE]``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import PROTOCOLS, Result, measure
from benchmarks.workloads import WORKLOADS
from tests.support.aspnetcore import aspnetcore_server

TITLE = f"{'workload':<12}{'protocol':<13}{'ours':>10}{'raw loop':>10}{'ratio':>7}{'ours':>12}{'raw loop':>12}"


async def run(url: str, arguments: argparse.Namespace) -> list[Result]:
    """Measure what was asked for, and print each line as it comes."""
    results = []
    print(f"{'':<25}{'CPU us an operation':>20}{'':>7}{'operations a second':>24}")
    print(TITLE)
    for workload in arguments.only or WORKLOADS:
        for protocol in arguments.protocol or PROTOCOLS:
            result = await measure(url, workload, protocol, rounds=arguments.rounds, scale=arguments.scale)
            results.append(result)
            print(
                f"{workload:<12}{protocol:<13}{result.ours_us:>10.1f}{result.raw_us:>10.1f}{result.ratio:>7.2f}"
                f"{result.ours_per_s:>12,.0f}{result.raw_per_s:>12,.0f}",
                flush=True,
            )
    return results


def main() -> None:
    """Read the arguments, find a server, measure."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="CPU time of a call, beside a raw aiohttp loop's.")
    parser.add_argument("--url", help="a hub with the methods of the ASP.NET Core test server; without it one is started")
    parser.add_argument("--only", action="append", choices=list(WORKLOADS), help="this workload; may be repeated")
    parser.add_argument("--protocol", action="append", choices=list(PROTOCOLS), help="this hub protocol; may be repeated")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each side; their median counts")
    parser.add_argument("--scale", type=float, default=1.0, help="operations of a round, as a multiple of the usual number")
    parser.add_argument("--check", type=float, metavar="RATIO", help="fail when a ratio is above this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    arguments = parser.parse_args()
    print(
        f"Python {platform.python_version()}, aiohttp {version('aiohttp')}, msgspec {version('msgspec')}, {platform.system()}"
    )
    server = contextlib.nullcontext(arguments.url) if arguments.url else aspnetcore_server()
    with server as url:
        results = asyncio.run(run(url if arguments.url else f"{url}/testhub", arguments))
    if arguments.json:
        arguments.json.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
    slow = [result for result in results if arguments.check and result.ratio > arguments.check]
    if slow:
        sys.exit("above the limit: " + ", ".join(f"{r.workload} over {r.protocol} ({r.ratio:.2f})" for r in slow))


if __name__ == "__main__":
    main()

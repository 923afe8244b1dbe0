"""Runs the scenarios of the official clients, which are programs of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


async def run(*command: str) -> tuple[int | None, str]:
    """Return the exit code of a program and what it printed."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()


async def check_hubs(url: str, *command: str, hubs: Sequence[str], options: Sequence[str]) -> None:
    """Run the scenarios of each hub, all hubs side by side; fail with every line that does not say ok."""
    outcomes = await asyncio.gather(*(run(*command, f"{url}/{hub}", *options) for hub in hubs))
    for hub, (code, output) in zip(hubs, outcomes, strict=True):
        lines = output.splitlines()
        assert code == 0, f"/{hub}: {[line for line in lines if not line.startswith('ok ')]}"
        assert lines[-1].endswith(" passed, 0 failed"), f"/{hub}: {lines[-1]}"

"""Run the scenarios of the official clients, which are separate programs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence


async def run(*command: str) -> tuple[int | None, str]:
    """Run a program and return its exit code and output."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, output.decode()


async def check_hubs(url: str, *command: str, hubs: Sequence[str], options: Sequence[str]) -> None:
    """Run the scenarios of each hub concurrently; on failure, show every line that does not begin with "ok"."""
    outcomes = await asyncio.gather(*(run(*command, f"{url}/{hub}", *options) for hub in hubs))
    for hub, (code, output) in zip(hubs, outcomes, strict=True):
        lines = output.splitlines()
        assert code == 0, f"/{hub}: {[line for line in lines if not line.startswith('ok ')]}"
        assert lines[-1].endswith(" passed, 0 failed"), f"/{hub}: {lines[-1]}"

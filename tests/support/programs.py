"""Programs that a test runs as a user would, in processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

__all__ = ["ROOT", "Program", "python", "serving_hub"]

ROOT = Path(__file__).parents[2]

PATIENCE = 60.0
"""Seconds to wait for a line or for the end of a program."""


class Program:
    """A running program. Its standard output and standard error are one stream of lines."""

    def __init__(self, name: str, process: Process) -> None:
        self._name = name
        self._process = process
        self._lines: list[str] = []

    @property
    def output(self) -> str:
        """What has been read of its output so far."""
        return "\n".join(self._lines)

    async def line(self) -> str | None:
        """Return the next line of its output, or None at the end."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            return None
        self._lines.append(line.decode().rstrip("\r\n"))
        return self._lines[-1]

    async def expect(self, text: str) -> str:
        """Read on to a line that contains *text*; return what follows it there."""
        while (line := await self.line()) is not None:
            if text in line:
                return line.partition(text)[2]
        raise AssertionError(f"{self._name} ended and did not print {text!r}:\n{self.output}")

    async def write(self, text: str) -> None:
        """Write to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        await self._process.stdin.drain()

    async def end_input(self) -> None:
        """Close its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.stdin.wait_closed()

    def interrupt(self) -> None:
        """Do what Ctrl+C does."""
        self._process.send_signal(signal.SIGINT)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    async def end(self) -> int:
        """Read the rest of its output; return its exit status."""
        while await self.line() is not None:
            pass
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()

    async def abandon(self) -> None:
        """Kill it if it still runs."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()


@asynccontextmanager
async def python(
    *arguments: str | Path, stdin: int | IO[bytes] = PIPE, cwd: Path = ROOT, **variables: str
) -> AsyncIterator[Program]:
    """Run Python with these arguments during the block, with the package of this checkout and warnings as errors."""
    # not -X dev: on a busy machine asyncio's debug mode reports slow callbacks
    command = [sys.executable, "-W", "error", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **variables}
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, env=environment, stdin=stdin, stdout=PIPE, stderr=STDOUT)
    program = Program(" ".join(map(str, arguments)), process)
    try:
        yield program
    finally:
        await program.abandon()


@asynccontextmanager
async def serving_hub(name: str) -> AsyncIterator[str]:
    """Run ``signalr serve`` during the block for the hub that *name* means (``module:Class``); yield its URL."""
    async with python("-m", "signalr_client", "serve", name, "--port", "0") as server:
        yield await server.expect("listening on ")
        server.interrupt()
        assert await server.end() == 0, server.output

"""Each example runs in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.interop


async def chat(url: str, name: str) -> Process:
    """Start the chat example and wait until it is connected."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "examples/chat.py", url, name, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).decode() == f"* connected to {url} as {name}\n"
    return process


async def test_two_chat_processes_exchange_messages(aspnetcore_url: str) -> None:
    """Both show each message; the program exits with status 0 at the end of its input."""
    async with asyncio.timeout(30):
        anna = await chat(f"{aspnetcore_url}/typedhub", "Anna")
        bob = await chat(f"{aspnetcore_url}/typedhub", "Bob")
        assert anna.stdin and anna.stdout and bob.stdin and bob.stdout
        anna.stdin.write(b"hello Bob\n")
        assert await anna.stdout.readline() == await bob.stdout.readline() == b"Anna: hello Bob\n"
        bob.stdin.write("héllo Anna ✓\n".encode())
        assert await anna.stdout.readline() == await bob.stdout.readline() == "Bob: héllo Anna ✓\n".encode()
        for process in (anna, bob):
            assert process.stdin is not None
            process.stdin.close()
            await process.stdin.wait_closed()
            assert await process.wait() == 0

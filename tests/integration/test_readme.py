"""The programs in README.md and docs/quickstart.md run as they stand; only the port differs."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


async def run(*arguments: str, cwd: Path) -> Process:
    """Start Python with *arguments*."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=cwd, env=environment, stdout=PIPE)


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
async def test_the_client_of_a_page_works_with_its_hub(tmp_path: Path, page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    hub, client = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    [file] = re.findall(r"Save this as `(chat.py)`", text)
    [command] = re.findall(r"signalr (serve chat:ChatHub .*?)[`\n]", text)
    (tmp_path / file).write_text(hub)
    async with asyncio.timeout(60):
        server = await run("-m", "signalr_client", *command.split(), "--port", "0", cwd=tmp_path)
        try:
            assert server.stdout
            url = (await server.stdout.readline()).decode().removeprefix("listening on ").strip()
            (tmp_path / "client.py").write_text(client.replace("http://127.0.0.1:5000/chathub", url))
            assert url in (tmp_path / "client.py").read_text()
            program = await run("client.py", cwd=tmp_path)
            output, _ = await program.communicate()
        finally:
            server.terminate()
            await server.communicate()
    assert program.returncode == 0
    assert output.decode().split("\n") == ["Anna: hello", "0", "1", "2", ""]

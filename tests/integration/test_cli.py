"""The command line: each command runs in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from pathlib import Path

import aiohttp
import pytest

from signalr_client import HubConnectionBuilder, __version__
from signalr_client.cli.main import main
from signalr_client.cli.serve import load_hub

ROOT = Path(__file__).parents[2]


async def signalr(*arguments: str, cwd: Path = ROOT) -> Process:
    """Start ``python -m signalr_client``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # not -X dev: on a busy machine asyncio's debug mode reports slow callbacks
    command = [sys.executable, "-W", "error", "-m", "signalr_client", *arguments]
    return await asyncio.create_subprocess_exec(*command, cwd=cwd, env=environment, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)


async def test_demo_runs_all_steps_and_exits_with_zero() -> None:
    """The output has the ten steps and no log lines."""
    process = await signalr("demo")
    output, _ = await process.communicate()
    lines = output.decode().splitlines()
    assert process.returncode == 0, output.decode()
    assert [line.split(".")[0] for line in lines if line[0].isdigit()] == [str(number) for number in range(1, 11)]
    for wanted in (
        "Add(40, 2)",
        "result: 42",
        "Anna says 'hello, everybody'",
        "Bob, and you asked",
        "[0, 1, 2, 3, 4]",
        ": 16.",
    ):
        assert wanted in output.decode()
    assert "is connected again; her connection id is a new one" in output.decode()
    assert not [line for line in lines if line.startswith(("!", "="))]


async def test_the_version_is_printed() -> None:
    process = await signalr("--version")
    output, _ = await process.communicate()
    assert output.decode().split() == ["signalr-sdk", __version__]
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals for this")
async def test_the_demo_offers_a_chat_page_on_a_terminal() -> None:
    """It is served until Ctrl+C, which ends the demo with status 0."""
    terminal, program_side = os.openpty()
    output = asyncio.StreamReader()
    with os.fdopen(terminal, "rb", buffering=0) as master:
        reading, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(output), master)
        command = [sys.executable, "-m", "signalr_client", "demo"]
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=program_side, stdout=program_side)
        os.close(program_side)
        line = b""
        while b"A chat page is at " not in line:
            line = await output.readline()
        url = line.decode().partition("A chat page is at ")[2].split()[0]
        async with aiohttp.ClientSession() as session:
            for path, text in (
                ("", 'src="signalr.min.js"'),
                ("chat.js", "/chathub"),
                ("signalr.min.js", "HubConnectionBuilder"),
            ):
                async with session.get(url + path) as response:
                    assert response.status == 200
                    assert text in await response.text()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        reading.close()


async def test_serve_runs_the_demo_hub_until_sigterm() -> None:
    """It prints the URL, and exits with status 0."""
    process = await signalr("serve", "--port", "0")
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("listening on http://127.0.0.1:")
    url = line.removeprefix("listening on ").strip()
    assert url.endswith("/demohub")
    connection = HubConnectionBuilder().with_url(url).build()
    await connection.start()
    assert await connection.invoke("Add", 1, 2) == 3
    process.send_signal(signal.SIGTERM)
    await connection.wait_closed()
    await connection.stop()
    output, _ = await process.communicate()
    assert (process.returncode, output) == (0, b"")


async def test_serve_runs_a_hub_from_a_module(tmp_path: Path) -> None:
    """The module is found in the current folder."""
    hub = "from signalr_client.server import Hub\nclass MyHub(Hub):\n    def hello(self) -> str:\n        return 'hello'\n"
    (tmp_path / "my_hubs.py").write_text(hub)
    process = await signalr("serve", "my_hubs:MyHub", "--port", "0", cwd=tmp_path)
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().removeprefix("listening on ").strip()
    assert url.endswith("/myhub")
    async with HubConnectionBuilder().with_url(url).build() as connection:
        assert await connection.invoke("Hello") == "hello"
    process.send_signal(signal.SIGINT)
    assert await process.wait() == 0
    await process.communicate()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ChatHub", "named as module:Class"),
        ("no_such_module:ChatHub", "There is no module 'no_such_module'"),
        ("signalr_client.types:Headers", "'Headers' of 'signalr_client.types' is not a class that derives from Hub"),
    ],
)
def test_serve_rejects_a_hub_that_cannot_be_loaded(name: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message says what is wrong with the argument."""
    with pytest.raises(ValueError, match=text):
        load_hub(name)
    with pytest.raises(SystemExit) as caught:
        main(["serve", name])
    assert caught.value.code == 2
    assert "signalr: " in capsys.readouterr().err

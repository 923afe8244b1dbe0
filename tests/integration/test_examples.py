"""Each example runs in a process of its own, against a real server."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

import pytest

from examples.background_service.hub import JobHub
from examples.iot_device.server import OPTIONS, DeviceHub, Reading, Store
from examples.ticker.hub import TickerHub
from signalr_client import HubConnectionBuilder
from signalr_client.server import Hub, HubException, HubServer, ServiceCollection
from signalr_client.testing import Direction, FaultProxy
from tests.support.nginx import reserved_port
from tests.support.programs import ROOT, Program, python, serving_hub

EXAMPLES = ROOT / "examples"
PROGRAMS = sorted(path for path in EXAMPLES.rglob("*.py") if "argparse" in path.read_text())


class ChatHub(Hub):
    """The hub that the console chat needs."""

    async def SendMessage(self, user: str, message: str) -> None:
        await self.clients.all.send("ReceiveMessage", user, message)


@asynccontextmanager
async def chat(url: str, name: str, *, stdin: int | IO[bytes] = PIPE) -> AsyncIterator[Program]:
    """Run the console chat; it is connected when the block begins."""
    async with python("examples/chat.py", url, name, stdin=stdin) as program:
        assert await program.line() == f"* connected to {url} as {name}"
        yield program


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(EXAMPLES)))
async def test_each_program_explains_its_arguments(path: Path) -> None:
    """``--help`` exits with 0, and wrong arguments with 2, without a traceback."""
    async with python(path, "--help") as program:
        assert await program.end() == 0
        assert "usage: " in program.output
    async with python(path, "--no-such-option") as program:
        assert await program.end() == 2
        assert "Traceback" not in program.output


@pytest.mark.interop
async def test_two_chat_processes_exchange_messages(aspnetcore_url: str) -> None:
    """Both show each message, and exit with status 0 at the end of their input; the server is ASP.NET Core."""
    url = f"{aspnetcore_url}/typedhub"
    async with chat(url, "Anna") as anna, chat(url, "Bob") as bob:
        await anna.write("hello Bob\n")
        assert await anna.line() == await bob.line() == "Anna: hello Bob"
        await bob.write("héllo Anna ✓\n")
        assert await anna.line() == await bob.line() == "Bob: héllo Anna ✓"
        for program in (anna, bob):
            await program.end_input()
            assert await program.end() == 0


async def test_the_chat_reads_a_file(tmp_path: Path) -> None:
    """A last line without a newline counts, too."""
    path = tmp_path / "lines.txt"
    path.write_text("one\ntwo\r\nthree", newline="")
    async with HubServer({"/chathub": ChatHub}) as server:
        with path.open("rb") as file:
            async with chat(server.url("/chathub"), "Anna", stdin=file) as program:
                assert await program.end() == 0
    assert program.output.splitlines()[1:] == ["Anna: one", "Anna: two", "Anna: three"]


async def test_the_chat_ends_at_once_without_input() -> None:
    async with HubServer({"/chathub": ChatHub}) as server, chat(server.url("/chathub"), "Anna", stdin=DEVNULL) as program:
        assert await program.end() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals for this")
async def test_the_chat_reads_a_terminal() -> None:
    """Ctrl+D ends the program, and Ctrl+C ends it quietly while it waits for a line."""
    terminal, slave = os.openpty()
    try:
        with os.fdopen(slave, "rb") as stdin:
            async with HubServer({"/chathub": ChatHub}) as server:
                url = server.url("/chathub")
                async with chat(url, "Anna", stdin=stdin) as program:
                    os.write(terminal, b"hello\n")
                    assert await program.line() == "Anna: hello"
                    os.write(terminal, b"\x04")
                    assert await program.end() == 0
                async with chat(url, "Bob", stdin=stdin) as program:
                    program.interrupt()
                    assert await program.end() == 130
                    assert program.output == f"* connected to {url} as Bob"
    finally:
        os.close(terminal)


async def test_what_is_typed_while_the_connection_is_lost_is_sent_afterwards() -> None:
    async with (
        HubServer({"/chathub": ChatHub}) as server,
        FaultProxy(server.url("/chathub")) as proxy,
        chat(proxy.url, "Anna") as program,
    ):
        with proxy.refusing():
            proxy.cut()
            await program.expect("* connection lost, reconnecting")
            await program.write("still here\n")
        await program.expect("* reconnected")
        assert await program.line() == "Anna: still here"
        await program.end_input()
        assert await program.end() == 0


async def test_the_chat_says_why_it_cannot_connect() -> None:
    with reserved_port() as port:
        async with python("examples/chat.py", f"http://127.0.0.1:{port}/chathub", "Anna") as program:
            assert await program.end() == 1
    assert program.output.startswith("* ")
    assert len(program.output.splitlines()) == 1


async def test_the_dashboard_shows_the_last_prices() -> None:
    async with serving_hub("examples.ticker.hub:TickerHub") as url:
        options = ("--interval", "0.001", "--count", "50")
        async with python("examples/ticker/dashboard.py", url, "ACME", "GLOBEX", *options) as program:
            assert await program.end() == 0
        assert "Ticker: 50 quotes" in program.output
        rows = [line.split("│")[1].strip() for line in program.output.splitlines() if line.startswith("│")]
        assert rows == ["ACME", "GLOBEX"]
        async with python("examples/ticker/dashboard.py", url, "ACME", "--interval", "1e-9") as program:
            assert await program.end() == 1
            assert "Ask for at least one symbol, and an interval of 0.001 to 60 seconds." in program.output


async def test_the_dashboard_opens_its_stream_again_after_a_reconnect() -> None:
    async with HubServer({"/tickerhub": TickerHub}) as server, FaultProxy(server.url("/tickerhub")) as proxy:
        first = proxy.cut_after(4_000, Direction.TO_CLIENT)
        options = ("--interval", "0.001", "--count", "200")
        async with python("examples/ticker/dashboard.py", proxy.url, "ACME", *options) as program:
            await first.wait()
            assert await program.end() == 0, program.output
        assert "Ticker: 200 quotes" in program.output
        assert proxy.count("cut") == 1


async def test_ctrl_c_ends_the_dashboard_and_its_stream() -> None:
    streaming, ended = asyncio.Event(), asyncio.Event()

    class SlowTicker(Hub):
        async def quotes(self, symbols: list[str], interval: float) -> AsyncIterator[int]:
            streaming.set()
            try:
                await asyncio.Event().wait()
                yield 1
            finally:
                ended.set()

    async with (
        HubServer({"/tickerhub": SlowTicker}) as server,
        python("examples/ticker/dashboard.py", server.url("/tickerhub"), "ACME") as program,
    ):
        await streaming.wait()
        program.interrupt()
        assert await program.end() == 130
        await ended.wait()
    assert "Traceback" not in program.output


async def test_a_file_is_uploaded_and_its_checksum_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "picture.raw"
    path.write_bytes(os.urandom(1_000_000))
    async with serving_hub("examples.upload.hub:UploadHub") as url:
        async with python("examples/upload/upload.py", url, path) as program:
            assert await program.end() == 0, program.output
        assert program.output.splitlines()[-1] == f"sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
        assert "1.0/1.0 MB" in program.output
        path.write_bytes(b"")
        async with python("examples/upload/upload.py", url, path) as program:
            assert await program.end() == 0, program.output
        async with python("examples/upload/upload.py", url, tmp_path / "missing") as program:
            assert await program.end() == 1
        assert "No such file" in program.output
        assert "Traceback" not in program.output


async def test_an_upload_that_is_cut_off_fails(tmp_path: Path) -> None:
    """It ends with status 1, and the message says that the connection was lost."""
    path = tmp_path / "picture.raw"
    path.write_bytes(os.urandom(1_000_000))
    async with serving_hub("examples.upload.hub:UploadHub") as url, FaultProxy(url) as proxy:
        cut = proxy.cut_after(300_000, Direction.TO_SERVER)
        async with python("examples/upload/upload.py", proxy.url, path) as program:
            await cut.wait()
            assert await program.end() == 1
    assert program.output.splitlines()[-1].startswith("upload: ")
    assert "Traceback" not in program.output


async def test_every_agent_is_asked() -> None:
    """One answer for each agent, in the order in which they come; an agent that cannot answer is reported."""
    async with serving_hub("examples.client_results.hub:FleetHub") as url, AsyncExitStack() as stack:
        agents = [
            await stack.enter_async_context(python("examples/client_results/agent.py", url, name))
            for name in ("anvil", "bellows")
        ]
        for agent in agents:
            await agent.expect("is connected to")
        async with python("examples/client_results/ask.py", url, "python") as program:
            assert await program.end() == 0
        version = ".".join(map(str, sys.version_info[:3]))
        assert sorted(program.output.splitlines()) == [f"anvil: {version}", f"bellows: {version}"]
        async with python("examples/client_results/ask.py", url, "weather") as program:
            assert await program.end() == 1
        assert program.output.count("I know about system, python, processors, disk, but not about 'weather'.") == 2
        agents[0].interrupt()
        assert await agents[0].end() == 130
        async with python("examples/client_results/ask.py", url, "processors") as program:
            assert await program.end() == 0
        assert program.output == f"bellows: {os.cpu_count()}"


class WatchedStore(Store):
    """Counts what comes in; can keep the device from learning that a report has arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.duplicates = 0
        self.silent = False
        self.withheld = asyncio.Event()

    def add(self, device: str, reading: Reading) -> bool:
        new = super().add(device, reading)
        self.duplicates += not new
        return new


class WatchedHub(DeviceHub):
    """The hub of the example with that store."""

    def __init__(self, store: WatchedStore) -> None:
        super().__init__(store)
        self.watched = store

    async def report(self, device: str, readings: list[Reading]) -> None:
        await super().report(device, readings)
        if self.watched.silent:
            self.watched.withheld.set()
            await self.context.connection_aborted.wait()


async def test_the_device_loses_no_reading() -> None:
    """The network is cut, and the server restarted before it confirms a report; every reading arrives, and is kept once."""
    store = WatchedStore()
    services = ServiceCollection().add_singleton(WatchedStore, store)
    async with (
        HubServer({"/devices": WatchedHub}, options=OPTIONS, services=services) as first,
        FaultProxy(url := first.url("/devices")) as proxy,
    ):
        arguments = ("cellar", "--interval", "0.005", "--count", "300")
        async with python("examples/iot_device/device.py", proxy.url, *arguments) as device:
            await device.expect("cellar: connected")
            await first.hub_context(WatchedHub).clients.group("cellar").send("SetInterval", 0.001)
            await device.expect("cellar: measuring every 0.01 s")
            for _ in range(3):
                await proxy.cut_after(500).wait()
                await device.expect("cellar: resumed")
            store.silent = True
            await store.withheld.wait()
            await first.stop()
            store.silent = False
            port = int(url.rpartition(":")[2].partition("/")[0])
            async with HubServer({"/devices": WatchedHub}, options=OPTIONS, services=services, port=port):
                await device.expect("cellar: connected")
                assert await device.end() == 0, device.output
    assert device.output.endswith("cellar: all readings are confirmed")
    assert "readings again" in device.output
    assert len(store.readings["cellar"]) == 300
    assert store.duplicates > 0


async def test_the_device_copes_with_the_bad_network() -> None:
    """The three programs of the example together."""
    async with python("examples/iot_device/server.py", "--port", "0") as server:
        url = await server.expect("listening on ")
        async with python("examples/iot_device/bad_network.py", url, "--every", "0.1") as network:
            bad_url = await network.expect("listening on ")
            arguments = ("attic", "--interval", "0.01", "--count", "100")
            async with python("examples/iot_device/device.py", bad_url, *arguments) as device:
                assert await device.end() == 0, device.output
            network.interrupt()
            assert await network.end() == 130
        server.interrupt()
        assert await server.end() == 130
    assert server.output.count(" attic ") == 100
    assert any(fault in network.output for fault in ("cut", "reset", "stall", "refuse"))


@asynccontextmanager
async def service(url: str) -> AsyncIterator[Program]:
    """Run the background service."""
    async with python("examples/background_service/service.py", url) as program:
        yield program


async def test_the_service_waits_for_its_server_and_works() -> None:
    """It starts before its server does, survives a lost connection, and ends in good order on SIGTERM."""
    async with HubServer({"/jobhub": JobHub}) as server, FaultProxy(server.url("/jobhub")) as proxy:
        proxy.refuse()
        async with service(proxy.url) as worker, HubConnectionBuilder().with_url(server.url("/jobhub")).build() as client:
            await proxy.wait_event("refused")
            proxy.accept()
            await worker.expect("INFO service: connected")
            assert await client.invoke("CountWords", "to be or not to be", result_type=int) == 6
            proxy.cut()
            await worker.expect("INFO service: connected")
            assert await client.invoke("CountWords", "that is the question", result_type=int) == 4
            worker.terminate()
            assert await worker.end() == 0, worker.output
    assert "WARNING service: connection lost: " in worker.output
    assert worker.output.endswith("INFO service: ended")


async def test_the_service_can_be_stopped_while_there_is_no_server() -> None:
    async with HubServer({"/jobhub": JobHub}) as server, FaultProxy(server.url("/jobhub")) as proxy:
        proxy.refuse()
        async with service(proxy.url) as worker:
            await proxy.wait_event("refused")
            worker.terminate()
            assert await worker.end() == 0, worker.output


async def test_the_service_ends_when_the_server_says_so() -> None:
    """With status 0 if it was retired, and with 1 if the server refuses the connection."""
    async with HubServer({"/jobhub": JobHub}) as server, service(server.url("/jobhub")) as worker:
        await worker.expect("INFO service: connected")
        async with HubConnectionBuilder().with_url(server.url("/jobhub")).build() as client:
            await client.invoke("RetireWorkers")
        assert await worker.end() == 0, worker.output

    class ClosedHub(JobHub):
        async def on_connected(self) -> None:
            raise HubException("no more workers")

    async with HubServer({"/jobhub": ClosedHub}) as server, service(server.url("/jobhub")) as worker:
        assert await worker.end() == 1
        assert worker.output.splitlines()[-1].startswith("ERROR service: ")


@pytest.mark.parametrize("mode", ["strict", "auto"])
async def test_the_tests_of_the_application_pass(mode: str) -> None:
    """In both modes of pytest-asyncio."""
    options = ("-p", "no:cacheprovider", "-o", f"asyncio_mode={mode}")
    async with python("-m", "pytest", "-q", *options, "examples/testing_an_app") as program:
        assert await program.end() == 0, program.output
    assert "3 passed" in program.output

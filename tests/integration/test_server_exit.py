"""`KeyboardInterrupt` and `SystemExit` in code of a hub end the program, after the client was answered."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.raw import HANDSHAKE, raw

PROGRAM = """
    import asyncio
    from signalr_client.server import Hub, HubServer

    class Leaving(Hub):
        async def on_connected(self):
            if "refuse" in self.context.get_http_request().query_string:
                raise {exception}

        def leave(self):
            raise {exception}

        async def leave_later(self):
            await asyncio.sleep(0)
            raise {exception}

        async def count_and_leave(self):
            yield 1
            raise {exception}

    async def main():
        async with HubServer({{"/hub": Leaving}}) as server:
            print(server.url("/hub"), flush=True)
            await asyncio.Event().wait()

    asyncio.run(main())
"""
EXITS = {"SystemExit(7)": 7, "KeyboardInterrupt": -signal.SIGINT}


@asynccontextmanager
async def program(exception: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run a server whose hub raises *exception*."""
    source = textwrap.dedent(PROGRAM).format(exception=exception)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            yield (await process.stdout.readline()).decode().strip(), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("exception", EXITS)
@pytest.mark.parametrize("target", ["Leave", "LeaveLater", "CountAndLeave"])
async def test_a_program_ends_after_the_call_was_answered(target: str, exception: str) -> None:
    async with program(exception) as (url, process), raw(url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        kind = 4 if target == "CountAndLeave" else 1
        await socket.send({"type": kind, "invocationId": "1", "target": target, "arguments": []})
        answer = json.loads(await socket.read() or "")
        if kind == 4:
            assert answer == {"type": 2, "invocationId": "1", "item": 1}
            answer = json.loads(await socket.read() or "")
        assert (answer["type"], answer["invocationId"]) == (3, "1")
        assert "An unexpected error occurred invoking" in answer["error"]
        assert await process.wait() == EXITS[exception]


@pytest.mark.parametrize("exception", EXITS)
async def test_a_program_ends_after_the_connection_was_refused(exception: str) -> None:
    async with program(exception) as (url, process), raw(f"{url}?refuse") as hub, hub.socket() as socket:
        await socket.write(HANDSHAKE)
        assert [await socket.read(), await socket.read()] == ["{}", '{"type":7,"error":"Connection closed with an error."}']
        assert await process.wait() == EXITS[exception]

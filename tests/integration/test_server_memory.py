"""What one client can make the server hold, and for how long it can keep the event loop busy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from signalr_client.server import Hub
from tests.support.handmade import frame, frame_header, handmade, settle
from tests.support.hub_server import serving
from tests.support.memory import measure, most_allocated, stop_measuring
from tests.support.raw import raw

MEGABYTE = 1_000_000


class Held(Hub):
    """A hub that a test holds up."""

    open: asyncio.Event
    connecting: asyncio.Event

    async def on_connected(self) -> None:
        await Held.connecting.wait()

    async def wait(self, value: object) -> None:
        await Held.open.wait()

    def same(self, value: object) -> object:
        return value

    def nothing(self) -> None: ...


@pytest.fixture(autouse=True)
def _hold() -> Iterator[None]:
    Held.open, Held.connecting = asyncio.Event(), asyncio.Event()
    Held.connecting.set()
    yield
    stop_measuring()


@pytest.mark.parametrize("held_by", ["a call that runs", "on_connected"])
async def test_calls_that_wait_take_bounded_memory(held_by: str) -> None:
    """Three clients with 256 calls of 32 KB, each of which is 700 KB of objects once it is decoded."""
    if held_by == "on_connected":
        Held.connecting.clear()
    call = b'{"type":1,"target":"Wait","arguments":[[' + b",".join([b"{}"] * 10_000) + b"]]}\x1e"
    assert len(call) < 32_768
    calls = frame(call) * 256
    async with serving(Held, close_timeout=0.1) as serve, AsyncExitStack() as stack, asyncio.timeout(60):
        clients = [await stack.enter_async_context(handmade(serve.url)) for _ in range(3)]
        for client in clients:
            await client.shake_hands()
        measure()
        sending = [asyncio.create_task(client.send(calls)) for client in clients]
        await settle(*clients)
        assert most_allocated() < 20 * MEGABYTE
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)
        Held.connecting.set()
        Held.open.set()


@pytest.mark.parametrize("handshake", ["before the handshake", "after the handshake"])
async def test_unfinished_frames_take_bounded_memory(handshake: str) -> None:
    """40 clients that each announce a frame of 15 MiB and send most of it."""
    size = 15 * 1024 * 1024
    payload = b"x" * (size - 1)
    async with serving(Held, close_timeout=0.1) as serve, AsyncExitStack() as stack, asyncio.timeout(60):
        clients = [await stack.enter_async_context(handmade(serve.url)) for _ in range(40)]
        if handshake == "after the handshake":
            for client in clients:
                await client.shake_hands()
            last = b'{"type":7,"error":"Connection closed with an error.","allowReconnect":true}\x1e'
        else:
            last = b'{"error":"Handshake was canceled."}\x1e'
        measure()
        answers = [asyncio.create_task(client.read_frame()) for client in clients]

        async def send(client: Any) -> None:
            with contextlib.suppress(ConnectionError):  # the server has enough of it
                await client.send(frame_header(size))
                await client.send(payload)

        sending = [asyncio.create_task(send(client)) for client in clients]
        assert await asyncio.gather(*answers) == [last] * 40
        assert most_allocated() < 40 * MEGABYTE
        for task in sending:
            task.cancel()
        await asyncio.wait(sending)


async def test_pings_that_are_not_answered_take_bounded_memory() -> None:
    """A client that neither reads nor waits: the pongs fill its buffers, and then it is read no further."""
    pings = frame(b"", 9) * 200_000
    async with serving(Held, close_timeout=0.1) as serve, handmade(serve.url, receive_buffer=4096) as client:
        await client.shake_hands()
        await client.send(frame(b'{"type":1,"target":"Wait","arguments":[1]}\x1e'))
        measure()
        sending = asyncio.create_task(client.send(frame(b"x" * 100, 9) * 10_000 + pings))
        await settle(client)
        assert most_allocated() < 20 * MEGABYTE
        sending.cancel()
        await asyncio.wait({sending})
        Held.open.set()


@pytest.mark.parametrize(("target", "number"), [("Nothing", 20_000), ("NoSuch\\nMethod", 100_000)])
async def test_a_frame_of_many_small_calls_leaves_turns_to_the_others(
    target: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Another client is answered again and again meanwhile. Unknown methods make one line."""
    calls = f'{{"type":1,"target":"{target}","arguments":[]}}\x1e'.encode() * number
    calls += b'{"type":1,"invocationId":"last","target":"Same","arguments":["last"]}\x1e'
    caplog.set_level(logging.INFO, "signalr_client")
    async with (
        serving(Held) as serve,
        raw(serve.url) as hub,
        hub.socket() as other,
        handmade(serve.url) as client,
        asyncio.timeout(120),
    ):
        await other.shake_hands()
        await client.shake_hands()
        sending = asyncio.create_task(client.send(frame(calls)))
        last = asyncio.create_task(client.read_frame())
        answered = 0
        while not last.done():
            await other.call("Same", answered, id="1")
            assert json.loads(await other.read() or "")["result"] == answered
            answered += 1
        assert json.loads((await last).rstrip(b"\x1e"))["result"] == "last"
        await sending
    assert answered > 30
    lines = [record.getMessage() for record in caplog.records if "unknown method" in record.getMessage()]
    if target == "Nothing":
        assert lines == []
    else:
        assert 1 <= len(lines) <= 10  # one for each ten seconds, on a slow machine too
        assert "'NoSuch\\nMethod'" in lines[0]
        assert "\n" not in "".join(lines)


async def test_concurrent_sends_to_a_client_that_reads_nothing_wait() -> None:
    async with serving(Held, close_timeout=0.1) as serve, handmade(serve.url, receive_buffer=4096) as client:
        await client.shake_hands()
        everybody = serve.hub_context.clients.all
        sends = [asyncio.create_task(everybody.send("M", "x" * MEGABYTE)) for _ in range(30)]
        await settle(client)
        assert not any(send.done() for send in sends)
        for send in sends:
            send.cancel()
        await asyncio.wait(sends)


async def test_a_slow_client_that_reads_on_is_not_cut_off() -> None:
    """The message takes several send timeouts in all, and never the timeout without progress."""
    timeout = 0.3
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"transport_send_timeout": timeout, "close_timeout": 0.1}
    async with serving(Held, **options) as serve, handmade(serve.url, receive_buffer=16_384) as client, asyncio.timeout(30):
        await client.shake_hands()
        size = 16 * MEGABYTE
        send = asyncio.create_task(serve.hub_context.clients.all.send("M", "x" * size))
        await settle(client)
        begun = loop.time()
        received, part = 0, size // 45
        for number in range(45):
            while loop.time() < begun + number * timeout / 15:
                await asyncio.sleep(0)
            received += len(await client.read_exactly(part))
        assert loop.time() - begun > 2 * timeout
        while received < size:
            received += len(await client.read())
        await send
        await client.send(frame(b'{"type":1,"invocationId":"1","target":"Same","arguments":["alive"]}\x1e'))
        data = b""
        while b'"alive"' not in data:
            data += await client.read()

"""Clients that fall silent, an event loop that was blocked, and calls that are cancelled twice or before they begin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from signalr_client.server import CancellationToken, Hub, hub_method
from tests.support.blocking import block_event_loop
from tests.support.hub_server import serving
from tests.support.loops import TIMER_TOLERANCE
from tests.support.raw import Socket, raw

PING = {"type": 6}
CUT = '{"type":7,"error":"Connection closed with an error.","allowReconnect":true}'


class Room(Hub):
    log: asyncio.Queue[str]
    cleaned_up: asyncio.Event

    def same(self, value: object) -> object:
        return value

    def block(self, seconds: float) -> None:
        block_event_loop(seconds)

    @hub_method(cancellable=True)
    async def work(self) -> None:
        await self._wait_and_clean_up()

    async def count(self) -> AsyncIterator[int]:
        yield 0
        await self._wait_and_clean_up()

    async def numbers(self) -> AsyncIterator[int]:
        Room.log.put_nowait("begun")
        try:
            await asyncio.Event().wait()
            yield 0
        except asyncio.CancelledError:
            Room.log.put_nowait("cancelled")
            raise

    async def token(self, token: CancellationToken) -> str:
        Room.log.put_nowait("begun")
        await token.wait()
        return "cancelled"

    async def _wait_and_clean_up(self) -> None:
        Room.log.put_nowait("begun")
        try:
            await asyncio.Event().wait()
        finally:
            Room.log.put_nowait("cleaning up")
            try:
                await Room.cleaned_up.wait()
            except asyncio.CancelledError:
                Room.log.put_nowait("interrupted")
                raise
            Room.log.put_nowait("cleaned up")


@pytest.fixture(autouse=True)
def _forget() -> None:
    Room.log, Room.cleaned_up = asyncio.Queue(), asyncio.Event()


async def check_usable(socket: Socket) -> None:
    """Check that the client is connected."""
    await socket.call("Same", "usable", id="usable")
    while True:
        record = json.loads(await socket.read() or "null")
        assert record is not None, "the connection has ended"
        if record["type"] == 3:
            assert record == {"type": 3, "invocationId": "usable", "result": "usable"}
            return


# silence


@pytest.mark.parametrize("keep_alive_interval", [None, 3600.0, 0.05])
async def test_a_client_that_has_pinged_and_falls_silent_is_cut_off_in_time(keep_alive_interval: float | None) -> None:
    """However seldom the server itself pings."""
    options: dict[str, Any] = {"client_timeout_interval": 0.2, "keep_alive_interval": keep_alive_interval}
    async with serving(Room, **options) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.send(PING)
        begun = asyncio.get_running_loop().time()
        records = [record for record in await socket.read_all() if record != json.dumps(PING, separators=(",", ":"))]
        assert records == [CUT]
        assert asyncio.get_running_loop().time() - begun >= 0.2 - TIMER_TOLERANCE


async def test_a_client_that_never_pings_is_never_cut_off() -> None:
    options: dict[str, Any] = {"client_timeout_interval": 0.1, "keep_alive_interval": None}
    async with serving(Room, **options) as serve, raw(serve.url) as hub, hub.socket() as silent, hub.socket() as other:
        await silent.shake_hands()
        await other.shake_hands()
        await other.send(PING)
        assert await other.read_all() == [CUT]  # the time is over
        await check_usable(silent)


@pytest.mark.parametrize("blocked_by", ["a hub method", "something else"])
async def test_clients_that_pinged_while_the_event_loop_was_blocked_are_not_cut_off(blocked_by: str) -> None:
    """Their bytes have arrived when the timers run, and have not been read."""
    options: dict[str, Any] = {"client_timeout_interval": 0.2, "keep_alive_interval": 0.1}
    async with (
        serving(Room, **options) as serve,
        raw(serve.url) as hub,
        hub.socket() as first,
        hub.socket() as second,
        hub.socket() as caller,
    ):
        sockets = [first, second, caller]
        for socket in sockets:
            await socket.shake_hands()
            await socket.send(PING)
            await check_usable(socket)  # the ping has been read
        if blocked_by == "a hub method":
            await caller.call("Block", 0.5, id="block")
            assert json.loads(await read_completion(caller))["invocationId"] == "block"
        else:
            block_event_loop(0.5)
        for socket in sockets:
            await socket.send(PING)  # the system has it before the server looks at its timers
        for socket in sockets:
            await check_usable(socket)


async def read_completion(socket: Socket) -> str:
    """Return the next Completion."""
    while True:
        record = await socket.read()
        assert record is not None, "the connection has ended"
        if json.loads(record)["type"] == 3:
            return record


# cancelling


@pytest.mark.parametrize("target", ["Work", "Count"])
async def test_a_second_cancellation_does_not_interrupt_the_cleanup(target: str) -> None:
    async with serving(Room) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(10):
        await socket.shake_hands()
        kind = 4 if target == "Count" else 1
        await socket.send({"type": kind, "invocationId": "1", "target": target, "arguments": []})
        assert await Room.log.get() == "begun"
        cancel = {"type": 5, "invocationId": "1"}
        await socket.send(cancel)
        assert await Room.log.get() == "cleaning up"
        await socket.send(cancel, cancel)
        await socket.call("NoSuchMethod", id="2")
        while json.loads(await socket.read() or "")["invocationId"] != "2":  # the cancellations have been read
            pass
        assert Room.log.empty()
        Room.cleaned_up.set()
        assert await Room.log.get() == "cleaned up"
        answer = json.loads(await socket.read() or "")
        error = {"error": "An unexpected error occurred invoking 'work' on the server."} if target == "Work" else {}
        assert answer == {"type": 3, "invocationId": "1", **error}


async def test_the_end_of_the_connection_does_not_interrupt_the_cleanup_either() -> None:
    async with serving(Room) as serve, raw(serve.url) as hub, asyncio.timeout(10):
        async with hub.socket() as socket:
            await socket.shake_hands()
            await socket.call("Work", id="1")
            assert await Room.log.get() == "begun"
            await socket.send({"type": 5, "invocationId": "1"})
            assert await Room.log.get() == "cleaning up"
        Room.cleaned_up.set()
        assert await Room.log.get() == "cleaned up"


@pytest.mark.parametrize("end", ["a cancellation", "the end of the connection"])
async def test_what_comes_after_the_result_does_not_interrupt_the_cleanup_of_the_hub(end: str) -> None:
    class Disposing(Hub):
        @hub_method(cancellable=True)
        async def work(self) -> str:
            self.worked = True
            return "done"

        async def dispose(self) -> None:  # type: ignore[override]  # may be either
            if hasattr(self, "worked"):
                Room.log.put_nowait("disposing")
                await Room.cleaned_up.wait()
                Room.log.put_nowait("disposed")

        def same(self, value: object) -> object:
            return value

    options: dict[str, Any] = {"maximum_parallel_invocations_per_client": 2}
    async with serving(Disposing, **options) as serve, raw(serve.url) as hub, asyncio.timeout(10):
        async with hub.socket() as socket:
            await socket.shake_hands()
            await socket.call("Work", id="1")
            assert await socket.read() == '{"type":3,"invocationId":"1","result":"done"}'
            assert await Room.log.get() == "disposing"
            if end == "a cancellation":
                await socket.send({"type": 5, "invocationId": "1"})
                await check_usable(socket)
                Room.cleaned_up.set()
                assert await Room.log.get() == "disposed"
        Room.cleaned_up.set()
        if end == "the end of the connection":
            assert await Room.log.get() == "disposed"


async def test_a_stream_that_is_cancelled_in_the_frame_of_its_call_begins_and_sees_it() -> None:
    """As in ASP.NET Core, and as the functional tests of the TypeScript client expect."""
    async with serving(Room) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(10):
        await socket.shake_hands()
        stream = {"type": 4, "invocationId": "1", "target": "Numbers", "arguments": []}
        await socket.send(stream, {"type": 5, "invocationId": "1"})
        assert await socket.read() == '{"type":3,"invocationId":"1"}'
        assert [await Room.log.get() for _ in range(2)] == ["begun", "cancelled"]
        await check_usable(socket)


async def test_a_token_that_is_set_in_the_frame_of_its_call_is_seen_by_the_method() -> None:
    async with serving(Room) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(10):
        await socket.shake_hands()
        await socket.send(
            {"type": 1, "invocationId": "1", "target": "Token", "arguments": []}, {"type": 5, "invocationId": "1"}
        )
        assert await socket.read() == '{"type":3,"invocationId":"1","result":"cancelled"}'
        assert await Room.log.get() == "begun"

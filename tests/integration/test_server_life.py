"""One connection from its handshake to its end, as hub methods see it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from signalr_client import ConnectionClosedError, HubException
from signalr_client.server import CancellationToken, Hub, User, hub_method
from tests.support.hub_server import serving
from tests.support.raw import HANDSHAKE, Socket, raw


class Gates:
    """What a test holds up, and what it is told."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.log: asyncio.Queue[Any] = asyncio.Queue()


class Slow(Hub):
    gates: Gates

    async def on_connected(self) -> None:
        await self.clients.caller.send("Welcome")
        await Slow.gates.open.wait()

    def same(self, value: Any) -> Any:
        return value


class Working(Hub):
    gates: Gates

    async def wait(self) -> str:
        Working.gates.log.put_nowait("begun")
        await Working.gates.open.wait()
        Working.gates.log.put_nowait(f"ended, aborted={self.context.connection_aborted.is_set()}")
        await self.clients.caller.send("M", "nobody hears this")
        return "nobody gets this"

    @hub_method(cancellable=True)
    async def wait_or_cancel(self) -> None:
        Working.gates.log.put_nowait("waiting")
        await asyncio.Event().wait()

    async def wait_for_token(self, name: str, token: CancellationToken) -> str:
        Working.gates.log.put_nowait("begun")
        await token.wait()
        return f"{name} was cancelled"

    async def read_when_told(self, items: AsyncIterator[int]) -> int:
        await Working.gates.open.wait()
        return sum([item async for item in items])

    async def open_when_told(self, items: AsyncIterator[int]) -> None:
        await anext(items)
        Working.gates.open.set()

    async def read_one(self, items: AsyncIterator[int]) -> int:
        Working.gates.log.put_nowait(items)
        return await anext(items)

    async def read_all(self, items: AsyncIterator[int]) -> None:
        try:
            async for item in items:
                Working.gates.log.put_nowait(item)
        except (ConnectionClosedError, HubException) as exc:
            Working.gates.log.put_nowait(exc)

    async def count(self, number: int) -> AsyncIterator[int]:
        try:
            for item in range(number):
                yield item
                await asyncio.sleep(0)
        finally:
            Working.gates.log.put_nowait("stream ended")

    def same(self, value: Any) -> Any:
        return value

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Working.gates.log.put_nowait(f"left {exception}")


class Failing(Hub):
    async def on_disconnected(self, exception: BaseException | None) -> None:
        raise RuntimeError("this hub cannot say goodbye")


@pytest.fixture(autouse=True)
def gates() -> Gates:
    Slow.gates = Working.gates = Gates()
    return Working.gates


async def test_no_message_is_looked_at_before_on_connected_has_returned(gates: Gates) -> None:
    """The handshake is answered first, then what on_connected sends, then what the client asked meanwhile."""
    async with serving(Slow) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.write(HANDSHAKE + '{"type":1,"invocationId":"1","target":"Same","arguments":[1]}\x1e')
        assert await socket.read() == "{}"
        assert await socket.read() == '{"type":1,"target":"Welcome","arguments":[]}'
        gates.open.set()
        assert await socket.read() == '{"type":3,"invocationId":"1","result":1}'


async def test_a_broadcast_may_come_before_on_connected_has_returned(gates: Gates) -> None:
    async with serving(Slow) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.read()
        await serve.hub_context.clients.all.send("M", 1)
        assert await socket.read() == '{"type":1,"target":"M","arguments":[1]}'
        gates.open.set()


async def test_a_method_goes_on_when_its_client_has_left(gates: Gates) -> None:
    """`on_disconnected` does not wait for it, and nothing cancels it."""
    async with serving(Working) as serve, asyncio.timeout(5):
        client = await serve.connect()
        await client.send("Wait")
        assert await gates.log.get() == "begun"
        await client.stop()
        assert await gates.log.get() == "left None"
        gates.open.set()
        assert await gates.log.get() == "ended, aborted=True"


async def test_a_stream_ends_when_its_client_has_left(gates: Gates) -> None:
    async with serving(Working) as serve, asyncio.timeout(5):
        client = await serve.connect()
        stream = client.stream("Count", 10_000_000)
        assert await anext(stream) == 0
        await client.stop()
        assert {await gates.log.get(), await gates.log.get()} == {"left None", "stream ended"}


async def send_items(socket: Socket, count: int, first: int = 0) -> None:
    await socket.send(*({"type": 2, "invocationId": "u", "item": number} for number in range(first, first + count)))


@pytest.mark.parametrize("capacity", [1, 10])
async def test_an_upload_that_is_not_read_holds_up_what_comes_behind_it(gates: Gates, capacity: int) -> None:
    """Nothing is dropped."""
    async with serving(Working, stream_buffer_capacity=capacity) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("ReadWhenTold", id="1", streamIds=["u"])
        await send_items(socket, capacity + 1)
        await socket.call("Same", 7, id="2")
        await socket.send({"type": 3, "invocationId": "u"})
        reading = asyncio.create_task(socket.read())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not reading.done()
        gates.open.set()
        answers = {await reading, await socket.read()}
        total = sum(range(capacity + 1))
        assert answers == {
            f'{{"type":3,"invocationId":"1","result":{total}}}',
            '{"type":3,"invocationId":"2","result":7}',
        }


async def test_below_the_capacity_nothing_is_held_up(gates: Gates) -> None:
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("ReadWhenTold", id="1", streamIds=["u"])
        await send_items(socket, 9)
        await socket.call("Same", 7, id="2")
        assert await socket.read() == '{"type":3,"invocationId":"2","result":7}'
        gates.open.set()
        await socket.send({"type": 3, "invocationId": "u"})
        assert await socket.read() == '{"type":3,"invocationId":"1","result":36}'


async def test_an_upload_ends_with_its_method(gates: Gates) -> None:
    """Later items are passed over, and whoever kept the stream finds it at its end."""
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("ReadOne", id="1", streamIds=["u"])
        await send_items(socket, 5)
        assert await socket.read() == '{"type":3,"invocationId":"1","result":0}'
        await send_items(socket, 50, 5)
        await socket.call("Same", 7, id="2")
        assert await socket.read() == '{"type":3,"invocationId":"2","result":7}'
        items = await gates.log.get()
        assert [item async for item in items] == []


async def test_an_upload_fails_when_its_client_leaves(gates: Gates) -> None:
    """After on_disconnected, with what came before it."""
    async with serving(Working) as serve, raw(serve.url) as hub, asyncio.timeout(5):
        async with hub.socket() as socket:
            await socket.shake_hands()
            await socket.call("ReadAll", id="1", streamIds=["u"])
            await send_items(socket, 2)
            assert [await gates.log.get() for _ in range(2)] == [0, 1]
        assert await gates.log.get() == "left None"
        error = await gates.log.get()
        assert isinstance(error, ConnectionClosedError)
        assert str(error) == "The underlying connection was closed."


async def test_calls_that_wait_their_turn_hold_up_neither_pings_nor_cancellations(gates: Gates) -> None:
    """Where the real server stops reading: ours reads on, and keeps the order in which calls begin."""
    options: dict[str, Any] = {"keep_alive_interval": 0.05, "client_timeout_interval": 0.2}
    async with serving(Working, **options) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.send({"type": 4, "invocationId": "s", "target": "Count", "arguments": [10_000_000]})
        await socket.call("Wait", id="1")
        for number in range(2, 5):
            await socket.call("Same", number, id=str(number))
        await socket.send({"type": 5, "invocationId": "s"})
        while (record := await socket.read()) != '{"type":3,"invocationId":"s"}':
            assert record is not None
        for _ in range(6):  # longer than the client timeout, which each of our own pings puts off
            await socket.send({"type": 6})
            assert await socket.read() == '{"type":6}'
        gates.open.set()
        got: list[str] = []
        while len(got) < 4:
            message = json.loads(await socket.read() or "")
            if message["type"] == 3:
                got.append(message["invocationId"])
        assert got == ["1", "2", "3", "4"]


async def test_a_cancellable_call_that_has_not_begun_begins_and_sees_the_cancellation(gates: Gates) -> None:
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Wait", id="1")
        await socket.call("Same", 7, id="2")
        await socket.call("WaitOrCancel", id="3")  # it does not overtake
        await socket.send({"type": 5, "invocationId": "3"})
        assert await gates.log.get() == "begun"
        assert gates.log.empty()
        gates.open.set()
        assert json.loads(await socket.read() or "")["target"] == "M"
        assert json.loads(await socket.read() or "") == {"type": 3, "invocationId": "1", "result": "nobody gets this"}
        answers = [json.loads(await socket.read() or "") for _ in range(2)]
        error = "An unexpected error occurred invoking 'wait_or_cancel' on the server."
        assert {"type": 3, "invocationId": "3", "error": error} in answers
        assert [await gates.log.get() for _ in range(2)] == ["ended, aborted=False", "waiting"]


@pytest.mark.parametrize("method", ["WaitOrCancel", "WaitForToken"])
@pytest.mark.parametrize("items", [11, 10_000])
async def test_a_cancellation_gets_through_whatever_waits_before_it(gates: Gates, method: str, items: int) -> None:
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call(method, *(["this"] if method == "WaitForToken" else []), id="1")
        await socket.call("Same", 7, id="2")
        await socket.call("ReadAll", id="3", streamIds=["u"])
        await send_items(socket, items)
        await socket.send({"type": 3, "invocationId": "u"}, {"type": 5, "invocationId": "1"})
        answered = {json.loads(await socket.read() or "")["invocationId"] for _ in range(3)}
        assert answered == {"1", "2", "3"}


async def test_the_upload_of_a_call_that_waits_does_not_hold_up_what_it_waits_for(gates: Gates) -> None:
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("OpenWhenTold", id="1", streamIds=["told"])
        await socket.call("Wait", id="2")
        await socket.call("Same", 7, id="3")
        await socket.call("ReadWhenTold", id="4", streamIds=["u"])
        await send_items(socket, 50)
        await socket.send({"type": 3, "invocationId": "u"}, {"type": 2, "invocationId": "told", "item": 0})
        answers = [json.loads(await socket.read() or "") for _ in range(5)]
        assert {"type": 3, "invocationId": "4", "result": sum(range(50))} in answers


async def test_a_running_cancellable_call_is_cancelled_and_answered(gates: Gates) -> None:
    """As in .NET 11, there is a Completion whatever the method does with the cancellation."""
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("WaitOrCancel", id="1")
        assert await gates.log.get() == "waiting"
        await socket.send({"type": 5, "invocationId": "1"})
        error = "An unexpected error occurred invoking 'wait_or_cancel' on the server."
        assert json.loads(await socket.read() or "") == {"type": 3, "invocationId": "1", "error": error}


async def test_a_plain_call_runs_to_its_end_when_its_client_cancels_it(gates: Gates) -> None:
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Wait", id="1")
        assert await gates.log.get() == "begun"
        await socket.send({"type": 5, "invocationId": "1"}, {"type": 3, "invocationId": "unknown"})
        await socket.call("NoSuchMethod", id="2")
        assert json.loads(await socket.read() or "")["invocationId"] == "2"  # the cancellation has been read
        gates.open.set()
        await socket.read()
        assert json.loads(await socket.read() or "") == {"type": 3, "invocationId": "1", "result": "nobody gets this"}


async def test_a_cancellation_token_is_no_argument_and_is_set_when_the_client_cancels(gates: Gates) -> None:
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("WaitForToken", "this", id="1")
        assert await gates.log.get() == "begun"
        await socket.send({"type": 5, "invocationId": "1"})
        assert json.loads(await socket.read() or "") == {"type": 3, "invocationId": "1", "result": "this was cancelled"}


async def test_a_cancellation_token_is_set_when_the_connection_ends(gates: Gates) -> None:
    async with serving(Working) as serve, asyncio.timeout(5):
        client = await serve.connect()
        await client.send("WaitForToken", "this")
        assert await gates.log.get() == "begun"
        await client.stop()
        assert await gates.log.get() == "left None"  # and the server stops without waiting for the method


async def test_an_error_in_on_disconnected_closes_the_socket_with_1011() -> None:
    async with serving(Failing) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.send({"type": 7})
        assert await socket.read_all() == ['{"type":7}']
        assert socket.socket.close_code == 1011


async def test_an_authentication_that_expires_ends_the_connection() -> None:
    """If `close_on_authentication_expiration` is set, with a Close that allows the client to reconnect."""
    lifetimes = iter([0.05, 0.5, 2.0, 4.0])  # a longer one if the shorter was over before the handshake

    def authenticate(_request: Any) -> User:
        return User("anna", expires_at=time.time() + next(lifetimes))

    options: dict[str, Any] = {"authenticate": authenticate, "close_on_authentication_expiration": True}
    async with serving(Working, **options) as serve, raw(serve.url) as hub:
        records: list[str] = []
        while "{}" not in records:
            async with hub.socket() as socket:
                with suppress(ConnectionError):
                    await socket.write(HANDSHAKE)
                records = await socket.read_all()
        assert records == ["{}", '{"type":7,"allowReconnect":true}']


async def test_a_connection_that_nobody_uses_is_forgotten() -> None:
    async with serving(Working, disconnect_timeout=0.02) as serve, raw(serve.url) as hub:
        token = await hub.negotiate()
        async with asyncio.timeout(5):
            while (await hub.request("POST", body=b"", id=token)).status != 404:
                pass


async def test_between_polls_a_connection_has_its_time(gates: Gates) -> None:
    async with serving(Working, disconnect_timeout=30) as serve, raw(serve.url) as hub:
        token = await hub.long_polling()
        await serve.hub_context.clients.all.send("M", "between polls")
        assert "between polls" in (await hub.request("GET", id=token)).text
        assert gates.log.empty()
        assert (await hub.request("DELETE", id=token)).status == 202
        async with asyncio.timeout(5):
            assert await gates.log.get() == "left None"


async def test_a_client_that_vanishes_is_told_to_on_disconnected(gates: Gates) -> None:
    """A WebSocket that ends without a close frame is an error here, as the documentation has it."""
    async with serving(Working) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        socket.abort()
        async with asyncio.timeout(5):
            assert "without completing the close handshake" in await gates.log.get()

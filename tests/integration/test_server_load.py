"""Many clients, slow clients, and what is sent to them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from signalr_client import BindingError, HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.messages import HubMessage, Invocation
from signalr_client.server import Hub
from tests.support.hub_server import serving
from tests.support.raw import HANDSHAKE, Socket, raw

LARGE = "x" * 500_000


class Room(Hub):
    left: asyncio.Queue[tuple[str, BaseException | None]]

    def same(self, value: Any) -> Any:
        return value

    async def tell_all(self, text: str, times: int) -> int:
        for _ in range(times):
            await self.clients.all.send("M", text)
        return times

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Room.left.put_nowait((self.context.connection_id, exception))


@pytest.fixture(autouse=True)
def _forget() -> None:
    Room.left = asyncio.Queue()


async def test_a_thousand_clients_get_a_broadcast() -> None:
    async with serving(Room) as serve, AsyncExitStack() as stack:
        hub = await stack.enter_async_context(raw(serve.url))
        sockets: list[Socket] = []
        for _ in range(20):
            batch = [stack.enter_async_context(hub.socket()) for _ in range(50)]
            sockets += await asyncio.gather(*batch)
        await asyncio.gather(*(socket.shake_hands() for socket in sockets))
        await sockets[0].call("TellAll", "hello", 3)
        message = '{"type":1,"target":"M","arguments":["hello"]}'
        for socket in sockets:
            assert [await socket.read() for _ in range(3)] == [message] * 3
        await asyncio.gather(*(socket.socket.close() for socket in sockets))


class CountingJson(JsonHubProtocol):
    """Counts what is encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: Counter[str] = Counter()

    def encode(self, message: HubMessage) -> bytes:
        if isinstance(message, Invocation):
            self.encoded["json"] += 1
        return super().encode(message)


class CountingMessagePack(MessagePackHubProtocol):
    """Counts what is encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.encoded: Counter[str] = Counter()

    def encode(self, message: HubMessage) -> bytes:
        if isinstance(message, Invocation):
            self.encoded["messagepack"] += 1
        return super().encode(message)


async def test_a_broadcast_is_encoded_once_for_each_protocol() -> None:
    protocols = CountingJson(), CountingMessagePack()
    async with serving(Room, supported_protocols=protocols) as serve:
        heard = []
        for protocol in (JsonHubProtocol, MessagePackHubProtocol, JsonHubProtocol, MessagePackHubProtocol, JsonHubProtocol):
            queue: asyncio.Queue[str] = asyncio.Queue()
            client = serve.builder(protocol()).build()
            client.on("M", queue.put_nowait)
            heard.append((client, queue))
            await client.start()
        await serve.hub_context.clients.all.send("M", "to all")
        for client, queue in heard:
            assert await queue.get() == "to all"
            await client.stop()
        assert (protocols[0].encoded["json"], protocols[1].encoded["messagepack"]) == (1, 1)


async def test_a_client_that_takes_nothing_is_cut_off_and_holds_up_nobody() -> None:
    """It is dropped after the send timeout; the others have their messages long before, and the sender waits no longer."""
    async with serving(Room, transport_send_timeout=0.3) as serve, raw(serve.url) as hub, hub.socket() as slow:
        await slow.shake_hands()
        await slow.call("Same", 1, id="1")
        await slow.read()
        client, heard = await serve.listener()
        async with asyncio.timeout(20):
            telling = asyncio.create_task(serve.hub_context.clients.all.send("M", LARGE))
            assert await heard.get() == LARGE
            while not telling.done() or Room.left.empty():  # until the buffers of the system are full, too
                await telling
                telling = asyncio.create_task(serve.hub_context.clients.all.send("M", LARGE))
                assert await heard.get() == LARGE
            connection_id, exception = await Room.left.get()
        assert connection_id != client.connection_id
        assert exception is None
        assert await client.invoke("Same", "alive") == "alive"
        slow.abort()  # its close frame would wait behind what nobody reads


async def test_cancelling_a_send_that_waits_leaves_the_connections_alone() -> None:
    """What is in the buffers is delivered all the same."""
    async with serving(Room, transport_max_buffer_size=1000) as serve:
        client, heard = await serve.listener()
        waiting = asyncio.create_task(serve.hub_context.clients.all.send("M", LARGE))
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(5):
            assert await heard.get() == LARGE
        assert await client.invoke("Same", "alive") == "alive"


async def test_a_value_that_cannot_be_encoded_fails_the_sender_and_no_recipient(hub_protocol: HubProtocol) -> None:
    """ASP.NET Core drops the recipients instead, so that one bad value can disconnect everybody."""

    class NoValue:
        pass

    async with serving(Room) as serve:
        client = await serve.connect(hub_protocol)
        for send in (serve.hub_context.clients.all.send, serve.hub_context.clients.client(client.connection_id or "").invoke):
            with pytest.raises(BindingError, match="NoValue"):
                await send("M", NoValue())
        assert await client.invoke("Same", "still connected") == "still connected"


@pytest.mark.parametrize("record", ['{"type":10}', '{"type":99,"invocationId":"1"}', '{"type":-1}'])
async def test_message_types_that_nobody_knows_are_passed_over(record: str) -> None:
    """As the protocol wants it; the real server gets stuck."""
    async with serving(Room) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.write(record + "\x1e")
        await socket.call("Same", 1, id="1")
        assert json.loads(await socket.read() or "") == {"type": 3, "invocationId": "1", "result": 1}


async def test_a_client_that_polls_no_more_is_given_up() -> None:
    """With more waiting for it than the buffer holds, so that a sender waits, too."""
    async with serving(Room, disconnect_timeout=1.0) as serve, raw(serve.url) as hub:
        token = await hub.long_polling()
        async with asyncio.timeout(10):
            for _ in range(3):
                await serve.hub_context.clients.all.send("M", LARGE)  # waits until the client is given up
            _, exception = await Room.left.get()
            assert exception is None
            while (await hub.request("GET", id=token)).status != 404:
                pass


async def test_an_event_stream_that_nobody_reads_is_cut_off() -> None:
    async with serving(Room, transport_send_timeout=0.2) as serve, raw(serve.url) as hub:
        token = await hub.negotiate()
        async with hub.events(token) as stream, asyncio.timeout(20):
            await hub.request("POST", body=HANDSHAKE, id=token)
            while await stream.content.readline() != b"data: {}\x1e\r\n":
                pass
            while Room.left.empty():
                await serve.hub_context.clients.all.send("M", LARGE)
            _, exception = await Room.left.get()
            assert exception is None
            stream.close()


class Counting(Hub):
    ran = 0

    def same(self, value: Any) -> Any:
        Counting.ran += 1
        return value


@pytest.mark.parametrize("target", ["Same", "NoSuchMethod"])
async def test_a_client_that_asks_without_listening_is_no_longer_read(target: str) -> None:
    """What waits for it stays bounded, whatever it asks for."""
    Counting.ran = 0
    async with (
        serving(Counting, maximum_receive_message_size=None, close_timeout=0.1) as serve,
        raw(serve.url) as hub,
        hub.socket() as socket,
    ):
        await socket.shake_hands()
        # an unknown method is told by its name: the answer is as large as the question
        name = target if target == "Same" else target + "x" * 100_000
        call = json.dumps({"type": 1, "invocationId": "1", "target": name, "arguments": ["x" * 100_000]}) + "\x1e"

        async def ask() -> None:
            for _ in range(2_000):
                await socket.write(call)

        asking = asyncio.create_task(ask())
        for _ in range(3_000):  # far more turns than reading it all would take
            await asyncio.sleep(0)
        assert not asking.done()
        assert Counting.ran < 1_000
        asking.cancel()
        await asyncio.wait({asking})
        socket.abort()

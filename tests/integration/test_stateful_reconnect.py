"""Stateful reconnect between our client and our server, through a proxy that cuts. See docs/reconnecting.md."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest

from signalr_client import (
    ConnectionClosedError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
)
from signalr_client.server import Hub, HubOptions, HubServer
from signalr_client.testing import Direction, FaultProxy
from tests.support.hubs import PROTOCOLS
from tests.support.virtual_time import run_in_virtual_time

WAIT = 60.0
"""Seconds after which something that does not happen fails the test."""

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


class Numbers(Hub):
    """The hub behind the proxy; it keeps what it was sent, in order."""

    noted: list[int]
    waiting: asyncio.Event
    released: asyncio.Event

    def note(self, number: int) -> None:
        """Keep a number."""
        self.noted.append(number)

    def echo(self, value: object) -> object:
        """Return what came."""
        return value

    async def wait(self) -> str:
        """Return when the test says so."""
        self.waiting.set()
        await self.released.wait()
        return "done"

    async def count(self, end: int) -> AsyncIterator[int]:
        """Count."""
        for number in range(end):
            yield number

    async def collect(self, numbers: AsyncIterator[int]) -> list[int]:
        """Return the items of an upload."""
        return [number async for number in numbers]

    async def push(self, end: int) -> None:
        """Send the caller a message for each number."""
        for number in range(end):
            await self.clients.caller.send("number", number)


@dataclass
class Behind:
    """A client whose server is behind a proxy."""

    connection: HubConnection
    proxy: FaultProxy
    server: HubServer
    events: list[str] = field(default_factory=list)
    resumed: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def listen(self) -> None:
        """Note every event."""
        self.connection.on_detached(lambda _: self.events.append("detached"))
        self.connection.on_resumed(lambda _: self._note_resumed())
        self.connection.on_reconnecting(lambda _: self.events.append("reconnecting"))
        self.connection.on_reconnected(lambda _: self.events.append("reconnected"))
        self.connection.on_close(lambda _: self.events.append("closed"))

    def _note_resumed(self) -> None:
        self.events.append("resumed")
        self.resumed.release()


@asynccontextmanager
async def behind_proxy(
    protocol: str = "json", *, start: bool = True, buffer_size: int = 1_048_576, **options: object
) -> AsyncIterator[Behind]:
    """Connect a client with stateful reconnect; *options* are the server's."""
    Numbers.noted, Numbers.waiting, Numbers.released = [], asyncio.Event(), asyncio.Event()
    allowed = {"allow_stateful_reconnects": True, **options}
    async with HubServer({"/hub": Numbers}, options=HubOptions(**allowed)) as server, FaultProxy(server.url("/hub")) as proxy:  # type: ignore[arg-type]
        builder = HubConnectionBuilder().with_url(proxy.url).with_hub_protocol(PROTOCOLS[protocol]())
        connection = builder.with_automatic_reconnect([0]).with_stateful_reconnect(buffer_size).build()
        behind = Behind(connection, proxy, server)
        behind.listen()
        async with asyncio.timeout(WAIT):
            if start:
                await connection.start()
            try:
                yield behind
            finally:
                Numbers.released.set()
                await connection.stop()


@each_protocol
@pytest.mark.parametrize("how", ["cut", "reset"])
async def test_nothing_is_lost_or_doubled_when_the_network_is_cut_at_any_byte(
    protocol: str, how: Literal["cut", "reset"], pytestconfig: pytest.Config
) -> None:
    """Messages both ways, calls, a stream and an upload are under way while the network is cut again and again."""
    long = pytestconfig.getoption("--long")
    messages, cuts = (20_000, 50) if long else (3_000, 15)
    seed = random.randrange(1_000_000)
    print("seed", seed)
    chance = random.Random(seed)
    async with behind_proxy(protocol) as behind:
        connection, proxy = behind.connection, behind.proxy
        received: list[int] = []
        connection.on("number", received.append)
        first_id = connection.connection_id

        async def send_notes() -> None:
            for number in range(messages):
                await connection.send("Note", number)
                if number % 10 == 0:
                    await asyncio.sleep(0)

        async def upload() -> AsyncIterator[int]:
            for number in range(messages):
                yield number
                if number % 10 == 0:
                    await asyncio.sleep(0)

        async def call() -> list[int]:
            return [await connection.invoke("Echo", number) for number in range(messages // 10)]

        async def read() -> list[int]:
            return [number async for number in connection.stream("Count", messages)]

        async def cut() -> None:
            for _ in range(cuts):
                direction = chance.choice([Direction.TO_SERVER, Direction.TO_CLIENT, None])
                point = proxy.cut_after(chance.randrange(4_000), direction, how=how)
                await point.wait()
                if chance.random() < 0.7:  # otherwise the next cut may hit the upgrade request, or what is sent again
                    await behind.resumed.acquire()

        async def load() -> None:
            async with asyncio.TaskGroup() as tasks:
                push = tasks.create_task(connection.invoke("Push", messages))
                tasks.create_task(send_notes())
                collected = tasks.create_task(connection.invoke("Collect", upload()))
                called, counted = tasks.create_task(call()), tasks.create_task(read())
            await push
            assert collected.result() == counted.result() == list(range(messages))
            assert called.result() == list(range(messages // 10))

        cutting = asyncio.create_task(cut())
        rounds = 0
        try:
            while not cutting.done():
                received.clear()
                Numbers.noted.clear()
                await load()
                rounds += 1
                assert await connection.invoke("Echo", "last") == "last"
                assert received == Numbers.noted == list(range(messages))
        finally:
            cutting.cancel()
        await cutting
        assert connection.connection_id == first_id
        assert set(behind.events) == {"detached", "resumed"}


@each_protocol
async def test_calls_go_on_after_the_network_was_away_for_a_while(protocol: str) -> None:
    async with behind_proxy(protocol) as behind:
        connection, proxy = behind.connection, behind.proxy
        waiting = asyncio.create_task(connection.invoke("Wait"))
        await Numbers.waiting.wait()
        with proxy.refusing():
            proxy.cut()
            await proxy.wait_event("refused", 3)
            assert connection.state is HubConnectionState.CONNECTED
            echo = asyncio.create_task(connection.invoke("Echo", "sent while detached"))
        Numbers.released.set()
        assert await waiting == "done"
        assert await echo == "sent while detached"
        assert behind.events == ["detached", "resumed"]


def test_each_loss_has_its_own_series_of_attempts() -> None:
    """Also when no time passes between a loss and the next: the clock of an event loop may be coarse, and this one stands still."""

    async def run() -> None:
        async with behind_proxy() as behind:
            begun = asyncio.get_running_loop().time()
            for number in range(20):
                assert await behind.connection.invoke("Echo", number) == number
                behind.proxy.cut()
                await behind.resumed.acquire()
            assert asyncio.get_running_loop().time() == begun
            assert set(behind.events) == {"detached", "resumed"}

    run_in_virtual_time(run())


async def test_a_connection_that_the_server_has_forgotten_is_lost() -> None:
    """Then automatic reconnect has its turn."""
    async with behind_proxy(disconnect_timeout=0.25) as behind:
        connection, proxy = behind.connection, behind.proxy
        waiting = asyncio.create_task(connection.invoke("Wait"))
        await Numbers.waiting.wait()
        first_id = connection.connection_id
        with proxy.refusing():
            proxy.cut()
            await proxy.wait_event("refused", 4)  # the fourth attempt comes 0.8 seconds after the first
        with pytest.raises(ConnectionClosedError, match=r"^Reconnect attempt failed\. .*404"):
            await waiting
        await connection.wait_connected()
        assert await connection.invoke("Echo", 1) == 1
        assert connection.connection_id != first_id
        await asyncio.sleep(0)
        assert behind.events == ["detached", "reconnecting", "reconnected"]


async def test_stop_ends_a_connection_that_is_detached() -> None:
    async with behind_proxy() as behind:
        connection, proxy = behind.connection, behind.proxy
        waiting = asyncio.create_task(connection.invoke("Wait"))
        await Numbers.waiting.wait()
        with proxy.refusing():
            proxy.cut()
            await proxy.wait_event("refused", 1)
            await connection.stop()
        with pytest.raises(ConnectionClosedError):
            await waiting
        await connection.wait_closed()
        assert behind.events == ["detached", "closed"]


async def test_a_close_of_the_server_ends_the_connection() -> None:
    """It is no loss of the socket: there is no attempt to resume."""
    async with behind_proxy() as behind:
        await behind.server.stop()
        await behind.proxy.wait_until(lambda: "reconnecting" in behind.events)
        assert "detached" not in behind.events


async def test_senders_wait_for_acks_when_the_buffer_is_full() -> None:
    """A buffer far smaller than what is sent slows the sender down, and stops nobody."""
    async with behind_proxy(buffer_size=2_000) as behind:
        connection = behind.connection
        for number in range(300):
            await connection.send("Note", number)
        assert await connection.invoke("Echo", "x" * 5_000) == "x" * 5_000
        assert Numbers.noted == list(range(300))


async def test_a_server_that_does_not_allow_it_is_used_without_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "signalr_client")
    async with behind_proxy(allow_stateful_reconnects=False) as behind:
        assert "stateful reconnect is not used, because the server does not offer it over WebSockets" in caplog.text
        waiting = asyncio.create_task(behind.connection.invoke("Wait"))
        await Numbers.waiting.wait()
        behind.proxy.cut()
        with pytest.raises(ConnectionClosedError):
            await waiting
        await behind.connection.wait_connected()
        assert "detached" not in behind.events


async def test_each_new_socket_gets_a_fresh_access_token() -> None:
    tokens = iter(range(1_000))
    given: list[int] = []

    def token() -> str:
        given.append(next(tokens))
        return str(given[-1])

    Numbers.noted = []
    options = HubOptions(allow_stateful_reconnects=True)
    async with HubServer({"/hub": Numbers}, options=options) as server, FaultProxy(server.url("/hub")) as proxy:
        resumed = asyncio.Event()
        connection = HubConnectionBuilder().with_url(proxy.url, access_token_factory=token).with_stateful_reconnect().build()
        connection.on_resumed(lambda _: resumed.set())
        async with asyncio.timeout(WAIT), connection:
            before = len(given)
            proxy.cut()
            await resumed.wait()
            assert len(given) == before + 1


async def test_a_handler_that_sends_does_not_keep_the_client_from_noticing_the_loss() -> None:
    """The receive limit holds the reader up until the handler returns, and the handler waits for room, which a new socket makes."""
    options = HubOptions(allow_stateful_reconnects=True)
    Numbers.noted = []
    async with HubServer({"/hub": Numbers}, options=options) as server, FaultProxy(server.url("/hub")) as proxy:
        builder = HubConnectionBuilder().with_url(proxy.url).with_receive_limit(messages=1).with_stateful_reconnect()
        connection = builder.build()
        received: list[int] = []

        async def answer(number: int) -> None:
            if number == 3:
                proxy.cut()
                for _ in range(20):
                    await connection.send("Echo", "x" * 10_000)
            received.append(number)

        connection.on("number", answer)
        async with asyncio.timeout(WAIT), connection:
            await connection.invoke("Push", 20)
            while len(received) < 20:
                await asyncio.sleep(0)
        assert received == list(range(20))


@pytest.mark.parametrize("size", [0, -1])
def test_a_buffer_needs_a_size(size: int) -> None:
    with pytest.raises(ValueError, match="buffer_size"):
        HubConnectionBuilder().with_stateful_reconnect(size)


def test_options_that_rule_it_out_are_refused() -> None:
    builder = HubConnectionBuilder().with_stateful_reconnect()
    with pytest.raises(ValueError, match="skip_negotiation"):
        builder.with_url("http://x/hub", transports=HttpTransportType.WEB_SOCKETS, skip_negotiation=True).build()
    with pytest.raises(ValueError, match="WebSockets only"):
        builder.with_url("http://x/hub", transports=HttpTransportType.LONG_POLLING).build()

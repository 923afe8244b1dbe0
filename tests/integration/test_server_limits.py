"""Limits on what clients can open: connections before their handshake, client results, streams and uploads.

Each test lets a client try to go past a limit, measures what the server allocates meanwhile, and checks that another client is served.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from signalr_client import (
    ConnectionClosedError,
    HttpTransportType,
    HubException,
    HubProtocol,
    NegotiationError,
    RetryContext,
    TransportError,
)
from signalr_client.server import Hub, HubDefinitionError, HubOptions
from signalr_client.server import app as app_module
from tests.support.handmade import frame, handmade, settle
from tests.support.hub_server import Serving, refusal, serving
from tests.support.memory import measure, most_allocated, stop_measuring
from tests.support.raw import HANDSHAKE, SEPARATOR, Raw, raw
from tests.support.served_app import remembered

MEGABYTE = 1_000_000


class Open(Hub):
    """Has calls that last until their client ends them."""

    served: asyncio.Event
    connection_ids: list[str]

    async def on_connected(self) -> None:
        Open.connection_ids.append(self.context.connection_id)

    def same(self, value: Any) -> Any:
        return value

    async def forever(self, padding: str = "") -> AsyncIterator[int]:
        yield 0
        await self.context.connection_aborted.wait()

    async def read(self, items: AsyncIterator[Any]) -> int:
        return len([item async for item in items])

    async def ask(self, padding: str) -> object:
        return await self.clients.caller.invoke("Q")

    async def ask_and_work(self) -> object:
        answer = await self.clients.caller.invoke("Q")
        await Open.served.wait()
        return answer


@pytest.fixture(autouse=True)
def _begin() -> Iterator[None]:
    Open.served, Open.connection_ids = asyncio.Event(), []
    yield
    stop_measuring()


def pending(serve: Serving) -> int:
    """Return the number of connections that the server counts as pending."""
    return sum(dispatcher.connections.pending for _, dispatcher in serve.server.app[app_module._HUBS]._mapped)


async def until(condition: Callable[[], bool]) -> None:
    """Give the event loop turns until *condition* holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    "option", ["maximum_pending_connections", "maximum_pending_results_per_client", "maximum_parallel_streams_per_client"]
)
def test_a_limit_is_at_least_one_or_none(option: str) -> None:
    with pytest.raises(HubDefinitionError, match=f"^{option} is 0; it must be at least 1, or None for no limit.$"):
        HubOptions(**dict[str, Any]({option: 0}))
    HubOptions(**dict[str, Any]({option: None}))


# connections before their handshake


async def negotiate(_hub: Raw, token: str, _stack: AsyncExitStack) -> None:
    """Leave the connection negotiated."""


async def post(hub: Raw, token: str, _stack: AsyncExitStack) -> None:
    """Fill the buffer of a connection that is only negotiated."""
    assert (await hub.request("POST", body=b"x" * 65_536, id=token)).status == 200


async def websocket(hub: Raw, token: str, stack: AsyncExitStack) -> None:
    """Open a WebSocket, and send a handshake that never ends."""
    socket = await stack.enter_async_context(hub.socket(token))
    await socket.write("x" * 30_000)


async def event_stream(hub: Raw, token: str, stack: AsyncExitStack) -> None:
    """Open an event stream, and send a handshake that never ends."""
    await stack.enter_async_context(hub.events(token))
    await hub.request("POST", body=b"x" * 30_000, id=token)


async def poll(hub: Raw, token: str, _stack: AsyncExitStack) -> None:
    """Connect over Long Polling, and send a handshake that never ends."""
    await hub.request("GET", id=token)
    await hub.request("POST", body=b"x" * 30_000, id=token)


Occupy = Callable[[Raw, str, AsyncExitStack], Awaitable[None]]
OCCUPY: list[Occupy] = [negotiate, post, websocket, event_stream, poll]


@pytest.mark.parametrize("occupy", OCCUPY)
async def test_pending_connections_take_bounded_memory(occupy: Occupy) -> None:
    """A client negotiates 2,000 times; 50 connections may be pending. A client that is connected is served meanwhile."""
    async with (
        serving(Open, maximum_pending_connections=50, close_timeout=0.1) as serve,
        raw(serve.url) as hub,
        AsyncExitStack() as stack,
        asyncio.timeout(60),
    ):
        good = await serve.connect()
        measure()
        statuses: list[int] = []
        for number in range(2_000):
            answer = await hub.request("POST", "/negotiate", negotiateVersion="1")
            statuses.append(answer.status)
            if answer.status == 200:
                await occupy(hub, json.loads(answer.body)["connectionToken"], stack)
            if number % 100 == 0:
                assert await good.invoke("Same", number) == number
        assert statuses == [200] * 50 + [503] * 1_950
        assert pending(serve) == 50
        assert most_allocated() < 12 * MEGABYTE


async def test_the_response_says_what_is_the_matter_and_is_for_web_pages_too() -> None:
    async with (
        serving(Open, maximum_pending_connections=1, cors_origins=["https://example.com"]) as serve,
        raw(serve.url) as hub,
    ):
        await hub.negotiate()
        answer = await hub.request("POST", "/negotiate", headers={"Origin": "https://example.com"})
        assert answer.line == (503, "text/plain", "Too many connections have not completed their handshake. Try again later.")
        assert answer.headers["Access-Control-Allow-Origin"] == "https://example.com"


async def test_websockets_without_negotiation_count_too() -> None:
    async with (
        serving(Open, maximum_pending_connections=2, close_timeout=0.1) as serve,
        raw(serve.url) as hub,
        hub.socket() as first,
        hub.socket(),
    ):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with hub.socket():
                pass
        assert refused.value.status == 503
        assert (await hub.request("POST", "/negotiate")).status == 503
        await first.shake_hands()  # which makes room
        async with hub.socket() as third:
            await third.shake_hands()


async def test_connected_clients_are_no_longer_counted() -> None:
    transports = [HttpTransportType.WEB_SOCKETS, HttpTransportType.SERVER_SENT_EVENTS, HttpTransportType.LONG_POLLING]
    async with serving(Open, maximum_pending_connections=1) as serve:
        clients = [await serve.connect(transports=transport) for transport in transports * 2]
        assert pending(serve) == 0
        assert [await client.invoke("Same", 1) for client in clients] == [1] * 6


@pytest.mark.parametrize("occupy", OCCUPY)
async def test_a_place_is_free_again_when_nothing_is_left_of_the_connection(occupy: Occupy) -> None:
    """Whether it expires, or its handshake fails or times out."""
    options: dict[str, Any] = {"disconnect_timeout": 0.2, "handshake_timeout": 0.2, "close_timeout": 0.1}
    async with (
        serving(Open, maximum_pending_connections=1, **options) as serve,
        raw(serve.url) as hub,
        AsyncExitStack() as stack,
    ):
        await occupy(hub, await hub.negotiate(), stack)
        assert pending(serve) == 1
        await until(lambda: pending(serve) == 0)
        assert set(remembered(serve.server.app).values()) == {0}


async def test_a_failed_handshake_stays_pending_while_its_client_reads_nothing() -> None:
    """What the server holds for it is bounded like what it holds for the others."""
    async with (
        serving(Open, maximum_pending_connections=1, close_timeout=0.2) as serve,
        raw(serve.url) as hub,
        handmade(serve.url) as client,
    ):
        await client.send(frame(b"no handshake\x1e"))
        assert b"error" in await client.read_frame()
        assert (await hub.request("POST", "/negotiate")).status == 503  # the server waits for the client's close frame
        await until(lambda: pending(serve) == 0)
        await hub.negotiate()


async def test_a_client_that_is_refused_is_told_and_its_reconnect_tries_again() -> None:
    async with (
        serving(Open, maximum_pending_connections=1, disconnect_timeout=0.5) as serve,
        raw(serve.url) as hub,
        asyncio.timeout(20),
    ):
        refusals: list[BaseException | None] = []

        def next_delay(context: RetryContext) -> float:
            refusals.append(context.retry_reason)
            return 0.01

        connection = serve.builder().with_automatic_reconnect(next_delay).build()
        reconnected = asyncio.Event()
        connection.on_reconnected(lambda _: reconnected.set())
        await connection.start()
        await hub.negotiate()
        with pytest.raises(NegotiationError, match=r"503 \(Service Unavailable\)\. The server is overloaded.*try again later"):
            await serve.builder().build().start()
        direct = serve.builder(skip_negotiation=True, transports=HttpTransportType.WEB_SOCKETS).build()
        with pytest.raises(TransportError, match=r"status code '503'.*The server is overloaded.*try again later"):
            await direct.start()
        cut_all(serve)
        await reconnected.wait()
        assert await connection.invoke("Same", "back") == "back"
        await connection.stop()
        assert {error.status for error in refusals if isinstance(error, NegotiationError)} == {503}


def cut_all(serve: Serving) -> None:
    """Cut the connections of all clients that are connected."""
    for handler, _dispatcher in serve.server.app[app_module._HUBS]._mapped:
        for context in list(handler._connections):
            context.connection.abort()


# client results


async def test_a_client_that_answers_nothing_can_make_only_so_many_calls_wait(hub_protocol: HubProtocol) -> None:
    """Each call gives its slot up while it waits for the client, so that the slots alone are no limit."""
    number = 5_000
    call = b'{"type":1,"target":"Ask","arguments":["%s"],"invocationId":"%d"}\x1e'
    async with (
        serving(Open, maximum_pending_results_per_client=20, close_timeout=0.1) as serve,
        raw(serve.url) as hub,
        hub.socket() as hostile,
        asyncio.timeout(60),
    ):
        good = await serve.connect(hub_protocol)
        good.on("Q", lambda: "an answer")
        await hostile.shake_hands()
        measure()
        refused = 0
        for first in range(0, number, 100):
            calls = b"".join(call % (b"x" * 1_000, first + index) for index in range(100))
            await hostile.write(calls.decode())
            if first % 1_000 == 0:
                assert await good.invoke("Ask", "") == "an answer"
            while refused < first + 100 - 20:
                message = json.loads(await hostile.read() or "{}")
                refused += message["type"] == 3
                if message["type"] == 3:
                    assert message["error"] == (
                        "An unexpected error occurred invoking 'ask' on the server. HubException: The client has not answered 20"
                        " invocations for a result, and maximum_pending_results_per_client allows no more; nothing was sent."
                    )
        assert most_allocated() < 5 * MEGABYTE
        assert remembered(serve.server.app)["lifetime"] < 30


async def test_a_pending_result_is_forgotten_however_it_ends() -> None:
    async with serving(Open, maximum_pending_results_per_client=2, close_timeout=0.1) as serve:
        client = await serve.connect(close_timeout=0.01)
        release = asyncio.Event()

        async def answer() -> str:
            await release.wait()
            return "late"

        client.on("Q", answer)
        assert client.connection_id
        proxy = serve.hub_context.clients.client(client.connection_id)
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await proxy.invoke("Q")
        waiting = [asyncio.create_task(proxy.invoke("Q")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(HubException, match=r"has not answered 2 invocations .* maximum_pending_results_per_client"):
            await proxy.invoke("Q")
        other = await serve.connect()
        other.on("Q", lambda: "other")
        assert other.connection_id
        assert await serve.hub_context.clients.client(other.connection_id).invoke("Q") == "other"
        release.set()
        assert await asyncio.gather(*waiting) == ["late"] * 2
        release.clear()
        waiting = [asyncio.create_task(proxy.invoke("Q")) for _ in range(2)]
        await asyncio.sleep(0)
        await client.stop()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ConnectionClosedError] * 2
        await other.stop()
        await until(lambda: remembered(serve.server.app)["lifetime"] == 0)


async def test_questions_that_time_out_do_not_pile_up_for_a_client_that_reads_nothing() -> None:
    async with serving(Open, close_timeout=0.1) as serve, handmade(serve.url, receive_buffer=4096) as hostile:
        await hostile.shake_hands()
        [connection_id] = Open.connection_ids
        proxy = serve.hub_context.clients.client(connection_id)
        measure()
        for _ in range(300):
            question = asyncio.create_task(proxy.invoke("Q", "x" * 100_000))
            for _ in range(20):
                await asyncio.sleep(0)
            question.cancel()
            await asyncio.wait({question})
        assert most_allocated() < 20 * MEGABYTE


async def test_answers_to_questions_that_nobody_asked_take_no_memory() -> None:
    async with serving(Open, close_timeout=0.1) as serve, handmade(serve.url) as hostile, asyncio.timeout(60):
        good = await serve.connect()
        await hostile.shake_hands()
        measure()
        for first in range(0, 50_000, 100):
            records = [
                json.dumps(record) + SEPARATOR
                for number in range(first, first + 100)
                for record in (
                    {"type": 3, "invocationId": f"s{number}", "result": "x" * 100},
                    {"type": 2, "invocationId": f"u{number}", "item": "x" * 100},
                    {"type": 5, "invocationId": f"c{number}"},
                )
            ]
            await hostile.send(frame("".join(records).encode()))
        assert await good.invoke("Same", 1) == 1
        assert most_allocated() < 5 * MEGABYTE


# streams and uploads

STREAM = b'{"type":4,"target":"Forever","arguments":["%s"],"invocationId":"%d"}\x1e'
UPLOAD = b'{"type":1,"target":"Read","arguments":[],"streamIds":["u%d"],"invocationId":"%d"}\x1e'


@pytest.mark.parametrize("kind", ["streams", "uploads", "uploads without an answer"])
async def test_streams_and_uploads_that_never_end_take_bounded_memory(kind: str) -> None:
    """20,000 of them; the default allows 1,000."""
    async with serving(Open, close_timeout=0.1) as serve, handmade(serve.url) as hostile, asyncio.timeout(120):
        good = await serve.connect()
        await hostile.shake_hands()
        measure()
        reading = asyncio.create_task(count_records(hostile.read, b"maximum_parallel_streams_per_client"))
        for first in range(0, 20_000, 100):
            numbers = range(first, first + 100)
            if kind == "streams":
                calls = [STREAM % (b"x" * 100, number) for number in numbers]
            elif kind == "uploads":
                calls = [UPLOAD % (number, number) for number in numbers]
            else:
                calls = [b'{"type":1,"target":"Read","arguments":[],"streamIds":["u%d"]}\x1e' % number for number in numbers]
            await hostile.send(frame(b"".join(calls)))
            if first % 2_000 == 0:
                assert await good.invoke("Same", first) == first
        await settle(hostile)
        running = remembered(serve.server.app)["tasks"]
        assert running == 1_000
        assert most_allocated() < 30 * MEGABYTE
        reading.cancel()
        await asyncio.wait({reading})


async def count_records(read: Callable[[], Awaitable[bytes]], text: bytes) -> int:
    """Read, and count how often *text* comes, until there is nothing more."""
    count = 0
    while data := await read():
        count += data.count(text)
    return count


async def test_a_stream_too_many_fails_and_its_end_makes_room() -> None:
    async with serving(Open, maximum_parallel_streams_per_client=2) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        for number in (1, 2):
            await socket.send({"type": 4, "target": "Forever", "arguments": [""], "invocationId": str(number)})
            assert json.loads(await socket.read() or "")["item"] == 0
        for message in (
            {"type": 4, "target": "Forever", "arguments": [""], "invocationId": "3"},
            {"type": 1, "target": "Read", "arguments": [], "streamIds": ["u"], "invocationId": "3"},
        ):
            await socket.send(message)
            answer = json.loads(await socket.read() or "")
            assert answer["invocationId"] == "3"
            assert answer["error"].startswith(f"Failed to invoke '{message['target'].lower()}' due to an error on the server.")  # type: ignore[attr-defined]
            assert "maximum_parallel_streams_per_client allows no more" in answer["error"]
        await socket.call("Same", "plain calls go on", id="4")
        assert json.loads(await socket.read() or "")["result"] == "plain calls go on"
        await socket.send({"type": 5, "invocationId": "1"})
        assert json.loads(await socket.read() or "") == {"type": 3, "invocationId": "1"}
        await socket.send({"type": 1, "target": "Read", "arguments": [], "streamIds": ["u"], "invocationId": "5"})
        await socket.send({"type": 2, "invocationId": "u", "item": 1}, {"type": 3, "invocationId": "u"})
        assert json.loads(await socket.read() or "")["result"] == 1


async def test_calls_that_run_on_after_a_client_result_count_too() -> None:
    async with serving(Open, maximum_parallel_streams_per_client=3) as serve:
        client = await serve.connect()
        client.on("Q", lambda: "answer")
        calls = [asyncio.create_task(client.invoke("AskAndWork")) for _ in range(3)]
        await asyncio.sleep(0)  # they are sent first
        assert "maximum_parallel_streams_per_client allows no more" in await refusal(client.invoke("AskAndWork"))
        assert await client.invoke("Same", 1) == 1
        Open.served.set()
        assert await asyncio.gather(*calls) == ["answer"] * 3
        assert await client.invoke("AskAndWork") == "answer"


async def test_without_limits_there_are_none() -> None:
    options: dict[str, Any] = {
        "maximum_parallel_streams_per_client": None,
        "maximum_pending_results_per_client": None,
        "maximum_pending_connections": None,
    }
    async with serving(Open, **options) as serve, raw(serve.url) as hub:
        client = await serve.connect()
        release = asyncio.Event()

        async def answer() -> int:
            await release.wait()
            return 1

        client.on("Q", answer)
        for _ in range(50):
            await hub.negotiate()
        streams = [client.stream("Forever", "") for _ in range(1_100)]
        calls = [asyncio.create_task(client.invoke("Ask", "")) for _ in range(1_100)]
        assert [await anext(stream) for stream in streams] == [0] * 1_100
        release.set()
        assert await asyncio.gather(*calls) == [1] * 1_100
        for stream in streams:
            await stream.aclose()


# stateful reconnect


@pytest.mark.parametrize("call", ["an unknown method", "a method that runs"])
async def test_a_client_that_acknowledges_nothing_takes_bounded_memory(call: str) -> None:
    """It reads everything, so that nothing but the missing Ack holds it up."""
    if call == "an unknown method":
        record = b'{"type":1,"target":"%s","arguments":[],"invocationId":"1"}\x1e' % (b"x" * 30_000)
    else:
        record = b'{"type":1,"target":"Same","arguments":["%s"],"invocationId":"1"}\x1e' % (b"x" * 30_000)
    async with (
        serving(Open, allow_stateful_reconnects=True, transport_send_timeout=2.0, close_timeout=0.1) as serve,
        raw(serve.url) as hub,
        asyncio.timeout(60),
    ):
        good = await serve.connect()
        answer = await hub.request("POST", "/negotiate", negotiateVersion="1", useStatefulReconnect="true")
        token = json.loads(answer.body)["connectionToken"]
        async with handmade(f"{serve.url}?id={token}") as hostile:
            await hostile.send(frame(HANDSHAKE.replace('"version":1', '"version":2').encode()))
            assert await hostile.read_frame() == b"{}\x1e"
            measure()

            async def read() -> None:
                while await hostile.read():
                    pass

            async def flood() -> None:
                while True:
                    await hostile.send(frame(record) * 10)

            tasks = {asyncio.create_task(read()), asyncio.create_task(flood())}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)  # the server has cut it off
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        assert await good.invoke("Same", 1) == 1
        assert most_allocated() < 30 * MEGABYTE

"""Event streams and polls with unusual responses. See the transport protocols specification and docs/transports.md."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from signalr_client import (
    AggregateTransportError,
    ConnectionClosedError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
)
from signalr_client.transports import http
from tests.support.events import EventRecorder
from tests.support.served_app import served_app

SEPARATOR = "\x1e"
PING = '{"type":6}\x1e'
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Forged:
    """A server whose responses are chosen by the test; it records the requests.

    Attributes:
        polls: functions that respond to polls, in turn; when there are none left, a poll waits.
        post: responds to POST requests after their body was recorded; 200 by default.
        noted: method and body of each request, except negotiate requests.
        tokens: the Authorization header of each request.
    """

    def __init__(self) -> None:
        self.url = ""
        self.polls: asyncio.Queue[web.StreamResponse | Answer] = asyncio.Queue()
        self.post: Answer | None = None
        self.noted: list[tuple[str, str]] = []
        self.tokens: list[tuple[str, str | None]] = []
        self.accepts: list[str | None] = []
        self.came = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        self.tokens.append((request.method, request.headers.get("Authorization")))
        if request.path.endswith("/negotiate"):
            offer = [{"transport": name, "transferFormats": ["Text"]} for name in ("ServerSentEvents", "LongPolling")]
            return web.json_response(
                {"negotiateVersion": 1, "connectionId": "c", "connectionToken": "t", "availableTransports": offer}
            )
        self.noted.append((request.method, body))
        self.accepts.append(request.headers.get("Accept"))
        self.came.set()
        if request.method == "POST":
            return await self.post(request) if self.post is not None else web.Response()
        if request.method == "DELETE":
            return web.Response(status=202)
        answer = await self.polls.get()
        return answer if isinstance(answer, web.StreamResponse) else await answer(request)

    def answer(self, text: str = "", status: int = 200) -> None:
        """Queue a response to a poll."""
        self.polls.put_nowait(web.Response(text=text, status=status))

    def begin(self) -> None:
        """Queue the responses that start a Long Polling connection."""

        async def handshake(_request: web.Request) -> web.Response:
            await self.until(lambda: bool(self.bodies()))
            return web.Response(text="{}" + SEPARATOR)

        self.answer()
        self.polls.put_nowait(handshake)

    def bodies(self, method: str = "POST") -> list[str]:
        return [body for noted, body in self.noted if noted == method]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the recorded requests meet a condition."""
        async with asyncio.timeout(5):
            while not condition():
                self.came.clear()
                await self.came.wait()


@pytest.fixture
async def forged() -> AsyncIterator[Forged]:
    server = Forged()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with served_app(app, handler_cancellation=True) as url:
        server.url = url + "/hub"
        yield server


def polling(forged: Forged, **options: Any) -> HubConnection:
    return HubConnectionBuilder().with_url(forged.url, transports=HttpTransportType.LONG_POLLING, **options).build()


# polls


async def test_polling_continues_after_empty_responses(forged: Forged) -> None:
    forged.begin()
    forged.answer()
    forged.answer()
    forged.answer('{"type":1,"target":"M","arguments":[1]}' + SEPARATOR)
    client = polling(forged)
    got: asyncio.Queue[int] = asyncio.Queue()
    client.on("M", got.put_nowait)
    async with asyncio.timeout(5), client:
        assert await got.get() == 1
    assert forged.bodies("GET")[:5] == [""] * 5
    assert forged.noted[-1] == ("DELETE", "")


async def test_a_204_ends_the_connection_without_an_error_or_delete(forged: Forged) -> None:
    forged.begin()
    client = polling(forged)
    events = EventRecorder(client)
    await client.start()
    forged.answer(status=204)
    async with asyncio.timeout(5):
        await client.wait_closed()
    await client.stop()
    assert events.names == ["closed"]
    assert "DELETE" not in {method for method, _ in forged.noted}


@pytest.mark.parametrize("status", [404, 410, 500, 503])
async def test_any_other_status_ends_the_connection_with_an_error(forged: Forged, status: int) -> None:
    """After a 404 the server does not know the connection, so no DELETE is sent."""
    forged.begin()
    client = polling(forged)
    await client.start()
    forged.answer(status=status)
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosedError, match=f"A poll was answered with {status}"):
            await client.wait_closed()
    await client.stop()
    assert ("DELETE" in {method for method, _ in forged.noted}) is (status != 404)


async def test_a_rejected_first_poll_fails_the_start(forged: Forged) -> None:
    forged.answer(status=500)
    with pytest.raises(AggregateTransportError, match=r"LongPolling failed: The first poll was answered with 500"):
        await polling(forged).start()


async def test_a_poll_without_a_response_is_sent_again(forged: Forged, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the request timeout; a proxy may have dropped the request."""
    forged.begin()
    client = polling(forged)
    await client.start()
    await forged.until(lambda: len(forged.bodies("GET")) == 3)
    monkeypatch.setattr(http, "REQUEST_TIMEOUT", 0.05)
    forged.answer(PING)  # the response to the second poll
    await forged.until(lambda: len(forged.bodies("GET")) >= 6)
    assert client.state == "Connected"
    monkeypatch.undo()
    await client.stop()


async def test_long_polling_has_no_pings_and_no_server_timeout(forged: Forged) -> None:
    forged.begin()
    builder = HubConnectionBuilder().with_url(forged.url, transports=HttpTransportType.LONG_POLLING)
    client = builder.with_server_timeout(0.02).with_keep_alive_interval(0.01).build()
    async with client:
        waited: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.1, waited.set_result, None)
        await waited
        assert client.state == "Connected"
    assert not any('"type":6' in body for body in forged.bodies())


# sending


async def test_one_post_at_a_time_sends_all_queued_messages(forged: Forged) -> None:
    forged.begin()
    client = polling(forged)
    await client.start()
    release, running, most = asyncio.Event(), 0, 0

    async def slow(_request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await release.wait()
        running -= 1
        return web.Response()

    forged.post = slow
    await client.send("M", 0)
    await forged.until(lambda: len(forged.bodies()) == 2)  # the first one is the handshake
    for number in range(1, 4):
        await client.send("M", number)
        await asyncio.sleep(0)
    release.set()
    await forged.until(lambda: len(forged.bodies()) == 3)
    await client.stop()
    handshake, first, rest = forged.bodies()[:3]
    assert handshake == '{"protocol":"json","version":1}' + SEPARATOR
    sent = [json.loads(text)["arguments"] for text in (first + rest).split(SEPARATOR) if text]
    assert (sent, first.count(SEPARATOR), most) == ([[0], [1], [2], [3]], 1, 1)


@pytest.mark.parametrize("status", [403, 404, 409, 500])
async def test_a_rejected_post_ends_the_connection(forged: Forged, status: int) -> None:
    forged.begin()
    client = polling(forged)
    await client.start()

    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=status)

    forged.post = refuse
    await client.send("M")
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosedError, match=f"LongPolling: the server refused a message.*{status}"):
            await client.wait_closed()
    await client.stop()


async def test_a_failed_delete_does_not_fail_stop(forged: Forged) -> None:
    forged.begin()
    client = polling(forged)
    await client.start()

    async def vanish(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    forged.post = vanish
    await client.stop()
    assert client.state == "Disconnected"


# event streams


def streaming(forged: Forged, **options: Any) -> HubConnection:
    return HubConnectionBuilder().with_url(forged.url, transports=HttpTransportType.SERVER_SENT_EVENTS, **options).build()


async def test_an_event_stream_may_arrive_in_pieces_of_any_size(forged: Forged) -> None:
    """With comments, other fields, and events of several lines."""
    end = asyncio.Event()
    text = (
        ":\r\n: hello\r\nevent: message\r\ndata: {}\x1e\r\n\r\n"
        'data: {"type":1,"target":"M",\r\ndata: "arguments":[1]}\x1e{"type":1,"target":"M","arguments":[2]}\x1e\r\n\r\n'
    )

    async def pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for character in text:
            await response.write(character.encode())
        await end.wait()
        return response

    forged.polls.put_nowait(pieces)
    client = streaming(forged)
    got: asyncio.Queue[int] = asyncio.Queue()
    client.on("M", got.put_nowait)
    async with asyncio.timeout(5):
        await client.start()
        assert [await got.get(), await got.get()] == [1, 2]
        end.set()
        await client.wait_closed()  # the end of the stream is not an error
    await client.stop()
    assert forged.accepts[0] == "text/event-stream"
    assert "DELETE" not in {method for method, _ in forged.noted}


async def test_a_response_that_is_not_an_event_stream_fails_the_transport(forged: Forged) -> None:
    forged.answer("<html>")
    with pytest.raises(
        AggregateTransportError, match="The server answered with 'text/plain' where an event stream was expected"
    ):
        await streaming(forged).start()


async def test_a_broken_event_stream_is_an_error(forged: Forged) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: {}\x1e\r\n\r\n")
        await forged.until(lambda: any('"type":6' in body for body in forged.bodies()))
        assert request.transport is not None
        request.transport.abort()
        return response

    forged.polls.put_nowait(breaks)
    client = streaming(forged)
    await client.start()
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosedError, match="The event stream broke"):
            await client.wait_closed()
    await client.stop()


# tokens


class Tokens:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        return f"token-{self.calls}"


async def test_a_request_with_a_401_is_sent_again_once_with_a_new_token(forged: Forged) -> None:
    forged.answer(status=401)
    forged.answer(status=401)
    tokens = Tokens()
    with pytest.raises(AggregateTransportError, match="The first poll was answered with 401"):
        await polling(forged, access_token_factory=tokens).start()
    assert forged.tokens == [("POST", "Bearer token-1"), ("GET", "Bearer token-1"), ("GET", "Bearer token-2")]
    assert tokens.calls == 2


async def test_a_403_is_final(forged: Forged) -> None:
    forged.answer(status=403)
    tokens = Tokens()
    with pytest.raises(AggregateTransportError, match="The first poll was answered with 403"):
        await polling(forged, access_token_factory=tokens).start()
    assert tokens.calls == 1


async def test_an_event_stream_with_a_401_is_requested_again_with_a_new_token(forged: Forged) -> None:
    forged.answer(status=401)
    forged.answer(status=401)
    tokens = Tokens()
    with pytest.raises(AggregateTransportError, match=r"ServerSentEvents failed: .* 401"):
        await streaming(forged, access_token_factory=tokens).start()
    assert forged.tokens[1:] == [("GET", "Bearer token-1"), ("GET", "Bearer token-2")]


async def test_a_new_token_for_a_post_is_used_for_later_polls(forged: Forged) -> None:
    forged.begin()
    tokens = Tokens()
    client = polling(forged, access_token_factory=tokens)
    await client.start()

    async def picky(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers["Authorization"] == "Bearer token-2" else 401)

    forged.post = picky
    await client.send("M", 1)
    await forged.until(lambda: len(forged.bodies()) == 3)
    assert forged.bodies()[1] == forged.bodies()[2]
    forged.answer(PING)
    await forged.until(lambda: forged.tokens[-1][0] == "GET")
    assert forged.tokens[-1] == ("GET", "Bearer token-2")
    await client.stop()
    assert forged.tokens[-1] == ("DELETE", "Bearer token-2")
    assert tokens.calls == 2


async def test_without_a_factory_a_401_is_final(forged: Forged) -> None:
    forged.answer(status=401)
    with pytest.raises(AggregateTransportError, match="401"):
        await polling(forged).start()
    assert forged.tokens == [("POST", None), ("GET", None)]

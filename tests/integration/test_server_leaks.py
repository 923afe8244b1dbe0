"""What the server remembers of clients that have left, over every transport, at every stage, and in every way."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from signalr_client.server import Hub, HubOptions, map_hub
from signalr_client.server import app as app_module
from tests.support.handmade import HandmadeSocket, frame, handmade
from tests.support.raw import HANDSHAKE, SEPARATOR, Raw, raw
from tests.support.served_app import remembered, served_app

TURNS = (0, 1, 3, 10, 30, 60)  # of the event loop, between what a client does last and its end


class Busy(Hub):
    """Has something of every kind to do."""

    async def on_connected(self) -> None:
        await self.groups.add(self.context.connection_id, "everybody")
        if self.slow:
            for _ in range(20):
                await asyncio.sleep(0)

    @property
    def slow(self) -> bool:
        request = self.context.get_http_request()
        return request is not None and "slow" in request.query_string

    async def on_disconnected(self, exception: BaseException | None) -> None:
        if self.slow:
            for _ in range(20):
                await asyncio.sleep(0)

    def same(self, value: object) -> object:
        return value

    async def wait(self) -> None:
        await self.context.connection_aborted.wait()

    async def ask(self) -> object:
        return await self.clients.caller.invoke("Give")

    async def count(self) -> AsyncIterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    async def read(self, items: AsyncIterator[Any]) -> int:
        return len([item async for item in items])

    def leave(self) -> None:
        self.context.abort()


def record(type: int, target: str = "", **members: Any) -> str:
    """Return a message of the client."""
    call = {"target": target, "arguments": members.pop("arguments", [])} if target else {}
    return json.dumps({"type": type, **call, **members}) + SEPARATOR


WORK = {
    "no handshake": None,
    "an unfinished handshake": None,
    "nothing": "",
    "a running call": record(1, "Wait", invocationId="1"),
    "waiting calls": "".join(record(1, "Wait", invocationId=str(number)) for number in range(20)),
    "a client result": record(1, "Ask", invocationId="1"),
    "a stream": record(4, "Count", invocationId="1"),
    "a cancelled stream": record(4, "Count", invocationId="1") + record(5, invocationId="1"),
    "an upload": record(1, "Read", invocationId="1", streamIds=["u"]) + record(2, invocationId="u", item=1),
    "two uploads with one id": record(1, "Read", invocationId="1", streamIds=["u"]) * 2,
    "an unfinished message": '{"type":1,"target":"Wa',
    "a protocol error": "nonsense" + SEPARATOR,
    "a close": record(7),
    "an abort by the hub": record(1, "Leave"),
}


def opening(work: str) -> str:
    """Return what the client sends."""
    sent = WORK[work]
    if sent is None:
        return HANDSHAKE[:10] if work == "an unfinished handshake" else ""
    return HANDSHAKE + sent


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# WebSockets


async def drop(_socket: HandmadeSocket) -> None:
    """Reset the connection, as the end of the socket does."""


async def close(socket: HandmadeSocket) -> None:
    await socket.send(b"\x88\x80" + bytes(4))
    await until_the_end(socket)


async def half_close(socket: HandmadeSocket) -> None:
    socket.shut_down()
    await until_the_end(socket)


async def break_the_protocol(socket: HandmadeSocket) -> None:
    await socket.send(b"\xff\xff\xff")
    await until_the_end(socket)


async def until_the_end(socket: HandmadeSocket) -> None:
    with suppress(ConnectionError):
        while await socket.read():
            pass


async def websocket(url: str, work: str, query: str, wait: int, end: Callable[[HandmadeSocket], Awaitable[None]]) -> None:
    async with handmade(url + query) as socket:
        with suppress(ConnectionError):
            if text := opening(work):
                await socket.send(frame(text.encode()))
            await turns(wait)
            await end(socket)


# requests


async def event_stream(url: str, work: str, query: str, wait: int, end: str) -> None:
    async with raw(url) as hub:
        token = await hub.negotiate()
        if end == "before it begins":
            return
        async with hub.session.get(f"{url}{query or '?'}&id={token}", headers={"Accept": "text/event-stream"}) as response:
            if text := opening(work):
                with suppress(aiohttp.ClientError):
                    await hub.request("POST", body=text, id=token)
            await turns(wait)
            response.close()


async def long_polling(url: str, work: str, query: str, wait: int, end: str) -> None:
    async with raw(url) as hub:
        token = await hub.negotiate()
        if end == "before it begins":
            return
        await hub.request("GET", query, id=token)
        requests = [asyncio.create_task(hub.request("GET", id=token)) for _ in range(2)]
        if text := opening(work):
            requests.append(asyncio.create_task(hub.request("POST", body=text, id=token)))
        await turns(wait)
        if end == "a DELETE":
            await hub.request("DELETE", id=token)
        elif end == "polls to the end":
            await polls_to_the_end(hub, token)
        for request in requests:
            request.cancel()
        await asyncio.wait(requests)


async def polls_to_the_end(hub: Raw, token: str) -> None:
    """Poll until the server says that the connection is over; it ends because the client says goodbye."""
    await hub.request("POST", body=record(7), id=token)
    for _ in range(5):
        if (await hub.request("GET", id=token)).status == 404:
            return


WAYS: list[tuple[Callable[..., Awaitable[None]], list[Any]]] = [
    (websocket, [drop, close, half_close, break_the_protocol]),
    (event_stream, ["before it begins", "the client drops it"]),
    (long_polling, ["before it begins", "the client drops it", "a DELETE", "polls to the end"]),
]


@pytest.mark.parametrize("handler_cancellation", [False, True])
@pytest.mark.parametrize("connect", [connect for connect, _ in WAYS])
async def test_nothing_is_left_of_clients_that_have_left(
    connect: Callable[..., Awaitable[None]], handler_cancellation: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does any of them make the server report an error."""
    app = web.Application()
    options = HubOptions(
        disconnect_timeout=0.2, close_timeout=0.1, transport_send_timeout=0.3, poll_timeout=0.2, client_timeout_interval=0.5
    )
    map_hub(app, "/hub", Busy, options=options)
    ends = dict(WAYS)[connect]
    caplog.set_level(logging.ERROR)
    async with served_app(app, handler_cancellation=handler_cancellation) as base, asyncio.timeout(120):
        for wait in TURNS:
            ways = [(work, query, wait, end) for work in WORK for query in ("", "?slow") for end in ends]
            await asyncio.gather(*(connect(base + "/hub", *way) for way in ways))
        while any(remembered(app).values()):
            await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == []


async def test_nothing_is_left_of_clients_when_the_server_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever they are doing. Some poll no more, so the server waits for them as long as it may."""
    monkeypatch.setattr(app_module, "SHUTDOWN_TIMEOUT", 0.3)
    app = web.Application()
    map_hub(app, "/hub", Busy, options=HubOptions(close_timeout=0.1))
    ways: list[tuple[Callable[..., Awaitable[None]], Any]] = [
        (websocket, half_close),
        (event_stream, "the client drops it"),
        (long_polling, "the client drops it"),
    ]
    async with served_app(app) as base, asyncio.timeout(60):
        connecting = [
            asyncio.ensure_future(connect(base + "/hub", work, "?slow", 10_000, end)) for work in WORK for connect, end in ways
        ]
        await turns(200)
        assert remembered(app)["connections"] >= len(WORK)
    assert not any(remembered(app).values())
    for task in connecting:
        task.cancel()
    await asyncio.wait(connecting)

"""Polls that replace each other, race, and meet the end of their connection, on the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from signalr_client.server import Hub
from tests.support.hub_server import Serving, serving
from tests.support.raw import Answer, Raw, raw

CLOSE = '{"type":7,"allowReconnect":true}\x1e'


class Room(Hub):
    left: asyncio.Queue[BaseException | None]

    def same(self, value: object) -> object:
        return value

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Room.left.put_nowait(exception)


class Polls:
    """A client that polls by hand, and the arrival of its polls at the server."""

    def __init__(self, serve: Serving, hub: Raw, token: str, arrived: asyncio.Queue[str]) -> None:
        self.serve = serve
        self.hub = hub
        self.token = token
        self._arrived = arrived

    async def begin(self, count: int = 1) -> list[asyncio.Task[Answer]]:
        """Send polls and return them as soon as the server has taken all of them."""
        while not self._arrived.empty():
            self._arrived.get_nowait()
        polls = [asyncio.create_task(self.hub.request("GET", id=self.token)) for _ in range(count)]
        for _ in polls:
            await self._arrived.get()
        for _ in range(5):  # from the application's function to the poll itself
            await asyncio.sleep(0)
        return polls


@asynccontextmanager
async def polling(**options: Any) -> AsyncIterator[Polls]:
    """Yield a client that is connected over Long Polling."""
    Room.left = asyncio.Queue()
    arrived: asyncio.Queue[str] = asyncio.Queue()

    def note(request: Any) -> None:
        if request.method == "GET":
            arrived.put_nowait(request.path)

    async with serving(Room, authenticate=note, **options) as serve, raw(serve.url) as hub, asyncio.timeout(20):
        yield Polls(serve, hub, await hub.long_polling(), arrived)


async def test_a_replaced_poll_does_not_end_the_connection_that_the_newer_one_carries() -> None:
    async with polling(disconnect_timeout=0.05) as client:
        (first,) = await client.begin()
        (second,) = await client.begin()
        answer = await first
        assert (answer.status, answer.text) == (204, "")
        other = await client.hub.negotiate()  # its time begins now, and passes
        while (await client.hub.request("POST", body=b"", id=other)).status != 404:
            pass
        assert not second.done()
        await client.serve.hub_context.clients.all.send("M", "still here")
        assert "still here" in (await second).text
        await client.hub.request("DELETE", id=client.token)


async def test_of_racing_polls_one_waits_and_the_others_are_conflicts() -> None:
    """As on the real server: the active poll gets 204, the first newer one takes its place, the others get 409."""
    async with polling() as client:
        (active,) = await client.begin()
        racing = await client.begin(4)
        assert (await active).status == 204
        done, waiting = await asyncio.wait(racing, return_when=asyncio.FIRST_COMPLETED)
        while len(done) < 3:
            more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            done |= more
        assert sorted([(await poll).status for poll in done]) == [409, 409, 409]
        (last,) = waiting
        await client.serve.hub_context.clients.all.send("M", "to the one that waits")
        assert "to the one that waits" in (await last).text
        await client.hub.request("DELETE", id=client.token)


async def test_a_delete_delivers_the_close_in_the_poll_that_waits() -> None:
    async with polling() as client:
        (poll,) = await client.begin()
        assert (await client.hub.request("DELETE", id=client.token)).status == 202
        answer = await poll
        assert (answer.status, answer.text) == (200, CLOSE)
        assert await Room.left.get() is None
        assert (await client.hub.request("GET", id=client.token)).status == 404


async def test_a_delete_between_polls_ends_the_connection_at_once() -> None:
    async with polling() as client:
        await client.serve.hub_context.clients.all.send("M", "nobody fetches this")
        assert (await client.hub.request("DELETE", id=client.token)).status == 202
        assert await Room.left.get() is None
        assert (await client.hub.request("GET", id=client.token)).status == 404


async def test_a_poll_whose_client_is_gone_makes_room_for_the_next() -> None:
    """The messages that it would have fetched wait for the next one."""
    async with polling() as client:
        (gone,) = await client.begin()
        gone.cancel()
        await asyncio.wait({gone})
        (poll,) = await client.begin()
        await client.serve.hub_context.clients.all.send("M", "not lost")
        assert "not lost" in (await poll).text
        await client.hub.request("DELETE", id=client.token)

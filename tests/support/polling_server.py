"""A Long Polling server for JSON that lets tests delay DELETE responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.support.served_app import served_app

SEPARATOR = "\x1e"


class PollingConnection:
    """One connection: the queued responses to polls, and the data it has posted."""

    def __init__(self) -> None:
        self.polls: asyncio.Queue[str] = asyncio.Queue()
        self.posted: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.begun = False

    def send(self, *messages: object) -> None:
        """Respond to the next poll with *messages*."""
        self.polls.put_nowait("".join(json.dumps(message) + SEPARATOR for message in messages))


class PollingServer:
    """A hub server controlled by the test.

    Attributes:
        url: the URL of the hub.
        connections: the connections by token; the tokens are consecutive numbers.
        delete_begun: set when a DELETE request has arrived.
        release: DELETE requests get a response once it is set.
    """

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[PollingConnection] = []
        self.delete_begun = asyncio.Event()
        self.release = asyncio.Event()

    async def negotiate(self, _request: web.Request) -> web.Response:
        """Offer only Long Polling."""
        token = str(len(self.connections))
        self.connections.append(PollingConnection())
        offer = [{"transport": "LongPolling", "transferFormats": ["Text", "Binary"]}]
        return web.json_response(
            {"negotiateVersion": 1, "connectionId": token, "connectionToken": token, "availableTransports": offer}
        )

    async def poll(self, request: web.Request) -> web.Response:
        """Respond to the first poll immediately, and to later ones when there is data."""
        connection = self._connection(request)
        if not connection.begun:
            connection.begun = True
            return web.Response()
        return web.Response(text=await connection.polls.get())

    async def post(self, request: web.Request) -> web.Response:
        """Accept messages and respond to the handshake."""
        connection = self._connection(request)
        for record in (await request.text()).split(SEPARATOR)[:-1]:
            message = json.loads(record)
            if "protocol" in message:
                connection.polls.put_nowait("{}" + SEPARATOR)
            else:
                connection.posted.put_nowait(message)
        return web.Response()

    async def delete(self, _request: web.Request) -> web.Response:
        """Respond when the test allows it."""
        self.delete_begun.set()
        await self.release.wait()
        return web.Response(status=202)

    def _connection(self, request: web.Request) -> PollingConnection:
        return self.connections[int(request.query["id"])]


@asynccontextmanager
async def polling_server() -> AsyncIterator[PollingServer]:
    """Run a polling server during the block."""
    server = PollingServer()
    app = web.Application()
    app.router.add_post("/hub/negotiate", server.negotiate)
    app.router.add_get("/hub", server.poll)
    app.router.add_post("/hub", server.post)
    app.router.add_delete("/hub", server.delete)
    async with served_app(app, handler_cancellation=True) as url:
        server.url = url + "/hub"
        yield server

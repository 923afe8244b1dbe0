"""A server that speaks Long Polling with JSON, whose DELETE requests a test can hold up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

SEPARATOR = "\x1e"


class PollingConnection:
    """One connection: what it polls, and what it has posted."""

    def __init__(self) -> None:
        self.polls: asyncio.Queue[str] = asyncio.Queue()
        self.posted: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.begun = False

    def send(self, *messages: object) -> None:
        """Answer the next poll with *messages*."""
        self.polls.put_nowait("".join(json.dumps(message) + SEPARATOR for message in messages))


class PollingServer:
    """What tests set and see.

    Attributes:
        url: the address of the hub.
        connections: by their token, which is their number.
        delete_begun: set when a DELETE request has arrived.
        release: DELETE requests are answered once it is set.
    """

    def __init__(self) -> None:
        self.url = ""
        self.connections: list[PollingConnection] = []
        self.delete_begun = asyncio.Event()
        self.release = asyncio.Event()

    async def negotiate(self, _request: web.Request) -> web.Response:
        """Offer Long Polling alone."""
        token = str(len(self.connections))
        self.connections.append(PollingConnection())
        offer = [{"transport": "LongPolling", "transferFormats": ["Text", "Binary"]}]
        return web.json_response(
            {"negotiateVersion": 1, "connectionId": token, "connectionToken": token, "availableTransports": offer}
        )

    async def poll(self, request: web.Request) -> web.Response:
        """Answer the first poll at once and others when there is something to say."""
        connection = self._connection(request)
        if not connection.begun:
            connection.begun = True
            return web.Response()
        return web.Response(text=await connection.polls.get())

    async def post(self, request: web.Request) -> web.Response:
        """Take messages; answer the handshake."""
        connection = self._connection(request)
        for record in (await request.text()).split(SEPARATOR)[:-1]:
            message = json.loads(record)
            if "protocol" in message:
                connection.polls.put_nowait("{}" + SEPARATOR)
            else:
                connection.posted.put_nowait(message)
        return web.Response()

    async def delete(self, _request: web.Request) -> web.Response:
        """Answer when the test allows it."""
        self.delete_begun.set()
        await self.release.wait()
        return web.Response(status=202)

    def _connection(self, request: web.Request) -> PollingConnection:
        return self.connections[int(request.query["id"])]


@asynccontextmanager
async def polling_server() -> AsyncIterator[PollingServer]:
    """Run a polling server for as long as the block lasts."""
    server = PollingServer()
    app = web.Application()
    app.router.add_post("/hub/negotiate", server.negotiate)
    app.router.add_get("/hub", server.poll)
    app.router.add_post("/hub", server.post)
    app.router.add_delete("/hub", server.delete)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hub"
        yield server
    finally:
        await runner.cleanup()

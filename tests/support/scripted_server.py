"""A scripted server: it sends a given negotiate response, performs the handshake, and then runs the test's script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.served_app import served_app

SEPARATOR = "\x1e"
OFFER: dict[str, object] = {
    "negotiateVersion": 1,
    "connectionId": "public-id",
    "connectionToken": "secret-token",
    "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}],
}


class Peer:
    """The server side of one WebSocket."""

    def __init__(self, socket: web.WebSocketResponse[Any], request: web.Request) -> None:
        self.socket = socket
        self.request = request

    @property
    def transport(self) -> asyncio.Transport:
        """The connection of the client, for tests that stop reading from it."""
        transport = self.request.transport
        assert transport is not None
        return transport

    async def receive(self) -> list[dict[str, Any]]:
        """Return the messages in the client's next frame, or an empty list if it has closed the connection."""
        frame = await self.socket.receive()
        if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return []
        text = frame.data if isinstance(frame.data, str) else frame.data.decode()
        return [json.loads(record) for record in text.split(SEPARATOR) if record]

    async def shake_hands(self) -> list[dict[str, Any]]:
        """Respond to the handshake; return the messages of the frame that contained it."""
        frame = await self.receive()
        await self.send({})
        return frame

    async def send(self, *messages: object, more: str = "") -> None:
        """Send messages in one frame, followed by the raw text *more*."""
        await self.socket.send_str("".join(json.dumps(message) + SEPARATOR for message in messages) + more)

    async def until_closed(self) -> int | None:
        """Wait until the client closes the connection; return the close code."""
        while (frame := await self.socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            pass
        return frame.data if frame.type is WSMsgType.CLOSE else self.socket.close_code


Script = Callable[[Peer], Awaitable[None]]


async def keep_open(peer: Peer) -> None:
    """Perform the handshake and keep the connection open."""
    await peer.shake_hands()
    await peer.until_closed()


async def no_refresh(_request: web.Request) -> web.Response:
    """Respond with 404."""
    return web.Response(status=404)


class ScriptedServer:
    """A server controlled by the test.

    Attributes:
        url: the URL of the hub.
        script: runs on each WebSocket; the connection is cut when it returns.
        negotiate: the negotiate response: a JSON value, or a function of the request.
        refresh: handles POST requests to the refresh URL of the hub.
        refusal: the status to reject WebSockets with, if any.
        requests: the requests so far.
    """

    def __init__(self) -> None:
        self.url = ""
        self.script: Script = keep_open
        self.negotiate: object = OFFER
        self.refresh: Callable[[web.Request], Awaitable[web.Response]] = no_refresh
        self.refusal: int | None = None
        self.requests: list[web.Request] = []

    async def answer_negotiate(self, request: web.Request) -> web.StreamResponse:
        """Respond as configured by the test."""
        self.requests.append(request)
        answer = self.negotiate
        if callable(answer):
            answer = answer(request)
            if asyncio.iscoroutine(answer):
                answer = await answer
        return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)

    async def answer_refresh(self, request: web.Request) -> web.StreamResponse:
        """Respond as configured by the test."""
        return await self.refresh(request)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Run the script on a WebSocket."""
        self.requests.append(request)
        if self.refusal is not None:
            return web.Response(status=self.refusal)
        socket: web.WebSocketResponse[Any] = web.WebSocketResponse(autoclose=False, timeout=0.1, max_msg_size=0)
        await socket.prepare(request)
        try:
            await self.script(Peer(socket, request))
        finally:
            if request.transport is not None:
                request.transport.abort()
        return socket


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """Run a scripted server during the block."""
    server = ScriptedServer()
    app = web.Application()
    app.router.add_post("/{path:.*}negotiate", server.answer_negotiate)
    app.router.add_post("/{path:.*}/refresh", server.answer_refresh)
    app.router.add_get("/{path:.*}", server.connect)
    async with served_app(app, handler_cancellation=True) as url:
        server.url = url + "/hub"
        yield server

"""A peer that does what a test tells it: negotiates with a given answer, shakes hands, and then plays a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

SEPARATOR = "\x1e"
OFFER: dict[str, object] = {
    "negotiateVersion": 1,
    "connectionId": "public-id",
    "connectionToken": "secret-token",
    "availableTransports": [{"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}],
}


class Peer:
    """The server's side of one WebSocket."""

    def __init__(self, socket: web.WebSocketResponse[Any], request: web.Request) -> None:
        self.socket = socket
        self.request = request

    async def receive(self) -> list[dict[str, Any]]:
        """Return the messages of the client's next frame; none when it has closed."""
        frame = await self.socket.receive()
        if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return []
        text = frame.data if isinstance(frame.data, str) else frame.data.decode()
        return [json.loads(record) for record in text.split(SEPARATOR) if record]

    async def shake_hands(self) -> list[dict[str, Any]]:
        """Answer the handshake; return the frame it came in."""
        frame = await self.receive()
        await self.send({})
        return frame

    async def send(self, *messages: object, more: str = "") -> None:
        """Send messages in one frame, and *more* behind them as it is."""
        await self.socket.send_str("".join(json.dumps(message) + SEPARATOR for message in messages) + more)

    async def until_closed(self) -> int | None:
        """Wait for the client's close; return its code."""
        while (frame := await self.socket.receive()).type in (WSMsgType.TEXT, WSMsgType.BINARY):
            pass
        return frame.data if frame.type is WSMsgType.CLOSE else self.socket.close_code


Script = Callable[[Peer], Awaitable[None]]


async def keep_open(peer: Peer) -> None:
    """Shake hands and stay."""
    await peer.shake_hands()
    await peer.until_closed()


async def no_refresh(_request: web.Request) -> web.Response:
    """Say that there is no such address."""
    return web.Response(status=404)


class ScriptedServer:
    """What the tests set and see.

    Attributes:
        url: the hub's address.
        script: what each WebSocket runs through; the connection is cut when it returns.
        negotiate: the answer to a negotiate request: a JSON value, or a function of the request.
        refresh: answers the POSTs to the address below the hub's where authentications are renewed.
        refusal: the status that WebSockets are refused with, if any.
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
        """Answer as the test says."""
        self.requests.append(request)
        answer = self.negotiate
        if callable(answer):
            answer = answer(request)
            if asyncio.iscoroutine(answer):
                answer = await answer
        return answer if isinstance(answer, web.StreamResponse) else web.json_response(answer)

    async def answer_refresh(self, request: web.Request) -> web.StreamResponse:
        """Answer as the test says."""
        return await self.refresh(request)

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Run the script."""
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
    """Run a scripted server for as long as the block lasts."""
    server = ScriptedServer()
    app = web.Application()
    app.router.add_post("/{path:.*}negotiate", server.answer_negotiate)
    app.router.add_post("/{path:.*}/refresh", server.answer_refresh)
    app.router.add_get("/{path:.*}", server.connect)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hub"
        yield server
    finally:
        await runner.cleanup()

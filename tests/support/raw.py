"""A minimal HTTP and JSON client that can send invalid requests and messages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

SEPARATOR = "\x1e"
HANDSHAKE = '{"protocol":"json","version":1}' + SEPARATOR
WAIT = 10.0
"""Timeout in seconds for responses."""


class Answer:
    """A response that was read completely."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.type = response.headers.get("Content-Type", "").partition(";")[0]
        self.headers = response.headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def line(self) -> tuple[int, str, str]:
        """Status, content type and text, for comparison with the expected values."""
        return self.status, self.type, self.text


class Raw:
    """Requests to one hub."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def request(self, method: str, path: str = "", *, body: bytes | str | None = None, **options: Any) -> Answer:
        """Send a request; *options* are query parameters, except ``headers``."""
        headers = options.pop("headers", None)
        timeout = aiohttp.ClientTimeout(total=WAIT)
        async with self.session.request(
            method, self.url + path, data=body, headers=headers, params=options, timeout=timeout
        ) as response:
            return Answer(response, await response.read())

    async def negotiate(self) -> str:
        """Return a new connection token."""
        answer = await self.request("POST", "/negotiate", negotiateVersion="1")
        token: str = json.loads(answer.body)["connectionToken"]
        return token

    async def long_polling(self) -> str:
        """Return the token of a Long Polling connection that has completed the handshake."""
        token = await self.negotiate()
        await self.request("GET", id=token)
        await self.request("POST", body=HANDSHAKE, id=token)
        assert (await self.request("GET", id=token)).text == "{}" + SEPARATOR
        return token

    @asynccontextmanager
    async def socket(self, token: str | None = None) -> AsyncIterator[Socket]:
        """Open a WebSocket, without negotiation if no token is given."""
        url = self.url if token is None else f"{self.url}?id={token}"
        async with self.session.ws_connect(url, max_msg_size=0) as socket:
            yield Socket(socket)

    @asynccontextmanager
    async def events(self, token: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open an event stream."""
        headers = {"Accept": "text/event-stream"}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WAIT)
        async with self.session.get(self.url, headers=headers, params={"id": token}, timeout=timeout) as response:
            yield response


class Socket:
    """One WebSocket, with methods to send and receive records."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self.socket = socket
        self._rest = ""

    async def shake_hands(self) -> None:
        """Send the handshake and check the response."""
        await self.write(HANDSHAKE)
        assert await self.read() == "{}"

    async def write(self, text: str) -> None:
        """Send a frame unchanged."""
        await self.socket.send_str(text)

    async def send(self, *messages: dict[str, Any]) -> None:
        """Send messages in one frame."""
        await self.write("".join(json.dumps(message) + SEPARATOR for message in messages))

    async def call(self, target: str, *arguments: Any, id: str | None = None, **members: Any) -> None:
        """Send an Invocation."""
        invocation = {} if id is None else {"invocationId": id}
        await self.send({"type": 1, **invocation, "target": target, "arguments": list(arguments), **members})

    async def read(self) -> str | None:
        """Return the next record, or None if the server has closed the connection."""
        async with asyncio.timeout(WAIT):
            while SEPARATOR not in self._rest:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return None
                self._rest += message.data
        record, _, self._rest = self._rest.partition(SEPARATOR)
        return record

    async def read_all(self) -> list[str]:
        """Return all records until the server closes the connection."""
        records = []
        while (record := await self.read()) is not None:
            records.append(record)
        return records

    def abort(self) -> None:
        """Abort the connection without a close frame."""
        connection = self.socket._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    async def close_code(self) -> int | None:
        """Wait until the server closes the connection and return the close code."""
        await self.read_all()
        return self.socket.close_code


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[Raw]:
    """Open a session for requests to the hub at *url*."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Raw(session, url)

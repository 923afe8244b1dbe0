"""The server's requests: methods, queries, headers and bodies, of negotiation, Long Polling, event streams and WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import parse_qsl

from multidict import CIMultiDict, MultiDict

from signalr_client.server import bearer_token
from signalr_client.server.http.door import HttpResponse
from tests.fuzz.inputs import Choices
from tests.fuzz.loops import run, turns
from tests.fuzz.memory_server import MemoryServer, Request
from tests.fuzz.seeds import HANDSHAKES, JSON, streams

CONTROL: Final = 1
SEEDS: Final = [
    bytes([0, 1, 0, 1, 20]) + b"negotiateVersion=1&x" + bytes([0, 0, 0, 0]),
    bytes([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 1, 0, 0, 0, 0, 0]) * 3,
    bytes([1, 0, 2, 2, 0, 0, 1, 31]) + HANDSHAKES[0] + streams(JSON)[0],
    bytes(range(64)),
    bytes([2, 0, 3, 0, 0, 1, 0, 30]) + b"ID=1&id=2&ACCESS_TOKEN=%FF&;=&",
]
WORDS: Final = [
    b"negotiateVersion=", b"useStatefulReconnect=true", b"id=", b"access_token=", b"-2147483648", b"2147483647", b"\xd9\xa3", b" 1 ",
    b"http://host", b"http://[", b"text/event-stream", b"websocket", b"Bearer x", *HANDSHAKES,
]  # fmt: skip

_METHODS: Final = ("GET", "POST", "DELETE", "OPTIONS", "PUT", "HEAD", "CONNECT", "")
_HEADERS: Final = (
    "Accept", "Upgrade", "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers", "Authorization",
    "Sec-WebSocket-Protocol", "Content-Encoding",
)  # fmt: skip
_VALUES: Final = (
    "text/event-stream", "websocket", "http://host", "http://[", "null", "http://a\u2100b", "*", "Bearer x", "bearer", "gzip", ",,", "",
)  # fmt: skip
_STATUSES: Final = frozenset({200, 202, 204, 400, 403, 404, 405, 409, 415})


def target(data: bytes) -> None:
    """Each request gets a response that the documentation knows, and nothing is left of any connection."""
    run(serve(Choices(data)))


async def serve(choices: Choices) -> None:
    """Serve a few requests, of which later ones may name the connection that an earlier one has negotiated."""
    server = MemoryServer(
        cors_origins=choices.pick(((), ("http://host",), ("*",), ("http://a", "null"))),
        minimum_protocol_version=0,
        allow_stateful_reconnects=True,
        enable_authentication_refresh=True,
        sub_protocol_selector=lambda offered: offered[0] if offered else None,
    )
    token = ""
    for _ in range(6):
        request = read_request(choices, token)
        handle = choices.pick((server.dispatcher.handle, server.dispatcher.handle_negotiate, server.dispatcher.handle_refresh))
        response = await answer(handle(request))
        check_token(request)
        if response is None:
            continue
        check_response(request, response)
        if response.body.startswith(b'{"') and b"connectionId" in response.body:
            negotiated = json.loads(response.body)
            token = negotiated.get("connectionToken", negotiated["connectionId"])
    await server.stop()


def read_request(choices: Choices, token: str) -> Request:
    """Return a request. What aiohttp never lets through, such as line ends in headers, is not in it."""
    method = choices.pick(_METHODS)
    query = parse_qsl(choices.text(), keep_blank_values=True)
    if token and choices.number(4):
        query.append(("id", token))
    headers = []
    for _ in range(choices.number(4)):
        name = choices.pick(_HEADERS)
        value = choices.pick(_VALUES) if choices.number(4) else re.sub(r"[\x00-\x1f\x7f]", "", choices.text())
        headers.append((name, value))
    pieces = [choices.take(choices.number(64)) for _ in range(choices.number(4))]
    return Request(
        method,
        host=choices.pick(("host", "", "host:1", "[::1]")),
        query=query,
        headers=headers,
        pieces=[HANDSHAKES[0], *pieces] if choices.flag() else pieces,
        close_code=choices.pick((1000, None)),
        encoded=choices.number(8) == 1,
    )


async def answer(work: Coroutine[Any, Any, HttpResponse | None]) -> HttpResponse | None:
    """Return the response; a request that waits for the hub is cancelled, as aiohttp does when the client leaves."""
    task = asyncio.create_task(work)
    await turns(task.done, count=25)
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return None
    return task.result()


def check_token(request: Request) -> None:
    """A token is taken from the header or the query, as text."""
    native = SimpleNamespace(headers=CIMultiDict(request.headers), query=MultiDict(request.query))
    token = bearer_token(native)  # type: ignore[arg-type]  # what it needs of a request of aiohttp
    assert token is None or any(token in value for _, value in [*request.headers, *request.query])


def check_response(request: Request, response: HttpResponse) -> None:
    """Status and headers are among those that are documented."""
    assert response.status in _STATUSES
    allowed = response.headers.get("Access-Control-Allow-Origin")
    assert allowed is None or allowed == request.header("Origin")
    for name, value in response.headers.items():
        assert name.isascii()
        assert not re.search(r"[\r\n\x00]", value)

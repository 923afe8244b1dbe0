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
from tests.fuzz.seeds import HANDSHAKES

CONTROL: Final = 1
_REQUEST: Final = bytes([0, 0, 1, 2, 0, 0, 0])  # after its kind: of the last connection, with a handshake and two empty pieces
SEEDS: Final = [
    *(
        bytes([0, 0]) + b"".join(bytes([kind]) + _REQUEST for kind in kinds)
        for kinds in ((0, 0, 3, 0, 4), (1, 3, 3, 4), (2, 2, 6), (0, 3, 7, 5), (1, 2, 0, 3), (5, 7, 7, 7))
    ),
    bytes([1, 0]) + bytes([1, 1, 19]) + b"negotiateVersion=1&x" + bytes(40),
    bytes([2, 0]) + bytes([0, 1, 30]) + b"ID=1&id=2&ACCESS_TOKEN=%FF&;=&" + bytes([3, 1, 2, 0]) * 9,
    bytes(range(64)),
]
WORDS: Final = [
    b"negotiateVersion=", b"useStatefulReconnect=true", b"id=", b"access_token=", b"-2147483648", b"2147483647", b"\xd9\xa3", b" 1 ",
    b"http://host", b"http://[", b"text/event-stream", b"websocket", b"Bearer x", *HANDSHAKES,
]  # fmt: skip

_KINDS: Final[dict[str, tuple[str, tuple[str, str] | None]]] = {
    "poll": ("GET", None),
    "event stream": ("GET", ("Accept", "text/event-stream")),
    "websocket": ("GET", ("Upgrade", "websocket")),
    "post": ("POST", None),
    "delete": ("DELETE", None),
    "negotiate": ("POST", None),
    "refresh": ("POST", None),
    "any": ("", None),
}
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
    """Serve a few requests, most of which name the connection that was negotiated last."""
    server = MemoryServer(
        cors_origins=choices.pick(((), ("http://host",), ("*",), ("http://a", "null"))),
        minimum_protocol_version=choices.pick((0, 0, 0, 1)),
        allow_stateful_reconnects=True,
        enable_authentication_refresh=True,
        sub_protocol_selector=lambda offered: offered[0] if offered else None,
    )
    dispatcher, token = server.dispatcher, ""
    for number in range(8):
        kind = choices.pick(tuple(_KINDS)) if number else "negotiate"
        request = read_request(choices, kind, token)
        anywhere = choices.pick((dispatcher.handle, dispatcher.handle_negotiate, dispatcher.handle_refresh))
        handle = {"negotiate": dispatcher.handle_negotiate, "refresh": dispatcher.handle_refresh, "any": anywhere}.get(kind)
        response = await answer((handle or dispatcher.handle)(request))
        check_token(request)
        if response is not None:
            check_response(request, response)
            token = negotiated(response) or token
    await server.stop()


def negotiated(response: HttpResponse) -> str:
    """Return the token of a connection that a response has begun, or nothing."""
    if b'"connectionId"' not in response.body:
        return ""
    members = json.loads(response.body)
    token: str = members.get("connectionToken", members["connectionId"])
    return token


def read_request(choices: Choices, kind: str, token: str) -> Request:
    """Return a request of one kind, with hostile details.

    What aiohttp never lets through, such as line ends in headers, is not in it.
    """
    method, given = _KINDS[kind]
    headers = [given] if given else []
    query = [("negotiateVersion", "1"), ("useStatefulReconnect", "true")] if kind == "negotiate" and choices.flag() else []
    if choices.flag():
        query += parse_qsl(choices.text(), keep_blank_values=True)
        for _ in range(choices.number(4)):
            value = choices.pick(_VALUES) if choices.flag() else re.sub(r"[\x00-\x1f\x7f]", "", choices.text())
            headers.append((choices.pick(_HEADERS), value))
    if token and choices.number(8) < 7:
        query.append(("id", token))
    pieces = [choices.take(choices.number(64)) for _ in range(choices.number(4))]
    return Request(
        method or choices.pick(_METHODS),
        host=choices.pick(("host", "", "host:1", "[::1]")),
        query=query,
        headers=headers,
        pieces=[choices.pick(HANDSHAKES), *pieces] if choices.flag() else pieces,
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

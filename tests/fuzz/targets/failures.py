"""The texts of errors, which may quote what a server sent."""

from __future__ import annotations

import re
from typing import Final

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage

from signalr_client.errors import SignalRError
from signalr_client.transports.failures import RequestLostError, cause, connect_error, explain, request_error
from signalr_client.transports.websockets import _check_close
from tests.fuzz.inputs import Choices
from tests.fuzz.properties import check_error

CONTROL: Final = 3
SEEDS: Final = [
    b"Cannot connect to host https://user:word@host:1/hub?id=x&access_token=y ssl:default",
    b"http://[::1/ ws://[ wss://a@b@c/?access_token=1#2",
    b"400, message:\n  Bad status line 'nonsense'",
    b"http+unix://%2Ftmp/x?id=1",
]
WORDS: Final = [
    b"http://",
    b"ws://[",
    b"https://user:word@",
    b"?access_token=",
    b"&id=",
    b"\xe2\x84\x80",
    b"]",
    b"://",
    b" ",
    b"%",
]


def target(data: bytes) -> None:
    """Every failure can be explained, and what looks like a URL shows no secret."""
    choices = Choices(data)
    build, code = choices.number(7), int.from_bytes(choices.take(2))
    text = choices.rest().decode("utf-8", "replace")
    exceptions: tuple[BaseException, ...] = (
        aiohttp.ClientError(text),
        OSError(code, text),
        ValueError(text),
        aiohttp.WebSocketError(code, text),
        aiohttp.InvalidURL(text),
        aiohttp.ServerDisconnectedError(text),
        RequestLostError(text),
    )
    for exc in (exceptions[build], TimeoutError(), aiohttp.ClientPayloadError(str(BadHttpMessage(text)))):
        shown = explain(exc)
        assert shown
        for secret in re.findall(r"[a-z+]+://[^\s?#]*\?(?:\S*&)?access_token=([^\s&#]+)", shown):
            assert secret == "***"
        check_error(connect_error("WebSockets", exc, 1.0), len(text))
        check_error(request_error(exc, begun=bool(code & 1)), len(text))
        assert not isinstance(cause(exc), aiohttp.ClientError)
    try:
        _check_close(code, text)
    except SignalRError as exc:
        check_error(exc, len(text))
    else:
        assert code in (0, 1000)

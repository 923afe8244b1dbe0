"""The client's WebSockets: aiohttp's frame decoder, our transport behind it, and close frames."""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import Any, Final

import aiohttp
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol

from signalr_client.errors import ProtocolError, TransportError
from signalr_client.transports.base import HttpOptions
from signalr_client.transports.failures import frame_limit
from signalr_client.transports.http import HttpClient
from signalr_client.transports.websockets import WebSocketTransport
from signalr_client.types import TransferFormat
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.loops import run
from tests.fuzz.properties import check_error
from tests.fuzz.seeds import HANDSHAKES, JSON, JSON_WORDS, MESSAGEPACK, streams

CONTROL: Final = 2


def frame(payload: bytes, first: int = 0x81) -> bytes:
    """Return a frame of a server."""
    size = len(payload)
    return bytes([first, size]) + payload if size < 126 else bytes([first, 126]) + struct.pack("!H", size) + payload


SEEDS: Final = [
    frame(HANDSHAKES[3]) + frame(streams(JSON)[0]),
    frame(streams(MESSAGEPACK)[-2], 0x82),
    frame(b"ab", 0x01) + frame(b"", 0x89) + frame(b"cd", 0x80),
    frame(b"x", 0x8A) + frame(b"\x03\xe8bye", 0x88),
    frame(b"\x03\xf3", 0x88),
    b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
]
WORDS: Final = [
    b"\x88\x02\x03\xe8",
    b"\x81\x7e\x01\x00",
    b"\x82\x7f" + bytes(8),
    b"\x89\x00",
    b"\xc1",
    b"\x01\x00",
    b"\xff",
    *JSON_WORDS[:4],
]


class Socket:
    """What the transport needs of aiohttp's WebSocket: the reader is aiohttp's, the rest is as short as can be."""

    closed = False
    close_code: int | None = None

    def __init__(self, queue: WebSocketDataQueue) -> None:
        self._queue = queue

    def get_extra_info(self, name: str) -> None:
        """Return nothing: there is no socket."""

    async def receive(self) -> Any:
        """Return the next message, as aiohttp's ``receive`` does for these outcomes."""
        try:
            message = await self._queue.read()
        except aiohttp.WebSocketError as exc:
            return aiohttp.WSMessage(aiohttp.WSMsgType.ERROR, exc, None)
        except aiohttp.EofStream:
            self.close_code = aiohttp.WSCloseCode.OK
            return aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)
        if message.type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.PONG):
            return await self.receive()
        return message


def target(data: bytes) -> None:
    """Frames give bytes, or the end, or one of the documented errors."""
    run(receive(Choices(data)))


async def receive(choices: Choices) -> None:
    """Receive until the server's side has ended."""
    options = HttpOptions(url="http://host/hub", max_message_size=choices.pick((None, 1, 100)))
    limit = 0 if options.max_message_size is None else frame_limit(options.max_message_size) + 1
    queue = WebSocketDataQueue(BaseProtocol(asyncio.get_running_loop()), 2**22, loop=asyncio.get_running_loop())
    reader = WebSocketReader(queue, limit, compress=False, decode_text=False)
    pattern, stream = choices.pick(PATTERNS), choices.rest()
    for piece in cut(stream, pattern):
        ended, _rest = reader.feed_data(piece)
        if ended:
            break
    else:
        reader.feed_eof()
    http = HttpClient(options, logging.getLogger("signalr_client.fuzz"))
    transport = WebSocketTransport(http, Socket(queue), TransferFormat.TEXT)  # type: ignore[arg-type]  # a fake
    received = 0
    try:
        while (frame := await transport.receive()) is not None:
            assert isinstance(frame, bytes)
            received += len(frame)
    except (TransportError, ProtocolError) as exc:
        check_error(exc, len(stream))
    assert received <= len(stream)

"""aiohttp.web behind the door of this room; the only file here that knows aiohttp. Room: server, http."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import ClientError, HttpVersion11, WSCloseCode, WSMessage, WSMsgType, web
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_websocket import WebSocketError

from signalr_client.server.http.dispatcher import HttpConnectionDispatcher
from signalr_client.server.http.door import HttpRequest, HttpResponse, UnsupportedBodyError, WebSocketClosedError
from signalr_client.server.http.frames import CLOSE, DATA, PROTOCOL_ERROR, FrameDecoder, FrameError
from signalr_client.server.log import get_logger

__all__ = ["ServerLog", "add_routes"]

logger: Final = get_logger("http")

_READ_AHEAD: Final = 65_536  # bytes of a WebSocket that are read before the hub has taken them
_NO_LIMIT: Final = 2**31
_PLACEHOLDER: Final = re.compile(r"(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})")

Handle = Callable[[HttpRequest], Awaitable[HttpResponse | None]]


def add_routes(
    app: web.Application, path: str, dispatcher: HttpConnectionDispatcher, *, with_refresh: bool, raw_bodies: bool
) -> None:
    """Let *dispatcher* answer at *path* and at the addresses below it.

    Paths match in any case and with a trailing slash, as ASP.NET Core's routing does.

    Args:
        app: an application that has not started.
        path: of the hub; it may contain variables, as aiohttp's routes do.
        dispatcher: answers the requests.
        with_refresh: whether authentications can be renewed.
        raw_bodies: whether the application leaves compressed request bodies as they are (``auto_decompress=False``).
    """
    below = path.rstrip("/")
    routes: dict[str, Handle] = {path: dispatcher.handle, f"{below}/negotiate": dispatcher.handle_negotiate}
    if with_refresh:
        routes[f"{below}/refresh"] = dispatcher.handle_refresh
    for route, handle in routes.items():
        handler = _handler(handle, raw_bodies=raw_bodies)
        app.router.add_route("*", route, handler)  # the usual spelling, which aiohttp finds at once
        app.router.add_route("*", _any_spelling(route), handler)


def _any_spelling(path: str) -> str:
    """Return an aiohttp route that matches *path* in any case and with a trailing slash."""
    parts = _PLACEHOLDER.split(path.removeprefix("/").rstrip("/"))
    # split() puts what matched the group at the odd places
    spelled = [part if odd else _any_case(part) for number, part in enumerate(parts) if (odd := number % 2) or part]
    return (
        "/"
        + "".join(part if part.startswith("{") else f"{{_signalr_{number}:{part}}}" for number, part in enumerate(spelled))
        + "{_signalr_slash:/?}"
    )


def _any_case(text: str) -> str:
    """Return a regular expression for *text* in any case, as aiohttp matches it: decoded, except for percent signs."""
    return f"(?i:{re.escape(unquote(text).replace('%', '%25'))})"


def _handler(handle: Handle, *, raw_bodies: bool) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        adapted = AiohttpRequest(request, raw_bodies=raw_bodies)
        response = await handle(adapted)
        if response is None:
            stream = adapted.response
            assert stream is not None  # an event stream or a WebSocket
            if isinstance(stream, _SocketResponse) and not stream.opened:
                return web.Response()  # the client is gone, and aiohttp cannot end a WebSocket that was not opened
            return stream
        return web.Response(
            status=response.status, body=response.body, headers=response.headers, content_type=response.content_type
        )

    return answer


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """aiohttp's log, which otherwise gets a traceback for each request that is not valid HTTP: any client could fill it."""

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        """Log an exception; what is the client's mistake goes to our own log, in one line."""
        if isinstance(exc_info, HttpProcessingError):
            logger.debug("! refused a request that is not valid HTTP: %s", type(exc_info).__name__)
        else:
            super().exception(msg, *args, exc_info=exc_info, **kwargs)


class AiohttpRequest:
    """A request of aiohttp.web as an `HttpRequest`.

    Attributes:
        response: the response that answers it piece by piece, once there is one.
    """

    def __init__(self, request: web.Request, *, raw_bodies: bool) -> None:
        self.native = request
        self.method: str = request.method
        self.host: str = request.host
        self.query: Sequence[tuple[str, str]] = list(request.query.items())
        self.response: web.StreamResponse | None = None
        self._raw_bodies = raw_bodies

    @property
    def gone(self) -> bool:
        """Whether the client is known to have closed the connection."""
        return self.native.transport is None

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""
        return self.native.headers.get(name)

    def header_values(self, name: str) -> list[str]:
        """Return all values of a header."""
        return self.native.headers.getall(name, [])

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it was sent."""
        encoding = self.native.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("", "identity") and not self._raw_bodies:
            raise UnsupportedBodyError(f"The Content-Encoding '{encoding[:40]}' is not supported.")
        try:
            async for chunk in self.native.content.iter_any():
                yield chunk
        except (ClientError, web.RequestPayloadError) as exc:
            raise ConnectionResetError("The client broke off while it sent a body.") from exc

    def event_stream(self) -> AiohttpEventStream:
        """Return the response as an event stream."""
        stream = AiohttpEventStream(self.native)
        self.response = stream.response
        return stream

    def websocket(self, *, sub_protocol: str | None, close_timeout: float, buffer_size: int | None) -> AiohttpWebSocket:
        """Return the WebSocket that the request asks to be upgraded to."""
        websocket = AiohttpWebSocket(self.native, sub_protocol, close_timeout, buffer_size)
        self.response = websocket.response
        return websocket


class _Connection:
    """What event streams and WebSockets share: the connection of their request."""

    def __init__(self, request: web.Request) -> None:
        self._request = request

    @property
    def unsent(self) -> int | None:
        """Bytes that the operating system has not accepted yet."""
        transport = self._request.transport
        return None if transport is None else transport.get_write_buffer_size()

    def abort(self) -> None:
        """Drop the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()


class AiohttpEventStream(_Connection):
    """A response that is written piece by piece: in chunks, or over HTTP/1.0 until the connection closes."""

    def __init__(self, request: web.Request) -> None:
        super().__init__(request)
        self.response: web.StreamResponse = web.StreamResponse()

    async def open(self, headers: Mapping[str, str]) -> None:
        """Start the response."""
        if self._request.version < HttpVersion11:
            self.response.force_close()  # without chunks the end of the connection ends the stream, even if keep-alive was asked for
        self.response.headers.update(headers)
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Send *data*; waits while the client takes nothing."""
        await self.response.write(data)

    async def close(self) -> None:
        """End the response."""
        await self.response.write_eof()


class AiohttpWebSocket(_Connection):
    """A WebSocket whose payload is delivered as it arrives."""

    def __init__(self, request: web.Request, sub_protocol: str | None, close_timeout: float, buffer_size: int | None) -> None:
        super().__init__(request)
        self.response: _SocketResponse = _SocketResponse(
            timeout=close_timeout,
            autoclose=False,  # the close frame is answered when the hub has finished with the connection
            protocols=() if sub_protocol is None else (sub_protocol,),
            compress=False,
            writer_limit=buffer_size or _NO_LIMIT,
        )

    async def open(self, headers: Mapping[str, str]) -> None:
        """Accept the upgrade."""
        self.response.headers.update(headers)
        try:
            await self.response.prepare(self._request)
        except ValueError as exc:  # the key is not even ASCII, which aiohttp does not expect
            raise web.HTTPBadRequest(text="Handshake error: the Sec-WebSocket-Key is not valid.") from exc

    async def receive(self) -> bytes:
        """Return the next bytes."""
        try:
            message = await self.response.receive()
        except OSError as exc:  # the client is gone, and aiohttp could not answer its ping
            raise WebSocketClosedError(None) from exc
        match message.type:
            case WSMsgType.BINARY:
                data: bytes = message.data
                return data
            case WSMsgType.CLOSE:
                raise WebSocketClosedError(message.data or 1005)
            case WSMsgType.CLOSING:  # we are closing it ourselves
                raise WebSocketClosedError(WSCloseCode.OK)
            case WSMsgType.ERROR:
                raise WebSocketClosedError(None, f"The WebSocket broke: {message.data}")
            case _:
                raise WebSocketClosedError(None)

    async def send(self, data: bytes, *, binary: bool) -> None:
        """Send *data* as one frame; waits while the client takes nothing."""
        try:
            await self.response.send_frame(data, WSMsgType.BINARY if binary else WSMsgType.TEXT)
        except RuntimeError as exc:  # aiohttp: the socket is closing
            raise ConnectionResetError("The WebSocket is closing.") from exc

    async def close(self, code: int) -> None:
        """Send a close frame and wait for the client's, up to the close timeout; then drop what is still there."""
        try:
            await self.response.close(code=code)
        finally:
            transport = self._request.transport
            if transport is not None and transport.get_write_buffer_size():
                transport.abort()  # the client reads nothing: closing alone would wait for it


class _SocketResponse(web.WebSocketResponse[bool]):
    """aiohttp's WebSocket, with our frame decoder in the place of its own, which delivers only whole messages (see frames.py)."""

    opened: bool = False

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: Any) -> None:
        self._ws_protocol = protocol
        self._writer = writer
        self._reader = WebSocketDataQueue(request.protocol, _READ_AHEAD, loop=asyncio.get_running_loop())
        request.protocol.set_parser(_Parser(self._reader))  # type: ignore[arg-type]  # has what the protocol calls
        request.protocol.keep_alive(False)  # noqa: FBT003  # aiohttp's own signature
        self.opened = True


class _Parser:
    """Feeds what arrives on the socket, frame by frame, to the queue that `web.WebSocketResponse.receive` reads."""

    def __init__(self, queue: WebSocketDataQueue) -> None:
        self._queue = queue
        self._decoder = FrameDecoder()
        self._failed = False

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes of the socket; return whether the parser has ended, and what it left."""
        if self._failed:
            return True, b""
        try:
            for opcode, payload in self._decoder.feed(bytes(data)):
                if opcode == DATA:
                    self._queue.feed_data(WSMessage(WSMsgType.BINARY, payload, ""), len(payload))
                elif opcode == CLOSE:
                    self._queue.feed_data(_close_message(payload), 0)
                else:
                    self._queue.feed_data(WSMessage(WSMsgType(opcode), payload, ""), len(payload))
        except FrameError as exc:
            self._failed = True
            self._queue.set_exception(WebSocketError(PROTOCOL_ERROR, str(exc)))
            return True, b""
        return False, b""

    def feed_eof(self) -> None:
        """Note that the socket has ended."""
        self._queue.feed_eof()


def _close_message(payload: bytes) -> WSMessage:
    if not payload:
        return WSMessage(WSMsgType.CLOSE, 0, "")
    if len(payload) == 1:
        raise FrameError("a close frame has half a code")
    return WSMessage(WSMsgType.CLOSE, int.from_bytes(payload[:2]), payload[2:].decode(errors="replace"))

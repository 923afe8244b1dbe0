"""A minimal handwritten client for the hub protocol: only what a program needs for one connection.

It negotiates, performs the handshake, splits records, decodes them with msgspec into plain dicts and lists, finds calls by id in
a dict, joins everything written in one iteration of the event loop into one frame, applies back-pressure, and sends pings. It has
no states, reconnect, timeouts, client results, logging or validation, and it runs handlers, which are plain functions, in the
read loop. It shares no code with the real client and serves as the lower bound for its cost.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, Callable
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
import msgspec

__all__ = ["RawClient", "RawJsonClient", "RawMessagePackClient", "raw_client"]

_SEPARATOR: Final = b"\x1e"
_PING_INTERVAL: Final = 15.0  # seconds; the server's timeout is 30
_QUEUE_LIMIT: Final = 65_536  # bytes; the real client has the same limit

Handler = Callable[..., object]


class RawClient(ABC):
    """One connection to the hub at *url*, used as an async context manager."""

    protocol: str
    frame: aiohttp.WSMsgType

    def __init__(self, url: str) -> None:
        self._url = url
        self._calls: dict[str, asyncio.Future[Any]] = {}
        self._sinks: dict[str, Callable[[Any], object]] = {}
        self._handlers: dict[str, Handler] = {}
        self._last_id = 0
        self._output: list[bytes] = []
        self._queued = 0
        self._rest = b""  # the beginning of a record that continues in the next frame
        self._wake = asyncio.Event()
        self._written = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        try:
            async with self._session.post(f"{self._url}/negotiate?negotiateVersion=1") as response:
                token = (await response.json())["connectionToken"]
            self._socket = await self._session.ws_connect(f"{self._url}?id={token}", max_msg_size=0, decode_text=False)
            hello = msgspec.json.encode({"protocol": self.protocol, "version": 1})
            await self._socket.send_frame(hello + _SEPARATOR, self.frame)
            answer, _, rest = (await self._socket.receive()).data.partition(_SEPARATOR)
            if answer != b"{}":
                raise ConnectionError(f"handshake refused: {answer!r}")
        except BaseException:
            await self._session.close()
            raise
        if rest:
            self.take(rest)
        self._tasks = [asyncio.create_task(work) for work in (self._read(), self._write(), self._ping())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()
        await self._session.close()
        await asyncio.sleep(0)

    # API for programs

    async def invoke(self, target: str, *args: object) -> Any:
        invocation_id, answer = self._expect()
        self.send(self.call(1, invocation_id, target, args))
        return await answer

    async def stream(self, sink: Callable[[Any], object], target: str, *args: object) -> None:
        """Pass each item to *sink*; return when the stream has ended."""
        invocation_id, end = self._expect()
        self._sinks[invocation_id] = sink
        self.send(self.call(4, invocation_id, target, args))
        await end
        del self._sinks[invocation_id]

    async def upload(self, items: AsyncIterable[object], target: str) -> Any:
        """Call *target* with one stream as its argument and return the result."""
        invocation_id, answer = self._expect()
        stream_id, _ = self._expect()
        del self._calls[stream_id]
        self.send(self.call(1, invocation_id, target, (), stream_id))
        async for item in items:
            self.send(self.item(stream_id, item))
            while self._queued > _QUEUE_LIMIT:
                self._written.clear()
                await self._written.wait()
        self.send(self.end(stream_id))
        return await answer

    def on(self, target: str, handler: Handler) -> None:
        self._handlers[target] = handler

    def off(self, target: str) -> None:
        del self._handlers[target]

    # sending and receiving

    def send(self, data: bytes) -> None:
        self._output.append(data)
        self._queued += len(data)
        if len(self._output) == 1:
            self._wake.set()

    def _expect(self) -> tuple[str, asyncio.Future[Any]]:
        self._last_id += 1
        invocation_id = str(self._last_id)
        answer = self._calls[invocation_id] = asyncio.get_running_loop().create_future()
        return invocation_id, answer

    def complete(self, invocation_id: str, error: str | None, result: object) -> None:
        answer = self._calls.pop(invocation_id)
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(RuntimeError(error))

    async def _read(self) -> None:
        receive, take, frame = self._socket.receive, self.take, self.frame
        try:
            while (message := await receive()).type is frame:
                take(message.data)
            error: Exception = ConnectionError(f"closed: {message}")
        except Exception as exc:  # also from a handler: a wrong result must fail its call
            error = exc
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(error)

    async def _write(self) -> None:
        output = self._output
        while True:
            await self._wake.wait()
            self._wake.clear()
            while output:
                data = b"".join(output)
                output.clear()
                self._queued = 0
                await self._socket.send_frame(data, self.frame)
            self._written.set()

    async def _ping(self) -> None:
        while True:
            self.send(self.ping())
            await asyncio.sleep(_PING_INTERVAL)

    # encoding and decoding

    @abstractmethod
    def take(self, data: bytes) -> None:
        """Process the messages of one frame."""

    @abstractmethod
    def call(self, kind: int, invocation_id: str, target: str, args: tuple[object, ...], stream_id: str | None = None) -> bytes:
        """Return an Invocation (1) or a StreamInvocation (4)."""

    @abstractmethod
    def item(self, stream_id: str, item: object) -> bytes:
        """Return a StreamItem."""

    @abstractmethod
    def end(self, stream_id: str) -> bytes:
        """Return the Completion of an upload."""

    @abstractmethod
    def ping(self) -> bytes:
        """Return a Ping."""


class RawJsonClient(RawClient):
    """Hub protocol client for JSON records terminated by 0x1E."""

    protocol = "json"
    frame = aiohttp.WSMsgType.TEXT
    _encode = msgspec.json.Encoder().encode
    _decode = msgspec.json.Decoder().decode

    def take(self, data: bytes) -> None:
        *records, self._rest = (self._rest + data).split(_SEPARATOR)
        decode = self._decode
        for record in records:
            message = decode(record)
            kind = message["type"]
            if kind == 1:
                self._handlers[message["target"]](*message["arguments"])
            elif kind == 2:
                self._sinks[message["invocationId"]](message["item"])
            elif kind == 3:
                self.complete(message["invocationId"], message.get("error"), message.get("result"))

    def call(self, kind: int, invocation_id: str, target: str, args: tuple[object, ...], stream_id: str | None = None) -> bytes:
        message = {"type": kind, "invocationId": invocation_id, "target": target, "arguments": args}
        if stream_id is not None:
            message["streamIds"] = [stream_id]
        return self._encode(message) + _SEPARATOR

    def item(self, stream_id: str, item: object) -> bytes:
        return self._encode({"type": 2, "invocationId": stream_id, "item": item}) + _SEPARATOR

    def end(self, stream_id: str) -> bytes:
        return self._encode({"type": 3, "invocationId": stream_id}) + _SEPARATOR

    def ping(self) -> bytes:
        return b'{"type":6}' + _SEPARATOR


class RawMessagePackClient(RawClient):
    """Hub protocol client for MessagePack arrays prefixed with their length."""

    protocol = "messagepack"
    frame = aiohttp.WSMsgType.BINARY
    _encode = msgspec.msgpack.Encoder().encode
    _decode = msgspec.msgpack.Decoder().decode

    def take(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        decode = self._decode
        start, end = 0, len(data)
        while start < end:
            begin, length, shift = start, 0, 0
            while begin < end:
                byte = data[begin]
                begin += 1
                length |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
            else:
                break
            if begin + length > end:
                break
            start = begin + length
            message = decode(data[begin:start])
            kind = message[0]
            if kind == 1:
                self._handlers[message[3]](*message[4])
            elif kind == 2:
                self._sinks[message[2]](message[3])
            elif kind == 3:
                how = message[3]
                value = message[4] if how != 2 else None
                self.complete(message[2], value if how == 1 else None, value)
        self._rest = data[start:]

    def call(self, kind: int, invocation_id: str, target: str, args: tuple[object, ...], stream_id: str | None = None) -> bytes:
        return self._frame((kind, {}, invocation_id, target, args, () if stream_id is None else (stream_id,)))

    def item(self, stream_id: str, item: object) -> bytes:
        return self._frame((2, {}, stream_id, item))

    def end(self, stream_id: str) -> bytes:
        return self._frame((3, {}, stream_id, 2))

    def ping(self) -> bytes:
        return self._frame((6,))

    def _frame(self, items: tuple[object, ...]) -> bytes:
        body = self._encode(items)
        length = len(body)
        prefix = bytearray()
        while length >= 0x80:
            prefix.append(length & 0x7F | 0x80)
            length >>= 7
        prefix.append(length)
        return bytes(prefix) + body


def raw_client(protocol: str, url: str) -> RawClient:
    """Return an unconnected client for *protocol*, "json" or "messagepack"."""
    return RawJsonClient(url) if protocol == "json" else RawMessagePackClient(url)

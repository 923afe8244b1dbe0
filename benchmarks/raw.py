"""The yardstick: an aiohttp loop that does the least that still speaks the hub protocol and joins its writes.

It negotiates, shakes hands, splits records, decodes them into plain values, finds the waiting call by its id, and sends what was
queued in one turn of the event loop as one frame. It has no timers, no states, no errors, no reconnect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import msgspec

from signalr_client.core.framing import BinaryFramer, write_varint

SEPARATOR = b"\x1e"
LIMIT = 64 * 1024


class JsonCodec:
    """Plain JSON values."""

    name = "json"

    def __init__(self) -> None:
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder().decode
        self._rest = b""

    def call(self, invocation_id: str, target: str, args: list[Any], streams: list[str], *, streaming: bool) -> bytes:
        message = {"type": 4 if streaming else 1, "invocationId": invocation_id, "target": target, "arguments": args}
        if streams:
            message["streamIds"] = streams
        return self._encode(message) + SEPARATOR

    def item(self, stream_id: str, item: object) -> bytes:
        return self._encode({"type": 2, "invocationId": stream_id, "item": item}) + SEPARATOR

    def end(self, stream_id: str) -> bytes:
        return self._encode({"type": 3, "invocationId": stream_id}) + SEPARATOR

    def feed(self, data: bytes) -> list[tuple[int, str | None, Any, Any]]:
        """Return (type, id, target, value) of each message."""
        *records, self._rest = (self._rest + data).split(SEPARATOR)
        messages = []
        for record in records:
            message = self._decode(record)
            kind = message["type"]
            value = message["item"] if kind == 2 else message["arguments"] if kind == 1 else message.get("result")
            messages.append((kind, message.get("invocationId"), message.get("target"), value))
        return messages


class MessagePackCodec:
    """Plain MessagePack values."""

    name = "messagepack"

    def __init__(self) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder().decode
        self._framer = BinaryFramer()

    def call(self, invocation_id: str, target: str, args: list[Any], streams: list[str], *, streaming: bool) -> bytes:
        return self._frame([4 if streaming else 1, {}, invocation_id, target, args, streams])

    def item(self, stream_id: str, item: object) -> bytes:
        return self._frame([2, {}, stream_id, item])

    def end(self, stream_id: str) -> bytes:
        return self._frame([3, {}, stream_id, 2])

    def feed(self, data: bytes) -> list[tuple[int, str | None, Any, Any]]:
        """Return (type, id, target, value) of each message."""
        messages: list[tuple[int, str | None, Any, Any]] = []
        for record in self._framer.feed(data):
            items = self._decode(record)
            kind = items[0]
            if kind == 1:
                messages.append((1, items[2], items[3], items[4]))
            elif kind == 2:
                messages.append((2, items[2], None, items[3]))
            elif kind == 3:
                messages.append((3, items[2], None, items[4] if len(items) > 4 else None))
        return messages

    def _frame(self, items: list[Any]) -> bytes:
        body = self._encode(items)
        return write_varint(len(body)) + body


class RawClient:
    """The least of a client."""

    def __init__(self, codec: JsonCodec | MessagePackCodec) -> None:
        self._codec = codec
        self._calls: dict[str, asyncio.Future[Any] | asyncio.Queue[Any]] = {}
        self._handlers: dict[str, Callable[..., object]] = {}
        self._last = 0
        self._queue: list[bytes] = []
        self._queued = 0
        self._scheduled = False

    async def __aenter__(self) -> RawClient:
        self._session = aiohttp.ClientSession()
        return self

    async def connect(self, url: str) -> None:
        """Negotiate and shake hands."""
        async with self._session.post(f"{url}/negotiate?negotiateVersion=1") as response:
            token = (await response.json())["connectionToken"]
        self._socket = await self._session.ws_connect(f"{url}?id={token}", max_msg_size=0, decode_text=False)
        await self._socket.send_frame(f'{{"protocol":"{self._codec.name}","version":1}}\x1e'.encode(), self._kind)
        await self._socket.receive()
        self._reader = asyncio.create_task(self._read())

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        await self._socket.close()
        await self._session.close()

    def on(self, target: str, handler: Callable[..., object]) -> None:
        self._handlers[target] = handler

    async def invoke(self, target: str, *args: Any) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._begin(target, args, answer, streaming=False)
        return await answer

    async def stream(self, target: str, *args: Any) -> AsyncIterator[Any]:
        items: asyncio.Queue[Any] = asyncio.Queue()
        self._begin(target, args, items, streaming=True)
        while (item := await items.get()) is not self:
            yield item

    @property
    def _kind(self) -> aiohttp.WSMsgType:
        return aiohttp.WSMsgType.TEXT if self._codec.name == "json" else aiohttp.WSMsgType.BINARY

    def _begin(self, target: str, args: Any, waiter: Any, *, streaming: bool) -> None:
        sources = [arg for arg in args if hasattr(arg, "__aiter__")]
        streams = [self._next_id() for _ in sources]
        invocation_id = self._next_id()
        self._calls[invocation_id] = waiter
        plain = [arg for arg in args if not hasattr(arg, "__aiter__")]
        self._send(self._codec.call(invocation_id, target, plain, streams, streaming=streaming))
        self._uploads = [asyncio.create_task(self._upload(*pair)) for pair in zip(streams, sources, strict=True)]

    def _next_id(self) -> str:
        self._last += 1
        return str(self._last)

    async def _upload(self, stream_id: str, source: AsyncIterator[Any]) -> None:
        async for item in source:
            self._send(self._codec.item(stream_id, item))
            if self._queued > LIMIT:
                await self._flush()
        self._send(self._codec.end(stream_id))

    def _send(self, data: bytes) -> None:
        self._queue.append(data)
        self._queued += len(data)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._schedule)

    def _schedule(self) -> None:
        self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        self._scheduled = False
        if self._queue:
            data = b"".join(self._queue)
            self._queue.clear()
            self._queued = 0
            await self._socket.send_frame(data, self._kind)

    async def _read(self) -> None:
        async for frame in self._socket:
            for kind, invocation_id, target, value in self._codec.feed(frame.data):
                if kind == 1:
                    self._handlers[target](*value)
                elif kind == 2:
                    self._calls[invocation_id or ""].put_nowait(value)  # type: ignore[union-attr]  # a stream has a queue
                elif kind == 3:
                    waiter = self._calls.pop(invocation_id or "")
                    if isinstance(waiter, asyncio.Future):
                        waiter.set_result(value)
                    else:
                        waiter.put_nowait(self)

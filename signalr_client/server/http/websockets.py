"""A client over a WebSocket. Room: server. Spec: server-behaviour.md, "WebSockets" under "B"."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web

from signalr_client.server.options import HubOptions
from signalr_client.types import seconds

__all__ = ["WebSocketCarrier"]

# 1005 stands for a close frame without a code, as the TypeScript client sends it.
_NORMAL: Final = frozenset({0, 1000, 1001, 1005, None})

# A frame may hold many messages, so it may be larger than the limit of one; but it is put together before it is looked at.
_LEAST_FRAME_LIMIT: Final = 16 * 1024 * 1024


class WebSocketCarrier:
    """One WebSocket; frames have no meaning, only their bytes."""

    def __init__(self, request: web.Request, options: HubOptions) -> None:
        limit = options.maximum_receive_message_size
        self._request = request
        self._send_timeout = seconds(options.transport_send_timeout)
        self._socket = web.WebSocketResponse(
            timeout=seconds(options.close_timeout),
            autoclose=False,  # the close frame is answered when the hub has done what it does on a disconnect
            protocols=_sub_protocols(request, options),
            compress=False,
            max_msg_size=0 if limit is None else max(_LEAST_FRAME_LIMIT, 4 * limit),
            writer_limit=options.transport_max_buffer_size or 2**31,
            decode_text=False,
        )
        self.binary = False
        self.close_error: BaseException | None = None

    @property
    def response(self) -> web.WebSocketResponse[bool]:
        """The response to the request that was upgraded."""
        return self._socket

    async def prepare(self, headers: dict[str, str]) -> None:
        """Upgrade the request."""
        self._socket.headers.update(headers)
        await self._socket.prepare(self._request)

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""
        return self._request.transport is None

    async def receive(self) -> bytes | None:
        """Return the next frame, or None when the client has closed or is gone; then `close_error` says why."""
        message = await self._socket.receive()
        match message.type:
            case WSMsgType.TEXT | WSMsgType.BINARY:
                data: bytes = message.data
                return data
            case WSMsgType.CLOSE if message.data in _NORMAL:
                return None
            case WSMsgType.CLOSE:
                self.close_error = ConnectionError(f"The client closed the WebSocket with code {message.data}.")
            case WSMsgType.CLOSING:  # our own close
                return None
            case WSMsgType.ERROR:
                self.close_error = ConnectionError(f"The WebSocket broke: {message.data}")
            case _:
                self.close_error = ConnectionResetError(
                    "The remote party closed the WebSocket connection without completing the close handshake."
                )
        return None

    async def send(self, data: bytes) -> None:
        """Send *data* as one frame; a client that takes nothing for the send timeout is cut off."""
        try:
            async with asyncio.timeout(self._send_timeout):
                await self._socket.send_frame(data, WSMsgType.BINARY if self.binary else WSMsgType.TEXT)
        except TimeoutError as exc:
            self.abort()
            raise ConnectionAbortedError(f"The client took nothing for {self._send_timeout:g} s.") from exc

    async def close(self, *, error: bool) -> None:
        """Send the close frame and wait for the client's, up to the close timeout."""
        await self._socket.close(code=WSCloseCode.INTERNAL_ERROR if error else WSCloseCode.OK)

    def abort(self) -> None:
        """Drop the socket."""
        if self._request.transport is not None:
            self._request.transport.abort()


def _sub_protocols(request: web.Request, options: HubOptions) -> tuple[str, ...]:
    """Return the sub-protocol that the application picks out of those that the client offers."""
    if options.sub_protocol_selector is None:
        return ()
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()]
    chosen = options.sub_protocol_selector(offered)
    return () if chosen is None else (chosen,)

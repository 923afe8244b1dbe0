"""A client over a WebSocket. Room: server, http."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from signalr_client.server.http.door import HttpRequest, WebSocketClosedError
from signalr_client.server.http.sending import SendWatch
from signalr_client.server.options import HubOptions
from signalr_client.types import seconds
from signalr_client.user_code import call

__all__ = ["WebSocketTransport", "open_websocket"]

_OK: Final = 1000
_INTERNAL_ERROR: Final = 1011

# 1005 stands for a close frame without a code, which the TypeScript client sends.
_NORMAL: Final = frozenset({0, _OK, 1001, 1005})


class WebSocketTransport:
    """One WebSocket. Frames have no meaning, only their bytes."""

    def __init__(self, request: HttpRequest, options: HubOptions, sub_protocol: str | None) -> None:
        self._request = request
        self._close_timeout = seconds(options.close_timeout)
        self._socket = request.websocket(
            sub_protocol=sub_protocol,
            close_timeout=self._close_timeout,
            buffer_size=options.transport_max_buffer_size or None,
        )
        self._watch = SendWatch(seconds(options.transport_send_timeout), lambda: self._socket.unsent, self._socket.abort)
        self.close_error: BaseException | None = None
        self.lost: bool = False

    async def open(self, headers: Mapping[str, str]) -> None:
        """Accept the upgrade."""
        await self._socket.open(headers)

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""
        return self._request.gone

    async def receive(self) -> bytes | None:
        """Return the next bytes, or None when the client has closed or is gone; then `close_error` says why."""
        try:
            return await self._socket.receive()
        except WebSocketClosedError as exc:
            if exc.code is None:
                self.lost = True
                text = "The remote party closed the WebSocket connection without completing the close handshake."
                self.close_error = ConnectionResetError(exc.reason or text)
            elif exc.code not in _NORMAL:
                self.close_error = ConnectionError(f"The client closed the WebSocket with code {exc.code}.")
            return None

    async def send(self, data: bytes, *, binary: bool) -> None:
        """Send *data* as one frame; a client that takes nothing for the send timeout is cut off."""
        await self._watch.run(self._socket.send(data, binary=binary))

    async def close(self, *, error: bool) -> None:
        """Send the close frame and wait for the client's, up to the close timeout."""
        try:
            async with asyncio.timeout(self._close_timeout):  # aiohttp limits only a part of it; TimeoutError is an OSError
                await self._socket.close(_INTERNAL_ERROR if error else _OK)
        finally:
            self._watch.stop()

    def abort(self) -> None:
        """Drop the socket."""
        self._watch.stop()
        self._socket.abort()


async def open_websocket(request: HttpRequest, options: HubOptions) -> WebSocketTransport:
    """Return a WebSocket that has not been opened, with the sub-protocol that the application chooses, if any."""
    chosen: str | None = None
    if options.sub_protocol_selector is not None:
        offered = [name.strip() for name in (request.header("Sec-WebSocket-Protocol") or "").split(",") if name.strip()]
        chosen = await call(options.sub_protocol_selector, offered)
    return WebSocketTransport(request, options, chosen)

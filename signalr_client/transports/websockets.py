"""The WebSocket transport. Room: transports. Spec: client-behaviour.md, "D1. WebSockets"."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from signalr_client.core.negotiation import websocket_url
from signalr_client.errors import TransportError
from signalr_client.transports.http import HttpClient, explain
from signalr_client.types import TransferFormat

__all__ = ["WebSocketTransport"]

_OK = 1000
_ABNORMAL = 1006


class WebSocketTransport:
    """Frames of one WebSocket; what kind of frame came, and where it ended, means nothing."""

    name: Final = "WebSockets"
    inherent_keep_alive: Final = False

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool], transfer_format: TransferFormat) -> None:
        self._socket = socket
        self._frame = aiohttp.WSMsgType.TEXT if transfer_format is TransferFormat.TEXT else aiohttp.WSMsgType.BINARY

    @classmethod
    async def connect(cls, http: HttpClient, url: str, transfer_format: TransferFormat) -> WebSocketTransport:
        """Return a transport to the hub at *url* (http or https), connected.

        Raises:
            TransportError: the server could not be reached or refused.
        """
        return cls(await http.websocket(websocket_url(url)), transfer_format)

    async def receive(self) -> bytes | None:
        """Return the next frame, or None when the server closed with code 1000.

        Raises:
            TransportError: it closed with another code, or the connection broke.
        """
        message = await self._socket.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                data: bytes = message.data
                return data
            case aiohttp.WSMsgType.CLOSE:
                _check_close(message.data, message.extra or "")
                return None
            case aiohttp.WSMsgType.ERROR:
                raise TransportError(f"The WebSocket connection broke: {explain(message.data)}", self.name) from message.data
            case aiohttp.WSMsgType.CLOSING:  # our own close()
                return None
            case _:
                code = self._socket.close_code
                if code == _OK:
                    return None
                raise TransportError(
                    "The remote party closed the WebSocket connection without completing the close handshake.", self.name
                )

    async def send(self, data: bytes) -> None:
        """Send *data* as one frame.

        Raises:
            TransportError: the connection broke.
        """
        try:
            await self._socket.send_frame(data, self._frame)
        except (aiohttp.ClientError, OSError) as exc:
            raise TransportError(f"The WebSocket connection broke: {explain(exc)}", self.name) from exc

    async def close(self) -> None:
        """Send a close frame with code 1000 and wait for the server's, up to the close timeout."""
        try:
            await self._socket.close()
        except (aiohttp.ClientError, OSError):  # it was broken already, which is closed enough
            return
        await asyncio.sleep(0)  # lets the socket itself be closed: asyncio does that one turn later


def _check_close(code: int | None, reason: str) -> None:
    """Let a normal end pass.

    Raises:
        TransportError: any other end, in the words of the .NET client.
    """
    if code in (_OK, 0, None):
        return
    try:
        name = "".join(word.capitalize() for word in aiohttp.WSCloseCode(code).name.split("_"))
    except ValueError:
        name = str(code)
    hint = ""
    if code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        hint = " A message was larger than the server accepts."
    raise TransportError(
        f"Websocket closed with error: {name}. (code {code}, {reason or 'no reason given'}){hint}", WebSocketTransport.name
    )

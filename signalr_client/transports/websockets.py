"""The WebSocket transport. Room: transports. Spec: transport protocols specification, "WebSockets (Full Duplex)"; RFC 6455."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import struct
from typing import Any, Final

import aiohttp

from signalr_client.core.negotiation import websocket_url
from signalr_client.errors import TransportError
from signalr_client.transports.base import SocketLostError
from signalr_client.transports.failures import REQUEST_TIMEOUT, cause, explain, too_large
from signalr_client.transports.http import HttpClient
from signalr_client.types import TransferFormat

__all__ = ["WebSocketTransport"]

_OK: Final = 1000
_ABNORMAL: Final = 1006
_NORMAL_CLOSURE: Final = struct.pack("!H", _OK)  # the payload of a close frame


class WebSocketTransport:
    """Frames of one WebSocket; text or binary, and where a frame ends, means nothing."""

    name: Final = "WebSockets"
    inherent_keep_alive: Final = False

    def __init__(
        self, http: HttpClient, socket: aiohttp.ClientWebSocketResponse[bool], transfer_format: TransferFormat
    ) -> None:
        self._options = http.options
        self._socket = socket
        self._frame = aiohttp.WSMsgType.TEXT if transfer_format is TransferFormat.TEXT else aiohttp.WSMsgType.BINARY
        self._connection = socket.get_extra_info("socket")
        self._closing = False

    @classmethod
    async def connect(
        cls, http: HttpClient, url: str, transfer_format: TransferFormat, limit: float = REQUEST_TIMEOUT
    ) -> WebSocketTransport:
        """Return a transport to the hub at *url* (http or https), connected.

        Raises:
            NoResponseError: the server did not respond within *limit* seconds.
            TransportError: the server could not be reached or refused.
        """
        return cls(http, await http.websocket(websocket_url(url), limit), transfer_format)

    async def receive(self) -> bytes | None:
        """Return the next frame, or None when the server closed with code 1000, or `close` was called.

        Raises:
            TransportError: the server closed with another code, or the connection broke.
            ProtocolError: the frame is larger than `max_message_size` allows.
        """
        try:
            message = await self._socket.receive()
        except (aiohttp.ClientError, OSError) as exc:  # the connection broke while aiohttp answered a ping
            message = aiohttp.WSMessage(aiohttp.WSMsgType.ERROR, exc, None)
        match message.type:
            case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY:
                data: bytes = message.data
                return data
            case _ if self._closing:
                return None
            case aiohttp.WSMsgType.CLOSE:
                _check_close(message.data, message.extra or "")
                return None
            case aiohttp.WSMsgType.ERROR:
                _shut_down(self._connection)  # aiohttp has closed it, but waits until everything written was sent
                raise self._broken(message.data)
            case _:
                if self._socket.close_code == _OK:
                    return None
                raise SocketLostError(
                    "The remote party closed the WebSocket connection without completing the close handshake.", self.name
                )

    async def send(self, data: bytes) -> None:
        """Send *data* as one frame.

        Raises:
            TransportError: the connection broke.
        """
        try:
            await self._socket.send_frame(data, self._frame)
            return
        except (aiohttp.ClientError, OSError) as exc:
            error = self._broken(exc)
        try:
            raise error
        finally:
            del error  # see `failures`

    async def close(self) -> None:
        """Send a close frame with code 1000 and wait for the server's; drop the connection when the close timeout is over.

        A `receive` that waits returns None. Idempotent; cancelling drops the connection at once.
        """
        if self._closing:
            return
        self._closing = True
        was_open = not self._socket.closed
        try:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):  # broken, or closed already: fine
                async with asyncio.timeout(self._options.close_timeout):
                    await self._shake_hands()
        finally:
            if was_open:
                _shut_down(self._connection)
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    await self._socket.close()
        await asyncio.sleep(0)  # lets the socket itself be closed: asyncio does that one turn later

    async def _shake_hands(self) -> None:
        """Send a close frame, or the answer to the server's, and wait for the server's if it has not come."""
        await asyncio.sleep(0)  # a receive() that was just cancelled has not noticed yet
        if self._socket.close_code != _ABNORMAL:
            await self._socket.close()  # wakes a receive() that waits
            return
        # After a receive() was cancelled, aiohttp's close() would not wait for the server.
        await self._socket.send_frame(_NORMAL_CLOSURE, aiohttp.WSMsgType.CLOSE)
        while (await self._socket.receive()).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            pass

    def _broken(self, exc: BaseException) -> Exception:
        """Return the error for a connection that broke with *exc*."""
        largest = self._options.max_message_size
        too_big = isinstance(exc, aiohttp.WebSocketError) and exc.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        if too_big and largest is not None:
            return too_large("a WebSocket message", largest)
        kind = TransportError if isinstance(exc, aiohttp.WebSocketError) else SocketLostError
        error = kind(f"The WebSocket connection broke: {explain(exc)}", self.name)
        error.__cause__ = cause(exc)
        return error


def _shut_down(connection: Any) -> None:
    """Shut down the socket of an aiohttp connection, so that asyncio does not keep it until everything written was sent.

    *connection* is the socket as the event loop shows it, and open, or closed in this very step of the task.
    """
    try:
        if connection is None or connection.fileno() < 0:
            return
        # Through a duplicate: what uvloop shows in place of the socket has no shutdown().
        with sockets.fromfd(connection.fileno(), connection.family, connection.type) as duplicate:
            duplicate.shutdown(sockets.SHUT_RDWR)
    except OSError:  # the other side has closed it
        pass


def _check_close(code: int | None, reason: str) -> None:
    """Check the code of the server's close frame.

    Raises:
        TransportError: it is not that of a normal end. The text is the .NET client's.
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

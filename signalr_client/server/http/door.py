"""The door to a web framework: what this room needs of requests, responses, event streams and WebSockets. Room: server, http.

aiohttp_adapter.py stands behind it; nothing else in this room knows a web framework. `HttpRequest.native` is the framework's own
request, for the application's functions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["EventStream", "HttpRequest", "HttpResponse", "UnsupportedBodyError", "WebSocket", "WebSocketClosedError"]


class UnsupportedBodyError(Exception):
    """The framework cannot deliver the body as it was sent, because it would decompress it."""


class WebSocketClosedError(Exception):
    """Raised by `WebSocket.receive` when there is nothing more to receive.

    ``code`` is the code of the client's close frame (1005 for one without a code), or None if the connection broke without one;
    then ``reason`` says why, where that is known.
    """

    def __init__(self, code: int | None, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code: int | None = code
        self.reason: str = reason


@dataclass(slots=True)
class HttpResponse:
    """A complete response."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def plain(cls, status: int, text: str = "") -> HttpResponse:
        """Return a text/plain response."""
        return cls(status, text.encode(), "text/plain")

    @classmethod
    def json(cls, body: bytes) -> HttpResponse:
        """Return a successful application/json response."""
        return cls(200, body, "application/json")


class EventStream(Protocol):
    """A response that is written piece by piece, until `close`."""

    @property
    def unsent(self) -> int | None:
        """Bytes that the operating system has not accepted yet; None if that is not known."""

    async def open(self, headers: Mapping[str, str]) -> None:
        """Start the response with status 200. Raises OSError if the client is gone."""

    async def write(self, data: bytes) -> None:
        """Send *data*; waits while the client takes nothing. Raises OSError if the client is gone."""

    async def close(self) -> None:
        """End the response. Raises OSError if the client is gone."""

    def abort(self) -> None:
        """Drop the connection."""


class WebSocket(Protocol):
    """The server's side of a WebSocket. Frame boundaries of the client mean nothing: bytes come as they arrive."""

    @property
    def unsent(self) -> int | None:
        """Bytes that the operating system has not accepted yet; None if that is not known."""

    async def open(self, headers: Mapping[str, str]) -> None:
        """Accept the upgrade. Raises OSError if the client is gone."""

    async def receive(self) -> bytes:
        """Return the next bytes. Raises WebSocketClosedError after the last ones."""

    async def send(self, data: bytes, *, binary: bool) -> None:
        """Send *data* as one frame; waits while the client takes nothing. Raises OSError if the client is gone."""

    async def close(self, code: int) -> None:
        """Send a close frame and wait for the client's, up to the close timeout. Raises OSError if the client is gone."""

    def abort(self) -> None:
        """Drop the connection."""


class HttpRequest(Protocol):
    """One request.

    Attributes:
        native: the framework's request.
        method: in capitals.
        host: the Host header.
        query: names and values in order.
    """

    native: Any
    method: str
    host: str
    query: Sequence[tuple[str, str]]

    @property
    def gone(self) -> bool:
        """Whether the client is known to have closed the connection of this request."""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, or None."""

    def header_values(self, name: str) -> Sequence[str]:
        """Return all values of a header."""

    def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it was sent.

        Raises:
            OSError: the client broke off.
            UnsupportedBodyError: the framework would decompress it.
        """

    def event_stream(self) -> EventStream:
        """Return the response as an event stream."""

    def websocket(self, *, sub_protocol: str | None, close_timeout: float, buffer_size: int | None) -> WebSocket:
        """Return the WebSocket that the request asks to be upgraded to.

        Args:
            sub_protocol: the one to accept, or None.
            close_timeout: seconds that `WebSocket.close` waits for the client.
            buffer_size: bytes that may be unsent before `WebSocket.send` waits; None for no limit.
        """

"""A client over Server-Sent Events: events to it, POSTs from it. Room: server.

Spec: server-behaviour.md, "SSE" under "B".
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from signalr_client.server.options import HubOptions
from signalr_client.server.pipes import BytePipe
from signalr_client.types import seconds

__all__ = ["EventStreamCarrier", "write_event"]

_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache,no-store",
    "Pragma": "no-cache",
    "Content-Encoding": "identity",
    "X-Accel-Buffering": "no",  # a proxy that holds the stream back would hold back every message
}
_PREAMBLE: Final = b":\r\n"  # gives the client something at once, so that it sees that the stream has begun


class EventStreamCarrier:
    """One event stream; what the client sends comes through *inbound*."""

    binary: bool = False

    def __init__(self, request: web.Request, options: HubOptions, inbound: BytePipe) -> None:
        self._request = request
        self._send_timeout = seconds(options.transport_send_timeout)
        self._inbound = inbound
        self._response = web.StreamResponse(headers=_HEADERS)
        self._response.enable_chunked_encoding()
        self.close_error: BaseException | None = None

    @property
    def response(self) -> web.StreamResponse:
        """The response that never ends by itself."""
        return self._response

    async def prepare(self, headers: dict[str, str]) -> None:
        """Begin the answer."""
        self._response.headers.update(headers)
        await self._response.prepare(self._request)
        await self._response.write(_PREAMBLE)

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""
        return self._request.transport is None

    async def receive(self) -> bytes | None:
        """Return what was POSTed, or None when the client is gone."""
        return await self._inbound.read()

    async def send(self, data: bytes) -> None:
        """Send *data* as one event; a client that takes nothing for the send timeout is cut off."""
        try:
            async with asyncio.timeout(self._send_timeout):
                await self._response.write(write_event(data))
        except TimeoutError as exc:
            self.abort()
            raise ConnectionAbortedError(f"The client took nothing for {self._send_timeout:g} s.") from exc

    async def close(self, *, error: bool) -> None:  # noqa: ARG002  # an event stream has one kind of end
        """End the answer."""
        self._inbound.end()
        await self._response.write_eof()

    def abort(self) -> None:
        """Drop the socket."""
        self._inbound.end()
        if self._request.transport is not None:
            self._request.transport.abort()


def write_event(data: bytes) -> bytes:
    """Return *data* as one event: a ``data:`` line for each of its lines."""
    lines = b"".join(b"data: " + line.removesuffix(b"\r") + b"\r\n" for line in data.split(b"\n"))
    return lines + b"\r\n"

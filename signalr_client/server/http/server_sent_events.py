"""A client over Server-Sent Events: events to it, POSTs from it. Room: server, http.

Spec: hub transport protocols specification, "Server-Sent Events (Server-to-Client only)".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from signalr_client.server.http.door import HttpRequest
from signalr_client.server.http.pipes import BytePipe
from signalr_client.server.http.sending import SendWatch
from signalr_client.server.options import HubOptions
from signalr_client.types import seconds

__all__ = ["ServerSentEventsTransport", "format_event"]

_HEADERS: Final = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache,no-store",
    "Pragma": "no-cache",
    "Content-Encoding": "identity",
    "X-Accel-Buffering": "no",  # nginx would hold back every message
}
_PREAMBLE: Final = b":\r\n"  # a comment, so that the client sees at once that the stream has begun


class ServerSentEventsTransport:
    """One event stream; what the client sends arrives through *inbound*."""

    close_error: BaseException | None = None
    lost = False

    def __init__(self, request: HttpRequest, options: HubOptions, inbound: BytePipe) -> None:
        self._request = request
        self._inbound = inbound
        self._stream = request.event_stream()
        self._watch = SendWatch(seconds(options.transport_send_timeout), lambda: self._stream.unsent, self._stream.abort)

    async def open(self, headers: Mapping[str, str]) -> None:
        """Start the response."""
        await self._stream.open(_HEADERS | dict(headers))
        await self._stream.write(_PREAMBLE)

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""
        return self._request.gone

    async def receive(self) -> bytes | None:
        """Return what was POSTed, or None when the client is gone."""
        return await self._inbound.read()

    async def send(self, data: bytes, *, binary: bool) -> None:  # noqa: ARG002  # the transport carries text only
        """Send *data* as one event; a client that takes nothing for the send timeout is cut off."""
        await self._watch.run(self._stream.write(format_event(data)))

    async def close(self, *, error: bool) -> None:  # noqa: ARG002  # an event stream has only one kind of end
        """End the response."""
        self._inbound.end()
        try:
            await self._watch.run(self._stream.close())
        finally:
            self._watch.stop()

    def abort(self) -> None:
        """Drop the connection."""
        self._watch.stop()
        self._inbound.end()
        self._stream.abort()


def format_event(data: bytes) -> bytes:
    """Return *data* as one event: a ``data:`` line for each of its lines."""
    lines = b"".join(b"data: " + line.removesuffix(b"\r") + b"\r\n" for line in data.split(b"\n"))
    return lines + b"\r\n"

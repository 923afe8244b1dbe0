"""A client over Long Polling: what it sends comes in POSTs, what it gets is the answer to its next poll. Room: server.

Spec: server-behaviour.md, "Long polling" under "B".
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from signalr_client.server.options import HubOptions
from signalr_client.server.pipes import BytePipe
from signalr_client.types import seconds

__all__ = ["NO_CACHE", "LongPollingCarrier", "empty_poll"]

NO_CACHE: Final = {
    "Cache-Control": "no-cache, no-store",
    "Pragma": "no-cache",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
}
_TICK: Final = 1.0  # seconds between two looks at whether the client still waits for its poll, as in ASP.NET Core's heartbeat


class LongPollingCarrier:
    """The two directions of one connection, and its polls, of which one at a time waits."""

    binary: bool = False

    def __init__(self, options: HubOptions, inbound: BytePipe) -> None:
        self._inbound = inbound
        self._outbound = BytePipe(options.transport_max_buffer_size)
        self._poll_timeout = seconds(options.poll_timeout)
        self._replaced: asyncio.Future[None] | None = None  # of the poll that waits
        self._slot = asyncio.Lock()
        self._polls = 0
        self.close_error: BaseException | None = None

    @property
    def polled(self) -> bool:
        """Whether a poll waits now."""
        return self._replaced is not None

    @property
    def over(self) -> bool:
        """Whether the hub has ended and the client has got everything."""
        return self._outbound.ended and not len(self._outbound)

    async def poll(self, request: web.Request) -> web.Response:
        """Answer a poll: with data, with nothing after the poll timeout, or with 204 when it is replaced or all is over."""
        if self._replaced is not None and not self._replaced.done():
            self._replaced.set_result(None)  # the newer poll takes over, and waits until the older is answered
        self._polls += 1
        number = self._polls
        async with self._slot:
            if number != self._polls:  # a still newer one came while this one waited
                return web.Response(status=204, content_type="text/plain")
            replaced = self._replaced = asyncio.get_running_loop().create_future()
            try:
                return await self._answer(request, replaced)
            finally:
                self._replaced = None

    async def _answer(self, request: web.Request, replaced: asyncio.Future[None]) -> web.Response:
        filled = asyncio.ensure_future(self._outbound.wait())
        deadline = asyncio.get_running_loop().time() + self._poll_timeout
        try:
            while True:
                left = deadline - asyncio.get_running_loop().time()
                await asyncio.wait({filled, replaced}, timeout=min(_TICK, left), return_when=asyncio.FIRST_COMPLETED)
                if replaced.done():
                    return web.Response(status=204, content_type="text/plain")
                if request.transport is None:  # the client has given up this poll; what waits is for the next one
                    return web.Response(status=204)
                if filled.done():
                    break
                if deadline - asyncio.get_running_loop().time() <= 0:
                    return web.Response(body=b"", content_type="text/plain")
        finally:
            filled.cancel()
        if self.over:
            return web.Response(status=204, content_type="text/plain")
        return web.Response(body=self._outbound.take(), content_type="application/octet-stream")

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""
        return self._inbound.ended

    async def receive(self) -> bytes | None:
        """Return what was POSTed, or None when the client is gone."""
        return await self._inbound.read()

    async def send(self, data: bytes) -> None:
        """Keep *data* for the next poll; wait while too much is kept."""
        if self._outbound.ended:
            raise ConnectionAbortedError("The connection has ended.")
        await self._outbound.write(data)

    async def close(self, *, error: bool) -> None:  # noqa: ARG002  # a poll has one kind of end
        """Let the client fetch what is left; then its polls are answered with 204."""
        self._inbound.end()
        self._outbound.end()

    def abort(self) -> None:
        """End both directions and drop what was kept."""
        self._inbound.end()
        self._outbound.take()
        self._outbound.end()


def empty_poll() -> web.Response:
    """Return the answer to the first poll, which only begins the connection."""
    return web.Response(body=b"", content_type="application/octet-stream")

"""A client over Long Polling: it sends in POSTs, and receives in the responses to its polls. Room: server, http.

One poll at a time is active. A newer poll replaces the active one, which is answered with 204; of several that wait for the same poll
to finish, the first takes its place and the others get 409, as in ASP.NET Core.
Spec: hub transport protocols specification, "Long Polling (Server-to-Client only)".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Final

from signalr_client.server.http.door import HttpRequest, HttpResponse
from signalr_client.server.http.pipes import BytePipe
from signalr_client.server.options import HubOptions
from signalr_client.types import seconds

__all__ = ["NO_CACHE", "LongPollingTransport"]

NO_CACHE: Final = {
    "Cache-Control": "no-cache, no-store",
    "Pragma": "no-cache",
    "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
}
_TICK: Final = 1.0  # seconds between two checks whether the client still waits for its poll, as ASP.NET Core's heartbeat


class _Outcome(Enum):
    """Why a poll has to be answered."""

    DATA = "data"
    REPLACED = "replaced"
    TIMEOUT = "timeout"
    CLIENT_GONE = "client gone"


class LongPollingTransport:
    """Both directions of one connection, its active poll, and its end.

    Args:
        options: of the hub.
        inbound: what was POSTed.
        attach: lets a request carry the connection; returns the status that refuses it, or None.
        release: called when a poll was answered.
        finished: called when the client has been told that the connection is over.
    """

    close_error: BaseException | None = None
    lost = False

    def __init__(
        self,
        options: HubOptions,
        inbound: BytePipe,
        *,
        attach: Callable[[], int | None],
        release: Callable[[], None],
        finished: Callable[[], None],
    ) -> None:
        self._inbound = inbound
        self._outbound = BytePipe(options.transport_max_buffer_size or None)
        self._poll_timeout = seconds(options.poll_timeout)
        self._attach = attach
        self._release = release
        self._finished = finished
        self._replaced: asyncio.Future[None] | None = None  # of the active poll
        self._idle = asyncio.Event()  # set while no poll is active
        self._idle.set()

    # polls

    async def poll(self, request: HttpRequest) -> HttpResponse:
        """Return the response to a poll; cancelling makes room for the next poll."""
        if self._replaced is not None and not self._replaced.done():
            self._replaced.set_result(None)
        if not self._idle.is_set():
            await self._idle.wait()
            if not self._idle.is_set():  # another poll was faster
                return HttpResponse.plain(409)
        refusal = self._attach()
        if refusal is not None:
            return HttpResponse.plain(refusal)
        self._idle.clear()
        replaced = self._replaced = asyncio.get_running_loop().create_future()
        over = False
        try:
            outcome = await self._wait(request, replaced)
            response = self._respond(outcome)
            over = outcome is _Outcome.DATA and response.status == 204
            return response
        finally:
            self._replaced = None
            self._idle.set()
            if over:
                self._finished()
            else:
                self._release()

    async def _wait(self, request: HttpRequest, replaced: asyncio.Future[None]) -> _Outcome:
        """Wait until the poll has to be answered."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._poll_timeout
        filled = asyncio.ensure_future(self._outbound.wait())
        try:
            while True:
                timeout = min(_TICK, deadline - loop.time())
                await asyncio.wait({filled, replaced}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                if request.gone:
                    return _Outcome.CLIENT_GONE
                if filled.done():
                    return _Outcome.DATA
                if replaced.done():
                    return _Outcome.REPLACED
                if loop.time() >= deadline:
                    return _Outcome.TIMEOUT
        finally:
            filled.cancel()

    def _respond(self, outcome: _Outcome) -> HttpResponse:
        match outcome:
            case _Outcome.DATA if len(self._outbound):
                return HttpResponse(200, self._outbound.take(), "application/octet-stream")
            case _Outcome.TIMEOUT:
                return HttpResponse.plain(200)
            case _:  # replaced, or all is over; a client that is gone sees nothing of it, and the data waits for its next poll
                return HttpResponse.plain(204)

    def delete(self) -> None:
        """End the client's side. An active poll still delivers the hub's Close; without one, nobody would fetch it."""
        self._inbound.end()
        if self._replaced is None:
            self.abort()

    # for the hub connection

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""
        return self._inbound.ended

    async def receive(self) -> bytes | None:
        """Return what was POSTed, or None when the client is gone."""
        return await self._inbound.read()

    async def send(self, data: bytes, *, binary: bool) -> None:  # noqa: ARG002  # a body is bytes either way
        """Keep *data* for the next poll; waits while too much is kept.

        Raises:
            ConnectionAbortedError: nobody will fetch it.
        """
        if self._outbound.ended:
            raise ConnectionAbortedError("The connection has ended.")
        await self._outbound.write(data)

    async def close(self, *, error: bool) -> None:  # noqa: ARG002  # there is only one kind of end
        """Let the client fetch what is left; its polls are then answered with 204."""
        self._inbound.end()
        self._outbound.end()

    def abort(self) -> None:
        """End both directions and drop what was kept."""
        self._inbound.end()
        self._outbound.take()
        self._outbound.end()

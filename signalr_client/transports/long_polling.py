"""The Long Polling transport: one GET after another, POSTs beside them. Room: transports.

Spec: transport protocols specification, "Long Polling (Server-to-Client only)" and "HTTP Post (Client-to-Server only)".
"""

from __future__ import annotations

import asyncio
from typing import Final

from signalr_client.errors import TransportError
from signalr_client.transports.failures import REQUEST_TIMEOUT, NoResponseError, RequestError
from signalr_client.transports.http import HttpClient
from signalr_client.transports.in_flight import InFlight
from signalr_client.types import TransferFormat

__all__ = ["LongPollingTransport"]

_OK: Final = 200
_NOT_FOUND: Final = 404


class LongPollingTransport:
    """Polls as long as the server answers. A server that is gone is noticed by the polls, so no pings are needed."""

    name: Final = "LongPolling"
    inherent_keep_alive: Final = True

    def __init__(self, http: HttpClient, url: str, transfer_format: TransferFormat, first: bytes) -> None:
        self._http = http
        self._url = url
        self._format = transfer_format
        self._first = first
        self._polls = InFlight()
        self._posts = InFlight()
        self._gone = False  # the server has ended the connection: there is nothing left to delete
        self._closing = False

    @classmethod
    async def connect(
        cls, http: HttpClient, url: str, transfer_format: TransferFormat, limit: float = REQUEST_TIMEOUT
    ) -> LongPollingTransport:
        """Return a transport to the hub at *url*, connected: the first poll, which servers answer at once, was answered.

        Raises:
            NoResponseError: the first poll was not answered within *limit* seconds.
            TransportError: the server could not be reached or refused.
            ProtocolError: the response is larger than `max_message_size` allows.
        """
        try:
            async with asyncio.timeout(limit) as scope:
                answer = await http.poll(url)
        except RequestError as exc:
            raise TransportError(f"LongPolling failed: {exc}", cls.name) from exc.__cause__
        except TimeoutError:
            if not scope.expired():  # the access token factory raised it
                raise
            answer = None
        if answer is None:
            raise NoResponseError("LongPolling failed: The first poll was answered with nothing.", cls.name)
        if answer.status != _OK:
            text = f"LongPolling failed: The first poll was answered with {answer.status}."
            raise TransportError(text, cls.name, answer.status)
        return cls(http, url, transfer_format, answer.body)

    async def receive(self) -> bytes | None:
        """Return what the next poll brings, or None when the server has ended the connection, or `close` was called.

        Raises:
            TransportError: a poll failed, or the server no longer knows the connection.
            ProtocolError: the response is larger than `max_message_size` allows.
        """
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            return await self._polls.run(self._poll)
        except TransportError:
            if self._closing:
                return None
            raise

    async def _poll(self) -> bytes | None:
        """Poll until there is something, or the end."""
        while True:
            try:
                answer = await self._http.poll(self._url)
            except RequestError as exc:
                raise TransportError(f"A poll failed: {exc}", self.name) from exc.__cause__
            if answer is None:
                # The server may hold polls for longer than requests may take here, or a proxy swallowed this one. But if nothing gets
                # through any more, nobody else would notice: over this transport there is no server timeout.
                await self.send(b"")
                continue
            match answer.status:
                case 200:
                    if answer.body:
                        return answer.body
                case 204:
                    self._gone = True
                    return None
                case status:
                    self._gone = status == _NOT_FOUND
                    raise TransportError(f"A poll was answered with {status} ({answer.reason}).", self.name, status)

    async def send(self, data: bytes) -> None:
        """Send *data* in one POST.

        Raises:
            TransportError: the server refused it, or `close` was called.
        """
        await self._posts.run(self._http.post, self._url, data, self.name, self._format)

    async def close(self) -> None:
        """Tell the server that nobody polls any more, within the close timeout; idempotent. A failure is only logged.

        A `receive` that waits returns None. Cancelling ends the requests that are in flight at once.
        """
        if self._closing:
            return
        self._closing = True
        self._posts.end()
        try:
            if not self._gone:
                async with asyncio.timeout(self._http.options.close_timeout):
                    await self._delete()
        except TimeoutError:
            self._http.log.debug("! the connection was not deleted: no response within the close timeout")
        except Exception as exc:  # what the caller's token factory raised, too: the connection has ended all the same
            self._http.log.debug("! the connection was not deleted: %s", exc)
        finally:
            self._polls.end()

    async def _delete(self) -> None:
        answer = await self._http.request("DELETE", self._url)
        if not answer.accepted and answer.status != _NOT_FOUND:
            self._http.log.debug("! the connection was not deleted: status %d", answer.status)

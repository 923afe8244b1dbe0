"""The Long Polling transport: one GET after another, POSTs beside them. Room: transports.

Spec: client-behaviour.md, "D3. POST sends", "D4. Long Polling".
"""

from __future__ import annotations

import logging
from typing import Final

from signalr_client.errors import TransportError
from signalr_client.transports.http import HttpClient
from signalr_client.types import TransferFormat

__all__ = ["LongPollingTransport"]

logger = logging.getLogger("signalr_client.transports")

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
        self._over = False  # the server has ended the connection: there is nothing left to delete

    @classmethod
    async def connect(cls, http: HttpClient, url: str, transfer_format: TransferFormat) -> LongPollingTransport:
        """Return a transport to the hub at *url*, connected: the first poll was answered, as it is at once.

        Raises:
            TransportError: the server could not be reached or refused.
        """
        try:
            answer = await http.poll(url)
        except TransportError as exc:
            raise TransportError(f"LongPolling failed: {exc}", cls.name) from exc.__cause__
        if answer is None or answer.status != _OK:
            status = None if answer is None else answer.status
            raise TransportError(
                f"LongPolling failed: The first poll was answered with {status or 'nothing'}.", cls.name, status
            )
        return cls(http, url, transfer_format, answer.body)

    async def receive(self) -> bytes | None:
        """Return what the next poll brings, or None when the server has ended the connection.

        Raises:
            TransportError: a poll failed, or the server no longer knows the connection.
        """
        if self._first:
            first, self._first = self._first, b""
            return first
        while True:
            answer = await self._http.poll(self._url)
            if answer is None:  # no answer in time; a proxy may have swallowed it
                continue
            match answer.status:
                case 200:
                    if answer.body:
                        return answer.body
                case 204:
                    self._over = True
                    return None
                case status:
                    self._over = status == _NOT_FOUND
                    raise TransportError(f"A poll was answered with {status} ({answer.reason}).", self.name, status)

    async def send(self, data: bytes) -> None:
        """Send *data* in one POST.

        Raises:
            TransportError: the server did not take it.
        """
        await self._http.post(self._url, data, self.name, self._format)

    async def close(self) -> None:
        """Tell the server that nobody polls any more; idempotent. What goes wrong with it is only logged."""
        if self._over:
            return
        self._over = True
        try:
            answer = await self._http.request("DELETE", self._url)
        except Exception as exc:  # also what the caller's token factory raised: the connection is over all the same
            logger.debug("! the connection could not be deleted: %s", exc)
            return
        if answer.status >= 300 and answer.status != _NOT_FOUND:
            logger.debug("! the connection could not be deleted: status %d", answer.status)

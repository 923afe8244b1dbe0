"""The Server-Sent Events transport: events from the server, POSTs to it. Room: transports.

Spec: transport protocols specification, "Server-Sent Events (Server-to-Client only)" and "HTTP Post (Client-to-Server only)".
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import aiohttp

from signalr_client.errors import TransportError
from signalr_client.transports.event_stream import EventStreamParser
from signalr_client.transports.failures import REQUEST_TIMEOUT, cause, explain
from signalr_client.transports.http import HttpClient
from signalr_client.transports.in_flight import InFlight
from signalr_client.types import TransferFormat

__all__ = ["ServerSentEventsTransport"]


class ServerSentEventsTransport:
    """One event stream, and a POST for each `send`. It carries text only; a stream that broke is not resumed."""

    name: Final = "ServerSentEvents"
    inherent_keep_alive: Final = False

    def __init__(self, http: HttpClient, url: str, response: aiohttp.ClientResponse) -> None:
        self._http = http
        self._url = url
        self._response = response
        self._parser = EventStreamParser(http.options.max_message_size)
        self._events: deque[bytes] = deque()
        self._posts = InFlight()
        self._closing = False

    @classmethod
    async def connect(
        cls, http: HttpClient, url: str, transfer_format: TransferFormat, limit: float = REQUEST_TIMEOUT
    ) -> ServerSentEventsTransport:
        """Return a transport to the hub at *url*, connected: the server has begun its response.

        Raises:
            NoResponseError: the response did not begin within *limit* seconds.
            TransportError: the server could not be reached or refused, or the hub protocol is binary.
        """
        if transfer_format is not TransferFormat.TEXT:
            text = f"The '{transfer_format.value}' transfer format is not supported by this transport."
            raise TransportError(f"{cls.name} failed: {text}", cls.name)
        return cls(http, url, await http.event_stream(url, limit))

    async def receive(self) -> bytes | None:
        """Return the data of the next event, or None when the server has ended the stream, or `close` was called.

        Raises:
            TransportError: the connection broke.
            ProtocolError: an event is larger than `max_message_size` allows.
        """
        while not self._events:
            chunk = await self._read()
            if not chunk or self._closing:
                return None
            self._events.extend(self._parser.feed(chunk))
        return self._events.popleft()

    async def _read(self) -> bytes:
        """Return the next piece of the stream; nothing at its end, or when `close` was called."""
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as exc:
            if self._closing:
                return b""
            error = TransportError(f"The event stream broke: {explain(exc)}", self.name)
            error.__cause__ = cause(exc)
        try:
            raise error
        finally:
            del error  # see `failures`

    async def send(self, data: bytes) -> None:
        """Send *data* in one POST.

        Raises:
            TransportError: the server refused it, or `close` was called.
        """
        await self._posts.run(self._http.post, self._url, data, self.name, TransferFormat.TEXT)

    async def close(self) -> None:
        """Drop the stream and what is in flight: that is how the server learns of the end. Idempotent."""
        self._closing = True
        self._posts.end()
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        content = self._response.content
        if content.exception() is None:
            # aiohttp would raise one exception object for all responses, which keeps every frame that it was raised in
            content.set_exception(aiohttp.ClientConnectionError("closed"))
        self._response.close()
        if transport is not None:
            transport.abort()  # over TLS, closing would wait for the server's answer
        await asyncio.sleep(0)  # lets the socket itself be closed: asyncio does that one turn later

"""The Server-Sent Events transport: events from the server, POSTs to it. Room: transports.

Spec: client-behaviour.md, "D2. Server-Sent Events", "D3. POST sends".
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import aiohttp

from signalr_client.errors import TransportError
from signalr_client.transports.event_stream import EventStreamParser
from signalr_client.transports.http import HttpClient, explain
from signalr_client.types import TransferFormat

__all__ = ["ServerSentEventsTransport"]


class ServerSentEventsTransport:
    """One event stream, and a POST for each `send`. It carries text only; nothing brings a broken stream back."""

    name: Final = "ServerSentEvents"
    inherent_keep_alive: Final = False

    def __init__(self, http: HttpClient, url: str, response: aiohttp.ClientResponse) -> None:
        self._http = http
        self._url = url
        self._response = response
        self._parser = EventStreamParser()
        self._events: deque[bytes] = deque()

    @classmethod
    async def connect(cls, http: HttpClient, url: str, transfer_format: TransferFormat) -> ServerSentEventsTransport:
        """Return a transport to the hub at *url*, connected: the server has begun its answer.

        Raises:
            TransportError: the server could not be reached or refused, or offered what an event stream cannot carry.
        """
        if transfer_format is not TransferFormat.TEXT:
            text = f"The '{transfer_format.value}' transfer format is not supported by this transport."
            raise TransportError(f"{cls.name} failed: {text}", cls.name)
        return cls(http, url, await http.event_stream(url))

    async def receive(self) -> bytes | None:
        """Return the data of the next event, or None when the server has ended the stream.

        Raises:
            TransportError: the connection broke.
        """
        while not self._events:
            try:
                chunk = await self._response.content.readany()
            except (aiohttp.ClientError, OSError) as exc:
                raise TransportError(f"The event stream broke: {explain(exc)}", self.name) from exc
            if not chunk:
                return None
            self._events.extend(self._parser.feed(chunk))
        return self._events.popleft()

    async def send(self, data: bytes) -> None:
        """Send *data* in one POST.

        Raises:
            TransportError: the server did not take it.
        """
        await self._http.post(self._url, data, self.name, TransferFormat.TEXT)

    async def close(self) -> None:
        """Drop the stream: that is how the server learns of the end."""
        self._response.close()
        await asyncio.sleep(0)  # lets the socket itself be closed: asyncio does that one turn later

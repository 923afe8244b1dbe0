"""The body of a request, which can drop what was not sent. Room: transports."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
from aiohttp.abc import AbstractStreamWriter

__all__ = ["RequestBody"]

_PIECE: Final = 2**16  # bytes written at once: aiohttp waits for the network between two writes


class RequestBody(aiohttp.Payload):
    """Bytes as the body of one request.

    When a request is cancelled, aiohttp closes its connection, and asyncio keeps the socket until everything written to it was
    sent. A server that reads no more would keep it for ever, so `abort` drops the connection with what was not sent.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._data = data
        self._transport: asyncio.WriteTransport | None = None
        self._complete = False

    @property
    def size(self) -> int:
        """Its length in bytes, for the Content-Length header."""
        return len(self._data)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return it as text."""
        return self._data.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all of it."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it, or its first *content_length* bytes, in pieces, so that the event loop gets its turns."""
        self._transport = getattr(writer, "transport", None)  # of aiohttp.StreamWriter; the abstract class does not have it
        data = self._data if content_length is None else self._data[:content_length]
        for start in range(0, len(data), _PIECE):
            await writer.write(data[start : start + _PIECE])
        self._complete = True

    def abort(self, *, unless_complete: bool = False) -> None:
        """Drop the connection of the request; with *unless_complete*, only if the body was not written to its end."""
        if self._transport is not None and not (unless_complete and self._complete):
            self._transport.abort()

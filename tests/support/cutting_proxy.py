"""A TCP proxy that cuts a connection when a chosen response arrives, so that the response is lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from tests.support.listening import listening

__all__ = ["CuttingProxy", "cutting_proxy"]

_REQUEST = re.compile(rb"(GET|POST|DELETE) (\S+) HTTP/1.1\r\n")


class CuttingProxy:
    """A proxy between a client and a server.

    Attributes:
        url: URL of the proxy, to be used instead of the server's.
        requests: "METHOD path?query" of each request so far; "negotiate" for negotiate requests.
        cut: decides, when a request is sent, whether to cut the connection once the response arrives.
        lost: bytes of responses that were not forwarded.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        assert parts.hostname is not None
        self._target = (parts.hostname, parts.port)
        self.url = ""
        self.requests: list[str] = []
        self.cut: Callable[[str], bool] = lambda _: False
        self.lost = b""
        self._changed = asyncio.Event()

    def count(self, method: str) -> int:
        """Return how many requests with this method, or "negotiate" requests, were sent so far."""
        return sum(request.startswith(method) for request in self.requests)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds; it is checked after each request and each cut."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def serve(self, client: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        """Forward the data of one connection."""
        writers = [client_writer]
        try:
            server, server_writer = await asyncio.open_connection(*self._target)
            writers.append(server_writer)
            await self._pass_on(client, client_writer, server, server_writer)
        except OSError:  # the server or the client has disconnected
            pass
        finally:
            for writer in writers:
                writer.close()

    async def _pass_on(
        self,
        client: asyncio.StreamReader,
        client_writer: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:
        """Forward data until one side ends the connection or it must be cut."""
        cutting = False

        async def upwards() -> None:
            nonlocal cutting
            while data := await client.read(2**16):
                if found := _REQUEST.match(data):
                    method, path = found[1].decode(), found[2].decode()
                    request = "negotiate" if "/negotiate" in path else f"{method} {path}"
                    self.requests.append(request)
                    cutting = self.cut(request)
                    self._changed.set()
                server_writer.write(data)
                await server_writer.drain()

        async def downwards() -> None:
            while data := await server.read(2**16):
                if cutting:
                    self.lost += data
                    self._changed.set()
                    return
                client_writer.write(data)
                await client_writer.drain()

        directions = {asyncio.create_task(upwards()), asyncio.create_task(downwards())}
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)


@asynccontextmanager
async def cutting_proxy(target: str) -> AsyncIterator[CuttingProxy]:
    """Run a proxy for the server at *target* during the block."""
    proxy = CuttingProxy(target)
    async with listening(proxy.serve, "cutting proxy") as url:
        proxy.url = url + urlsplit(target).path
        yield proxy

"""A hub server for one test, with clients that are connected to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from signalr_client import HubConnection, HubConnectionBuilder, HubException, HubProtocol, JsonHubProtocol
from signalr_client.server import Hub, HubContext, HubOptions, HubServer, ServiceCollection

__all__ = ["Serving", "refusal", "serving"]


class Serving:
    """One hub on its own server."""

    def __init__(self, server: HubServer, hub: type[Hub[Any]], stack: AsyncExitStack) -> None:
        self.server = server
        self.url = server.url("/hub")
        self.hub_context: HubContext[Any, Any] = server.hub_context(hub)
        self._stack = stack

    def builder(self, protocol: HubProtocol | None = None, **options: Any) -> HubConnectionBuilder:
        """Return a builder for a client; *options* are passed to `with_url`."""
        return HubConnectionBuilder().with_url(self.url, **options).with_hub_protocol(protocol or JsonHubProtocol())

    async def connect(self, protocol: HubProtocol | None = None, **options: Any) -> HubConnection:
        """Return a client that stays connected until the server stops."""
        connection = self.builder(protocol, **options).build()
        await self._stack.enter_async_context(connection)
        return connection

    async def listener(self, *targets: str, **options: Any) -> tuple[HubConnection, asyncio.Queue[Any]]:
        """Return a connected client and a queue of what it receives: the argument of each call, or a tuple of the arguments."""
        connection = self.builder(**options).build()
        heard: asyncio.Queue[Any] = asyncio.Queue()
        for target in targets or ("M",):
            connection.on(target, lambda *arguments: heard.put_nowait(arguments[0] if len(arguments) == 1 else arguments))
        await self._stack.enter_async_context(connection)
        return connection, heard


@asynccontextmanager
async def serving(hub: type[Hub[Any]], *, services: ServiceCollection | None = None, **options: Any) -> AsyncIterator[Serving]:
    """Serve *hub* during the block; *options* are passed to `HubOptions`."""
    async with HubServer({"/hub": hub}, options=HubOptions(**options), services=services) as server, AsyncExitStack() as stack:
        yield Serving(server, hub, stack)


async def refusal(call: Any) -> str:
    """Return the message of the HubException that *call* raises."""
    try:
        async with asyncio.timeout(5):
            result = await call
    except HubException as exc:
        return str(exc)
    raise AssertionError(f"the call did not fail: {result!r}")

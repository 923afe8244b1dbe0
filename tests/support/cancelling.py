"""A client and a server whose insides a test looks at after an interruption: what waits, what is open, what works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from signalr_client import HubConnection, HubConnectionBuilder
from signalr_client.server import CancellationToken, Hub, HubOptions, HubServer
from signalr_client.testing import FaultProxy
from tests.support.hubs import PROTOCOLS, TRANSPORTS
from tests.support.served_app import forget_lost_clients, remembered

__all__ = ["Pair", "Steps", "pair", "upload"]

PATIENCE = 30.0
"""Seconds after which something that does not happen fails the test."""


class Steps(Hub):
    """The hub."""

    def echo(self, value: object) -> object:
        """Return the value."""
        return value

    async def wait(self, token: CancellationToken) -> None:
        """Return when the call is cancelled."""
        await token.wait()

    async def count(self, end: int) -> AsyncIterator[int]:
        """Count slowly."""
        for number in range(end):
            await asyncio.sleep(0)
            yield number

    async def collect(self, items: AsyncIterator[Any]) -> list[Any]:
        """Return the items of an upload."""
        return [item async for item in items]

    async def double(self, numbers: AsyncIterator[int]) -> AsyncIterator[int]:
        """Return twice each item of an upload."""
        async for number in numbers:
            yield 2 * number


async def upload(end: int, item: Any = None) -> AsyncIterator[Any]:
    """Yield numbers, or the same item again and again, slowly."""
    for number in range(end):
        await asyncio.sleep(0)
        yield number if item is None else item


class Pair:
    """A client whose server is behind a proxy.

    Attributes:
        connection: the client's.
        proxy: between the two.
    """

    def __init__(self, connection: HubConnection, server: HubServer, proxy: FaultProxy) -> None:
        self.connection = connection
        self.proxy = proxy
        self.server = server
        self.resumed = asyncio.Semaphore(0)
        connection.on_resumed(lambda _: self.resumed.release())

    def waiting(self) -> dict[str, int]:
        """Return what waits on the client and runs on the server, by what it is; all of it is 0 when nothing is under way."""
        life = self.connection._life
        link = None if life is None else life.link
        counts = {"hub methods": remembered(self.server.app)["tasks"]}
        if life is not None:
            counts["waiting calls"] = len(life.readiness.waiting)
        if link is not None:
            calls = link.calls
            counts |= {"calls": len(calls._futures), "streams": len(calls.streams), "their uploads": len(calls._uploads)}
            counts["uploads"] = len(link.uploads._tasks)
        return counts

    async def assert_idle(self) -> None:
        """Check that nothing stays under way."""
        try:
            async with asyncio.timeout(PATIENCE):
                while any(self.waiting().values()):
                    await asyncio.sleep(0)
        except TimeoutError:
            raise AssertionError(f"left under way: {self.waiting()}") from None

    async def assert_forgotten(self) -> None:
        """Check that the server does not keep the client that it has lost, and the proxy no connection."""
        async with asyncio.timeout(PATIENCE):
            while any(remembered(self.server.app).values()) or self.proxy.connections:
                forget_lost_clients(self.server.app)
                await asyncio.sleep(0)

    async def assert_works(self) -> None:
        """Use the connection."""
        async with asyncio.timeout(PATIENCE):
            assert await self.connection.invoke("Echo", "still here") == "still here"


@asynccontextmanager
async def pair(
    transport: str = "ws",
    protocol: str = "json",
    *,
    start: bool = True,
    stateful: bool = False,
    **options: Any,
) -> AsyncIterator[Pair]:
    """Connect a client to its server through a proxy.

    Args:
        transport: of the client.
        protocol: of the hub.
        start: whether to start the client.
        stateful: whether it uses stateful reconnect.
        options: ``token`` is its access token factory. ``waiting`` lets calls wait while reconnecting. ``retry`` is its retry policy,
            and covers the start.
    """
    server_options = HubOptions(
        allow_stateful_reconnects=stateful,
        close_timeout=1,
        enable_authentication_refresh=True,
    )
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(HubServer({"/hub": Steps}, options=server_options))
        proxy = await stack.enter_async_context(FaultProxy(server.url("/hub")))
        way: dict[str, Any] = {
            "transports": TRANSPORTS[transport],
            "close_timeout": 1,
            "access_token_factory": options.get("token"),
        }
        builder = HubConnectionBuilder().with_url(proxy.url, **way)
        builder = builder.with_hub_protocol(PROTOCOLS[protocol]())
        if stateful:
            builder = builder.with_stateful_reconnect()
        if options.get("waiting"):
            builder = builder.with_calls_while_reconnecting()
        if "retry" in options:
            builder = builder.with_automatic_reconnect(options["retry"], retry_start=True)
        both = Pair(builder.build(), server, proxy)
        if start:
            await both.connection.start()
        try:
            yield both
        finally:
            proxy.restore()
            await both.connection.stop()

"""Fixtures: a server with a hub that stands in for the real one, and proxies whose network fails on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from signalr_client.server import Hub, HubServer, ServiceCollection

pytest_plugins = ["signalr_client.testing.fixtures"]


class Guests(list[str]):
    """Who is in the room when the application enters it."""


class RoomHub(Hub):
    """The methods of the real hub that the application calls."""

    def __init__(self, guests: Guests) -> None:
        self.guests = guests

    async def Enter(self, room: str) -> list[str]:
        await self.groups.add(self.context.connection_id, room)
        return self.guests


class RoomServer(HubServer):
    """A server on a free port, with what a test wants to decide."""

    def __init__(self) -> None:
        self.guests = Guests()
        super().__init__({"/rooms": RoomHub}, services=ServiceCollection().add_singleton(Guests, self.guests))

    async def tell(self, room: str, target: str, name: str) -> None:
        """Call a method of everyone in a room."""
        await self.hub_context(RoomHub).clients.group(room).send(target, name)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as running:
        yield running

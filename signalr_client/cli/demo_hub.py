"""The hub of ``serve`` and ``demo``, with one example of each kind of hub method. Room: tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from signalr_client.server import Hub, HubException

__all__ = ["DemoHub"]


class DemoHub(Hub):
    """A hub for trying out a client."""

    async def SendMessage(self, user: str, message: str) -> None:  # noqa: N802  # the name that most SignalR clients use
        """Send a message to all clients."""
        await self.clients.all.send("ReceiveMessage", user, message)

    def add(self, x: int, y: int) -> int:
        """Return the sum of two numbers; clients may also call this method as Add."""
        return x + y

    async def ask_client(self, connection_id: str, question: str) -> str:
        """Invoke a method of another client and return its result."""
        return await self.clients.client(connection_id).invoke("Answer", question, result_type=str)

    async def counter(self, count: int, milliseconds: int = 0) -> AsyncIterator[int]:
        """Count to *count*, with a pause after each number."""
        for number in range(count):
            yield number
            await asyncio.sleep(milliseconds / 1000)

    async def total(self, numbers: AsyncIterator[int]) -> int:
        """Return the sum of the numbers that the client streams."""
        return sum([number async for number in numbers])

    async def join_group(self, name: str) -> None:
        """Add the caller to a group."""
        await self.groups.add(self.context.connection_id, name)

    async def send_to_group(self, name: str, message: str) -> None:
        """Send a message to the members of a group."""
        await self.clients.group(name).send("ReceiveMessage", name, message)

    def fail(self, message: str) -> None:
        """Raise an error whose message is sent to the client."""
        raise HubException(message)

    def drop_connection(self) -> None:
        """Abort the caller's connection, as a network failure would."""
        request = self.context.get_http_request()
        if request is not None and request.transport is not None:
            request.transport.abort()

"""The hub of ``serve`` and ``demo``: one of everything that a hub method can be. Room: tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from signalr_client.server import Hub, HubException

__all__ = ["DemoHub"]


class DemoHub(Hub):
    """A hub to try a client on."""

    async def SendMessage(self, user: str, message: str) -> None:  # noqa: N802  # the name that clients everywhere expect
        """Show a message to everybody."""
        await self.clients.all.send("ReceiveMessage", user, message)

    def add(self, x: int, y: int) -> int:
        """Return the sum; clients may call it Add."""
        return x + y

    async def ask_client(self, connection_id: str, question: str) -> str:
        """Ask another client, and return what it answers."""
        return await self.clients.client(connection_id).invoke("Answer", question, result_type=str)

    async def counter(self, count: int, milliseconds: int = 0) -> AsyncIterator[int]:
        """Count, with a pause behind each number."""
        for number in range(count):
            yield number
            await asyncio.sleep(milliseconds / 1000)

    async def total(self, numbers: AsyncIterator[int]) -> int:
        """Return the sum of what the client streams."""
        return sum([number async for number in numbers])

    async def join_group(self, name: str) -> None:
        """Let the caller be in a group."""
        await self.groups.add(self.context.connection_id, name)

    async def send_to_group(self, name: str, message: str) -> None:
        """Show a message to the members of a group."""
        await self.clients.group(name).send("ReceiveMessage", name, message)

    def fail(self, message: str) -> None:
        """Raise an error that the client is told."""
        raise HubException(message)

    def drop_connection(self) -> None:
        """Cut the caller's connection, as a broken network would."""
        request = self.context.get_http_request()
        if request is not None and request.transport is not None:
            request.transport.abort()

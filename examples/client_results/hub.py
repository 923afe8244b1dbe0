"""A hub that asks all of its clients: python -m signalr_client serve examples.client_results.hub:FleetHub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from signalr_client.server import Hub, HubException

PATIENCE = 10.0
"""Seconds that an agent gets to answer."""


@dataclass
class Answer:
    """What one agent answered, or why it did not."""

    agent: str
    text: str | None = None
    error: str | None = None


class FleetHub(Hub):
    """Agents join; anyone may ask them all."""

    agents: ClassVar[dict[str, str]] = {}  # connection id -> name; a hub is a new object for each call

    async def join(self, name: str) -> None:
        """Answer questions from now on, as *name*."""
        self.agents[self.context.connection_id] = name

    async def on_disconnected(self, _exception: BaseException | None) -> None:
        """Forget an agent that has left."""
        self.agents.pop(self.context.connection_id, None)

    async def ask_everyone(self, question: str) -> AsyncIterator[Answer]:
        """Ask all agents at once, and stream their answers as they come in."""
        asking = [asyncio.create_task(self._ask(*agent, question)) for agent in self.agents.items()]
        try:
            for answer in asyncio.as_completed(asking):
                yield await answer
        finally:  # the client has left before everybody answered
            for task in asking:
                task.cancel()

    async def _ask(self, connection_id: str, name: str, question: str) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE):
                text = await self.clients.client(connection_id).invoke("Answer", question, result_type=str)
        except TimeoutError:
            return Answer(name, error=f"no answer within {PATIENCE:g} s")
        except HubException as error:  # the agent's handler raised, or the agent has left
            return Answer(name, error=str(error))
        return Answer(name, text)

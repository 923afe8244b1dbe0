"""A hub that hands jobs to a worker: python -m signalr_client serve examples.background_service.hub:JobHub."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from signalr_client.server import Hub, HubException


@dataclass
class Job:
    """A text to count."""

    id: int
    text: str


class JobHub(Hub):
    """Clients submit jobs; one worker does them."""

    ids: ClassVar[Iterator[int]] = count(1)
    waiting: ClassVar[dict[int, asyncio.Future[int]]] = {}

    async def join_workers(self) -> None:
        """Take jobs from now on."""
        await self.groups.add(self.context.connection_id, "workers")

    async def count_words(self, text: str) -> int:
        """Let the worker count the words of a text, and wait for the result."""
        job = Job(next(self.ids), text)
        result: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.waiting[job.id] = result
        try:
            async with asyncio.timeout(60):
                await self.clients.group("workers").send("Work", job)
                return await result
        except TimeoutError:
            raise HubException("No worker has done the job within a minute.") from None
        finally:
            del self.waiting[job.id]

    def done(self, job_id: int, words: int) -> None:
        """Take the result of a job."""
        if (result := self.waiting.get(job_id)) is not None and not result.done():
            result.set_result(words)

    async def retire_workers(self) -> None:
        """Tell all workers to end."""
        await self.clients.group("workers").send("Retire")

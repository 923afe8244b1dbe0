"""The five workloads of one client; each checks what it gets, so that nobody is fast by being wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol


class Client(Protocol):
    """What a workload needs: `HubConnection` has it, and so has the raw loop."""

    def on(self, target: str, handler: Callable[..., object], /) -> object: ...

    def invoke(self, target: str, /, *args: Any) -> Awaitable[Any]: ...

    def stream(self, target: str, /, *args: Any) -> AsyncIterator[Any]: ...


async def sequential(client: Client, count: int) -> None:
    """Invoke Add, one call after another."""
    for number in range(count):
        same(number + 1, await client.invoke("Add", number, 1))


async def concurrent(client: Client, count: int) -> None:
    """Invoke Add, 256 calls at a time."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            same(number + 1, await client.invoke("Add", number, 1))

    await asyncio.gather(*(work() for _ in range(256)))


async def receive(client: Client, count: int) -> None:
    """Receive messages of 100 bytes."""
    got = 0
    everything = asyncio.Event()

    def item(number: int, _payload: str) -> None:
        nonlocal got
        same(got, number)
        got += 1
        if got == count:
            everything.set()

    client.on("Item", item)
    same(count, await client.invoke("SendMany", "Item", count, 100))
    await everything.wait()


async def stream(client: Client, count: int) -> None:
    """Read the Counter stream."""
    got = 0
    async for number in client.stream("Counter", count, 0):
        same(got, number)
        got += 1
    same(count, got)


async def upload(client: Client, count: int) -> None:
    """Upload numbers to SumStream."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(count):
            yield number

    same(count * (count - 1) // 2, await client.invoke("SumStream", numbers()))


WORKLOADS: dict[str, tuple[Callable[[Client, int], Awaitable[None]], int]] = {
    "sequential": (sequential, 1_500),
    "concurrent": (concurrent, 10_000),
    "receive": (receive, 20_000),
    "stream": (stream, 20_000),
    "upload": (upload, 20_000),
}
"""By name: the workload, and how many operations make one round."""


def same(wanted: object, got: object) -> None:
    """Fail when the two differ."""
    if wanted != got:
        raise AssertionError(f"wanted {wanted}, got {got}")

"""The five workloads, for the client and for the handwritten client; both check every result.

They are the workloads of the official client's benchmark. The hub methods are those of the interop server's TestHub.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from benchmarks.raw import RawClient
from signalr_client import HubConnection

__all__ = ["WORKLOADS", "Workload", "WrongResultError"]

_WORKERS: Final = 256
_PAYLOAD: Final = 100


class WrongResultError(Exception):
    """A client did not do the work that was measured."""


class Caller(Protocol):
    """The common API of both clients."""

    async def invoke(self, target: str, *args: object) -> Any: ...

    def on(self, target: str, handler: Callable[[int, str], None]) -> object: ...

    def off(self, target: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of work.

    Attributes:
        operations: number of operations in one round at scale 1.
        ours, raw: coroutine functions that run a number of operations with one client and check the results.
    """

    name: str
    title: str
    operations: int
    ours: Callable[[HubConnection, int], Awaitable[None]]
    raw: Callable[[RawClient, int], Awaitable[None]]


async def sequential(client: Caller, count: int) -> None:
    for number in range(count):
        same(number + 1, await client.invoke("Add", number, 1))


async def concurrent(client: Caller, count: int) -> None:
    numbers = iter(range(count))

    async def work() -> int:
        done = 0
        for number in numbers:
            same(number + 1, await client.invoke("Add", number, 1))
            done += 1
        return done

    same(count, sum(await asyncio.gather(*(work() for _ in range(_WORKERS)))))


async def receive(client: Caller, count: int) -> None:
    got = 0
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(number: int, text: str) -> None:
        nonlocal got
        if number != got or len(text) != _PAYLOAD:
            done.set_exception(WrongResultError(f"expected message {got} of {_PAYLOAD} bytes, got {number} of {len(text)}"))
        got += 1
        if got == count:
            done.set_result(None)

    client.on("Item", take)
    same(count, await client.invoke("SendMany", "Item", count, _PAYLOAD))
    await done
    client.off("Item")
    same(count, got)


async def stream(client: HubConnection, count: int) -> None:
    got = 0
    async for number in client.stream("Counter", count, 0):
        same(got, number)
        got += 1
    same(count, got)


async def raw_stream(client: RawClient, count: int) -> None:
    got = 0

    def take(number: int) -> None:
        nonlocal got
        same(got, number)
        got += 1

    await client.stream(take, "Counter", count, 0)
    same(count, got)


async def upload(client: HubConnection, count: int) -> None:
    same(count * (count - 1) // 2, await client.invoke("SumStream", _numbers(count)))


async def raw_upload(client: RawClient, count: int) -> None:
    same(count * (count - 1) // 2, await client.upload(_numbers(count), "SumStream"))


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def same(expected: int, actual: object) -> None:
    if actual != expected:
        raise WrongResultError(f"expected {expected}, got {actual!r}")


WORKLOADS: Final = (
    Workload("sequential", "sequential invoke", 3_000, sequential, sequential),
    Workload("concurrent", f"{_WORKERS} concurrent invokes", 20_000, concurrent, concurrent),
    Workload("receive", f"receive {_PAYLOAD}-byte messages", 50_000, receive, receive),
    Workload("stream", "stream from the server", 50_000, stream, raw_stream),
    Workload("upload", "stream to the server", 20_000, upload, raw_upload),
)

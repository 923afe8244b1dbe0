"""Proxies between the clients and the server, and the faults that happen in them at random."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, Literal

from benchmarks.soak.tally import Tally
from signalr_client.testing import Direction, FaultProxy

__all__ = ["Wire", "open_wires"]

_AFTERMATH: Final = 25.0
"""Seconds after a fault in which a connection may still be lost because of it: the longest timeout of the hub, and some more."""


_PORTS: Final = (10_000, 32_000)
"""Below those that systems give to outgoing connections: one of these may take the port of a proxy that is down."""


class Wire:
    """One proxy, for some of the clients.

    No fault lasts longer than a few seconds, so a stateful connection always has a chance to resume within its 15 seconds.

    Args:
        interval: the mean time in seconds from one fault to the next; None for a wire without faults.
    """

    def __init__(self, name: str, url: str, tally: Tally, rng: random.Random, interval: float | None) -> None:
        self.name = name
        self.proxy = FaultProxy(url, port=rng.randint(*_PORTS))
        self.recent: deque[str] = deque(maxlen=20)
        self._tally = tally
        self._rng = rng
        self._interval = interval
        self._last_fault = float("-inf")  # when the last one ended
        self._kinds: dict[str, Callable[[], Awaitable[object]]] = {
            "cut": self._cut,
            "reset": self._reset,
            "cut one": lambda: self._break_one("cut"),
            "reset one": lambda: self._break_one("reset"),
            "half-close": self._half_close,
            "cut after N bytes": lambda: self._cut_after(between_messages=False),
            "cut between messages": lambda: self._cut_after(between_messages=True),
            "stall": self._stall,
            "delay": self._delay,
            "throttle": self._throttle,
            "one byte at a time": self._chunk,
            "refuse": self._refuse,
            "down": self._down,
        }

    @property
    def trouble(self) -> bool:
        """Whether a fault explains that a connection is lost now."""
        return asyncio.get_running_loop().time() - self._last_fault < _AFTERMATH

    async def misbehave(self) -> None:
        """Let faults happen, until cancelled."""
        loop, rng = asyncio.get_running_loop(), self._rng
        if self._interval is None:
            return
        kinds = list(self._kinds)
        while True:
            await asyncio.sleep(rng.expovariate(1 / self._interval))
            kind = rng.choice(kinds)
            self._tally.faults[kind] += 1
            self.recent.append(f"{self._tally.elapsed:.2f} s: {kind}")
            self._last_fault = float("inf")
            try:
                await self._kinds[kind]()
            finally:
                self.proxy.restore()
                self._last_fault = loop.time()
                self.recent.append(f"{self._tally.elapsed:.2f} s: end of {kind}")

    async def _cut(self) -> None:
        self.proxy.cut()

    async def _reset(self) -> None:
        self.proxy.reset()

    async def _break_one(self, how: Literal["cut", "reset"]) -> None:
        if connections := self.proxy.connections:
            connection = self._rng.choice(connections)
            connection.cut() if how == "cut" else connection.reset()

    async def _half_close(self) -> None:
        if connections := self.proxy.connections:
            for connection in self._rng.sample(connections, self._rng.randint(1, len(connections))):
                connection.half_close(self._rng.choice(list(Direction)))

    async def _cut_after(self, *, between_messages: bool) -> None:
        how: Literal["cut", "reset"] = self._rng.choice(("cut", "reset"))
        for _ in range(self._rng.randint(1, 5)):
            count = int(self._rng.expovariate(1 / 5_000))
            self.proxy.cut_after(count, self._direction(), how=how, between_messages=between_messages)
        await asyncio.sleep(self._rng.uniform(0.1, 2.0))

    async def _stall(self) -> None:
        self.proxy.stall(self._direction())
        await asyncio.sleep(self._rng.uniform(0.1, 3.0))
        if self._rng.random() < 0.3:
            self.proxy.reset()

    async def _delay(self) -> None:
        self.proxy.delay(self._rng.uniform(0.01, 0.3), self._direction())
        await asyncio.sleep(self._rng.uniform(0.5, 4.0))

    async def _throttle(self) -> None:
        self.proxy.throttle(self._rng.uniform(5_000, 200_000), self._direction())
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))

    async def _chunk(self) -> None:
        self.proxy.chunk(self._rng.choice((1, 1, 7, 100)), self._direction())
        await asyncio.sleep(self._rng.uniform(0.1, 1.0))

    async def _refuse(self) -> None:
        self.proxy.refuse()
        self.proxy.cut()
        await asyncio.sleep(self._rng.uniform(0.1, 3.0))

    async def _down(self) -> None:
        await self.proxy.stop()
        try:
            await asyncio.sleep(self._rng.uniform(0.1, 2.0))
        finally:
            await self.proxy.start()

    def _direction(self) -> Direction | None:
        return self._rng.choice((Direction.TO_SERVER, Direction.TO_CLIENT, None))


async def open_wires(
    stack: AsyncExitStack, url: str, tally: Tally, seed: int, *, count: int, calm: int, interval: float
) -> list[Wire]:
    """Return proxies that run until the end of the *stack*; *calm* of them have no faults.

    Args:
        stack: stops the proxies.
        url: the server.
        seed: for the faults.
        count: the number of proxies.
        calm: the number of those without faults.
        interval: the mean time in seconds between two faults of one proxy.
    """
    wires: list[Wire] = []
    rng = random.Random(f"{seed} wires")
    while len(wires) < count:
        calm_one = len(wires) < calm
        wire = Wire(f"wire {len(wires)}", url, tally, random.Random(rng.random()), None if calm_one else interval)
        try:
            await stack.enter_async_context(wire.proxy)
        except OSError:  # the port is in use
            continue
        wires.append(wire)
    return wires

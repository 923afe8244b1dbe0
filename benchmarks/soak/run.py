"""The soak test from its beginning to its end.

    server <- proxies with faults <- clients, each with a life (starts and stops) and some workers

At the end the faults stop first, then the workers, then the clients; each client checks that it has got everything. Then nothing may be
left: no connection on the server, no task, no socket, no object of the package.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.soak.client import SoakClient, Traits
from benchmarks.soak.health import LogWatch, Memory, objects_left, objects_of_the_package
from benchmarks.soak.hub import ONE_CALL, SEVERAL_CALLS, SoakHub, make_server
from benchmarks.soak.network import Wire, open_wires
from benchmarks.soak.oracle import Oracle
from benchmarks.soak.report import progress_line
from benchmarks.soak.tally import Tally
from benchmarks.soak.work import Notes, Pace, Worker
from signalr_client.server import HubServer
from tests.support.leaks import left_behind, open_sockets
from tests.support.served_app import remembered

__all__ = ["Outcome", "Plan", "soak"]

_CLIENTS_ON_A_WIRE: Final = 8
_WORKERS: Final = 3  # of each client, and one that sends notes
_LEAVING: Final = 10.0
"""Seconds that the server may take to forget every client, besides the disconnect timeout."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do.

    Attributes:
        seconds: how long there are faults and new operations. Then everything is awaited and checked, which takes half a minute more.
        clients: the number of clients.
        seed: for everything that is decided at random.
        fault_interval: the mean time in seconds from one fault of a proxy to its next.
        patience: seconds after which an operation counts as hung.
        growth: bytes by which the memory may grow from the first third of the time to the last.
        disconnect_timeout: seconds for which the server keeps connections whose clients could not say goodbye.
        hub: the hub; another one shows whether its defects are noticed.
    """

    seconds: float
    clients: int
    seed: int
    fault_interval: float = 3.0
    patience: float = 60.0
    growth: int = 50_000_000
    disconnect_timeout: float = 15.0
    hub: type[SoakHub] = SoakHub


@dataclass(frozen=True, slots=True)
class Outcome:
    """What has happened.

    Attributes:
        cpu: seconds of processor time.
        memory: resident bytes in the first and in the last third of the time.
        delay: the mean delay of timers at the end, in seconds.
        warnings: log lines of level WARNING, by text.
    """

    tally: Tally
    seconds: float
    cpu: float
    memory: tuple[float, float]
    warnings: dict[str, int]


async def soak(plan: Plan) -> Outcome:
    """Run the soak test."""
    tally = Tally()
    before = objects_of_the_package()
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    memory = Memory()
    with LogWatch(tally) as watch:
        cpu = time.process_time()
        await _Soak(plan, tally, watch, memory).run()
        cpu = time.process_time() - cpu
        watch.forget_clients()
        for left in await left_behind(tasks, sockets):
            tally.fail(f"left behind: {left}")
        for kind, count in (await objects_left(before)).items():
            tally.fail(f"left behind: {count} of {kind}")
    first, last = memory.thirds()
    if last - first > plan.growth:
        tally.fail(f"the memory grew from {first / 1e6:.0f} MB to {last / 1e6:.0f} MB")
    return Outcome(tally, plan.seconds, cpu, (first, last), dict(watch.warnings))


class _Soak:
    """The parts of one run; they are dropped with it."""

    def __init__(self, plan: Plan, tally: Tally, watch: LogWatch, memory: Memory) -> None:
        self._plan = plan
        self._tally = tally
        self._watch = watch
        self._memory = memory
        self._rng = random.Random(f"{plan.seed} soak")
        self._pace = Pace()
        self._ending = asyncio.Event()
        tally.on_hopeless = self._ending.set
        groups, users = max(plan.clients // 10, 2), max(plan.clients // 5, 2)
        self._oracle = Oracle(tally, random.Random(f"{plan.seed} oracle"), groups=groups, users=users)
        self._clients: list[SoakClient] = []

    async def run(self) -> None:
        """Run everything, and check that the server remembers nobody."""
        server = make_server(self._oracle, self._plan.hub, disconnect_timeout=self._plan.disconnect_timeout)
        async with server, AsyncExitStack() as stack:
            wires = await open_wires(
                stack,
                server.url(),
                self._tally,
                self._plan.seed,
                count=max(self._plan.clients // _CLIENTS_ON_A_WIRE, 2),
                calm=max(self._plan.clients // _CLIENTS_ON_A_WIRE // 10, 1),
                interval=self._plan.fault_interval,
            )
            for number in range(self._plan.clients):
                rng = random.Random(f"{self._plan.seed} client {number}")
                traits = Traits.draw(f"c{number}", rng, self._oracle, (ONE_CALL, SEVERAL_CALLS))
                wire = wires[number % len(wires)]
                client = SoakClient(traits, wire, self._oracle, self._tally, rng, patience=self._plan.patience)
                self._clients.append(client)
                self._watch.add(client)
            faults = [asyncio.create_task(wire.misbehave()) for wire in wires]
            await self._run_clients(faults)
            await self._check_server(server, wires)

    async def _run_clients(self, faults: list[asyncio.Task[None]]) -> None:
        """Run the clients and their workers, and end them in order."""
        background = _start(self._memory.measure(), self._pace.adjust(), self._show_progress())
        lives = _start(*(client.live() for client in self._clients))
        kinds = [*[Worker] * _WORKERS, Notes]
        workers = _start(*(kind(client, self._pace, self._ending).run() for client in self._clients for kind in kinds))
        try:
            async with asyncio.timeout(self._plan.seconds):
                await self._ending.wait()
        except TimeoutError:
            pass
        await _cancel(faults)
        self._ending.set()
        await self._finish(workers, "workers")
        for client in self._clients:
            client.ending.set()
        await self._finish(lives, "clients")
        await _cancel(background)

    async def _finish(self, tasks: list[asyncio.Task[None]], what: str) -> None:
        """Wait for tasks; report those that do not end or have failed, which is a defect of the soak test itself."""
        done, pending = await asyncio.wait(tasks, timeout=3 * self._plan.patience)
        if pending:
            self._tally.fail(f"{len(pending)} {what} did not end: {list(pending)[:3]}")
            await _cancel(list(pending))
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _check_server(self, server: HubServer, wires: list[Wire]) -> None:
        """Check that nothing is left on the server and in the network once every client has left."""

        def left() -> dict[str, int]:
            sockets = sum(len(wire.proxy.connections) for wire in wires)
            return {what: count for what, count in (remembered(server.app) | {"sockets": sockets}).items() if count}

        deadline = asyncio.get_running_loop().time() + self._plan.disconnect_timeout + _LEAVING
        while left() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  # there is no event
            await asyncio.sleep(0.1)
        for what, count in left().items():
            self._tally.fail(f"{count} {what} are left although all clients have left")
        if self._oracle.connections:
            self._tally.fail(f"on_disconnected did not run for {len(self._oracle.connections)} connections")
        for method, count in self._oracle.running.items():
            if count:
                self._tally.fail(f"{count} calls of {method} are running although their clients have left")

    async def _show_progress(self) -> None:
        while True:
            await asyncio.sleep(10.0)
            connected = len(self._oracle.connections)
            print(progress_line(self._tally, connected=connected, delay=self._pace.delay), flush=True)


def _start(*work: Coroutine[Any, Any, None]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(each) for each in work]


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

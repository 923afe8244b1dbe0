"""Workers: they perform operations at random, and judge errors by the state of the client."""

from __future__ import annotations

import asyncio
import contextlib
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import Final

from benchmarks.soak.client import SoakClient
from benchmarks.soak.operations import Operations, WrongResultError
from benchmarks.soak.watch import HungError, watched
from signalr_client import ConnectionClosedError, HubConnectionState, InvalidStateError

__all__ = ["Notes", "Pace", "Worker"]

_TICK: Final = 0.1  # seconds between two measurements of the delay of the event loop
_MOST_DELAY: Final = 0.03  # seconds
_LONGEST_PAUSE: Final = 5.0  # seconds


class Pace:
    """Adjusts the pauses between operations, so that the event loop is busy but not overloaded.

    On an overloaded event loop timeouts would elapse without any fault.

    Attributes:
        pause: the mean pause in seconds between two operations of one worker.
        delay: how late timers run, in seconds.
    """

    def __init__(self) -> None:
        self.pause = 1.0
        self.delay = 0.0

    async def adjust(self) -> None:
        """Measure and adjust, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _TICK
            await asyncio.sleep(_TICK)
            self.delay = 0.9 * self.delay + 0.1 * (loop.time() - due)
            self.pause *= 1.1 if self.delay > _MOST_DELAY else 0.95
            self.pause = min(max(self.pause, 0.05), _LONGEST_PAUSE)

    async def wait(self, rng: random.Random, ending: asyncio.Event) -> None:
        """Pause, until *ending* at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(rng.expovariate(1 / self.pause), _LONGEST_PAUSE)):
                await ending.wait()


class Worker:
    """Performs operations of one client, one after another.

    Args:
        ending: set when no more operations are to begin.
    """

    def __init__(self, client: SoakClient, pace: Pace, ending: asyncio.Event) -> None:
        self.client = client
        self._pace = pace
        self._ending = ending
        self._rng = client.rng
        operations = Operations(client).weights
        self._operations = list(operations)
        self._weights = list(operations.values())

    async def run(self) -> None:
        """Perform operations until the end. Now and then the client is not connected, or the operation is cancelled."""
        while not self._ending.is_set():
            await self._pace.wait(self._rng, self._ending)
            if not self.client.up.is_set() and self._rng.random() < 0.9:
                continue
            operation = self._rng.choices(self._operations, self._weights)[0]
            limit = self._rng.uniform(0.0, 0.1) if self._rng.random() < 0.05 else None
            await self.perform(operation.__name__, lambda: _limited(operation(), limit))  # noqa: B023  # called at once

    async def perform(self, name: str, operation: Callable[[], Awaitable[None]]) -> bool:
        """Perform an operation and judge how it ends; return whether it succeeded."""
        client = self.client
        losses = client.losses
        try:
            await watched(_awaited(operation()), client.patience)
        except _CancelledOperationError:
            client.tally.done["cancelled operation"] += 1
        except InvalidStateError as exc:
            client.tally.refused[name, "InvalidStateError"] += 1
            self._check_state(name, exc)
        except ConnectionClosedError as exc:
            client.tally.refused[name, type(exc).__name__] += 1
            if not await client.lost_since(losses):
                client.fail(f"{name} failed although the connection was not lost: {exc!r}")
        except (HungError, WrongResultError) as exc:
            client.fail(f"{name}: {exc}")
        except Exception:
            client.fail(f"{name} failed with an unexpected error:\n{traceback.format_exc()}")
        else:
            client.tally.done[name] += 1
            return True
        return False

    def _check_state(self, name: str, error: InvalidStateError) -> None:
        """Check that the state explains an InvalidStateError."""
        allowed = {HubConnectionState.DISCONNECTED.value, HubConnectionState.DISCONNECTING.value}
        if not self.client.traits.waits or error.action == "refresh_authentication":  # which never waits
            allowed |= {HubConnectionState.CONNECTING.value, HubConnectionState.RECONNECTING.value}
        if error.state not in allowed:
            self.client.fail(f"{name} was refused in the state {error.state}: {error}")


class Notes(Worker):
    """Sends a numbered sequence to the server, and asks from time to time what has arrived."""

    def __init__(self, client: SoakClient, pace: Pace, ending: asyncio.Event) -> None:
        super().__init__(client, pace, ending)
        self._next = 0

    async def run(self) -> None:
        while not self._ending.is_set():
            await self._pace.wait(self._rng, self._ending)
            for _ in range(self._rng.randint(1, 10)):
                if not await self.perform("send", self._send):
                    break
            else:
                await self.perform("check of sent messages", self._check)

    async def _send(self) -> None:
        await self.client.connection.send("Note", self._next)
        self._next += 1  # after an error nothing was sent, so the number is used again

    async def _check(self) -> None:
        """Check that the last message has arrived, unless none was sent on this connection."""
        noted = await self.client.connection.invoke("Noted")
        if noted is not None and noted[1] != self._next - 1:
            raise WrongResultError(f"the server got the numbers {noted[0]} to {noted[1]}, but {self._next - 1} was sent")


class _CancelledOperationError(Exception):
    """An operation was cancelled on purpose."""


async def _limited(work: Awaitable[None], seconds: float | None) -> None:
    """Cancel *work* after some time, if *seconds* says so."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            await work
    except TimeoutError:
        if limit.expired():
            raise _CancelledOperationError from None
        raise


async def _awaited(work: Awaitable[None]) -> None:
    await work

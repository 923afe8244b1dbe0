"""What clients do: each operation checks its result. What may fail with which error is judged in work.py."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Final

from benchmarks.soak.client import SoakClient
from benchmarks.soak.oracle import Ending, Push, content
from signalr_client import HubException, TransportError

__all__ = ["Operations", "WrongResultError"]

_AUDIENCES: Final = {
    "caller": 30,
    "client": 15,
    "clients": 10,
    "user": 10,
    "users": 5,
    "group": 10,
    "groups": 5,
    "group_except": 5,
    "others_in_group": 5,
    "all": 2,
    "others": 2,
    "all_except": 2,
}
_UNEXPECTED: Final = "An unexpected error occurred invoking '{}' on the server. HubException: {}"


class WrongResultError(Exception):
    """An operation did not do what it should."""


class Operations:
    """The operations of one client."""

    def __init__(self, client: SoakClient) -> None:
        self.client = client
        self._oracle = client.oracle
        self._rng = client.rng
        self.weights: dict[Callable[[], Awaitable[None]], float] = {
            self.echo: 20,
            self.many_calls: 3,
            self.large: 1,
            self.pause: 2,
            self.fail: 2,
            self.push: 8,
            self.push_many: 1,
            self.stream: 5,
            self.leave_stream: 3,
            self.broken_stream: 1,
            self.upload: 4,
            self.upload_without_response: 3,
            self.upload_both_ways: 3,
            self.failing_upload: 1,
            self.ask_me: 4,
            self.ask_other: 4,
            self.refused_answer: 1,
            self.cancel: 2,
            self.change_groups: 2,
            self.refresh: 0.2,
            self.abort: 0.1,
        }

    # calls

    async def echo(self) -> None:
        await self._echo(_random_value(self._rng))

    async def many_calls(self) -> None:
        """Make many small calls at once."""
        await _gather(*(self._echo(number) for number in range(self._rng.randint(10, 50))))

    async def large(self) -> None:
        await self._echo(content(Push(self._rng.randint(0, 1_000_000), self._rng.randint(30_000, 300_000))))

    async def pause(self) -> None:
        """Call a method that is slow."""
        seconds = self._rng.uniform(0.0, 0.2)
        _check("pause", seconds, await self.client.connection.invoke("Pause", seconds))

    async def _echo(self, value: object) -> None:
        _check("echo", value, await self.client.connection.invoke("Echo", value))

    async def fail(self) -> None:
        await self._fails(self.client.connection.invoke("Fail", "for a reason"), _UNEXPECTED.format("fail", "for a reason"))

    async def cancel(self) -> None:
        """Cancel a call; the server has to notice."""
        losses = self.client.losses
        target = self._rng.choice(("Wait", "WaitForToken"))
        with self._ending() as (token, ending):
            try:
                async with asyncio.timeout(self._rng.uniform(0.0, 0.2)):
                    await self.client.connection.invoke(target, token)
            except TimeoutError:
                pass
            else:
                raise WrongResultError(f"{target} returned before it was cancelled")
            await self._echo(0)  # begins after the cancelled call, if that was sent at all
            if token in self._oracle.begun:
                await self._unless_lost(ending, losses)

    # messages to clients

    async def push(self) -> None:
        """Let the server send messages; wait for those that the client itself gets."""
        audience = self._rng.choices(list(_AUDIENCES), list(_AUDIENCES.values()))[0]
        size = self._rng.randint(1, 300) if self._rng.random() < 0.95 else self._rng.randint(1_000, 30_000)
        await self._push(audience, self._rng.randint(1, 3), size)

    async def push_many(self) -> None:
        await self._push("caller", self._rng.randint(50, 300), 10)

    async def _push(self, audience: str, count: int, size: int) -> None:
        losses = self.client.losses
        reached = await self.client.connection.invoke("Push", audience, count, size)
        if not isinstance(reached, int):
            raise WrongResultError(f"push returned {reached!r}")
        record = self.client.record
        if record is not None and record.expected:
            push = record.expected[-1]
            if not await self.client.settled(push, record) and not await self.client.lost_since(losses):
                raise WrongResultError(f"message {push} was not received, and the connection was not lost")

    async def change_groups(self) -> None:
        await self.client.connection.invoke("Leave", self._rng.choice(self._oracle.groups))
        await self.client.connection.invoke("Join", self._rng.choice(self._oracle.groups))

    # streams and uploads

    async def stream(self) -> None:
        end, pause = self._length()
        with self._ending() as (token, _):
            numbers = [number async for number in self.client.connection.stream("Count", token, end, pause)]
        _check("stream", list(range(end)), numbers)

    async def leave_stream(self) -> None:
        """Leave a stream before its end; the server has to notice."""
        losses = self.client.losses
        leave_at = self._rng.randint(0, 20)
        with self._ending() as (token, ending):
            async with self.client.connection.stream("Count", token, 1_000_000, 0.001) as stream:
                expected = 0
                async for number in stream:
                    _check("left stream", expected, number)
                    expected += 1
                    if number >= leave_at:
                        break
            await self._unless_lost(ending, losses)

    async def broken_stream(self) -> None:
        end, _ = self._length()
        numbers: list[int] = []
        try:
            async for number in self.client.connection.stream("BreakOff", end):
                numbers.append(number)  # noqa: PERF401  # the items before the error are checked
        except HubException as exc:
            error = f"An error occurred on the server while streaming results. HubException: no more than {end}"
            _check("error of a stream", error, str(exc))
            _check("items before the error", list(range(end)), numbers)
        else:
            raise WrongResultError(f"a stream ended without its error, after {len(numbers)} of {end} items")

    async def upload(self) -> None:
        end, pause = self._length()
        result = await self.client.connection.invoke("Total", _numbers(end, pause))
        _check("upload", [end, end * (end - 1) // 2], result)

    async def upload_both_ways(self) -> None:
        """Upload numbers to a method that sends a stream back."""
        end, pause = self._length()
        doubled = [number async for number in self.client.connection.stream("Double", _numbers(end, pause))]
        _check("upload with a stream", [2 * number for number in range(end)], doubled)

    async def upload_without_response(self) -> None:
        """Upload two streams with `send`; the oracle tells what the server got."""
        losses = self.client.losses
        end, pause = self._length()
        numbers_sent = asyncio.Event()

        async def texts() -> AsyncIterator[str]:
            await numbers_sent.wait()  # the server reads the numbers first, and takes only a few unread items
            for number in range(end, 2 * end):
                yield str(number)

        async def numbers() -> AsyncIterator[int]:
            async for number in _numbers(end, pause):
                yield number
            numbers_sent.set()

        with self._ending() as (token, ending):
            await self.client.connection.send("Collect", token, texts(), numbers())
            result = await self._unless_lost(ending, losses)
        if result is not None and result.error is None:
            _check("upload with send", 2 * end, result.items)
        elif result is not None and not await self.client.lost_since(losses):
            raise WrongResultError(f"an upload failed on the server, but not here: {result.error!r}")

    async def failing_upload(self) -> None:
        end, pause = self._length()
        upload = self.client.connection.invoke("Total", _numbers(end, pause, error="no more numbers"))
        await self._fails(upload, _UNEXPECTED.format("total", "no more numbers"))

    def _length(self) -> tuple[int, float]:
        """Return how many items a stream has, and the seconds between them."""
        if self._rng.random() < 0.5:
            return self._rng.randint(0, 300), 0.0
        return self._rng.randint(0, 100), self._rng.uniform(0.001, 0.02)

    # client results

    async def ask_me(self) -> None:
        question = f"question {self._rng.random()}"
        result = await self.client.connection.invoke("AskMe", question)
        _check("client result", f"{self.client.traits.name}: {question}", result)

    async def ask_other(self) -> None:
        question = f"question {self._rng.random()}"
        name, result = await self.client.connection.invoke("AskOther", question)
        if result != "gone":
            _check("client result of another client", f"{name}: {question}", result)

    async def refused_answer(self) -> None:
        await self._fails(self.client.connection.invoke("AskMe", "fail: no"), _UNEXPECTED.format("ask_me", "fail: no"))

    # the connection

    async def refresh(self) -> None:
        losses = self.client.losses
        try:
            lifetime = await self.client.connection.refresh_authentication()
        except TransportError as exc:
            if not self.client.wire.trouble and self.client.losses == losses:
                raise WrongResultError(f"refresh failed without a fault: {exc!r}") from exc
            self.client.tally.refused["refresh", type(exc).__name__] += 1
            return
        if lifetime is None or lifetime < 1:
            raise WrongResultError(f"refresh returned {lifetime!r}")

    async def abort(self) -> None:
        """Let the server end the connection: the call gets no answer, or one that was sent just before."""
        await self.client.connection.invoke("AbortMe")

    # inside

    @contextlib.contextmanager
    def _ending(self) -> Iterator[tuple[str, asyncio.Future[Ending]]]:
        """Yield a token, and the future that tells how the method with this token ends."""
        token = self._oracle.new_token()
        try:
            yield token, self._oracle.ending(token)
        finally:
            self._oracle.forget(token)

    async def _unless_lost(self, ending: asyncio.Future[Ending], losses: int) -> Ending | None:
        """Return how a method has ended; None if the connection is lost first, after *losses* was noted."""
        while not ending.done():
            if self.client.losses > losses:
                return None
            await asyncio.wait({ending}, timeout=0.1)
        return ending.result()

    async def _fails(self, work: Awaitable[object], expected: str) -> None:
        """Check that a call fails, and with which text."""
        try:
            result = await work
        except HubException as exc:
            _check("error", expected, str(exc))
        else:
            raise WrongResultError(f"returned {result!r} instead of failing with {expected!r}")


def _check(what: str, expected: object, actual: object) -> None:
    if actual != expected:
        raise WrongResultError(f"{what}: expected {_short(expected)}, got {_short(actual)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:200]} ... {text[-50:]} ({len(text)} characters)"


async def _numbers(end: int, pause: float, *, error: str | None = None) -> AsyncIterator[int]:
    """Yield the numbers below *end*, with pauses between them; then raise *error*, if given."""
    for number in range(end):
        yield number
        if pause:
            await asyncio.sleep(pause)
    if error is not None:
        raise HubException(error)


async def _gather(*work: Awaitable[None]) -> None:
    """Await several things at once; raise the first error once all have ended."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if result is not None:
            raise result


def _random_value(rng: random.Random, depth: int = 0) -> object:
    """Return a value that both hub protocols carry unchanged."""
    kind = rng.randrange(8 if depth < 2 else 6)
    match kind:
        case 0:
            return rng.randint(-(2**53), 2**53)
        case 1:
            return rng.random()
        case 2:
            return rng.choice((None, True, False))
        case 6:
            return [_random_value(rng, depth + 1) for _ in range(rng.randint(0, 5))]
        case 7:
            return {f"key {number}": _random_value(rng, depth + 1) for number in range(rng.randint(0, 5))}
        case _:
            return content(Push(rng.randint(0, 1_000), rng.randint(0, 200)))

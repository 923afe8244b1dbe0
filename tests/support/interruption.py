"""Interrupts a coroutine at each of its awaits in turn: at the first, at the second, and so on until it ends undisturbed.

The awaits of the tasks that it starts count too, because `HubConnection.start`, for example, awaits a single future while its tasks
do the work. So an interruption comes at every stage of that work, and always at the same one for the same number.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest

__all__ = [
    "WAYS",
    "Outcome",
    "at_each_await",
    "counting_awaits",
    "generate_ways",
    "interrupted",
    "left_running",
    "nothing_unhandled",
]

QUIET = 3
"""Attempts in a row that must end undisturbed: with real sockets the number of awaits varies."""

PATIENCE = 30.0
"""Seconds after which an attempt that does not end fails the test."""

WAYS: Final = (
    "cancelled",
    "cancelled with the result",
    "cancelled twice",
    "cancelled in a cleanup",
    "timed out",
    "in a failing group",
)
"""How a coroutine can be interrupted:

- as soon as it waits;
- when what it waits for has happened, and it has not noticed yet;
- as soon as it waits, by two requests, with a third one at its next await;
- as soon as it waits, in a task that has caught an earlier cancellation, so that `asyncio.Task.cancelling` is not 0;
- by `asyncio.timeout`;
- by an `asyncio.TaskGroup` in which another task has failed.
"""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        number: at which await it was to be interrupted.
        interrupted: whether it was; otherwise it had returned before.
        result: what it returned.
    """

    number: int
    interrupted: bool
    result: Any = None


class _Awaits:
    """Counts the awaits of one attempt, and interrupts it at one of them."""

    def __init__(self, number: int, way: str) -> None:
        self.asked = False
        self.interrupt: Callable[[], None] = lambda: None
        self.task: asyncio.Task[Any] | None = None
        self._left = number
        self._way = way

    def note(self, awaited: object) -> None:
        """Count an await of the current task on *awaited*, a future or None."""
        task = self.task
        if task is None or task.done():
            return
        own = asyncio.current_task() is task
        if self.asked:
            if own and self._way == "cancelled twice":
                task.cancel()
            return
        late = self._way == "cancelled with the result"
        if late and not own:
            return
        self._left -= 1
        if self._left:
            return
        if late and isinstance(awaited, asyncio.Future):
            awaited.add_done_callback(lambda _: self._ask())  # it is called before the task is told
        else:
            self._ask()

    def _ask(self) -> None:
        self.asked = True
        self.interrupt()


_awaits: Final[contextvars.ContextVar[_Awaits | None]] = contextvars.ContextVar("awaits", default=None)
"""The attempt that the current code belongs to."""


class _Counted(Coroutine[Any, Any, Any]):
    """The coroutine of a task, which notes whenever it suspends."""

    def __init__(self, work: Coroutine[Any, Any, Any], awaits: _Awaits) -> None:
        self._work = work
        self._awaits = awaits

    def send(self, value: object) -> object:
        awaited = self._work.send(value)
        self._awaits.note(awaited)
        return awaited

    def throw(self, *exc: Any) -> object:
        awaited = self._work.throw(*exc)
        self._awaits.note(awaited)
        return awaited

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()


@asynccontextmanager
async def counting_awaits() -> AsyncIterator[None]:
    """Count the awaits in all tasks that belong to an attempt, whoever starts them."""
    loop = asyncio.get_running_loop()
    given = loop.get_task_factory()

    def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> Any:
        context: contextvars.Context | None = options.get("context")
        awaits = _awaits.get() if context is None else context.get(_awaits, None)
        if awaits is not None:
            work = _Counted(work, awaits)
        return asyncio.Task(work, loop=loop, **options) if given is None else given(loop, work, **options)

    loop.set_task_factory(make)
    try:
        yield
    finally:
        loop.set_task_factory(given)


@asynccontextmanager
async def nothing_unhandled() -> AsyncIterator[None]:
    """Fail if asyncio reports an error that nobody handles, such as an exception that was never retrieved."""
    loop = asyncio.get_running_loop()
    given = loop.get_exception_handler()
    reports: list[str] = []
    loop.set_exception_handler(lambda _, context: reports.append(f"{context['message']}: {context.get('exception')!r}"))
    try:
        yield
        gc.collect()
    finally:
        loop.set_exception_handler(given)
    assert not reports, reports


async def interrupted(work: Coroutine[Any, Any, Any], number: int, way: str = "cancelled") -> Outcome:
    """Run *work*, and interrupt it at its await *number*, which is counted inside `counting_awaits`.

    An interruption that was asked for in time has to end the work: it must not be swallowed, and no other exception may take its
    place.
    """
    awaits = _Awaits(number, way)
    context = contextvars.copy_context()
    context.run(_awaits.set, awaits)
    async with asyncio.timeout(PATIENCE):
        if way == "timed out":
            return await _in_timeout(work, awaits, context, number)
        if way == "in a failing group":
            return await _in_group(work, awaits, context, number)
        return await _cancelled(work, awaits, context, number, way)


async def _cancelled(
    work: Coroutine[Any, Any, Any], awaits: _Awaits, context: contextvars.Context, number: int, way: str
) -> Outcome:
    task: asyncio.Task[Any] | None = None
    accepted = False

    def cancel() -> None:
        nonlocal accepted
        assert awaits.task is not None
        accepted = awaits.task.cancel()
        if way == "cancelled twice":
            awaits.task.cancel()

    async def adopt() -> Any:
        current = asyncio.current_task()
        assert current is not None
        if way == "cancelled in a cleanup":
            current.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        awaits.task = current
        return await work

    awaits.interrupt = cancel
    task = asyncio.get_running_loop().create_task(adopt(), context=context)
    await asyncio.wait({task})
    if not accepted:
        return Outcome(number, interrupted=False, result=task.result())
    if not task.cancelled():
        raise AssertionError(f"await {number}: the cancellation was swallowed") from task.exception()
    return Outcome(number, interrupted=True)


async def _in_timeout(work: Coroutine[Any, Any, Any], awaits: _Awaits, context: contextvars.Context, number: int) -> Outcome:
    async def limit() -> Outcome:
        awaits.task = task = asyncio.current_task()
        assert task is not None
        result = None
        try:
            async with asyncio.timeout(None) as scope:
                awaits.interrupt = lambda: None if task.done() else scope.reschedule(0)
                try:
                    result = await work
                finally:
                    awaits.interrupt = lambda: None
        except TimeoutError:
            assert scope.expired()
            assert not task.cancelling()
            return Outcome(number, interrupted=True)
        assert not scope.expired(), f"await {number}: the timeout was swallowed"
        return Outcome(number, interrupted=False, result=result)

    return await asyncio.get_running_loop().create_task(limit(), context=context)


class _SiblingError(Exception):
    """What the other task of a group fails with."""


async def _in_group(work: Coroutine[Any, Any, Any], awaits: _Awaits, context: contextvars.Context, number: int) -> Outcome:
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail() -> None:
        if not failing.done():
            failing.set_exception(_SiblingError())

    async def adopt() -> Any:
        awaits.task = asyncio.current_task()
        try:
            return await work
        finally:
            if not failing.done():
                failing.set_result(None)

    awaits.interrupt = fail
    member: asyncio.Task[Any] | None = None
    try:
        async with asyncio.TaskGroup() as group:
            member = group.create_task(adopt(), context=context)
            await failing
    except ExceptionGroup as errors:
        _, others = errors.split(_SiblingError)
        if others is not None:
            raise others from None
    assert member is not None
    if member.cancelled():
        return Outcome(number, interrupted=True)
    return Outcome(number, interrupted=False, result=member.result())


async def at_each_await(
    attempt: Callable[[], Coroutine[Any, Any, Any]],
    check: Callable[[Outcome], Awaitable[None]],
    way: str = "cancelled",
    *,
    prepare: Callable[[], Awaitable[None]] | None = None,
    at_least: int = 1,
) -> None:
    """Interrupt *attempt* at its first await, then a new one at its second, and so on; call *check* after each.

    Args:
        attempt: returns a coroutine that ends by itself.
        check: looks at what the attempt has left behind.
        way: see `WAYS`.
        prepare: called before each attempt.
        at_least: how many attempts must have been interrupted.
    """
    number = quiet = interruptions = 0
    async with counting_awaits(), nothing_unhandled():
        while quiet < QUIET:
            number += 1
            if prepare is not None:
                await prepare()
            outcome = await interrupted(attempt(), number, way)
            try:
                await check(outcome)
            except BaseException as exc:
                exc.add_note(f"{way}, at await {number}: {outcome}")
                raise
            interruptions += outcome.interrupted
            quiet = 0 if outcome.interrupted else quiet + 1
    assert interruptions >= at_least, f"only {interruptions} awaits were found"


def generate_ways(metafunc: pytest.Metafunc, transports: Iterable[str] = ("ws",), *, few: int = len(WAYS)) -> None:
    """Parametrize a test that takes ``way``, and perhaps ``transport``, for a module's ``pytest_generate_tests``.

    Args:
        metafunc: given by pytest.
        transports: names of transports. Those after the first are interrupted in one way only.
        few: how many ways are enough for the first one. With ``--long`` all ways are used for all transports.
    """
    if "way" not in metafunc.fixturenames:
        return
    every = metafunc.config.getoption("--long")
    if "transport" in metafunc.fixturenames:
        first, *_ = transports
        counts = {name: len(WAYS) if every else few if name == first else 1 for name in transports}
        metafunc.parametrize(("transport", "way"), [(name, way) for name, count in counts.items() for way in WAYS[:count]])
    else:
        metafunc.parametrize("way", WAYS if every else WAYS[:few])


async def left_running(before: set[asyncio.Task[Any]]) -> None:
    """Wait until no task is left that was not there *before*; an interrupted attempt may still be cleaning up."""
    async with asyncio.timeout(PATIENCE):
        while tasks := asyncio.all_tasks() - before - {asyncio.current_task()}:
            await asyncio.wait(tasks)

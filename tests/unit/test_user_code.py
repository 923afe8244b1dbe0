"""Calling user code: what is awaited, and how exceptions and cancellation are handled."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Generator
from typing import Any, NoReturn

import pytest

from signalr_client.user_code import UserCodeError, call, text_of


class Later:
    """An awaitable that is not a coroutine."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return "done"


class Unusual(BaseException):
    """An exception that ``except Exception`` does not catch."""


async def coroutine_function() -> str:
    await asyncio.sleep(0)
    return "done"


class CallableObject:
    async def __call__(self) -> str:
        return await coroutine_function()


@pytest.mark.parametrize(
    "function",
    [
        lambda: "done",
        coroutine_function,
        functools.partial(coroutine_function),
        Later,
        CallableObject(),
        lambda: asyncio.ensure_future(coroutine_function()),
    ],
    ids=["plain", "coroutine function", "partial", "awaitable", "callable object", "future"],
)
async def test_call_returns_the_result_of_any_callable(function: Callable[[], object]) -> None:
    assert await call(function) == "done"


@pytest.mark.parametrize("error", [asyncio.CancelledError("mine"), Unusual("odd"), GeneratorExit()])
@pytest.mark.parametrize("is_async", [True, False])
async def test_other_base_exceptions_become_user_code_error(error: BaseException, is_async: bool) -> None:
    def fail() -> NoReturn:
        raise error

    async def fail_later() -> NoReturn:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(UserCodeError) as caught:
        await call(fail_later if is_async else fail)
    assert caught.value.error is error
    assert str(caught.value).startswith(type(error).__name__)


async def test_an_exception_is_raised_unchanged() -> None:
    error = ValueError("no")

    def fail() -> NoReturn:
        raise error

    with pytest.raises(ValueError, match="no") as caught:
        await call(fail)
    assert caught.value is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_system_exit_and_keyboard_interrupt_are_raised_unchanged(error: BaseException) -> None:
    def fail() -> NoReturn:
        raise error

    with pytest.raises(type(error)):
        asyncio.run(call(fail))


async def test_a_cancellation_of_the_calling_task_is_raised() -> None:
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(call(wait))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_in_user_code_is_not_a_cancellation() -> None:
    async def give_up() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await call(give_up)


async def test_awaiting_a_cancelled_task_in_user_code_is_a_user_code_error() -> None:
    async def await_cancelled_task() -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    function: Callable[[], Awaitable[None]] = await_cancelled_task
    with pytest.raises(UserCodeError, match="CancelledError"):
        await call(function)


async def swallow() -> str:
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        return "swallowed"
    return "never"


async def disguise() -> str:
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        raise LookupError("something else") from None
    return "never"


@pytest.mark.parametrize("function", [swallow, disguise])
async def test_a_cancellation_suppressed_by_user_code_takes_effect_when_it_returns(
    function: Callable[[], Awaitable[str]],
) -> None:
    """Otherwise a cancelled loop would continue with its next attempt."""
    task = asyncio.create_task(call(function))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_user_code_may_run_in_the_cleanup_of_a_cancelled_task() -> None:
    results: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            results.append(await call(coroutine_function))

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert results == ["done"]


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [(ValueError("no"), "no"), (ValueError(), ""), (Unprintable(), ""), (ValueError("a\ud800b"), "a?b")],
    ids=["plain", "empty", "__str__ raises", "lone surrogate"],
)
def test_the_text_of_an_exception_can_always_be_sent(error: Exception, text: str) -> None:
    assert text_of(error) == text

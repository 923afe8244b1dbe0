"""Work that must end in time, and what is shown when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

__all__ = ["HungError", "await_chain", "watched"]

T = TypeVar("T")


class HungError(Exception):
    """Work did not end in time; the message says where it waits."""


async def watched(work: Coroutine[Any, Any, T], patience: float) -> T:
    """Return the result of *work*, which runs in a task of its own; cancelling this cancels it.

    Args:
        work: what to do.
        patience: seconds that it may take.

    Raises:
        HungError: it did not end in time, and was cancelled.
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=patience)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task}, timeout=patience)
        if not task.done():
            raise HungError(f"ignores its cancellation for {patience:g} s, at {await_chain(task)}") from None
        raise
    if not done:
        where = await_chain(task)
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        raise HungError(f"did not end within {patience:g} s, at {where}")
    return task.result()


def await_chain(task: asyncio.Task[Any]) -> str:
    """Return where a task waits: its coroutine, what that awaits, and so on."""
    lines = []
    awaitable: Any = task.get_coro()
    while awaitable is not None:
        frame: FrameType | None = _attribute(awaitable, "frame")
        if frame is None:
            lines.append(repr(awaitable))
            break
        code = frame.f_code
        lines.append(f"{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}:{frame.f_lineno}")
        awaitable = _attribute(awaitable, "await") or _attribute(awaitable, "yieldfrom")
    return " > ".join(lines)


def _attribute(awaitable: object, name: str) -> Any:
    """Return an attribute that coroutines, generators and asynchronous generators name differently."""
    return next(
        (getattr(awaitable, f"{kind}_{name}") for kind in ("cr", "gi", "ag") if hasattr(awaitable, f"{kind}_{name}")), None
    )

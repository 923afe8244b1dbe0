"""The retry loop: connect again and again, as the retry policy says. Room: client."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from signalr_client.client.ends import End
from signalr_client.core.retry import RetryContext, RetryPolicy, retry_delay
from signalr_client.user_code import call

__all__ = ["retry"]

T = TypeVar("T")


async def retry(
    connect: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    reason: Exception | None,
    *,
    began: float,
    on_first_delay: Callable[[], None],
    logger: logging.Logger,
) -> T | End:
    """Call *connect* until it succeeds or *policy* gives up; cancelling stops it at any point.

    Args:
        connect: one attempt.
        policy: when to make the next attempt.
        reason: what ended the connection, or the first attempt.
        began: the time of the event loop that `RetryContext.elapsed_time` is counted from.
        on_first_delay: called once, when the policy has chosen to make an attempt.
        logger: for the attempts.

    Returns:
        The result of *connect*; or, if the policy gave up, an End with the last reason.
    """
    clock = asyncio.get_running_loop().time
    for count in itertools.count():
        context = RetryContext(previous_retry_count=count, elapsed_time=clock() - began, retry_reason=reason)
        delay = await _ask(policy, context, logger)
        if delay is None:
            break
        if count == 0:
            on_first_delay()
        logger.info("= attempt %d in %g s", count + 1, delay)
        await asyncio.sleep(delay)
        try:
            return await call(connect)  # by the door to user code, because the access token factory runs in it
        except Exception as exc:  # whatever it was, the policy decides about it
            logger.info("! attempt %d failed: %s", count + 1, exc)
            reason = exc
    return End(reason)


async def _ask(policy: RetryPolicy, context: RetryContext, logger: logging.Logger) -> float | None:
    """Return the delay before the next attempt, or None to give up; a policy that fails gives up."""
    try:
        delay = await call(policy.next_retry_delay, context)
        return None if delay is None else max(retry_delay(delay), 0.0)
    except Exception:  # user code, and an answer that is not a time
        logger.exception("! the retry policy raised an error; giving up")
        return None

"""The requests of a transport that are in flight, so that its `close` can end them. Room: transports."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from signalr_client.errors import TransportError

__all__ = ["InFlight"]

P = ParamSpec("P")
T = TypeVar("T")


class InFlight:
    """What runs at the moment and is to end with the transport, whoever runs it."""

    def __init__(self) -> None:
        self._deadlines: set[asyncio.Timeout] = set()
        self._ended = False

    async def run(self, request: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *request*, called with these arguments, returns.

        Raises:
            TransportError: `end` was called, before or meanwhile.
        """
        if not self._ended:
            try:
                async with asyncio.timeout(None) as deadline:
                    self._deadlines.add(deadline)
                    try:
                        return await request(*args, **kwargs)
                    finally:
                        self._deadlines.discard(deadline)
            except TimeoutError:
                if not deadline.expired():
                    raise
        raise TransportError("The connection was closed while a request was in flight.")

    def end(self) -> None:
        """End what runs, and whatever would begin later; idempotent."""
        self._ended = True
        while self._deadlines:
            self._deadlines.pop().reschedule(asyncio.get_running_loop().time())

"""`CancellationToken`: how a hub method learns that its result is no longer wanted. Room: server, hubs."""

from __future__ import annotations

import asyncio

__all__ = ["CancellationToken"]


class CancellationToken:
    """Set when the client cancels the call, or when the connection ends. For a hub method that wants to stop early by itself.

    A parameter annotated with this type is not an argument of the client. As with .NET's token, the method decides what to do:
    nothing is cancelled by force. To have the method's task cancelled instead, use ``@hub_method(cancellable=True)``.
    """

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def is_set(self) -> bool:
        """Return whether the call was cancelled."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Return when the call is cancelled."""
        await self._event.wait()

    def set(self) -> None:
        """Cancel; the server calls this."""
        self._event.set()

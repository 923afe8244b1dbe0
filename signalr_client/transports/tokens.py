"""Access tokens: when the caller's factory is asked, and when the last answer serves again. Room: transports.

Spec: client-behaviour.md, "C. Access tokens".
"""

from __future__ import annotations

import asyncio
import inspect

from signalr_client.errors import TransportError
from signalr_client.types import AccessTokenFactory

__all__ = ["AccessTokens"]


class AccessTokens:
    """The bearer token of one start: from the caller's factory, or, after a redirect that brought one, from the server."""

    def __init__(self, factory: AccessTokenFactory | None) -> None:
        self._factory = factory
        self._fixed: str | None = None
        self._cached: str | None = None

    def begin(self) -> None:
        """Forget what an earlier start left: a redirect's token is for that start only."""
        self._fixed = self._cached = None

    def fix(self, token: str) -> None:
        """Use *token*, which the server sent, for every later request of this start."""
        self._fixed = token

    def keep(self, token: str | None) -> None:
        """Use *token*, which `ask` returned and the server accepted, from now on."""
        self._cached = token

    @property
    def renewable(self) -> bool:
        """Whether asking again could bring another token."""
        return self._factory is not None and self._fixed is None

    async def fresh(self) -> str | None:
        """Return a token asked for now; None for no token. What the caller's factory raises passes through."""
        if self._fixed is not None:
            return self._fixed
        self._cached = await self.ask()
        return self._cached

    async def ask(self) -> str | None:
        """Return what the caller's factory says now, after a redirect too, and keep what is in use.

        Raises:
            TransportError: the factory was cancelled, and we were not; to our tasks, that must not look the same.
        """
        if self._factory is None:
            return None
        try:
            token = self._factory()
            return await token if inspect.isawaitable(token) else token
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise TransportError("The access token factory was cancelled.") from exc

    async def current(self) -> tuple[str | None, bool]:
        """Return the token in use and whether it was asked for just now."""
        if self._fixed is not None:
            return self._fixed, False
        if self._cached:
            return self._cached, False
        return await self.fresh(), self.renewable

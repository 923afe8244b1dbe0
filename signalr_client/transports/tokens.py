"""Access tokens: when the caller's factory is called, and when its last token is used again. Room: transports.

The rules are in docs/transports.md, "Access tokens".
"""

from __future__ import annotations

from signalr_client.errors import TransportError
from signalr_client.types import AccessTokenFactory
from signalr_client.user_code import UserCodeError, call

__all__ = ["AccessTokens"]


class AccessTokens:
    """The bearer token of one start: from the caller's factory, or, after a redirect that brought one, from the server."""

    def __init__(self, factory: AccessTokenFactory | None) -> None:
        self._factory = factory
        self._fixed: str | None = None
        self._cached: str | None = None

    def begin(self) -> None:
        """Forget the tokens of an earlier start: a redirect's token is for that start only."""
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
        """Return a token asked for now, or None for no token; raises as `ask` does."""
        if self._fixed is not None:
            return self._fixed
        self._cached = await self.ask()
        return self._cached

    async def ask(self) -> str | None:
        """Return what the caller's factory returns now, after a redirect too, and leave the token in use as it is.

        Raises:
            TypeError: the factory returned something else than a text or None.
            TransportError: it raised something that is not an `Exception`, such as a CancelledError of its own.
            Exception: whatever else it raised.
        """
        if self._factory is None:
            return None
        try:
            token: object = await call(self._factory)
        except UserCodeError as exc:
            raise TransportError(f"The access token factory failed: {exc}") from exc
        if token is not None and not isinstance(token, str):  # its value may be a secret, so only its type is named
            raise TypeError(f"The access token factory returned {type(token).__name__}; it has to return a str, or None.")
        return token

    async def current(self) -> tuple[str | None, bool]:
        """Return the token in use and whether it was asked for just now."""
        if self._fixed is not None:
            return self._fixed, False
        if self._cached:
            return self._cached, False
        return await self.fresh(), self.renewable

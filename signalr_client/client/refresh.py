"""Renewing the authentication of a connection before it expires. Room: client.

A server may say at negotiate how long the client's token is valid. Then a new token is sent to it in time, and the connection goes
on. There is one attempt for each lifetime: a failure is reported and not repeated. New in .NET 11: see docs/transports.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from signalr_client.errors import SignalRError
from signalr_client.transports.connector import Connected, Connector
from signalr_client.user_code import call

__all__ = ["AuthenticationRefresh", "RefreshOptions", "refresh_delay"]

MINIMUM_DELAY: Final = 30.0  # seconds: the .NET client refreshes no sooner, however short the lifetime


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """Whether to refresh automatically, and how many seconds before the authentication expires."""

    automatic: bool = True
    before_expiration: float = 300.0


def refresh_delay(lifetime: float, before_expiration: float) -> float:
    """Return the seconds after which an authentication that lasts *lifetime* seconds is refreshed."""
    delay = lifetime - before_expiration if lifetime > 2 * before_expiration else lifetime / 2
    return max(delay, MINIMUM_DELAY)


class AuthenticationRefresh:
    """Refreshes the authentication of the current connection.

    Args:
        connector: sends the request.
        options: when to refresh.
        on_refreshed: called with the new lifetime in seconds, or None if the server does not say.
        on_failed: called with the error of an automatic refresh.
        spawn: starts a task whose owner ends it with the connection.
    """

    def __init__(
        self,
        connector: Connector,
        options: RefreshOptions,
        *,
        on_refreshed: Callable[[float | None], None],
        on_failed: Callable[[Exception], None],
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
        logger: logging.Logger,
    ) -> None:
        self._connector = connector
        self._options = options
        self._on_refreshed = on_refreshed
        self._on_failed = on_failed
        self._spawn = spawn
        self._log = logger.getChild("refresh")
        self._connected: Connected | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def begin(self, connected: Connected) -> None:
        """Schedule the refresh of a new connection."""
        self.end()
        self._connected = connected
        self._arm(connected.token_lifetime)

    def end(self) -> None:
        """Forget the connection; an automatic refresh that is under way is cancelled."""
        self._connected = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    @property
    def possible(self) -> bool:
        """Whether there is a connection that was negotiated; others have no connection token to refresh with."""
        return self._connected is not None and bool(self._connected.connection_token)

    async def refresh(self) -> float | None:
        """Send a new token and return how many seconds it is valid; None if the server does not say.

        Raises:
            TransportError: the server refused, or was not reached.
        """
        connected = self._connected
        assert connected is not None  # `possible` was checked
        lifetime = await self._connector.refresh(connected.connection_token)
        self._log.info("= authentication refreshed%s", "" if lifetime is None else f" for {lifetime:g} s")
        if connected is self._connected:  # otherwise a reconnect has brought an authentication of its own
            self._arm(lifetime)
        self._on_refreshed(lifetime)
        return lifetime

    def _arm(self, lifetime: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if lifetime is not None and self._options.automatic and self.possible:
            delay = refresh_delay(lifetime, self._options.before_expiration)
            self._timer = asyncio.get_running_loop().call_later(delay, self._begin_refresh)

    def _begin_refresh(self) -> None:
        self._timer = None
        self._task = self._spawn(self._refresh_automatically())

    async def _refresh_automatically(self) -> None:
        try:
            await call(self.refresh)  # it calls the access token factory
        except Exception as exc:  # the connection goes on as long as the old token is accepted
            if not isinstance(exc, SignalRError):
                self._log.exception("! the authentication could not be refreshed")
            else:
                self._log.warning("! the authentication could not be refreshed: %s", exc)
            self._on_failed(exc)

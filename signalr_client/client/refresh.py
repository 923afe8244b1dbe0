"""Renewing the authentication of a connection that stands, before it expires. Room: client.

A server may say at negotiate how long the client's token lasts; then a new token is sent to it in time, and the connection goes on.
One attempt is made for each lifetime: a failed one is told and not repeated.
Spec: client-behaviour.md, "J. New by version" (authentication refresh of .NET 11).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from signalr_client.errors import SignalRError
from signalr_client.transports.connector import Connected, Connector

__all__ = ["AuthenticationRefresh", "RefreshOptions", "refresh_delay"]

MINIMUM_DELAY: Final = 30.0  # seconds: the .NET client refreshes no sooner, however short the lifetime


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """Whether to refresh without being asked, and how many seconds before the authentication expires."""

    automatic: bool = True
    before_expiration: float = 300.0


def refresh_delay(lifetime: float, before_expiration: float) -> float:
    """Return after how many seconds an authentication that lasts *lifetime* seconds is refreshed."""
    delay = lifetime - before_expiration if lifetime > 2 * before_expiration else lifetime / 2
    return max(delay, MINIMUM_DELAY)


class AuthenticationRefresh:
    """Refreshes the authentication of whatever connection stands at the time.

    Args:
        connector: sends the request.
        options: when to refresh.
        on_refreshed: called with the new lifetime in seconds, or None where the server does not tell.
        on_failed: called with the error of a refresh that nobody asked for.
        spawn: starts a task that its owner ends with the connection.
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
        """Look after a new connection."""
        self.end()
        self._connected = connected
        self._arm(connected.token_lifetime)

    def end(self) -> None:
        """Look after no connection any more; a refresh that runs by itself is given up."""
        self._connected = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    @property
    def possible(self) -> bool:
        """Whether there is a connection that was negotiated: only that has a token to refresh it by."""
        return self._connected is not None and bool(self._connected.connection_token)

    async def refresh(self) -> float | None:
        """Send a new token and return how many seconds it lasts; None where the server does not tell.

        Raises:
            TransportError: the server refused, or was not reached.
        """
        connected = self._connected
        assert connected is not None  # `possible` was looked at
        lifetime = await self._connector.refresh(connected.connection_token)
        self._log.info("= authentication refreshed%s", "" if lifetime is None else f" for {lifetime:g} s")
        if connected is self._connected:  # else another connection stands by now, with an authentication of its own
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
        self._task = self._spawn(self._refresh_unasked())

    async def _refresh_unasked(self) -> None:
        try:
            await self.refresh()
        except Exception as exc:  # also what the caller's token factory raised: the connection goes on as long as it may
            if not isinstance(exc, SignalRError):
                self._log.exception("! the authentication could not be refreshed")
            else:
                self._log.warning("! the authentication could not be refreshed: %s", exc)
            self._on_failed(exc)

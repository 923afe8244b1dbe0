"""Whether a call can be sent now, and on which link; and whether the caller runs in the right event loop. Room: client."""

from __future__ import annotations

import asyncio
from typing import Final

from signalr_client.client.life import Life
from signalr_client.client.link import HubLink
from signalr_client.client.refresh import AuthenticationRefresh
from signalr_client.errors import InvalidStateError
from signalr_client.types import HubConnectionState

__all__ = ["active_link", "check_loop", "link_or_wait", "possible_refresh"]

_WAITABLE: Final = (HubConnectionState.CONNECTING, HubConnectionState.CONNECTED, HubConnectionState.RECONNECTING)
"""The states in which a call may wait; in the connected state, for the callbacks of `on_connected`."""


def link_or_wait(life: Life | None, action: str, loop: asyncio.AbstractEventLoop) -> HubLink | None:
    """Return the link to send a call on, or None if the call has to wait.

    Raises:
        InvalidStateError: there is none, or it belongs to another event loop than *loop*, the running one.
    """
    if life is not None and life.loop is loop:
        readiness = life.readiness
        if readiness.link is not None:
            return readiness.link
        if readiness.calls_wait and life.state in _WAITABLE:
            return readiness.link_inside
    return active_link(life, action)


def active_link(life: Life | None, action: str, text: str = "") -> HubLink:
    """Return the link of an active connection.

    Raises:
        InvalidStateError: there is none, or it belongs to another event loop.
    """
    if life is None:
        text = (
            text or f"The '{action}' method cannot be called if the connection is not active. Did you forget to await start()?"
        )
        raise InvalidStateError(action, HubConnectionState.DISCONNECTED.value, text)
    link = life.link
    if life.state is not HubConnectionState.CONNECTED or link is None or link.over:
        raise InvalidStateError(action, life.state.value, text)
    check_loop(life, action)
    return link


def possible_refresh(life: Life | None) -> AuthenticationRefresh:
    """Return what renews the authentication of the current connection.

    Raises:
        InvalidStateError: there is none, it belongs to another event loop, or it was not negotiated.
    """
    action = "refresh_authentication"
    active_link(life, action, "Cannot refresh authentication when the connection is not active.")
    assert life is not None  # it is active
    if not life.refresh.possible:
        text = "Authentication refresh needs a negotiated connection: do not set skip_negotiation."
        raise InvalidStateError(action, life.state.value, text)
    return life.refresh


def check_loop(life: Life, action: str) -> None:
    """Check that the caller runs in the event loop of *life*.

    Raises:
        InvalidStateError: it runs in another one.
    """
    if asyncio.get_running_loop() is not life.loop:
        raise InvalidStateError(
            action,
            life.state.value,
            f"The '{action}' method was called from another event loop or thread than the one that started the connection."
            " Use asyncio.run_coroutine_threadsafe() to call it from there.",
        )

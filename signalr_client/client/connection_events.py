"""The public methods of a connection that register callbacks of its events. Room: client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from signalr_client.client.events import EventCallback, Events

__all__ = ["ConnectionEvents"]

ErrorCallbackT = TypeVar("ErrorCallbackT", bound=Callable[[Exception | None], object])
FailureCallbackT = TypeVar("FailureCallbackT", bound=Callable[[Exception], object])
IdCallbackT = TypeVar("IdCallbackT", bound=Callable[[str | None], object])
LifetimeCallbackT = TypeVar("LifetimeCallbackT", bound=Callable[[float | None], object])
CallbackT = TypeVar("CallbackT", bound=Callable[..., object])


class ConnectionEvents:
    """The events of a `HubConnection`. An event may have several callbacks, sync or async; they run in the order of registration.

    Each method returns its callback, so that it may be used as a decorator.
    """

    def __init__(self) -> None:
        self._events = Events()

    def on_connected(self, callback: IdCallbackT) -> IdCallbackT:
        """Call ``callback(connection_id)`` on the first connect and after each reconnect: the place to join groups.

        The id is that of the new connection (None if negotiation was skipped). Calls made in the callback are sent at once. `start`,
        `wait_connected`, the callbacks of `on_reconnected`, and calls that wait (`with_calls_while_reconnecting`) follow when all
        callbacks have run, one after another. So a callback must not wait for any of them; it starts a task for what takes long.

        An error is logged and does not end the connection. If the connection is lost, the callback that is running is cancelled,
        and all of them run after the reconnect. In a callback, `stop` makes `start` raise ConnectionClosedError. Also a decorator.
        """
        return self._add(self._events.connected, callback)

    def on_reconnecting(self, callback: ErrorCallbackT) -> ErrorCallbackT:
        """Call ``callback(error)`` when the connection was lost and a reconnect begins; *error* may be None. Also a decorator."""
        return self._add(self._events.reconnecting, callback)

    def on_reconnected(self, callback: IdCallbackT) -> IdCallbackT:
        """Call ``callback(connection_id)`` after a reconnect; the id is new (None if negotiation was skipped).

        The server has forgotten the groups and other state of the old connection; `on_connected` is the place to join groups again.
        Its callbacks have run when this one is called. Also a decorator.
        """
        return self._add(self._events.reconnected, callback)

    def on_detached(self, callback: ErrorCallbackT) -> ErrorCallbackT:
        """Call ``callback(error)`` when the WebSocket was lost and stateful reconnect opens a new one. Also a decorator.

        The connection stays connected, and calls go on. If no new WebSocket can be opened in time, the connection is lost.
        """
        return self._add(self._events.detached, callback)

    def on_resumed(self, callback: IdCallbackT) -> IdCallbackT:
        """Call ``callback(connection_id)`` when stateful reconnect has succeeded; the id is the same as before. Also a decorator."""
        return self._add(self._events.resumed, callback)

    def on_close(self, callback: ErrorCallbackT) -> ErrorCallbackT:
        """Call ``callback(error)`` when the connection has ended for good; *error* is None after `stop`. Also a decorator.

        The callback may call `start`. It may take as long as it likes, unless `stop` is called meanwhile.
        """
        return self._add(self._events.close, callback)

    def on_authentication_refreshed(self, callback: LifetimeCallbackT) -> LifetimeCallbackT:
        """Call ``callback(lifetime)`` when a new token was accepted, for *lifetime* seconds or None. Also a decorator."""
        return self._add(self._events.authentication_refreshed, callback)

    def on_authentication_refresh_failed(self, callback: FailureCallbackT) -> FailureCallbackT:
        """Call ``callback(error)`` when an automatic refresh failed; there is no second attempt. Also a decorator."""
        return self._add(self._events.authentication_refresh_failed, callback)

    @staticmethod
    def _add(callbacks: list[EventCallback], callback: CallbackT) -> CallbackT:
        if not callable(callback):
            raise TypeError(f"A callback must be callable, not {callback!r}.")
        callbacks.append(cast("EventCallback", callback))
        return callback

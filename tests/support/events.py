"""Records the events of a connection, so that tests can wait for them."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from signalr_client import HubConnection, HubConnectionState


class Event(NamedTuple):
    """One call of a callback.

    Attributes:
        name: "reconnecting", "reconnected" or "closed".
        argument: the argument of the callback.
        state: the connection's state when the callback ran.
        connection_id: the connection's id when the callback ran.
    """

    name: str
    argument: object
    state: HubConnectionState
    connection_id: str | None


class EventRecorder:
    """Records the three kinds of events of a connection, in order, in ``seen``."""

    def __init__(self, connection: HubConnection) -> None:
        self.seen: list[Event] = []
        self._connection = connection
        self._more = asyncio.Event()
        connection.on_reconnecting(lambda error: self._add("reconnecting", error))
        connection.on_reconnected(lambda connection_id: self._add("reconnected", connection_id))
        connection.on_close(lambda error: self._add("closed", error))

    @property
    def names(self) -> list[str]:
        """The names of the events."""
        return [event.name for event in self.seen]

    async def wait(self, name: str, count: int = 1) -> Event:
        """Wait until *name* has happened *count* times, and return the last occurrence."""
        while self.names.count(name) < count:
            self._more.clear()
            await self._more.wait()
        return [event for event in self.seen if event.name == name][count - 1]

    def _add(self, name: str, argument: object) -> None:
        self.seen.append(Event(name, argument, self._connection.state, self._connection.connection_id))
        self._more.set()

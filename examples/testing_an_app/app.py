"""An application to test: a client that keeps a list of the members of a room."""

from __future__ import annotations

from signalr_client import ExponentialBackoff, HubConnectionBuilder
from signalr_client.types import HubConnectionState


class Room:
    """The members of one room, kept up to date by the server."""

    def __init__(self, url: str, room: str) -> None:
        self.room = room
        self.members: list[str] = []
        self.connection = HubConnectionBuilder().with_url(url).with_automatic_reconnect(ExponentialBackoff()).build()
        self.connection.on("Joined", self._joined)
        self.connection.on("Left", self._left)
        self.connection.on_connected(self._enter)

    @property
    def title(self) -> str:
        """What the application shows."""
        if self.connection.state is not HubConnectionState.CONNECTED:
            return f"{self.room} (offline)"
        return f"{self.room}: {', '.join(self.members) or 'nobody'}"

    async def _enter(self, _connection_id: str | None) -> None:
        """Join the room, on each new connection: the server has forgotten the old one, and who came and went meanwhile is unknown."""
        self.members = await self.connection.invoke("Enter", self.room, result_type=list[str])

    def _joined(self, name: str) -> None:
        self.members.append(name)

    def _left(self, name: str) -> None:
        self.members.remove(name)

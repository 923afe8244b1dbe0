"""`Groups`: adding connections to groups and removing them. Room: server, hubs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signalr_client.server.lifetime.manager import HubLifetimeManager

__all__ = ["Groups"]


class Groups:
    """Adds connections to groups and removes them; a connection that ends leaves all of its groups by itself.

    A group exists while it has members. Names are case-sensitive. After a reconnect the client has a new connection id and is in no
    group.
    """

    __slots__ = ("_manager",)

    def __init__(self, manager: HubLifetimeManager) -> None:
        self._manager = manager

    async def add(self, connection_id: str, group_name: str) -> None:
        """Add a connection to a group; idempotent, and an unknown connection is ignored.

        When it returns, messages to the group reach the connection.

        Raises:
            ValueError: an argument is None.
        """
        await self._manager.add_to_group(*_given(connection_id, group_name))

    async def remove(self, connection_id: str, group_name: str) -> None:
        """Remove a connection from a group; idempotent, and an unknown connection is ignored.

        Raises:
            ValueError: an argument is None.
        """
        await self._manager.remove_from_group(*_given(connection_id, group_name))


def _given(connection_id: str, group_name: str) -> tuple[str, str]:
    if connection_id is None or group_name is None:
        raise ValueError("neither the connection id nor the group name may be None")
    return connection_id, group_name

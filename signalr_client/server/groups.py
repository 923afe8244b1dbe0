"""`Groups`: who belongs to which group of connections. Room: server. Spec: server-behaviour.md, "A" rows 47 and 48, "H"."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from signalr_client.server.lifetime import HubLifetime

__all__ = ["Groups"]


class Groups:
    """Adds connections to groups and takes them out; a connection that ends leaves all of its groups by itself.

    A group is there while it has members. Names are compared as they are written. After a reconnect the client has a new
    connection id and is in no group.
    """

    __slots__ = ("_lifetime",)

    def __init__(self, lifetime: HubLifetime) -> None:
        self._lifetime = lifetime

    async def add(self, connection_id: str, group_name: str) -> None:
        """Add any connection to a group; one that is in it already, or is not known, is no error.

        When it returns, what is sent to the group reaches the connection.

        Raises:
            ValueError: one of the two is None.
        """
        await self._lifetime.add_to_group(*_given(connection_id, group_name))

    async def remove(self, connection_id: str, group_name: str) -> None:
        """Take any connection out of a group; one that is not in it, or is not known, is no error.

        Raises:
            ValueError: one of the two is None.
        """
        await self._lifetime.remove_from_group(*_given(connection_id, group_name))


def _given(connection_id: str, group_name: str) -> tuple[str, str]:
    if connection_id is None or group_name is None:
        raise ValueError("neither the connection id nor the group name may be None")
    return connection_id, group_name

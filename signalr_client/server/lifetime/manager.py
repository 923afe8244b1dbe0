"""`HubLifetimeManager`: the door to the connections of a hub, wherever they are. Room: server, lifetime.

A manager keeps one hub's connections, groups and users, and delivers messages to them. memory.py does it for one process. A manager
knows a connection only as a `LifetimeConnection`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from signalr_client.core.exact_numbers import ExactNumbers
from signalr_client.core.messages import Completion
from signalr_client.core.protocols import HubProtocol

__all__ = ["HubLifetimeManager", "LifetimeConnection", "Outgoing"]


class Outgoing(Protocol):
    """What is on its way to one client."""

    @property
    def full(self) -> bool:
        """Whether a sender has to wait."""

    async def wait_room(self) -> None:
        """Return when there is room, or when the connection has ended."""


class LifetimeConnection(Protocol):
    """What a lifetime manager knows of a connection.

    Attributes:
        connection_id: the public id.
        user_identifier: the user it is found by; only the manager changes it, in `HubLifetimeManager.change_user`.
        outgoing: counts what is queued for the client; a sender waits while it is full.
        protocol: the hub protocol of the connection.
        writable: whether messages are still accepted; after the end they are dropped.
        exact: which messages of the client are decoded with all digits of their numbers; the ids of invocations that wait for a
            Decimal are added to it.
        max_pending_results: how many invocations may wait for its result at once; None for no limit.
    """

    connection_id: str
    user_identifier: str | None
    protocol: HubProtocol
    writable: bool
    exact: ExactNumbers
    max_pending_results: int | None

    @property
    def outgoing(self) -> Outgoing:
        """What is queued for the client."""

    def queue(self, data: bytes) -> None:
        """Queue an encoded message."""

    def fail(self, error: BaseException) -> None:
        """End the connection because of *error*."""


class HubLifetimeManager(Protocol):
    """The connections of one hub.

    Every ``send`` method encodes its message once for each hub protocol, before any connection gets it: a message that cannot be
    encoded fails the sender and reaches nobody. It returns when every local connection has accepted the message into its buffer.
    Unknown connections, groups and users are ignored.
    """

    async def on_connected(self, connection: LifetimeConnection) -> None:
        """Add a connection: from now on it is among all connections and those of its user."""

    async def on_disconnected(self, connection: LifetimeConnection) -> None:
        """Remove a connection, and remove it from its groups."""

    async def change_user(self, connection: LifetimeConnection, user_identifier: str | None) -> None:
        """Find a connection under another user identifier from now on."""

    async def add_to_group(self, connection_id: str, group_name: str) -> None:
        """Add a connection to a group; see `Groups.add`."""

    async def remove_from_group(self, connection_id: str, group_name: str) -> None:
        """Remove a connection from a group; see `Groups.remove`."""

    async def send_all(self, excluded: Collection[str], target: str, arguments: Sequence[object]) -> None:
        """Invoke *target* on every connection except the *excluded* ones.

        Raises:
            BindingError: an argument cannot be encoded; nothing was sent. The same for the other ``send`` methods.
        """

    async def send_connections(self, connection_ids: Iterable[str], target: str, arguments: Sequence[object]) -> None:
        """Invoke *target* on each of these connections, once."""

    async def send_groups(
        self, group_names: Iterable[str], excluded: Collection[str], target: str, arguments: Sequence[object]
    ) -> None:
        """Invoke *target* on the members of these groups, once for each group that a connection is in."""

    async def send_users(self, user_ids: Iterable[str], target: str, arguments: Sequence[object]) -> None:
        """Invoke *target* on the connections of these users."""

    async def invoke_connection(self, connection_id: str, target: str, arguments: Sequence[object], result_type: Any) -> object:
        """Invoke *target* on one connection and return its result; see `SingleClientProxy.invoke`."""

    def set_connection_result(self, connection: LifetimeConnection, completion: Completion) -> bool:
        """Complete the invocation that a client has answered; return False if the id is not one of ours."""

    def cancel_results(self, connection_id: str) -> None:
        """Fail the invocations that wait for this connection, because it has ended."""

"""`InMemoryLifetimeManager`: the connections of a hub in one process. Room: server, lifetime.

There is one for each hub type of an application, however many paths the hub is mapped to. A message to many connections is encoded
once for each hub protocol and queued for every connection before any of them is waited for: a slow client delays the sender, never
another client.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from signalr_client.core.messages import Completion, Invocation
from signalr_client.core.protocols import HubProtocol, binding_of
from signalr_client.errors import ConnectionClosedError
from signalr_client.server.lifetime.client_results import ClientResults, convert_result
from signalr_client.server.lifetime.manager import LifetimeConnection

__all__ = ["InMemoryLifetimeManager"]

_Members = dict[str, LifetimeConnection]


class InMemoryLifetimeManager:
    """The connections of one hub; see `HubLifetimeManager` for what the methods promise."""

    def __init__(self) -> None:
        self._connections: _Members = {}
        self._groups: dict[str, _Members] = {}
        self._users: dict[str, _Members] = {}
        self._memberships: dict[str, set[str]] = {}
        self._results = ClientResults()
        self._invocation_numbers = itertools.count(1)

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._connections)

    # connections, groups, users

    async def on_connected(self, connection: LifetimeConnection) -> None:
        """Add a connection."""
        self._connections[connection.connection_id] = connection
        if connection.user_identifier is not None:
            self._users.setdefault(connection.user_identifier, {})[connection.connection_id] = connection

    async def on_disconnected(self, connection: LifetimeConnection) -> None:
        """Remove a connection, and remove it from its groups."""
        connection_id = connection.connection_id
        self._connections.pop(connection_id, None)
        for name in self._memberships.pop(connection_id, ()):
            _discard(self._groups, name, connection_id)
        if connection.user_identifier is not None:
            _discard(self._users, connection.user_identifier, connection_id)

    async def change_user(self, connection: LifetimeConnection, user_identifier: str | None) -> None:
        """Find a connection under another user identifier from now on."""
        if connection.user_identifier is not None:
            _discard(self._users, connection.user_identifier, connection.connection_id)
        connection.user_identifier = user_identifier
        if user_identifier is not None and connection.connection_id in self._connections:
            self._users.setdefault(user_identifier, {})[connection.connection_id] = connection

    async def add_to_group(self, connection_id: str, group_name: str) -> None:
        """Add a connection to a group."""
        connection = self._connections.get(connection_id)
        if connection is not None:
            self._groups.setdefault(group_name, {})[connection_id] = connection
            self._memberships.setdefault(connection_id, set()).add(group_name)

    async def remove_from_group(self, connection_id: str, group_name: str) -> None:
        """Remove a connection from a group."""
        _discard(self._groups, group_name, connection_id)
        self._memberships.get(connection_id, set()).discard(group_name)

    # sending

    async def send_all(self, excluded: Collection[str], target: str, arguments: Sequence[object]) -> None:
        """Invoke *target* on every connection except the *excluded* ones."""
        if excluded:
            connections = [known for connection_id, known in self._connections.items() if connection_id not in excluded]
        else:
            connections = list(self._connections.values())
        await _send(connections, target, arguments)

    async def send_connections(self, connection_ids: Iterable[str], target: str, arguments: Sequence[object]) -> None:
        """Invoke *target* on each of these connections, once."""
        known = (self._connections.get(connection_id) for connection_id in dict.fromkeys(connection_ids))
        await _send([connection for connection in known if connection is not None], target, arguments)

    async def send_groups(
        self, group_names: Iterable[str], excluded: Collection[str], target: str, arguments: Sequence[object]
    ) -> None:
        """Invoke *target* on the members of these groups, once for each group that a connection is in."""
        members = [
            connection
            for name in group_names
            for connection_id, connection in self._groups.get(name, {}).items()
            if connection_id not in excluded
        ]
        await _send(members, target, arguments)

    async def send_users(self, user_ids: Iterable[str], target: str, arguments: Sequence[object]) -> None:
        """Invoke *target* on the connections of these users."""
        users = (self._users.get(user_id, {}) for user_id in dict.fromkeys(user_ids))
        await _send([connection for user in users for connection in user.values()], target, arguments)

    # client results

    async def invoke_connection(self, connection_id: str, target: str, arguments: Sequence[object], result_type: Any) -> object:
        """Invoke *target* on one connection and return its result."""
        connection = self._connections.get(connection_id)
        if connection is None or not connection.writable:
            raise ConnectionClosedError(f"Connection '{connection_id}' does not exist.")
        converter = binding_of(connection.protocol).converter(result_type)
        invocation_id = f"s{next(self._invocation_numbers)}"  # the s keeps it apart from the ids of the client's own streams
        message = Invocation(invocation_id=invocation_id, target=target, arguments=list(arguments))
        data = connection.protocol.encode(message)
        result = self._results.add(invocation_id, connection)
        if converter.needs_digits:
            connection.exact.ids.add(invocation_id)
        try:
            if connection.outgoing.full:  # before: a caller that gives up and asks again must not fill the buffer
                await connection.outgoing.wait_room()
            connection.queue(data)
            return convert_result(await result, converter)
        finally:
            self._results.remove(invocation_id)
            connection.exact.ids.discard(invocation_id)

    def set_connection_result(self, connection: LifetimeConnection, completion: Completion) -> bool:
        """Complete the invocation that a client has answered."""
        return self._results.complete(connection, completion)

    def cancel_results(self, connection_id: str) -> None:
        """Fail the invocations that wait for this connection."""
        self._results.cancel(connection_id)


async def _send(connections: Sequence[LifetimeConnection], target: str, arguments: Sequence[object]) -> None:
    """Queue one invocation for every connection, then wait for those whose buffer is full.

    Even if it waits for none, the event loop gets a turn when nobody took the message: a loop that sends to nobody, or only to
    connections that are ending, must not keep them from ending.

    Raises:
        BindingError: it cannot be encoded; nothing was queued.
    """
    message = Invocation(target=target, arguments=list(arguments))
    encoded: dict[HubProtocol, bytes] = {}
    for connection in connections:
        protocol = connection.protocol
        if protocol not in encoded:
            encoded[protocol] = protocol.encode(message)
    full = []
    taken = False
    for connection in connections:
        if connection.writable:
            taken = True
            connection.queue(encoded[connection.protocol])
            if connection.outgoing.full:
                full.append(connection.outgoing)
    for gate in full:
        await gate.wait_room()
    if not taken:
        await asyncio.sleep(0)


def _discard(table: dict[str, _Members], name: str, connection_id: str) -> None:
    members = table.get(name)
    if members is not None:
        members.pop(connection_id, None)
        if not members:
            del table[name]

"""Who is connected to a hub, in which groups, under which users; and sending to them. Room: server.

One for each hub type of an application, however many paths it is mapped to. A message to many is encoded once for each hub protocol,
put into every connection's queue in one go, and only then is anybody waited for: a slow client delays the sender, never another
client. Nobody being there is no error.
Spec: server-behaviour.md, "A" rows 18 to 31, "F. Client results", "H".
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from signalr_client.core.binding import bind
from signalr_client.core.messages import UNSET, Completion, Invocation
from signalr_client.core.protocols import HubProtocol
from signalr_client.errors import BindingError, ConnectionClosedError, HubException
from signalr_client.server.caller import Caller

__all__ = ["HubLifetime"]

logger = logging.getLogger("signalr_client.server.lifetime")


class HubLifetime:
    """The connections of one hub."""

    def __init__(self) -> None:
        self._callers: dict[str, Caller] = {}
        self._groups: dict[str, dict[str, Caller]] = {}
        self._users: dict[str, dict[str, Caller]] = {}
        self._memberships: dict[str, set[str]] = {}
        self._questions: dict[str, tuple[str, asyncio.Future[object]]] = {}  # by invocation id: who was asked, who waits
        self._numbers = itertools.count(1)

    # who is there

    def __len__(self) -> int:
        """Return the number of connections."""
        return len(self._callers)

    def join(self, caller: Caller) -> None:
        """Take a connection in: from here on it is one of `all` and of its user's."""
        self._callers[caller.connection_id] = caller
        if caller.user_identifier is not None:
            self._users.setdefault(caller.user_identifier, {})[caller.connection_id] = caller

    def leave(self, caller: Caller) -> None:
        """Forget a connection and its groups."""
        connection_id = caller.connection_id
        self._callers.pop(connection_id, None)
        for name in self._memberships.pop(connection_id, ()):
            _discard(self._groups, name, connection_id)
        if caller.user_identifier is not None:
            _discard(self._users, caller.user_identifier, connection_id)

    def rename(self, caller: Caller, user_identifier: str | None) -> None:
        """Let a connection be found by another user identifier from here on."""
        if caller.user_identifier is not None:
            _discard(self._users, caller.user_identifier, caller.connection_id)
        caller.user_identifier = user_identifier
        if user_identifier is not None and caller.connection_id in self._callers:
            self._users.setdefault(user_identifier, {})[caller.connection_id] = caller

    async def add_to_group(self, connection_id: str, group_name: str) -> None:
        """Add a connection to a group; see `Groups.add`."""
        caller = self._callers.get(connection_id)
        if caller is not None:
            self._groups.setdefault(group_name, {})[connection_id] = caller
            self._memberships.setdefault(connection_id, set()).add(group_name)

    async def remove_from_group(self, connection_id: str, group_name: str) -> None:
        """Take a connection out of a group; see `Groups.remove`."""
        _discard(self._groups, group_name, connection_id)
        self._memberships.get(connection_id, set()).discard(group_name)

    # sending

    async def send_all(self, excluded: Collection[str], target: str, arguments: Sequence[object]) -> None:
        """Call *target* on every connection but the *excluded* ones."""
        callers: Iterable[Caller] = self._callers.values()
        if excluded:
            callers = [caller for connection_id, caller in self._callers.items() if connection_id not in excluded]
        await self._send(callers, target, arguments)

    async def send_connections(self, connection_ids: Iterable[str], target: str, arguments: Sequence[object]) -> None:
        """Call *target* on these connections, on each of them once."""
        known = (self._callers.get(connection_id) for connection_id in dict.fromkeys(connection_ids))
        await self._send([caller for caller in known if caller is not None], target, arguments)

    async def send_groups(
        self, group_names: Iterable[str], excluded: Collection[str], target: str, arguments: Sequence[object]
    ) -> None:
        """Call *target* on the members of these groups, once for each group that a connection is in."""
        members = [
            caller
            for name in group_names
            for connection_id, caller in self._groups.get(name, {}).items()
            if connection_id not in excluded
        ]
        await self._send(members, target, arguments)

    async def send_users(self, user_ids: Iterable[str], target: str, arguments: Sequence[object]) -> None:
        """Call *target* on the connections of these users."""
        callers = [caller for user_id in dict.fromkeys(user_ids) for caller in self._users.get(user_id, {}).values()]
        await self._send(callers, target, arguments)

    async def _send(self, callers: Iterable[Caller], target: str, arguments: Sequence[object]) -> None:
        """Put one invocation into every queue, then wait for those that are full."""
        message = Invocation(target=target, arguments=list(arguments))
        encoded: dict[HubProtocol, bytes | BindingError] = {}
        full: list[Caller] = []
        for caller in callers:
            data = encoded.get(caller.protocol)
            if data is None:
                data = encoded[caller.protocol] = _encode(caller.protocol, message)
            if isinstance(data, BindingError):
                caller.fail(data)  # ASP.NET Core drops whoever cannot be told what it was to be told; the sender is not told
            else:
                caller.queue(data)
                if caller.full:
                    full.append(caller)
        if full:
            await asyncio.gather(*(caller.drain() for caller in full))

    # client results

    async def invoke_connection(self, connection_id: str, target: str, arguments: Sequence[object], result_type: Any) -> object:
        """Ask one connection and return its answer; see `SingleClientProxy.invoke`."""
        caller = self._callers.get(connection_id)
        if caller is None or caller.ended:
            raise ConnectionClosedError(f"Connection '{connection_id}' does not exist.")
        invocation_id = f"s{next(self._numbers)}"  # the s keeps it apart from the ids that the client gives its own streams
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._questions[invocation_id] = connection_id, answer
        try:
            caller.send(Invocation(invocation_id=invocation_id, target=target, arguments=list(arguments)))
            if caller.ended:  # the arguments could not be written
                raise ConnectionClosedError(f"Connection '{connection_id}' disconnected.")
            result = await answer
        finally:
            del self._questions[invocation_id]
        try:
            return result if result_type is object or result_type is Any else bind(result, result_type)
        except BindingError as exc:
            raise HubException(str(exc)) from exc

    def take_answer(self, caller: Caller, completion: Completion) -> bool:
        """Hand the answer of a client to whoever waits for it; return False if the id is none of ours.

        An answer of somebody who was not asked ends that connection.
        """
        invocation_id = completion.invocation_id
        question = self._questions.get(invocation_id)
        if question is None:
            return False
        connection_id, answer = question
        if connection_id != caller.connection_id:
            caller.fail(
                HubException(f"Connection ID '{caller.connection_id}' is not valid for invocation ID '{invocation_id}'.")
            )
        elif not answer.done():
            if completion.error:
                answer.set_exception(HubException(completion.error))
            elif completion.result is UNSET:
                answer.set_exception(HubException("The client sent no result."))
            else:
                answer.set_result(completion.result)
        return True

    def give_up_answers(self, connection_id: str) -> None:
        """Tell everybody who waits for this connection that it has ended."""
        for asked, answer in self._questions.values():
            if asked == connection_id and not answer.done():
                answer.set_exception(ConnectionClosedError(f"Connection '{connection_id}' disconnected."))


def _encode(protocol: HubProtocol, message: Invocation) -> bytes | BindingError:
    try:
        return protocol.encode(message)
    except BindingError as exc:
        logger.error(
            "! %s cannot be sent to its clients, whose connections end: %s", message.target, exc
        )  # it is the caller's value
        return exc


def _discard(table: dict[str, dict[str, Caller]], name: str, connection_id: str) -> None:
    members = table.get(name)
    if members is not None:
        members.pop(connection_id, None)
        if not members:
            del table[name]

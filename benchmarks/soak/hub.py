"""The hub, and the server that it runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from aiohttp import web

from benchmarks.soak.oracle import Oracle, Record, content
from signalr_client import ConnectionClosedError
from signalr_client.server import (
    CancellationToken,
    ClientProxy,
    Hub,
    HubException,
    HubFilter,
    HubInvocationContext,
    HubOptions,
    HubServer,
    ServiceCollection,
    User,
    bearer_token,
    hub_method,
)

__all__ = ["ONE_CALL", "SEVERAL_CALLS", "SoakHub", "make_server"]

ONE_CALL, SEVERAL_CALLS = "/one", "/several"
"""Two paths of the same hub; they differ in how many calls of one client run at once."""


class SoakHub(Hub):
    """Does what clients ask, and tells the oracle."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    @property
    def record(self) -> Record | None:
        """The caller's connection; None once it has ended."""
        return self.oracle.connections.get(self.context.connection_id)

    async def on_connected(self) -> None:
        record = self.oracle.connect(self.context)
        await self.clients.caller.send("Hello", record.id)

    async def on_disconnected(self, exception: BaseException | None) -> None:
        self.oracle.disconnect(self.context, exception)

    # groups, and messages to clients

    async def join(self, group: str) -> None:
        if self.record is not None:
            self.record.joined = True
            self.record.groups.add(group)
            await self.groups.add(self.record.id, group)

    async def leave(self, group: str) -> None:
        if self.record is not None:
            self.record.groups.discard(group)
            await self.groups.remove(self.record.id, group)

    async def push(self, audience: str, count: int, size: int) -> int:
        """Send messages to an audience; return to how many connections."""
        reached = 0
        for _ in range(count):
            proxy, recipients = self._audience(audience)
            push = self.oracle.expect(recipients, size)
            reached += len(recipients)
            await proxy.send("Push", push.number, content(push))
        return reached

    def _audience(self, audience: str) -> tuple[ClientProxy, list[str]]:
        """Return an audience of `HubClients`, and the connections that it consists of."""
        clients, oracle, caller = self.clients, self.oracle, self.context.connection_id
        ids, groups, users = oracle.some_ids(5), oracle.rng.sample(oracle.groups, 2), oracle.rng.sample(oracle.users, 2)
        known = oracle.ids()
        if not known:
            return clients.caller, []
        match audience:
            case "all":
                return clients.all, known
            case "others":
                return clients.others, [each for each in known if each != caller]
            case "all_except":
                return clients.all_except(ids), [each for each in known if each not in ids]
            case "client":
                return clients.client(ids[0]), ids[:1]
            case "clients":
                return clients.clients([*ids, ids[0]]), ids
            case "group":
                return clients.group(groups[0]), oracle.members(groups[0])
            case "groups":
                return clients.groups(groups), oracle.members(*groups)
            case "group_except":
                return clients.group_except(groups[0], ids), [each for each in oracle.members(groups[0]) if each not in ids]
            case "others_in_group":
                return clients.others_in_group(groups[0]), [each for each in oracle.members(groups[0]) if each != caller]
            case "user":
                return clients.user(users[0]), oracle.ids_of(users[0])
            case "users":
                return clients.users(users), oracle.ids_of(*users)
            case _:
                return clients.caller, [caller]

    # calls

    def echo(self, value: object) -> object:
        return value

    def fail(self, text: str) -> None:
        raise HubException(text)

    async def pause(self, seconds: float) -> float:
        await asyncio.sleep(seconds)
        return seconds

    def note(self, number: int) -> None:
        """Note the next number of the client's sequence: on one connection none may be missing."""
        record = self.record
        if record is None:
            return
        first, last = record.notes or (number, number - 1)
        if number != last + 1:
            self.oracle.tally.fail(f"{record.client}: the server got number {number} after {last} on {record.id}")
        record.notes = first, number
        self.oracle.tally.done["message to the server"] += 1

    def noted(self) -> tuple[int, int] | None:
        """Return the first and the last number that came on this connection."""
        return None if self.record is None else self.record.notes

    @hub_method(cancellable=True)
    async def wait(self, token: str) -> None:
        """Wait until the call is cancelled."""
        try:
            with self.oracle.run("wait", token):
                await asyncio.Event().wait()
        finally:
            self.oracle.end(token, 0)

    async def wait_for_token(self, token: str, cancellation: CancellationToken) -> str:
        """Wait for the cancellation token."""
        with self.oracle.run("wait_for_token", token):
            await cancellation.wait()
        self.oracle.end(token, 0)
        return token

    async def abort_me(self) -> None:
        if self.record is not None:
            self.oracle.abort(self.record)

    # streams

    async def count(self, token: str, end: int, pause: float) -> AsyncIterator[int]:
        number = 0
        try:
            with self.oracle.run("count", token):
                for number in range(end):
                    yield number
                    if pause:
                        await asyncio.sleep(pause)
        finally:
            self.oracle.end(token, number)

    async def break_off(self, end: int) -> AsyncIterator[int]:
        """Fail after some items."""
        for number in range(end):
            yield number
        raise HubException(f"no more than {end}")

    async def total(self, numbers: AsyncIterator[int]) -> list[int]:
        """Return how many numbers came, and their sum."""
        count = total = 0
        with self.oracle.run("total"):
            async for number in numbers:
                self._check_item("total", count, number)
                count += 1
                total += number
        return [count, total]

    async def collect(self, token: str, texts: AsyncIterator[str], numbers: AsyncIterator[int]) -> None:
        """Take two uploads; nobody waits for a response."""
        count = 0
        error: BaseException | None = None
        try:
            with self.oracle.run("collect"):
                async for number in numbers:
                    self._check_item("collect", count, number)
                    count += 1
                async for text in texts:
                    self._check_item("collect", str(count), text)
                    count += 1
        except Exception as exc:
            error = exc
        finally:
            self.oracle.end(token, count, error)

    async def double(self, numbers: AsyncIterator[int]) -> AsyncIterator[int]:
        with self.oracle.run("double"):
            count = 0
            async for number in numbers:
                self._check_item("double", count, number)
                count += 1
                yield 2 * number

    def _check_item(self, method: str, expected: object, item: object) -> None:
        if item != expected:
            self.oracle.tally.fail(f"{method}: expected the item {expected!r} of an upload, got {item!r}")

    # client results

    async def ask_me(self, question: str) -> str:
        """Ask the caller."""
        return await self.clients.caller.invoke("Answer", question, result_type=str)

    async def ask_other(self, question: str) -> list[str]:
        """Ask a client at random; return its name and its answer, or "gone"."""
        if not self.oracle.connections:
            return ["", "gone"]
        other = self.oracle.connections[self.oracle.rng.choice(self.oracle.ids())]
        try:
            with self.oracle.run("ask_other"):
                return [other.client, await self.clients.client(other.id).invoke("Answer", question, result_type=str)]
        except ConnectionClosedError as exc:
            if f"Connection '{other.id}' " not in str(exc):
                self.oracle.tally.fail(f"ask_other: {exc!r} does not name {other.id}")
            if not await self._ends(other):
                self.oracle.tally.fail(f"ask_other: {exc!r}, but {other.client} is connected")
            return [other.client, "gone"]

    async def _ends(self, record: Record) -> bool:
        """Return whether a connection ends within a few seconds."""
        for _ in range(100):
            if record.over:
                return True
            await asyncio.sleep(0.1)
        return False


class JoinsFirst(HubFilter):
    """Checks that clients whose calls wait for `on_connected` callbacks call nothing else before."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    async def invoke_method(self, invocation: HubInvocationContext, next: Any) -> object:
        record = self.oracle.connections.get(invocation.context.connection_id)
        joined = record is None or record.joined or invocation.hub_method_name == "join"
        if record is not None and not joined and record.client in self.oracle.waiting_clients:
            self.oracle.tally.fail(f"{record.client} called {invocation.hub_method_name} before its callback had run")
        return await next(invocation)


def make_server(oracle: Oracle, hub: type[SoakHub], *, disconnect_timeout: float) -> HubServer:
    """Return a server of *hub*; it has not been started."""

    def who(request: web.Request) -> User | None:
        """Return the user: the token is the name of the client and that of the user."""
        token = bearer_token(request)
        if token is None:
            return None
        client, _, user = token.partition("/")
        return User(user, {"client": client}, identifier=user, expires_at=4e9)

    options = HubOptions(
        authenticate=who,
        allow_stateful_reconnects=True,
        enable_authentication_refresh=True,
        maximum_receive_message_size=1_048_576,
        keep_alive_interval=5.0,
        client_timeout_interval=20.0,
        disconnect_timeout=disconnect_timeout,
    )
    several_calls = replace(options, maximum_parallel_invocations_per_client=8)
    services = ServiceCollection().add_singleton(Oracle, oracle)
    server = HubServer(options=replace(options, hub_filters=[JoinsFirst(oracle)]), services=services)
    server.map_hub(ONE_CALL, hub)
    server.map_hub(SEVERAL_CALLS, hub, options=several_calls)
    return server

"""The model of the server: who is connected, in which groups, and what each connection has to receive.

The hub updates it in the same step of the event loop in which it calls the server's API, so both agree at every moment. The clients
compare what they receive with it: a message that is missing, doubled, out of order or altered is a failure.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from benchmarks.soak.tally import Tally
from signalr_client.server import HubCallerContext

_AFTERMATH: Final = 25.0
"""Seconds after an abort in which the client may still notice: it may have to resume first, or to time out."""

__all__ = ["Ending", "Oracle", "Push", "Record", "content"]

_FILLER: Final = '0123456789abcdef-äöü€😀"\\\n' * 4


@dataclass(frozen=True, slots=True)
class Push:
    """A message to clients: its number, and the size of its text in characters."""

    number: int
    size: int


def content(push: Push) -> str:
    """Return the text of a message, which its number and size determine."""
    repeats = push.size // len(_FILLER) + 1
    return f"{push.number}:{_FILLER * repeats}"[: push.size]


@dataclass(slots=True, eq=False)
class Record:
    """What the server knows of one connection.

    Attributes:
        client: the name of the client.
        expected: messages that were sent to the connection and have not been received yet, in order.
        notes: the first and the last number that the client has sent on this connection.
        joined: whether the callback of `on_connected` has joined its group.
        aborted: whether the server has aborted the connection.
        over: whether `on_disconnected` has run.
    """

    context: HubCallerContext
    client: str
    expected: deque[Push] = field(default_factory=deque)
    groups: set[str] = field(default_factory=set)
    notes: tuple[int, int] | None = None
    joined: bool = False
    aborted: bool = False
    over: bool = False

    @property
    def id(self) -> str:
        """The connection id."""
        return self.context.connection_id


@dataclass(frozen=True, slots=True)
class Ending:
    """How a hub method ended that nobody waits for: how many items it got, and the error that ended it, if any."""

    items: int
    error: BaseException | None = None


class Oracle:
    """The model of the server.

    Attributes:
        connections: the connections that `on_connected` has accepted, by id.
        announced: by client, the connections whose first message the client has not received.
        waiting_clients: names of clients whose calls must come after their callbacks of `on_connected`.
        running: hub methods that run, by name.
        begun: tokens of methods that have begun.
        endings: by token, how a method ends.
        disconnects: how often `on_disconnected` ran, by the type of its exception.
    """

    def __init__(self, tally: Tally, rng: random.Random, *, groups: int, users: int) -> None:
        self.tally = tally
        self.rng = rng
        self.groups = [f"group-{number}" for number in range(groups)]
        self.users = [f"user-{number}" for number in range(users)]
        self.connections: dict[str, Record] = {}
        self.announced: dict[str, deque[Record]] = {}
        self.waiting_clients: set[str] = set()
        self.running: Counter[str] = Counter()
        self.begun: set[str] = set()
        self.endings: dict[str, asyncio.Future[Ending]] = {}
        self.disconnects: Counter[str] = Counter()
        self._aborts: dict[str, float] = {}
        self._numbers = 0
        self._tokens = 0

    # connections

    def connect(self, context: HubCallerContext) -> Record:
        """Add a connection."""
        client = str(context.user.claims["client"])
        record = Record(context, client)
        if context.connection_id in self.connections:
            self.tally.fail(f"{client}: on_connected ran twice for {context.connection_id}")
        self.connections[record.id] = record
        self.announced.setdefault(client, deque()).append(record)
        return record

    def disconnect(self, context: HubCallerContext, error: BaseException | None) -> None:
        """Remove a connection."""
        record = self.connections.pop(context.connection_id, None)
        if record is None:
            self.tally.fail(f"on_disconnected ran for {context.connection_id}, which is not connected")
            return
        record.over = True
        self.disconnects["none" if error is None else type(error).__name__] += 1

    def abort(self, record: Record) -> None:
        """End a connection."""
        record.aborted = True
        self._aborts[record.client] = asyncio.get_running_loop().time()
        record.context.abort()

    def aborted_lately(self, client: str) -> bool:
        """Return whether the server has aborted a connection of a client a short time ago."""
        return asyncio.get_running_loop().time() - self._aborts.get(client, float("-inf")) < _AFTERMATH

    def meet(self, client: str, connection_id: str) -> Record | None:
        """Return the record of a connection whose first message has reached the client."""
        announced = self.announced.get(client, deque())
        while announced:
            record = announced.popleft()
            if record.id == connection_id:
                return record
        return None

    # recipients

    def ids(self) -> list[str]:
        """Return the ids of all connections."""
        return list(self.connections)

    def some_ids(self, count: int) -> list[str]:
        """Return the ids of some connections, at random."""
        ids = self.ids()
        return self.rng.sample(ids, min(count, len(ids)))

    def members(self, *groups: str) -> list[str]:
        """Return the members of each group; one who is in several of them comes several times."""
        return [record.id for group in groups for record in self.connections.values() if group in record.groups]

    def ids_of(self, *users: str) -> list[str]:
        """Return the connections of these users."""
        return [record.id for record in self.connections.values() if record.context.user_identifier in users]

    def expect(self, recipients: Iterable[str], size: int) -> Push:
        """Return a new message, which each of the recipients has to receive."""
        self._numbers += 1
        push = Push(self._numbers, size)
        for connection_id in recipients:
            record = self.connections.get(connection_id)
            if record is not None:
                record.expected.append(push)
        return push

    # methods that run

    @contextmanager
    def run(self, method: str, token: str | None = None) -> Iterator[None]:
        """Count a hub method as running; note that the one with this token has begun."""
        self.running[method] += 1
        if token in self.endings:
            self.begun.add(token)
        try:
            yield
        finally:
            self.running[method] -= 1

    def new_token(self) -> str:
        """Return a name for one call of a hub method."""
        self._tokens += 1
        return f"token {self._tokens}"

    def ending(self, token: str) -> asyncio.Future[Ending]:
        """Return the future that tells how a method ends; whoever asks for it has to call `forget`."""
        return self.endings.setdefault(token, asyncio.get_running_loop().create_future())

    def end(self, token: str, items: int, error: BaseException | None = None) -> None:
        """Note how a method has ended, if somebody still wants to know."""
        future = self.endings.get(token)
        if future is not None and not future.done():
            future.set_result(Ending(items, error))

    def forget(self, token: str) -> None:
        """Drop a future of `ending`."""
        self.endings.pop(token, None)
        self.begun.discard(token)

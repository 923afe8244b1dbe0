"""The hubs of the ASP.NET Core test server, written in Python, with the same names and results.

The types are those of the original in Python, so every value is converted twice on its way through a hub. Methods have their original
names, because the official clients call them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from signalr_client import DateTimeOffset, HttpTransportType, HubException
from signalr_client.errors import ConnectionClosedError
from signalr_client.server import Hub, HubCallerContext, authorize, hub_method


class Color(Enum):
    """An enum, numbered as .NET numbers it."""

    RED = 0
    GREEN = 1
    BLUE = 2


@dataclass
class Point:
    """A class with two integers."""

    x: int = 0
    y: int = 0


NO_GUID: Final = UUID(int=0)
NO_MOMENT: Final = datetime.min  # noqa: DTZ901  # what a DateTime of .NET is that was not set


CODE: Final = "told"
DATA: Final = {"text": 'a "quoted" é', "points": [Point(1, 2)]}
"""The code and data of every HubException: the original has neither, and the official clients must not notice them."""


@dataclass
class ComplexObject:
    """A class with a member of each kind; the defaults are those of .NET."""

    string: str | None = None
    int_array: list[int] | None = None
    byte_array: bytes | None = None
    guid: UUID = NO_GUID
    date_time: datetime = NO_MOMENT
    color: Color = Color.RED
    maybe_double: float | None = None
    point: Point | None = None
    points: dict[str, Point] | None = None


class Clock:
    """A service for dependency injection."""

    name = "clock-service"


class InvalidOperationException(Exception):
    """The exception type that the original raises; with detailed errors, its name is sent to clients."""


class Probe:
    """What the tests query; shared by all hubs of the server."""

    def __init__(self) -> None:
        self.streams_started = 0
        self.streams_cancelled = 0
        self.disconnected: dict[str, str] = {}
        self.live: dict[str, HubCallerContext] = {}
        self.requests: deque[str] = deque(maxlen=10_000)
        self.token_uses: dict[str, int] = {}

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Count a stream, and count it as cancelled if it is."""
        self.streams_started += 1
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            self.streams_cancelled += 1
            raise


class TestHub(Hub):
    """A hub with all kinds of hub methods."""

    __test__ = False  # a hub, not a test

    def __init__(self, probe: Probe) -> None:
        self.probe = probe

    # values

    def Echo(self, value: str) -> str:
        return value

    def EchoLong(self, value: int) -> int:
        return value

    def EchoDouble(self, value: float) -> float:
        return value

    def EchoBool(self, value: bool) -> bool:
        return value

    def EchoDecimal(self, value: Decimal) -> Decimal:
        return value

    def EchoGuid(self, value: UUID) -> UUID:
        return value

    def EchoDateTime(self, value: datetime) -> datetime:
        return value

    def EchoDateTimeOffset(self, value: DateTimeOffset) -> DateTimeOffset:
        return value

    def EchoTimeSpan(self, value: timedelta) -> timedelta:
        return value

    def EchoBytes(self, value: bytes) -> bytes:
        return value

    def EchoColor(self, value: Color) -> Color:
        return value

    def EchoNullableInt(self, value: int | None) -> int | None:
        return value

    def EchoList(self, value: list[str]) -> list[str]:
        return value

    def EchoDictionary(self, value: dict[str, int]) -> dict[str, int]:
        return value

    def EchoComplex(self, value: ComplexObject) -> ComplexObject:
        return value

    def Add(self, x: int, y: int) -> int:
        return x + y

    def Sum4(self, a: int, b: int, c: int, d: int) -> int:
        return a + b + c + d

    def Void(self) -> None:
        pass

    async def VoidTask(self) -> None:
        pass

    def ReturnNull(self) -> None:
        return None

    @hub_method("renamed-method")
    def HiddenName(self) -> str:
        return "renamed"

    async def PingAsync(self) -> str:
        return "async suffix kept"

    def FromService(self, clock: Clock, suffix: str) -> str:
        return clock.name + suffix

    async def Delay(self, milliseconds: int) -> str:
        await pause(milliseconds)
        return f"slept {milliseconds}"

    # errors

    def ThrowException(self, message: str) -> None:
        raise InvalidOperationException(message)

    def ThrowHubException(self, message: str) -> None:
        raise HubException(message, CODE, DATA)

    # context

    def GetConnectionId(self) -> str:
        return self.context.connection_id

    def GetUserIdentifier(self) -> str | None:
        return self.context.user_identifier

    def GetHeader(self, name: str) -> str:
        request = self.context.get_http_request()
        return "" if request is None else ",".join(request.headers.getall(name, []))

    def GetQuery(self, name: str) -> str:
        request = self.context.get_http_request()
        return "" if request is None else request.query.get(name, "")

    def GetCookie(self, name: str) -> str | None:
        request = self.context.get_http_request()
        return None if request is None else request.cookies.get(name)

    def GetTransport(self) -> str:
        transport = self.context.features[HttpTransportType]
        assert isinstance(transport, HttpTransportType)
        return transport.wire_name

    def SetItem(self, key: str, value: str) -> None:
        self.context.items[key] = value

    def GetItem(self, key: str) -> object:
        return self.context.items.get(key)

    def Abort(self) -> None:
        self.context.abort()

    def AbortHttp(self) -> None:
        drop_socket(self.context)

    # server to client

    async def SendToCaller(self, method: str, message: str) -> None:
        await self.clients.caller.send(method, message)

    async def SendToAll(self, method: str, message: str) -> None:
        await self.clients.all.send(method, message)

    async def SendToOthers(self, method: str, message: str) -> None:
        await self.clients.others.send(method, message)

    async def SendToClient(self, connection_id: str, method: str, message: str) -> None:
        await self.clients.client(connection_id).send(method, message)

    async def SendToUser(self, user: str, method: str, message: str) -> None:
        await self.clients.user(user).send(method, message)

    async def SendToGroup(self, group: str, method: str, message: str) -> None:
        await self.clients.group(group).send(method, message)

    async def SendToOthersInGroup(self, group: str, method: str, message: str) -> None:
        await self.clients.others_in_group(group).send(method, message)

    async def JoinGroup(self, group: str) -> None:
        await self.groups.add(self.context.connection_id, group)

    async def LeaveGroup(self, group: str) -> None:
        await self.groups.remove(self.context.connection_id, group)

    async def SendComplex(self, method: str, value: ComplexObject) -> None:
        await self.clients.caller.send(method, value, 42, "tail")

    async def SendNoArgs(self, method: str) -> None:
        await self.clients.caller.send(method)

    async def SendMany(self, method: str, count: int, payload_size: int) -> int:
        payload = "x" * payload_size
        caller = self.clients.caller
        for number in range(count):
            await caller.send(method, number, payload)
        return count

    def MakeString(self, size: int) -> str:
        return "y" * size

    async def BroadcastLater(self, method: str, message: str, milliseconds: int) -> None:
        everybody = self.clients.all

        async def later() -> None:
            await pause(milliseconds)
            await everybody.send(method, message)

        self.context.items["later"] = asyncio.create_task(later())

    # client results

    async def AskCaller(self, method: str, question: str) -> str:
        return await self.clients.caller.invoke(method, question, result_type=str)

    async def AskCallerInt(self, method: str, value: int) -> int:
        return await self.clients.caller.invoke(method, value, result_type=int)

    async def AskCallerComplex(self, method: str, value: ComplexObject) -> ComplexObject:
        return await self.clients.caller.invoke(method, value, result_type=ComplexObject)

    async def AskClient(self, connection_id: str, method: str, question: str) -> str:
        return await self.clients.client(connection_id).invoke(method, question, result_type=str)

    async def AskCallerError(self, method: str) -> str:
        try:
            return "result: " + await self.clients.caller.invoke(method, result_type=str)
        except HubException as exc:
            return f"HubException: {exc}"

    # streams to the client

    async def Counter(self, count: int, delay_milliseconds: int) -> AsyncIterator[int]:
        with self.probe.stream():
            for number in range(count):
                yield number
                if delay_milliseconds > 0:
                    await pause(delay_milliseconds)

    def ChannelCounter(self, count: int) -> AsyncIterator[str]:
        async def items() -> AsyncIterator[str]:
            for number in range(count):
                yield f"item {number}"

        return items()

    async def StreamComplex(self, count: int) -> AsyncIterator[ComplexObject]:
        for number in range(count):
            yield ComplexObject(string=f"s{number}", int_array=[number], point=Point(number, -number))

    async def StreamThenThrow(self, count: int, message: str) -> AsyncIterator[int]:
        for number in range(count):
            yield number
        raise HubException(message, CODE, DATA)

    def StreamsCancelled(self) -> int:
        return self.probe.streams_cancelled

    def StreamsStarted(self) -> int:
        return self.probe.streams_started

    # streams from the client

    async def SumStream(self, stream: AsyncIterator[int]) -> int:
        total = 0
        async for item in stream:
            total += item
        return total

    async def JoinStream(self, stream: AsyncIterator[str], separator: str) -> str:
        return separator.join([item async for item in stream])

    async def ZipStreams(self, left: AsyncIterator[int], right: AsyncIterator[str]) -> str:
        async def collect(stream: AsyncIterator[object]) -> list[object]:
            return [item async for item in stream]

        lefts, rights = await asyncio.gather(collect(left), collect(right))
        return ",".join(f"{one}{other}" for one, other in zip(lefts, rights, strict=False))

    async def Doubled(self, stream: AsyncIterator[int]) -> AsyncIterator[int]:
        async for item in stream:
            yield item * 2

    async def StreamError(self, stream: AsyncIterator[int]) -> str:
        try:
            async for _ in stream:
                pass
        except (HubException, ConnectionClosedError) as exc:
            return f"{type(exc).__name__}: {exc}"
        return "completed"

    # what was received, and in which order

    def Record(self, item: int) -> None:
        self.context.items.setdefault("recorded", []).append(item)

    def ClearRecorded(self) -> None:
        self.context.items["recorded"] = []

    def Recorded(self) -> str:
        return describe(self.context.items.get("recorded", []))

    async def CheckStream(self, stream: AsyncIterator[int]) -> str:
        return describe([item async for item in stream])

    # the original returns null too unless tracing is enabled

    def GetTraceParent(self) -> None:
        return None

    def GetTraceParentOfParent(self) -> None:
        return None

    # connection lifetime

    async def on_connected(self) -> None:
        self.probe.live[self.context.connection_id] = self.context

    async def on_disconnected(self, exception: BaseException | None) -> None:
        del self.probe.live[self.context.connection_id]
        self.probe.disconnected[self.context.connection_id] = "" if exception is None else str(exception)

    def DisconnectReason(self, connection_id: str) -> str:
        reason = self.probe.disconnected.get(connection_id)
        return "unknown" if reason is None else f"gone:{reason}"


class StrictHub(TestHub):
    """All options have their default values."""


class FastHub(TestHub):
    """A hub with short intervals and timeouts."""


class SilentHub(TestHub):
    """Never sends keep-alive pings."""


class DetailedHub(TestHub):
    """Sends the messages of all exceptions to clients."""


class OrderedHub(TestHub):
    """Runs one call at a time."""


class ChatClient(Protocol):
    """The client methods of the typed hub."""

    async def ReceiveMessage(self, user: str, message: str) -> None: ...

    async def GetMessage(self) -> str: ...


class TypedHub(Hub[ChatClient]):
    """A hub with strongly typed clients."""

    async def SendMessage(self, user: str, message: str) -> None:
        await self.clients.all.ReceiveMessage(user, message)

    async def WaitForMessage(self, connection_id: str) -> str:
        return await self.clients.client(connection_id).GetMessage()


@authorize
class AuthHub(Hub):
    """A hub that requires authentication."""

    def WhoAmI(self) -> str | None:
        return self.context.user_identifier

    async def SendToUser(self, user: str, method: str, message: str) -> None:
        await self.clients.user(user).send(method, message)

    @authorize("admin")
    def AdminOnly(self) -> str:
        return "admin"

    async def on_connected(self) -> None:
        await self.clients.caller.send("Welcome", self.context.user_identifier)


class RejectingHub(Hub):
    """A hub that rejects all connections."""

    async def on_connected(self) -> None:
        raise HubException("no entry")


def drop_socket(context: HubCallerContext) -> None:
    """Cut a client's connection without closing it, as HttpContext.Abort does."""
    request = context.get_http_request()
    if request is not None and request.transport is not None:
        request.transport.abort()


def describe(items: list[int]) -> str:
    """Return how many *items* there are, and whether they are 0, 1, 2, ... in order."""
    for wanted, item in enumerate(sorted(items)):
        if item != wanted:
            return f"item {item} came where {wanted} was due"
    return f"{len(items)} {'in order' if items == sorted(items) else 'in another order'}"


async def pause(milliseconds: int) -> None:
    """Wait, like the original's Task.Delay; the client chooses the time."""
    loop = asyncio.get_running_loop()
    waited = loop.create_future()
    timer = loop.call_later(milliseconds / 1000, waited.set_result, None)
    try:
        await waited
    finally:
        timer.cancel()

"""What type checkers must infer about typed proxies and typed hubs. Checked by test_types.py, never run; see cases.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from decimal import Decimal
from typing import Any, Protocol, TypeVar, assert_type

from aiohttp import web

from signalr_client import HubConnection, HubStream, Subscription, hub_method
from signalr_client.server import (
    ClientProxy,
    Groups,
    Hub,
    HubCallerClients,
    HubClients,
    HubContext,
    HubServer,
    SingleClientProxy,
    map_hub,
)

T = TypeVar("T")


class Chat(Protocol):
    """What a hub offers."""

    async def Add(self, x: int, y: int = 5) -> int:
        """A call with a result."""
        ...

    async def SendMessage(self, user: str, message: str) -> None:
        """A call without a result."""

    def Counter(self, count: int) -> AsyncIterator[int]:
        """A stream."""
        ...

    def Prices(self) -> HubStream[Decimal]:
        """A stream as it is."""
        ...

    async def Sum(self, numbers: AsyncIterator[int]) -> int:
        """An upload."""
        ...

    @hub_method("renamed-method")
    async def renamed(self) -> str | None:
        """Another name on the wire."""
        ...

    @hub_method(send=True)
    async def Log(self, *lines: str) -> None:
        """A call that waits for no response."""


class Store(Protocol[T]):
    """A generic one."""

    async def Put(self, item: T) -> list[T]:
        """A call."""
        ...


class ChatHub(Hub):
    """A hub that offers what the Protocol says."""

    async def Add(self, x: int, y: int = 5) -> int:
        """Add."""
        return x + y

    async def SendMessage(self, user: str, message: str) -> None:
        """Send."""

    async def Counter(self, count: int) -> AsyncIterator[int]:
        """Count."""
        yield count


class Counting(Protocol):
    """A part of it."""

    def Counter(self, count: int) -> AsyncIterator[int]:
        """A stream."""
        ...


def offered(hub: ChatHub) -> Counting:
    """A hub class can be checked against the Protocol that clients use."""
    return hub


async def proxies(connection: HubConnection, numbers: AsyncIterator[int]) -> None:
    """Calls have the types of the Protocol."""
    chat = connection.proxy(Chat)
    assert_type(chat, Chat)
    assert_type(await chat.Add(1, 2), int)
    assert_type(await chat.Add(y=1, x=2), int)
    assert_type(await chat.renamed(), str | None)
    assert_type(await chat.Sum(numbers), int)
    assert_type(await chat.Sum(chat.Counter(3)), int)
    await chat.SendMessage("anna", "hello")
    await chat.Log("a", "b")
    async for number in chat.Counter(3):
        assert_type(number, int)
    assert_type(chat.Counter(3), AsyncIterator[int])
    async with chat.Prices() as prices:
        assert_type(prices, HubStream[Decimal])
    assert_type(connection.proxy(Store[int]), Store[int])
    assert_type(await connection.proxy(Store[int]).Put(1), list[int])
    await connection.proxy(Store[int]).Put("a")  # type: ignore[arg-type]


async def misspelt(connection: HubConnection) -> None:
    """Calls that do not fit are errors."""
    chat = connection.proxy(Chat)
    await chat.add(1, 2)  # type: ignore[attr-defined]
    await chat.Add("1", 2)  # type: ignore[arg-type]
    await chat.Add()  # type: ignore[call-arg]
    await chat.Add(1, 2, 3)  # type: ignore[call-arg]
    await chat.Add(1, z=2)  # type: ignore[call-arg]
    await chat.Sum([1, 2])  # type: ignore[arg-type]
    await chat.Log(5)  # type: ignore[arg-type]
    text: str = await chat.Add(1)  # type: ignore[assignment]
    del text
    connection.proxy(5)  # type: ignore[arg-type]
    connection.proxy("no type")  # type: ignore[arg-type]


class Everyone(Protocol):
    """What all clients offer."""

    async def ReceiveMessage(self, user: str, message: str = "") -> None:
        """A message."""


class Single(Everyone, Protocol):
    """What one client offers."""

    async def GetMessage(self) -> str:
        """A question."""
        ...


class TypedHub(Hub[Everyone]):
    """A hub whose clients have one Protocol."""

    async def send(self) -> None:
        """Every target has the methods of the Protocol."""
        assert_type(self.clients, HubCallerClients[Everyone, Everyone])
        assert_type(self.clients.caller, Everyone)
        clients = self.clients
        for target in (
            clients.all,
            clients.caller,
            clients.others,
            clients.all_except(["a"]),
            clients.client("a"),
            clients.clients(["a"]),
            clients.group("a"),
            clients.group_except("a", ["b"]),
            clients.groups(["a"]),
            clients.others_in_group("a"),
            clients.user("a"),
            clients.users(["a"]),
        ):
            assert_type(target, Everyone)
        await clients.all.ReceiveMessage("anna", message="hello")
        await clients.all.ReceiveMessage(1)  # type: ignore[arg-type]
        await clients.all.ReceiveMesage("anna")  # type: ignore[attr-defined]
        await clients.all.send("ReceiveMessage")  # type: ignore[attr-defined]


class AskingHub(Hub[Everyone, Single]):
    """A hub whose single clients have a Protocol of their own."""

    async def ask(self) -> str:
        """Only single clients can be asked for a result."""
        assert_type(self.clients, HubCallerClients[Everyone, Single])
        assert_type(self.clients.client("a"), Single)
        assert_type(self.clients.all, Everyone)
        assert_type(self.clients.user("a"), Everyone)
        await self.clients.all.GetMessage()  # type: ignore[attr-defined]
        await self.clients.others.GetMessage()  # type: ignore[attr-defined]
        await self.clients.client("a").ReceiveMessage("anna")
        assert_type(await self.clients.client("a").GetMessage(), str)
        return await self.clients.caller.GetMessage()


class PlainHub(Hub):
    """A hub whose clients have no Protocol."""

    def __init__(self, context: HubContext[AskingHub, Everyone, Single], own: HubContext[PlainHub]) -> None:
        assert_type(context.clients.all, Everyone)
        assert_type(context.clients.client("a"), Single)
        assert_type(own.clients.all, ClientProxy)
        assert_type(own.clients.client("a"), SingleClientProxy)

    async def send(self) -> None:
        """Targets can send, and single ones can invoke."""
        assert_type(self.clients, HubCallerClients[ClientProxy, ClientProxy])
        assert_type(self.clients.all, ClientProxy)
        assert_type(self.clients.others_in_group("a"), ClientProxy)
        assert_type(self.clients.client("a"), SingleClientProxy)
        assert_type(self.clients.caller, SingleClientProxy)
        assert_type(self.groups, Groups)
        await self.clients.all.invoke("GetMessage")  # type: ignore[attr-defined]


class BaseHub(Hub[T]):
    """A base of hubs with typed clients."""


class DerivedHub(BaseHub[Everyone]):
    """A hub with the clients of its base."""

    async def send(self) -> None:
        """They have the types that were given to the base."""
        assert_type(self.clients.all, Everyone)
        assert_type(self.clients.caller, Everyone)


async def contexts(server: HubServer, app: web.Application) -> None:
    """A hub context has the clients of its hub."""
    assert_type(server.hub_context(AskingHub), HubContext[Any, Everyone, Single])
    assert_type(server.hub_context(AskingHub).clients, HubClients[Everyone, Single])
    assert_type(server.hub_context(TypedHub).clients.all, Everyone)
    assert_type(server.hub_context(TypedHub).clients.client("a"), Everyone)
    assert_type(server.hub_context(PlainHub).clients.all, ClientProxy)
    assert_type(server.hub_context(PlainHub).clients.client("a"), SingleClientProxy)
    assert_type(map_hub(app, "/hub", TypedHub).clients.all, Everyone)
    assert_type(server.map_hub("/hub", TypedHub).clients.all, Everyone)
    kept: HubContext[AskingHub, Everyone, Single] = server.hub_context(AskingHub)
    await kept.clients.all.ReceiveMessage("anna")
    server.hub_context(Chat)  # type: ignore[arg-type]
    HubServer({"/a": AskingHub, "/b": PlainHub, "/c": DerivedHub})


class Receiver(Everyone):
    """A class that implements a Protocol is checked against it."""

    async def ReceiveMessage(self, user: str, message: str = "") -> None:
        """Receive."""


class WrongReceiver(Everyone):
    """Another one."""

    async def ReceiveMessage(self, user: int) -> None:  # type: ignore[override]
        """Receive something else."""


def receivers(connection: HubConnection) -> None:
    """Any object can be registered."""
    assert_type(connection.register(Receiver()), list[Subscription])
    everyone: Everyone = Receiver()
    connection.register(everyone)


def decorated(connection: HubConnection) -> None:
    """`hub_method` returns the function unchanged."""

    @hub_method("name", cancellable=True)
    async def method(x: int) -> str:
        return str(x)

    result: Awaitable[str] = method(1)
    del result
    hub_method(5)  # type: ignore[arg-type]
    hub_method("name", True)  # type: ignore[call-arg]
    del connection

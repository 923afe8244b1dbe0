"""Who a message reaches: targets, groups, users, contexts, typed clients."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import pytest

from signalr_client import HubConnectionBuilder, HubProtocol
from signalr_client.server import Hub, HubContext, HubServer, HubUsageError, User, hub_method
from tests.support.hub_server import Serving, refusal, serving


class Room(Hub):
    async def join(self, group: str) -> None:
        await self.groups.add(self.context.connection_id, group)

    async def join_other(self, connection_id: str, group: str) -> None:
        await self.groups.add(connection_id, group)

    async def leave(self, group: str) -> None:
        await self.groups.remove(self.context.connection_id, group)

    async def tell(self, target: str, values: list[Any]) -> None:
        clients: Any = getattr(self.clients, target)
        proxy = clients if target in ("all", "caller", "others") else clients(*values)
        await proxy.send("M", target)


class People:
    """Three connected clients a, b and c, whose messages are told apart by what they all get last."""

    def __init__(self, serve: Serving, members: dict[str, tuple[Any, asyncio.Queue[Any]]]) -> None:
        self._serve = serve
        self._members = members
        self.ids = {name: connection.connection_id for name, (connection, _) in members.items()}

    def __getitem__(self, name: str) -> Any:
        return self._members[name][0]

    async def heard(self) -> dict[str, int]:
        """Return how often each has heard something since the last time."""
        await self._serve.hub_context.clients.all.send("M", "end")
        counts = {}
        async with asyncio.timeout(5):
            for name, (_, queue) in self._members.items():
                counts[name] = 0
                while await queue.get() != "end":
                    counts[name] += 1
        return {name: count for name, count in counts.items() if count}


async def three(serve: Serving) -> People:
    return People(serve, {name: await serve.listener(headers={"X-User": user}) for name, user in USERS.items()})


USERS = {"a": "anna", "b": "bert", "c": "anna"}
UNKNOWN = "no-such-id"


def by_user(request: Any) -> User:
    return User(request.headers.get("X-User"))


@pytest.mark.parametrize(
    ("target", "values", "heard"),
    [
        ("all", [], {"a": 1, "b": 1, "c": 1}),
        ("caller", [], {"a": 1}),
        ("others", [], {"b": 1, "c": 1}),
        ("all_except", [["b", UNKNOWN]], {"a": 1, "c": 1}),
        ("all_except", [[]], {"a": 1, "b": 1, "c": 1}),
        ("client", ["b"], {"b": 1}),
        ("client", [UNKNOWN], {}),
        ("clients", [["b", "c", "b", UNKNOWN]], {"b": 1, "c": 1}),
        ("clients", [[]], {}),
        ("group", ["red"], {"a": 1, "b": 1}),
        ("group", ["RED"], {}),
        ("group", ["nobody's"], {}),
        ("group_except", ["red", ["a", UNKNOWN]], {"b": 1}),
        ("group_except", ["nobody's", ["a"]], {}),
        ("groups", [["red", "blue"]], {"a": 1, "b": 2, "c": 1}),
        ("groups", [["nobody's"]], {}),
        ("others_in_group", ["red"], {"b": 1}),
        ("others_in_group", ["blue"], {"b": 1, "c": 1}),
        ("user", ["anna"], {"a": 1, "c": 1}),
        ("user", ["ANNA"], {}),
        ("user", ["nobody"], {}),
        ("users", [["anna", "bert", "anna"]], {"a": 1, "b": 1, "c": 1}),
    ],
)
async def test_whom_a_target_reaches(target: str, values: list[Any], heard: dict[str, int]) -> None:
    """Clients a and b are in red, b and c in blue; a and c are the same user; a is the one that calls."""
    async with serving(Room, authenticate=by_user) as serve:
        people = await three(serve)
        for name, group in (("a", "red"), ("b", "red"), ("b", "blue"), ("c", "blue")):
            await people[name].invoke("Join", group)
        ids = people.ids

        def known(value: Any) -> Any:
            return [known(item) for item in value] if isinstance(value, list) else ids.get(value, value)

        await people["a"].invoke("Tell", target, known(values))
        assert await people.heard() == heard


@pytest.mark.parametrize(
    ("target", "values", "text"),
    [
        ("client", [None], "connection_id must not be None."),
        ("group", [None], "group_name must not be None."),
        ("user", [None], "user_id must not be None."),
        ("groups", [["red", ""]], "Cannot send to an empty group name."),
    ],
)
async def test_targets_that_are_none_or_empty_are_refused(target: str, values: list[Any], text: str) -> None:
    async with serving(Room, enable_detailed_errors=True) as serve:
        client = await serve.connect()
        assert (await refusal(client.invoke("Tell", target, values))).endswith(text)


async def test_groups_add_and_remove() -> None:
    """Idempotent, any connection's id, and unknown ids do no harm."""
    async with serving(Room) as serve:
        people = await three(serve)
        a, context = people["a"], serve.hub_context
        for _ in range(2):
            await a.invoke("Join", "red")
        await a.invoke("JoinOther", people.ids["b"], "red")
        await a.invoke("JoinOther", UNKNOWN, "red")
        await context.clients.group("red").send("M", 1)
        assert await people.heard() == {"a": 1, "b": 1}
        for _ in range(2):
            await a.invoke("Leave", "red")
        await a.invoke("Leave", "never joined")
        await context.groups.remove(UNKNOWN, "red")
        await context.clients.group("red").send("M", 2)
        assert await people.heard() == {"b": 1}


async def test_a_disconnect_ends_every_membership() -> None:
    """A connection that comes back is a new one."""
    async with serving(Room) as serve:
        people = await three(serve)
        await people["a"].invoke("Join", "red")
        await people["b"].invoke("Join", "red")
        await people["b"].stop()
        await people["b"].start()
        await serve.hub_context.clients.group("red").send("M", 1)
        assert await people.heard() == {"a": 1}


class Farewell(Hub):
    async def on_connected(self) -> None:
        await self.groups.add(self.context.connection_id, "all")

    async def on_disconnected(self, exception: BaseException | None) -> None:
        await self.clients.others_in_group("all").send("M", "somebody left")
        await self.clients.caller.send("M", "nobody hears this")


async def test_a_group_can_be_told_in_on_disconnected() -> None:
    """Membership is removed after it; what is written to the one that left is dropped."""
    async with serving(Farewell) as serve:
        _, heard = await serve.listener()
        leaver, _ = await serve.listener()
        await leaver.stop()
        async with asyncio.timeout(5):
            assert await heard.get() == "somebody left"


class Ordered(Hub):
    async def count(self, number: int) -> str:
        for item in range(number):
            await self.clients.caller.send("M", item)
        return "done"


async def test_what_a_method_sends_comes_in_order_and_before_its_result(hub_protocol: HubProtocol) -> None:
    async with serving(Ordered) as serve:
        client = await serve.connect(hub_protocol)
        order: list[Any] = []
        client.on("M", order.append)
        order.append(await client.invoke("Count", 500))
        async with asyncio.timeout(5):
            while len(order) <= 500:
                await asyncio.sleep(0)
        got = [item for item in order if item != "done"]
        assert got == list(range(500))


async def test_zero_and_many_arguments_and_any_value(hub_protocol: HubProtocol) -> None:
    async with serving(Room) as serve:
        client = await serve.connect(hub_protocol)
        heard: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        client.on("M", lambda *arguments: heard.put_nowait(arguments))
        for arguments in ((), (None,), tuple(range(12)), ({"a": [1, {"b": None}]}, "ü", 1.5, True)):
            await serve.hub_context.clients.all.send("M", *arguments)
            async with asyncio.timeout(5):
                assert await heard.get() == arguments


class NeedsContext(Hub):
    def __init__(self, own: HubContext[NeedsContext], rooms: HubContext[Room]) -> None:
        self.own, self.rooms = own, rooms

    async def tell_rooms(self, text: str) -> None:
        await self.rooms.clients.all.send("M", text)

    async def tell_own(self, text: str) -> None:
        await self.own.clients.all.send("M", text)


async def test_a_hub_context_reaches_its_own_hub_and_no_other() -> None:
    """Two hubs in one application; contexts are services, too."""
    async with HubServer({"/rooms": Room, "/hub": NeedsContext}) as server:
        heard: asyncio.Queue[str] = asyncio.Queue()
        rooms = HubConnectionBuilder().with_url(server.url("/rooms")).build()
        hub = HubConnectionBuilder().with_url(server.url("/hub")).build()
        rooms.on("M", lambda text: heard.put_nowait(f"rooms: {text}"))
        hub.on("M", lambda text: heard.put_nowait(f"hub: {text}"))
        async with rooms, hub, asyncio.timeout(5):
            await hub.invoke("TellRooms", "1")
            assert await heard.get() == "rooms: 1"
            await hub.invoke("TellOwn", "2")
            assert await heard.get() == "hub: 2"
            await server.hub_context(Room).clients.all.send("M", "3")
            assert await heard.get() == "rooms: 3"
        for name in ("caller", "others", "others_in_group"):
            assert not hasattr(server.hub_context(Room).clients, name)


class ChatClient(Protocol):
    async def Receive(self, user: str, text: str = "nothing") -> None: ...

    @hub_method("renamed")
    async def python_name(self) -> None: ...

    async def Ask(self, question: str) -> int: ...


class Typed(Hub[ChatClient]):
    async def say(self, text: str) -> None:
        await self.clients.all.Receive("anna", text)
        await self.clients.caller.Receive("bert")
        await self.clients.others.Receive("nobody", text="x")
        await self.clients.caller.python_name()

    async def ask(self) -> int:
        return await self.clients.caller.Ask("how many?")

    async def ask_all(self) -> int:
        return await self.clients.all.Ask("how many?")

    async def wrong_name(self) -> None:
        await self.clients.caller.send("Receive")  # type: ignore[attr-defined]  # that is what is tested


async def test_a_typed_hub_calls_its_clients_by_the_protocols_methods(hub_protocol: HubProtocol) -> None:
    async with serving(Typed, enable_detailed_errors=True) as serve:
        client, heard = await serve.listener("Receive", "renamed")
        client.on("Ask", len)
        await client.invoke("Say", "hello")
        async with asyncio.timeout(5):
            assert [await heard.get() for _ in range(3)] == [("anna", "hello"), ("bert", "nothing"), ()]
        assert await client.invoke("Ask") == 9
        text = await refusal(client.invoke("AskAll"))
        assert text.endswith("InvalidOperationException: InvokeAsync only works with Single clients.")
        assert "'ChatClient' has no method 'send'" in await refusal(client.invoke("WrongName"))
        await serve.hub_context.clients.all.Receive("context", "works too")
        assert await heard.get() == ("context", "works too")
        with pytest.raises(HubUsageError, match="InvokeAsync only works with Single clients"):
            await serve.hub_context.clients.all.Ask("?")

"""A client cannot disconnect others through a hub that passes on what it gets: values that not every protocol carries are refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from signalr_client import HubConnection, HubConnectionState, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.framing import write_varint
from signalr_client.server import Hub
from tests.support.hub_server import Serving, serving
from tests.support.raw import Raw, Socket, raw

GROUP = "everybody"
NESTED = 63  # levels: with the message and its arguments more than every protocol carries

Binary = dict[str, Callable[[], Any]]

JSON_VALUES = {
    "an integer of 65 bits": "18446744073709551616",
    "a negative integer of 65 bits": "-9223372036854775809",
    "an integer of 65 bits in an object": '{"a":[1,{"b":36893488147419103232}]}',
    "a deep list": "[" * NESTED + "]" * NESTED,
    "a deep object": '{"a":' * NESTED + "1" + "}" * NESTED,
}
MESSAGEPACK_VALUES: Binary = {
    "an extension": lambda: msgspec.msgpack.Ext(5, b"data"),
    "an extension in a list": lambda: [1, [msgspec.msgpack.Ext(77, b"")]],
    "a nil key": lambda: {None: 1},
    "a bool key": lambda: {"a": {True: 1}},
    "a float key": lambda: {1.5: 1},
    "a bytes key": lambda: {b"a": 1},
    "a deep list": lambda: json.loads("[" * NESTED + "]" * NESTED),
}
VALUES = [("json", name) for name in JSON_VALUES] + [("messagepack", name) for name in MESSAGEPACK_VALUES]


class Relay(Hub):
    """Passes everything on, in every way."""

    async def on_connected(self) -> None:
        await self.groups.add(self.context.connection_id, GROUP)

    async def to_all(self, value: Any) -> None:
        await self.clients.all.send("M", value)

    async def to_group(self, value: Any) -> None:
        await self.clients.group(GROUP).send("M", value)

    async def to_others(self, value: Any) -> None:
        await self.clients.others.send("M", value)

    async def to_one(self, value: Any) -> None:
        await self.clients.others.send("M", [{"inside": value}])

    async def items_to_all(self, items: AsyncIterator[Any]) -> None:
        async for item in items:
            await self.clients.all.send("M", item)

    async def result_to_all(self) -> None:
        await self.clients.all.send("M", await self.clients.caller.invoke("Give"))

    def same(self, value: Any) -> Any:
        return value


class Attacker:
    """A client that sends values as bytes of its protocol."""

    def __init__(self, protocol: str, socket: Socket) -> None:
        self.protocol = protocol
        self._socket = socket

    async def shake_hands(self) -> None:
        await self._socket.write(f'{{"protocol":"{self.protocol}","version":1}}\x1e')
        message = await self._socket.socket.receive()
        assert message.data in ("{}\x1e", b"{}\x1e")

    async def send(self, message: list[Any], value: str | object) -> None:
        """Send a message in MessagePack's order; *value* stands where it has `...`."""
        if self.protocol == "json":
            await self._socket.write(_as_json(message, str(value)) + "\x1e")
        else:
            encoded = msgspec.msgpack.encode(_replace(message, value))
            await self._socket.socket.send_bytes(write_varint(len(encoded)) + encoded)

    async def read(self) -> dict[str, Any]:
        """Return the type, the id and the error of the next message."""
        async with asyncio.timeout(5):
            data = (await self._socket.socket.receive()).data
        if self.protocol == "json":
            record: dict[str, Any] = json.loads(data.rstrip("\x1e"))
            return record
        fields = msgspec.msgpack.decode(data[1 if data[0] < 0x80 else 2 :], strict=False)
        if fields[0] == 7:
            return {"type": 7, "error": fields[1]}
        if fields[0] == 1:
            return {"type": 1, "invocationId": fields[2], "target": fields[3]}
        return {"type": fields[0], "invocationId": fields[2], "error": fields[4] if fields[3] == 1 else None}


def _replace(message: Any, value: object) -> Any:
    if message is ...:
        return value
    return [_replace(part, value) for part in message] if isinstance(message, list) else message


def _as_json(message: list[Any], value: str) -> str:
    match message:
        case [1, _, invocation_id, target, arguments, streams]:
            shown = "[" + ",".join(value if argument is ... else json.dumps(argument) for argument in arguments) + "]"
            identified = f'"invocationId":"{invocation_id}",' if invocation_id else ""
            return f'{{"type":1,{identified}"target":"{target}","arguments":{shown},"streamIds":{json.dumps(streams)}}}'
        case [2, _, stream_id, _]:
            return f'{{"type":2,"invocationId":"{stream_id}","item":{value}}}'
        case [3, _, invocation_id, _, _]:
            return f'{{"type":3,"invocationId":"{invocation_id}","result":{value}}}'
        case _:
            raise AssertionError(message)


def value_of(protocol: str, name: str) -> Any:
    return JSON_VALUES[name] if protocol == "json" else MESSAGEPACK_VALUES[name]()


async def victims(serve: Serving) -> list[HubConnection]:
    """Return a client of each protocol."""
    return [await serve.connect(JsonHubProtocol()), await serve.connect(MessagePackHubProtocol())]


async def check_unharmed(clients: list[HubConnection]) -> None:
    """Check that the clients are connected and can call."""
    for client in clients:
        assert await client.invoke("Same", "unharmed") == "unharmed"
        assert client.state is HubConnectionState.CONNECTED


async def attacker(hub: Raw, socket: Socket, protocol: str) -> Attacker:
    client = Attacker(protocol, socket)
    await client.shake_hands()
    return client


TARGETS = {"ToAll": "to_all", "ToGroup": "to_group", "ToOthers": "to_others", "ToOne": "to_one"}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("protocol", "name"), VALUES)
async def test_an_argument_that_not_every_protocol_carries_fails_its_own_call(protocol: str, name: str, target: str) -> None:
    """One that is nested too deeply for its message is a protocol error, which ends its own connection."""
    async with serving(Relay) as serve, raw(serve.url) as hub, hub.socket() as socket:
        others = await victims(serve)
        client = await attacker(hub, socket, protocol)
        await client.send([1, {}, "1", target, [...], []], value_of(protocol, name))
        answer = await client.read()
        if "deep" in name:
            assert (answer["type"], answer["error"]) == (7, "Connection closed with an error.")
        else:
            assert (answer["type"], answer["invocationId"]) == (3, "1")
            assert answer["error"] == f"Failed to invoke '{TARGETS[target]}' due to an error on the server."
        await check_unharmed(others)


@pytest.mark.parametrize("protocol", ["json", "messagepack"])
async def test_a_value_that_the_hub_nests_too_deeply_fails_the_call_that_brought_it(protocol: str) -> None:
    """It may have 62 levels; the hub passes it on with two more."""
    deepest = "[" * 62 + "]" * 62
    async with serving(Relay) as serve, raw(serve.url) as hub, hub.socket() as socket:
        others = await victims(serve)
        client = await attacker(hub, socket, protocol)
        await client.send([1, {}, "1", "ToOne", [...], []], deepest if protocol == "json" else json.loads(deepest))
        error = "An unexpected error occurred invoking 'to_one' on the server."
        assert await client.read() == {"type": 3, "invocationId": "1", "error": error}
        await check_unharmed(others)


@pytest.mark.parametrize(("protocol", "name"), VALUES)
async def test_a_stream_item_that_not_every_protocol_carries_ends_its_own_upload(protocol: str, name: str) -> None:
    async with serving(Relay) as serve, raw(serve.url) as hub, hub.socket() as socket:
        others = await victims(serve)
        client = await attacker(hub, socket, protocol)
        await client.send([1, {}, "1", "ItemsToAll", [], ["u"]], None)
        await client.send([2, {}, "u", ...], value_of(protocol, name))
        answer = await client.read()
        error = (
            "An unexpected error occurred invoking 'items_to_all' on the server. HubException: Failed to bind Stream message."
        )
        assert (answer["type"], answer["invocationId"], answer["error"]) == (3, "1", error)
        await check_unharmed(others)


@pytest.mark.parametrize(("protocol", "name"), VALUES)
async def test_a_client_result_that_not_every_protocol_carries_fails_the_method_that_asked(protocol: str, name: str) -> None:
    async with serving(Relay) as serve, raw(serve.url) as hub, hub.socket() as socket:
        others = await victims(serve)
        client = await attacker(hub, socket, protocol)
        await client.send([1, {}, "1", "ResultToAll", [], []], None)
        asked = await client.read()
        assert (asked["type"], asked["target"]) == (1, "Give")
        await client.send([3, {}, asked["invocationId"], 3, ...], value_of(protocol, name))
        answer = await client.read()
        assert (answer["type"], answer["invocationId"]) == (3, "1")
        assert "HubException: Error trying to deserialize result." in answer["error"]
        await check_unharmed(others)


@pytest.mark.parametrize("name", ["a value nested to the limit", "integers of 64 bits", "integer keys", "a timestamp"])
async def test_what_every_protocol_carries_is_passed_on(name: str) -> None:
    values: Binary = {
        "a value nested to the limit": lambda: json.loads("[" * 62 + "]" * 62),
        "integers of 64 bits": lambda: [2**64 - 1, -(2**63)],
        "integer keys": lambda: {1: "one", -5: "minus five"},
        "a timestamp": lambda: msgspec.msgpack.decode(b"\xd6\xff\x00\x00\x00\x01"),
    }
    async with serving(Relay) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(10):
        heard = [await serve.listener(protocol=p) for p in (JsonHubProtocol(), MessagePackHubProtocol())]
        client = await attacker(hub, socket, "messagepack")
        await client.send([1, {}, None, "ToOthers", [...], []], values[name]())
        for _, queue in heard:
            await queue.get()
        await check_unharmed([connection for connection, _ in heard])

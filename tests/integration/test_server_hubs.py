"""A hub's methods, its life and its caller, seen by a client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from signalr_client import HttpTransportType, HubProtocol, TransferFormat
from signalr_client.server import Hub, HubException, HubUsageError, User, hub_method
from tests.support.hub_server import refusal, serving
from tests.support.hubs import TRANSPORTS


@dataclass
class Point:
    x: int
    y: int = 0


class Telling(HubException):
    """One of the hub's own."""


class Methods(Hub):
    def nothing(self) -> None: ...

    async def nothing_later(self) -> None: ...

    def null(self) -> str | None:
        return None

    def add(self, x: int, y: int = 1) -> int:
        return x + y

    def swap(self, points: list[Point]) -> dict[str, Point]:
        return {"first": Point(points[0].y, points[0].x)}

    def whatever(self, value: Any) -> Any:
        return value

    def unannotated(self, value):  # type: ignore[no-untyped-def]  # that is what is tested
        return value

    @hub_method("given")
    def python_name(self) -> str:
        return "given"

    def keyword(self, first: int, *, second: int) -> str:
        return f"{first}, {second}"

    def fail(self) -> None:
        raise ValueError("secret")

    def tell(self) -> None:
        raise HubException("told")

    def tell_own(self) -> None:
        raise Telling("told")

    async def stream_fails(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("secret")

    async def stream_tells(self) -> AsyncIterator[int]:
        yield 1
        raise Telling("told")

    def no_stream(self) -> AsyncIterator[int]:
        return [1]  # type: ignore[return-value]  # that is what is tested


async def test_results_and_arguments(hub_protocol: HubProtocol) -> None:
    async with serving(Methods) as serve:
        client = await serve.connect(hub_protocol)
        assert await client.invoke("Nothing") is None
        assert await client.invoke("NothingLater") is None
        assert await client.invoke("Null") is None
        assert await client.invoke("ADD", 1, 2) == 3
        swapped = {"x": 2, "y": 1} if hub_protocol.name == "json" else {"X": 2, "Y": 1}
        assert await client.invoke("Swap", [{"x": 1, "y": 2}]) == {"first": swapped}
        for value in (None, 1, 1.5, "text", [1, "a", None], {"Key": {"other_key": 1}}):
            assert await client.invoke("Whatever", value) == value
            assert await client.invoke("Unannotated", value) == value
        assert await client.invoke("given") == "given"
        assert await client.invoke("Keyword", 1, 2) == "1, 2"


GENERIC = "An unexpected error occurred invoking '{}' on the server."
FAILED = "Failed to invoke '{}' due to an error on the server."
STREAMING = "An error occurred on the server while streaming results."
BINDING = (
    "Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
)


@pytest.mark.parametrize(
    ("target", "arguments", "text", "detail"),
    [
        ("Fail", [], GENERIC.format("fail"), "ValueError: secret"),
        ("Tell", [], GENERIC.format("tell") + " HubException: told", ""),
        ("TellOwn", [], GENERIC.format("tell_own") + " Telling: told", ""),
        ("Nope", [], FAILED.format("Nope") + " HubException: Method does not exist.", ""),
        ("ADD", [1], FAILED.format("add"), "InvalidDataException: Invocation provides 1 argument(s) but target expects 2."),
        (
            "Add",
            [1, 2, 3],
            FAILED.format("add"),
            "InvalidDataException: Invocation provides 3 argument(s) but target expects 2.",
        ),
        ("Add", ["x", 1], FAILED.format("add"), f"InvalidDataException: {BINDING}"),
        ("Add", [1.5, 1], FAILED.format("add"), f"InvalidDataException: {BINDING}"),
        ("Add", [None, 1], FAILED.format("add"), f"InvalidDataException: {BINDING}"),
        ("python_name", [], FAILED.format("python_name") + " HubException: Method does not exist.", ""),
        ("on_connected", [], FAILED.format("on_connected") + " HubException: Method does not exist.", ""),
        (
            "StreamFails",
            [],
            "The client attempted to invoke the streaming 'stream_fails' method with a non-streaming invocation.",
            "",
        ),
    ],
)
@pytest.mark.parametrize("detailed", [False, True])
async def test_what_a_client_is_told_of_an_error(
    hub_protocol: HubProtocol, target: str, arguments: list[Any], text: str, detail: str, detailed: bool
) -> None:
    """The connection goes on."""
    async with serving(Methods, enable_detailed_errors=detailed) as serve:
        client = await serve.connect(hub_protocol)
        wanted = f"{text} {detail}" if detailed and detail else text
        assert await refusal(client.invoke(target, *arguments)) == wanted
        await client.send(target, *arguments)  # nobody waits: nothing is answered
        assert await client.invoke("Add", 1, 1) == 2


@pytest.mark.parametrize(
    ("target", "text", "detail", "items"),
    [
        ("StreamFails", STREAMING, " ValueError: secret", [1]),
        ("StreamTells", STREAMING + " Telling: told", "", [1]),
        (
            "NoStream",
            "The value returned by the streaming method 'no_stream' is not a ChannelReader<> or IAsyncEnumerable<>.",
            "",
            [],
        ),
        ("Add", "The client attempted to invoke the non-streaming 'add' method with a streaming invocation.", "", []),
    ],
)
@pytest.mark.parametrize("detailed", [False, True])
async def test_what_a_client_is_told_of_a_streams_error(
    hub_protocol: HubProtocol, target: str, text: str, detail: str, items: list[int], detailed: bool
) -> None:
    async with serving(Methods, enable_detailed_errors=detailed) as serve:
        client = await serve.connect(hub_protocol)
        got = []
        arguments = [1, 2] if target == "Add" else []

        async def read() -> None:
            async for item in client.stream(target, *arguments):
                got.append(item)  # noqa: PERF401  # what came before the error counts

        assert await refusal(read()) == (text + detail if detailed else text)
        assert got == items


async def test_void_is_an_explicit_null_on_the_wire() -> None:
    """Members in their order, nothing else."""
    async with serving(Methods) as serve, aiohttp.ClientSession() as session, session.ws_connect(serve.url) as socket:
        await socket.send_str('{"protocol":"json","version":1}\x1e')
        assert await socket.receive_str() == "{}\x1e"
        for target in ("Nothing", "Null"):
            await socket.send_str(json.dumps({"type": 1, "invocationId": "7", "target": target, "arguments": []}) + "\x1e")
            assert await socket.receive_str() == '{"type":3,"invocationId":"7","result":null}\x1e'


class Life(Hub):
    """Says what happens to it and when."""

    made = 0

    def __init__(self) -> None:
        Life.made += 1
        self.number = Life.made
        self.log: list[str] = Life.events

    events: list[str] = []  # noqa: RUF012  # one log for the test

    async def on_connected(self) -> None:
        self.context.items["greeting"] = "hello"
        self.log.append("connected")

    async def on_disconnected(self, exception: BaseException | None) -> None:
        aborted = self.context.connection_aborted.is_set()
        self.log.append(f"disconnected {exception!r} {self.context.items['greeting']} aborted={aborted}")

    def dispose(self) -> None:
        self.log.append(f"disposed {self.number}")

    def which(self) -> int:
        return self.number

    def keep(self) -> None:
        Life.kept = self
        Life.caller = self.clients.caller

    kept: Any = None
    caller: Any = None

    def greeting(self) -> str:
        greeting: str = self.context.items["greeting"]
        return greeting


async def test_a_hub_is_made_for_each_call_and_disposed_after_it() -> None:
    Life.made, Life.events = 0, []
    async with serving(Life) as serve:
        client, heard = await serve.listener("Late")
        assert [await client.invoke("Which"), await client.invoke("Which")] == [2, 3]  # 1 greeted the connection
        assert await client.invoke("Greeting") == "hello"
        await client.invoke("Keep")
        for member in ("context", "clients", "groups"):
            with pytest.raises(HubUsageError, match=r"Cannot access a disposed object. Object name: 'Life'"):
                getattr(Life.kept, member)
        await Life.caller.send("Late", "a proxy outlives its hub")
        assert await heard.get() == "a proxy outlives its hub"
        await client.stop()
    assert Life.events[0] == "connected"
    assert Life.events[-2:] == ["disconnected None hello aborted=True", f"disposed {Life.made}"]


class Caller(Hub):
    async def describe(self) -> dict[str, Any]:
        context = self.context
        request = context.get_http_request()
        assert request is not None
        return {
            "connection_id": context.connection_id,
            "user_identifier": context.user_identifier,
            "authenticated": context.user.is_authenticated,
            "transport": context.features[HttpTransportType].wire_name,
            "format": context.features[TransferFormat].name,
            "header": request.headers.get("X-Tenant"),
            "query": request.query.get("room"),
        }

    def leave(self) -> None:
        self.context.abort()


@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_what_a_hub_knows_of_its_caller(transport: HttpTransportType) -> None:
    async with serving(Caller, authenticate=lambda request: User(request.headers.get("X-User"))) as serve:
        serve.url += "?room=blue"
        client = await serve.connect(transports=transport, headers={"X-Tenant": "7", "X-User": "anna"})
        known = await client.invoke("Describe")
        assert len(known["connection_id"]) == 22
        assert known == {
            "connection_id": client.connection_id,
            "user_identifier": "anna",
            "authenticated": True,
            "transport": transport.wire_name,
            "format": "TEXT",
            "header": "7",
            "query": "blue",
        }
        stranger = await serve.connect(transports=transport)
        known = await stranger.invoke("Describe")
        assert (known["user_identifier"], known["authenticated"]) == (None, False)
        assert known["connection_id"] != client.connection_id


async def test_abort_ends_the_connection_without_an_error(hub_protocol: HubProtocol) -> None:
    """No reconnect either, because the Close does not allow it."""
    async with serving(Caller) as serve:
        ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        client = serve.builder(hub_protocol).with_automatic_reconnect().build()
        client.on_close(ended.set_result)
        await client.start()
        await client.send("Leave")
        async with asyncio.timeout(5):
            assert await ended is None


async def test_a_user_id_provider_decides_by_what_users_are_found() -> None:
    """Asked once for each connection."""
    asked = []

    def provider(connection: Any) -> str | None:
        asked.append(connection.connection_id)
        return "everybody"

    async with serving(Caller, user_id_provider=provider) as serve:
        client = await serve.connect()
        assert (await client.invoke("Describe"))["user_identifier"] == "everybody"
        assert asked == [client.connection_id]


class Rejecting(Hub):
    left = False

    async def on_connected(self) -> None:
        raise PermissionError("not you")

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Rejecting.left = True


@pytest.mark.parametrize(("detailed", "detail"), [(False, ""), (True, " PermissionError: not you")])
async def test_a_hub_may_refuse_a_connection(detailed: bool, detail: str) -> None:
    """The client is told, may not come back, and on_disconnected does not run."""
    Rejecting.left = False
    async with (
        serving(Rejecting, enable_detailed_errors=detailed) as serve,
        aiohttp.ClientSession() as session,
        session.ws_connect(serve.url) as socket,
    ):
        await socket.send_str('{"protocol":"json","version":1}\x1e')
        text = ""
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            text += message.data
        assert text == f'{{}}\x1e{{"type":7,"error":"Connection closed with an error.{detail}"}}\x1e'
        assert socket.close_code == 1000
    assert not Rejecting.left

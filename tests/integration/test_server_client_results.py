"""A hub asks a client for a result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from signalr_client import ConnectionClosedError, HubException, HubProtocol
from signalr_client.server import Hub, HubContext, HubUsageError
from tests.support.hub_server import refusal, serving


class Asking(Hub):
    def __init__(self, context: HubContext[Asking]) -> None:
        self.own = context

    async def ask(self, target: str, *, value: str) -> str:
        return await self.clients.caller.invoke(target, value, result_type=str)

    async def ask_anything(self, target: str) -> object:
        return await self.clients.caller.invoke(target)

    async def ask_other(self, connection_id: str, target: str) -> object:
        return await self.clients.client(connection_id).invoke(target)

    async def ask_through_context(self, target: str) -> object:
        return await self.own.clients.client(self.context.connection_id).invoke(target)

    async def ask_with_limit(self, target: str) -> str:
        try:
            async with asyncio.timeout(0.01):
                return str(await self.clients.caller.invoke(target))
        except TimeoutError:
            return "no answer in time"

    async def ask_in_stream(self, target: str) -> AsyncIterator[object]:
        for _ in range(2):
            yield await self.clients.caller.invoke(target)

    async def ask_for_each(self, items: AsyncIterator[int], target: str) -> list[object]:
        return [await self.clients.caller.invoke(target, item) async for item in items]

    def same(self, value: Any) -> Any:
        return value


class Gone(Hub):
    """Asks a client that leaves."""

    asked: asyncio.Future[BaseException | None]

    async def ask(self) -> None:
        try:
            await self.clients.caller.invoke("Q")
        except ConnectionClosedError as exc:
            Gone.asked.set_result(exc)

    async def on_disconnected(self, exception: BaseException | None) -> None:
        if self.context.items.get("ask again"):
            await self.ask()

    def ask_at_the_end(self) -> None:
        self.context.items["ask again"] = True


DETAILED: dict[str, Any] = {"enable_detailed_errors": True}


async def test_a_client_answers(hub_protocol: HubProtocol) -> None:
    """In plain calls, streams and uploads; the first question lets the next call begin, though one at a time is allowed."""
    async with serving(Asking) as serve:
        client = await serve.connect(hub_protocol)
        client.on("Q", lambda text: f"{text}!")
        client.on("Number", lambda: 7)
        client.on("Null", lambda: None)
        client.on("Double", lambda item: item * 2)

        async def nested() -> object:
            return await client.invoke("Same", "from inside")

        client.on("Nested", nested)
        assert await client.invoke("Ask", "Q", "hi") == "hi!"
        assert await client.invoke("AskAnything", "Number") == 7
        assert await client.invoke("AskAnything", "Null") is None
        assert await client.invoke("AskAnything", "Nested") == "from inside"
        assert [item async for item in client.stream("AskInStream", "Number")] == [7, 7]

        async def items() -> AsyncIterator[int]:
            yield 1
            yield 2

        assert await client.invoke("AskForEach", items(), "Double") == [2, 4]
        assert await client.invoke("AskThroughContext", "Number") == 7


async def test_one_client_asks_another(hub_protocol: HubProtocol) -> None:
    async with serving(Asking, **DETAILED) as serve:
        one, other = await serve.connect(hub_protocol), await serve.connect(hub_protocol)
        one.on("Who", lambda: "one")
        other.on("Who", lambda: "other")
        assert await one.invoke("AskOther", other.connection_id, "Who") == "other"
        context = serve.hub_context.clients
        assert one.connection_id
        assert await context.client(one.connection_id).invoke("Who", result_type=str) == "one"
        text = (
            "An unexpected error occurred invoking 'ask_other' on the server. IOException: Connection 'nobody' does not exist."
        )
        assert await refusal(one.invoke("AskOther", "nobody", "Who")) == text
        with pytest.raises(ConnectionClosedError, match="Connection 'nobody' does not exist"):
            await context.client("nobody").invoke("Who")


async def test_what_goes_wrong_on_the_client_is_a_hub_exception_here(hub_protocol: HubProtocol) -> None:
    async with serving(Asking) as serve:
        client = await serve.connect(hub_protocol)

        def fail() -> None:
            raise ValueError("client broke")

        client.on("Fail", fail)
        client.on("Wrong", lambda _value: [1])
        start = "An unexpected error occurred invoking '{}' on the server. HubException: "
        assert await refusal(client.invoke("AskAnything", "Fail")) == start.format("ask_anything") + "client broke"
        text = await refusal(client.invoke("AskAnything", "Nobody"))
        assert text == start.format("ask_anything") + "Client didn't provide a result."
        text = await refusal(client.invoke("Ask", "Wrong", "x"))
        assert text.startswith(start.format("ask") + "Error trying to deserialize result to str.")
        assert await client.invoke("Same", 1) == 1


async def test_a_late_answer_is_dropped(hub_protocol: HubProtocol) -> None:
    async with serving(Asking) as serve:
        client = await serve.connect(hub_protocol)
        release = asyncio.Event()

        async def slow() -> str:
            await release.wait()
            return "late"

        client.on("Slow", slow)
        assert await client.invoke("AskWithLimit", "Slow") == "no answer in time"
        release.set()
        assert await client.invoke("Same", "alive") == "alive"


async def test_who_waits_for_a_client_that_leaves_is_told() -> None:
    Gone.asked = asyncio.get_running_loop().create_future()
    async with serving(Gone) as serve:
        client = await serve.connect(close_timeout=0.01)  # its handler never ends
        waits = asyncio.Event()

        async def never() -> None:
            waits.set()
            await asyncio.Event().wait()

        client.on("Q", never)
        await client.send("Ask")
        async with asyncio.timeout(5):
            await waits.wait()
            connection_id = client.connection_id
            stopping = asyncio.create_task(client.stop())
            assert str(await Gone.asked) == f"Connection '{connection_id}' disconnected."
            await stopping


async def test_asking_in_on_disconnected_finds_nobody() -> None:
    Gone.asked = asyncio.get_running_loop().create_future()
    async with serving(Gone) as serve:
        client = await serve.connect()
        await client.invoke("AskAtTheEnd")
        connection_id = client.connection_id
        await client.stop()
        async with asyncio.timeout(5):
            assert str(await Gone.asked).startswith(f"Connection '{connection_id}' d")


class Early(Hub):
    problem: asyncio.Future[BaseException]

    async def on_connected(self) -> None:
        try:
            await self.clients.caller.invoke("Q")
        except HubUsageError as exc:
            Early.problem.set_result(exc)


async def test_no_questions_in_on_connected() -> None:
    """No message of the client is read before it returns: it would wait for ever."""
    Early.problem = asyncio.get_running_loop().create_future()
    async with serving(Early) as serve:
        await serve.connect()
        async with asyncio.timeout(5):
            assert str(await Early.problem) == "Client results inside OnConnectedAsync Hub methods are not allowed."


class Raw:
    """A client that speaks JSON by hand."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._socket = socket
        self._rest = ""

    async def begin(self) -> None:
        await self._socket.send_str('{"protocol":"json","version":1}\x1e')
        assert await self.receive() == "{}"

    async def send(self, **message: Any) -> None:
        await self._socket.send_str(json.dumps(message) + "\x1e")

    async def receive(self) -> str:
        while "\x1e" not in self._rest:
            self._rest += str(await self._socket.receive_str(timeout=5))
        record, _, self._rest = self._rest.partition("\x1e")
        return record


async def test_questions_have_ids_of_their_own() -> None:
    """The ids are s1, s2 and so on, which never meet those that the client gives; members in their order."""
    async with serving(Asking) as serve, aiohttp.ClientSession() as session, session.ws_connect(serve.url) as socket:
        raw = Raw(socket)
        await raw.begin()
        for number in (1, 2):
            await raw.send(type=1, invocationId="s9", target="AskAnything", arguments=["Q"])
            assert await raw.receive() == f'{{"type":1,"invocationId":"s{number}","target":"Q","arguments":[]}}'
            await raw.send(type=3, invocationId=f"s{number}", result=number)
            assert await raw.receive() == f'{{"type":3,"invocationId":"s9","result":{number}}}'


async def test_an_answer_without_a_result_is_an_error() -> None:
    async with serving(Asking) as serve, aiohttp.ClientSession() as session, session.ws_connect(serve.url) as socket:
        raw = Raw(socket)
        await raw.begin()
        await raw.send(type=1, invocationId="1", target="AskAnything", arguments=["Q"])
        await raw.receive()
        await raw.send(type=3, invocationId="s1")
        assert "An unexpected error occurred invoking 'ask_anything' on the server. HubException: " in await raw.receive()


async def test_an_answer_of_somebody_who_was_not_asked_ends_that_connection() -> None:
    async with (
        serving(Asking, **DETAILED) as serve,
        aiohttp.ClientSession() as session,
        session.ws_connect(serve.url) as one,
        session.ws_connect(serve.url) as other,
    ):
        asked, liar = Raw(one), Raw(other)
        await asked.begin()
        await liar.begin()
        await asked.send(type=1, invocationId="1", target="AskAnything", arguments=["Q"])
        await asked.receive()
        await liar.send(type=3, invocationId="s1", result="a lie")
        close = await liar.receive()
        assert close.startswith('{"type":7,"error":"Connection closed with an error.')
        assert "is not valid for invocation ID 's1'." in close
        await asked.send(type=3, invocationId="s1", result="the truth")
        assert await asked.receive() == '{"type":3,"invocationId":"1","result":"the truth"}'


async def test_cancelling_the_question_ends_the_wait_alone() -> None:
    async with serving(Asking) as serve:
        client = await serve.connect(close_timeout=0.01)  # its handler never ends
        asked = asyncio.Event()

        async def answer() -> str:
            asked.set()
            await asyncio.Event().wait()
            return "never"

        client.on("Q", answer)
        assert client.connection_id
        question = asyncio.create_task(serve.hub_context.clients.client(client.connection_id).invoke("Q"))
        await asked.wait()
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
        assert await client.invoke("Same", "alive") == "alive"
        with pytest.raises(HubException, match="Method does not exist"):
            await client.invoke("NoSuchMethod")

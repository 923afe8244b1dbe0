"""The code and data of a HubException, from wherever it is raised to whoever waits for the call. See docs/errors.md."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

import pydantic
import pytest

from signalr_client import HubConnection, HubConnectionBuilder, HubException, HubProtocol
from signalr_client.core.error_header import ERROR_HEADER
from signalr_client.server import FromServices, Hub, HubFilter, HubInvocationContext, ServiceCollection
from tests.support.hub_server import serving
from tests.support.raw import raw
from tests.support.scripted_server import Peer, scripted_server

WAIT: Final = 10.0
SAMPLE: Final = {"room": "lobby", "free": [1, None]}


@dataclass
class Details:
    room_name: str


class RoomFull(HubException):
    """An error of the application, which knows its code and data."""

    code = "room_full"

    def __init__(self, room: str) -> None:
        super().__init__(f"the room {room} is full", data=Details(room))


@dataclass
class Checked:
    """Refuses values on purpose."""

    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise HubException("no negative numbers", "negative", {"number": self.number})
        if self.number == 0:
            raise ValueError("secret")


class CheckedModel(pydantic.BaseModel):
    """The same, by a validator."""

    number: int

    @pydantic.field_validator("number")
    @classmethod
    def check(cls, number: int) -> int:
        if number < 0:
            raise HubException("no negative numbers", "negative", {"number": number})
        return number


class Service:
    """A service that cannot be created."""

    def __init__(self) -> None:
        raise HubException("the service is closed", "closed", [1])


class Failing(Hub):
    def plain(self) -> None:
        raise HubException("told", "a code", SAMPLE)

    async def later(self) -> None:
        await asyncio.sleep(0)
        raise RoomFull("lobby")

    def without(self) -> None:
        raise HubException("told")

    def defect(self) -> None:
        error = ValueError("secret")
        error.code, error.data = "secret", "secret"  # type: ignore[attr-defined]  # on purpose
        raise error

    def defect_because_of_a_hub_exception(self) -> None:
        try:
            self.plain()
        except HubException as exc:
            raise RuntimeError("secret") from exc

    def unsendable(self) -> None:
        raise HubException("told", "a code", {"value": object()})

    async def items(self) -> AsyncIterator[int]:
        yield 1
        raise HubException("ran out", 7, SAMPLE)

    def no_items(self) -> AsyncIterator[int]:
        raise RoomFull("attic")

    def checked(self, value: Checked) -> int:
        return value.number

    def checked_model(self, value: CheckedModel) -> int:
        return value.number

    def injected(self, service: Annotated[Service, FromServices()]) -> None:
        raise AssertionError(service)

    async def collect(self, values: AsyncIterator[int]) -> list[int]:
        return [value async for value in values]

    async def collect_checked(self, values: AsyncIterator[Checked]) -> int:
        return sum([value.number async for value in values])

    async def error_of(self, values: AsyncIterator[int]) -> list[object]:
        try:
            async for _ in values:
                pass
        except HubException as exc:
            return [str(exc), exc.text, exc.code, exc.data, exc.received]
        return []

    async def ask(self, target: str) -> list[object]:
        try:
            return [await self.clients.caller.invoke(target, -1)]
        except HubException as exc:
            return [str(exc), exc.text, exc.code, exc.data, exc.received]

    async def pass_on(self, target: str) -> object:
        return await self.clients.caller.invoke(target)

    async def pass_on_on_purpose(self, target: str) -> object:
        try:
            return await self.clients.caller.invoke(target)
        except HubException as exc:
            raise HubException(exc.text, exc.code, exc.data) from exc

    def same(self, value: object) -> object:
        return value


async def fails(call: Any) -> HubException:
    """Return the HubException that a call raises."""
    async with asyncio.timeout(WAIT):
        with pytest.raises(HubException) as caught:
            await call
    return caught.value


def invoking(name: str) -> str:
    """Return the official text before what a hub method says."""
    return f"An unexpected error occurred invoking '{name}' on the server."


@pytest.mark.parametrize(
    ("target", "kind", "text", "code", "data"),
    [
        ("plain", "HubException", "told", "a code", SAMPLE),
        ("later", "RoomFull", "the room lobby is full", "room_full", {"roomName": "lobby"}),
        ("without", "HubException", "told", None, None),
        ("injected", "HubException", "the service is closed", "closed", [1]),
    ],
)
async def test_a_hub_method_sends_code_and_data(
    hub_protocol: HubProtocol, target: str, kind: str, text: str, code: object, data: object
) -> None:
    services = ServiceCollection().add_transient(Service)
    async with serving(Failing, services=services) as serve:
        client = await serve.connect(hub_protocol)
        error = await fails(client.invoke(target))
        assert str(error) == error.message == f"{invoking(target)} {kind}: {text}"
        assert (error.text, error.code, error.data) == (text, code, data)
        assert await client.invoke("same", 1) == 1


@pytest.mark.parametrize("target", ["defect", "defect_because_of_a_hub_exception"])
@pytest.mark.parametrize("detailed", [False, True])
async def test_nothing_of_other_exceptions_is_sent(hub_protocol: HubProtocol, target: str, *, detailed: bool) -> None:
    """Not even if the cause is a HubException; detailed errors show the text, as before."""
    async with serving(Failing, enable_detailed_errors=detailed) as serve:
        client = await serve.connect(hub_protocol)
        error = await fails(client.invoke(target))
        assert (error.code, error.data) == (None, None)
        assert error.text == ("secret" if detailed else invoking(target))


async def test_data_that_cannot_be_sent_is_logged_and_the_error_goes_out(
    hub_protocol: HubProtocol, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)
        error = await fails(client.invoke("unsendable"))
        assert (error.text, error.code, error.data) == ("told", "a code", None)
        assert await client.invoke("same", 1) == 1
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning == (
        "! the data of a HubException cannot be sent: data['value']: a value of type builtins.object has no JSON form"
    )


async def test_the_end_of_a_stream_has_code_and_data(hub_protocol: HubProtocol) -> None:
    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)
        received = []
        with pytest.raises(HubException) as caught:
            async for item in client.stream("items"):
                received.append(item)  # noqa: PERF401  # an error follows
        error = caught.value
        assert received == [1]
        assert str(error) == "An error occurred on the server while streaming results. HubException: ran out"
        assert (error.text, error.code, error.data) == ("ran out", 7, SAMPLE)
        error = await fails(anext(client.stream("no_items")))
        assert (error.text, error.code, error.data) == ("the room attic is full", "room_full", {"roomName": "attic"})


@pytest.mark.parametrize("target", ["checked", "checked_model"])
async def test_a_class_that_refuses_an_argument_sends_code_and_data(hub_protocol: HubProtocol, target: str) -> None:
    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)
        error = await fails(client.invoke(target, {"number": -1}))
        assert str(error) == f"Failed to invoke '{target}' due to an error on the server. HubException: no negative numbers"
        assert (error.text, error.code, error.data) == ("no negative numbers", "negative", {"number": -1})
        assert await client.invoke(target, {"number": 5}) == 5


async def test_a_class_that_refuses_an_argument_with_another_exception_sends_nothing_of_it(hub_protocol: HubProtocol) -> None:
    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)
        error = await fails(client.invoke("checked", {"number": 0}))
        assert str(error) == error.text == "Failed to invoke 'checked' due to an error on the server."
        assert (error.code, error.data) == (None, None)


async def test_a_class_that_refuses_an_uploaded_item_sends_code_and_data(hub_protocol: HubProtocol) -> None:
    """Its exception is raised in the hub method."""

    async def values() -> AsyncIterator[object]:
        yield {"number": 1}
        yield {"number": -1}

    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)
        error = await fails(client.invoke("collect_checked", values()))
        assert str(error) == f"{invoking('collect_checked')} HubException: no negative numbers"
        assert (error.code, error.data) == ("negative", {"number": -1})


class Gate(HubFilter):
    """Answers some calls itself, and changes the errors of others."""

    async def invoke_method(self, invocation: HubInvocationContext, next: Any) -> object:
        if invocation.hub_method_name == "same":
            raise HubException("the filter said no", "filtered", SAMPLE)
        try:
            return await next(invocation)
        except RoomFull as exc:
            raise HubException("replaced", 1) from exc


async def test_a_filter_sends_code_and_data(hub_protocol: HubProtocol) -> None:
    async with serving(Failing, hub_filters=[Gate()]) as serve:
        client = await serve.connect(hub_protocol)
        for target, arguments, expected in [
            ("same", [1], ("the filter said no", "filtered", SAMPLE)),
            ("later", [], ("replaced", 1, None)),
            ("plain", [], ("told", "a code", SAMPLE)),
        ]:
            error = await fails(client.invoke(target, *arguments))
            assert (error.text, error.code, error.data) == expected


# the other direction


def refuse(*_arguments: object) -> None:
    """Fail as a handler."""
    raise HubException("not now", "busy", SAMPLE)


def refuse_argument(value: Checked) -> None:
    """Be refused by an argument."""
    raise AssertionError(value)


async def refuse_later(*_arguments: object) -> None:
    """Fail after a while, with a class of its own."""
    await asyncio.sleep(0)
    raise RoomFull("cellar")


async def connected(serve: Any, protocol: HubProtocol) -> HubConnection:
    """Return a client with handlers that fail."""
    client: HubConnection = await serve.connect(protocol)
    client.on("Refuse", refuse)
    client.on("RefuseLater", refuse_later)
    return client


async def test_a_handler_sends_code_and_data(hub_protocol: HubProtocol) -> None:
    async with serving(Failing) as serve:
        client = await connected(serve, hub_protocol)
        client.on("Defect", lambda value: dict[int, int]()[value])
        assert await client.invoke("ask", "Refuse") == ["not now", "not now", "busy", SAMPLE, True]
        answer = ["the room cellar is full", "the room cellar is full", "room_full", {"roomName": "cellar"}, True]
        assert await client.invoke("ask", "RefuseLater") == answer
        assert await client.invoke("ask", "Defect") == ["-1", "-1", None, None, True]


async def test_a_class_that_refuses_the_argument_of_a_handler_sends_code_and_data(hub_protocol: HubProtocol) -> None:
    class Ask(Hub):
        async def ask(self) -> list[object]:
            try:
                return [await self.clients.caller.invoke("Refuse", {"number": -2})]
            except HubException as exc:
                return [str(exc), exc.code, exc.data]

    async with serving(Ask) as serve:
        client = await serve.connect(hub_protocol)
        client.on("Refuse", refuse_argument)
        assert await client.invoke("ask") == ["no negative numbers", "negative", {"number": -2}]


async def test_the_error_of_a_client_is_passed_on_without_its_code_and_data(hub_protocol: HubProtocol) -> None:
    """The author of the hub did not put them there. The message is passed on, as in ASP.NET Core."""
    async with serving(Failing) as serve:
        client = await connected(serve, hub_protocol)
        error = await fails(client.invoke("pass_on", "Refuse"))
        assert str(error) == f"{invoking('pass_on')} HubException: not now"
        assert (error.code, error.data) == (None, None)
        error = await fails(client.invoke("pass_on_on_purpose", "Refuse"))
        assert (error.text, error.code, error.data) == ("not now", "busy", SAMPLE)


async def test_a_handler_does_not_pass_on_the_code_and_data_of_the_server(hub_protocol: HubProtocol) -> None:
    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)

        async def nested(_value: int) -> object:
            return await client.invoke("plain")

        client.on("Nested", nested)
        text = f"{invoking('plain')} HubException: told"
        assert await client.invoke("ask", "Nested") == [text, "told", None, None, True]


async def test_the_source_of_an_upload_sends_code_and_data(hub_protocol: HubProtocol) -> None:
    async def values() -> AsyncIterator[int]:
        yield 1
        raise RoomFull("garden")

    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)
        answer = ["the room garden is full", "the room garden is full", "room_full", {"roomName": "garden"}, True]
        assert await client.invoke("error_of", values()) == answer
        error = await fails(client.invoke("collect", values()))
        assert (error.text, error.code, error.data) == ("the room garden is full", None, None)


async def test_a_stream_that_is_passed_on_as_an_upload_passes_on_the_message_only(hub_protocol: HubProtocol) -> None:
    async with serving(Failing) as serve:
        client = await serve.connect(hub_protocol)
        message, text, code, data, _ = await client.invoke("error_of", client.stream("items"), result_type=list)
        assert message == "An error occurred on the server while streaming results. HubException: ran out"
        assert (text, code, data) == ("ran out", None, None)


# the wire


async def test_the_header_is_sent_only_where_it_says_something() -> None:
    """Old Java clients refuse messages with headers, so there are none without need."""
    async with serving(Failing) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        answers = []
        for target in ["plain", "without", "defect", "later"]:
            await socket.call(target, id=target)
            answers.append(json.loads(await socket.read() or ""))
    headers = {answer["invocationId"]: answer.get("headers") for answer in answers}
    assert headers == {
        "plain": {ERROR_HEADER: '{"code":"a code","data":{"room":"lobby","free":[1,null]}}'},
        "without": None,
        "defect": None,
        "later": {ERROR_HEADER: '{"code":"room_full","data":{"roomName":"lobby"}}'},
    }


HOSTILE: Final = [
    "",
    "no JSON",
    "[]",
    "[" * 8000,
    '{"code":[]}',
    '{"code":"a","data":' + "9" * 100 + "}",
    '{"code":"a","data":' + "[" * 100 + "]" * 100 + "}",
    '{"data":"' + "x" * 9000 + '"}',
]


async def test_a_hostile_client_cannot_harm_the_server_with_the_header(caplog: pytest.LogCaptureFixture) -> None:
    """Its error arrives without code and data, and its connection goes on."""
    async with serving(Failing) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        for text in HOSTILE:
            await socket.call("ask", "Q", id="1")
            question = json.loads(await socket.read() or "")
            assert question["target"] == "Q"
            answer = {"type": 3, "invocationId": question["invocationId"], "headers": {ERROR_HEADER: text}, "error": "no"}
            await socket.send(answer)
            assert json.loads(await socket.read() or "")["result"] == ["no", "no", None, None, True]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_hostile_server_cannot_harm_the_client_with_the_header(caplog: pytest.LogCaptureFixture) -> None:
    """Calls and streams end with the error, without code and data, and the connection goes on."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        while frame := await peer.receive():
            for call in frame:
                if call["type"] in (1, 4):
                    headers = {ERROR_HEADER: call["arguments"][0]}
                    await peer.send({"type": 3, "headers": headers, "invocationId": call["invocationId"], "error": "no"})

    async with scripted_server() as server:
        server.script = script
        async with HubConnectionBuilder().with_url(server.url).build() as client:
            for text in HOSTILE:
                for call in (client.invoke("fail", text), anext(client.stream("fail", text))):
                    error = await fails(call)
                    assert (str(error), error.text, error.code, error.data) == ("no", "no", None, None)
            error = await fails(client.invoke("fail", '{"code":"a","data":[1]}'))
            assert (error.code, error.data) == ("a", [1])
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

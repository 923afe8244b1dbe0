"""Whatever code of a hub raises, its caller gets a response, its slot is free again, and the connection goes on where it can."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import pytest

from signalr_client.server import (
    FromServices,
    Hub,
    HubFilter,
    ServiceCollection,
    User,
    authorize,
)
from tests.support.hub_server import serving
from tests.support.raw import HANDSHAKE, Socket, raw


class Odd(BaseException):
    """No `Exception`, and none of Python's own."""


RAISED: dict[str, Callable[[], BaseException]] = {
    "CancelledError": lambda: asyncio.CancelledError("raised by the hub"),
    "BaseException": lambda: Odd("raised by the hub"),
    "GeneratorExit": lambda: GeneratorExit("raised by the hub"),
}


def failing(kind: str, style: str) -> Callable[..., Any]:
    """Return a function that raises, at once or after it has waited."""

    make = RAISED[kind]

    def fail_at_once(*_arguments: Any) -> Any:
        raise make()

    async def fail_later(*_arguments: Any) -> Any:
        await asyncio.sleep(0)
        raise make()

    return fail_at_once if style == "sync" else fail_later


class Service:
    """Asked for by hubs."""


class Usable(Hub):
    """A hub whose other methods still work."""

    def same(self, value: object) -> object:
        return value


def method(fail: Callable[..., Any]) -> tuple[type[Hub], dict[str, Any]]:
    class Failing(Usable):
        def work(self) -> Any:
            return fail()

    return Failing, {}


def filter_around_calls(fail: Callable[..., Any]) -> tuple[type[Hub], dict[str, Any]]:
    class Filter(HubFilter):
        async def invoke_method(self, invocation: Any, next: Any) -> object:
            if invocation.hub_method_name != "work":
                return await next(invocation)
            result = fail()
            return await result

    class Failing(Usable):
        def work(self) -> None:
            raise AssertionError("the filter has not called the method")

    return Failing, {"hub_filters": [Filter()]}


def policy(fail: Callable[..., Any]) -> tuple[type[Hub], dict[str, Any]]:
    class Failing(Usable):
        @authorize(policy=fail)
        def work(self) -> None:
            raise AssertionError("the policy has not allowed this")

    return Failing, {"authenticate": lambda _request: User("anna")}


def service(fail: Callable[..., Any]) -> tuple[type[Hub], dict[str, Any]]:
    class Failing(Usable):
        def work(self, service: Annotated[Service, FromServices()]) -> None:
            raise AssertionError(f"there is no {service}")

    return Failing, {"services": ServiceCollection().add_transient(Service, fail)}


def service_that_is_closed(fail: Callable[..., Any]) -> tuple[type[Hub], dict[str, Any]]:
    class Closing(Service):
        def close(self) -> Any:
            return fail()

    class Failing(Usable):
        def work(self, service: Annotated[Service, FromServices()]) -> None:
            raise RuntimeError("so that it is not over before the service is closed")

    return Failing, {"services": ServiceCollection().add_scoped(Service, Closing)}


def constructor(fail: Callable[..., Any]) -> tuple[type[Hub], dict[str, Any]]:
    class Failing(Usable):
        def __init__(self) -> None:
            if fails.pop():
                fail()

        def work(self) -> None:
            raise AssertionError("there is no instance")

    fails = [False, False, True, False]  # from the end: on_connected, the call, the call after it, on_disconnected
    return Failing, {}


CALLS = [
    (place, style)
    for place in (method, filter_around_calls, policy, service, service_that_is_closed, constructor)
    for style in ("sync", "async")
    if (place, style) not in ((service, "async"), (constructor, "async"))  # these are called, never awaited
]


async def answer_to(socket: Socket, invocation_id: str) -> dict[str, Any]:
    """Return the Completion of a call."""
    while True:
        record = await socket.read()
        assert record is not None, "the connection has ended"
        message: dict[str, Any] = json.loads(record)
        if message["type"] == 3 and message["invocationId"] == invocation_id:
            return message


async def check_usable(socket: Socket) -> None:
    """Check that the connection works, and that a slot is free: there is one for each client."""
    await socket.call("Same", "usable", id="after")
    assert await answer_to(socket, "after") == {"type": 3, "invocationId": "after", "result": "usable"}


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize(("place", "style"), CALLS, ids=[f"{place.__name__}-{style}" for place, style in CALLS])
async def test_a_call_whose_code_raises_anything_is_answered(place: Callable[..., Any], style: str, kind: str) -> None:
    hub_type, options = place(failing(kind, style))
    async with serving(hub_type, **options) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Work", id="1")
        error = "An unexpected error occurred invoking 'work' on the server."
        assert await answer_to(socket, "1") == {"type": 3, "invocationId": "1", "error": error}
        await check_usable(socket)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("style", ["sync", "async"])
async def test_a_dispose_that_raises_anything_comes_too_late_to_change_the_result(style: str, kind: str) -> None:
    fail = failing(kind, style)

    class Failing(Usable):
        def work(self) -> str:
            return "done"

        def dispose(self) -> Any:
            return fail()

        async def on_connected(self) -> None:
            self.dispose = lambda: None  # type: ignore[method-assign]  # of this instance only

    async with serving(Failing) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Work", id="1")
        assert await answer_to(socket, "1") == {"type": 3, "invocationId": "1", "result": "done"}
        await check_usable(socket)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("items", [0, 2])
async def test_a_stream_that_raises_anything_is_completed(items: int, style: str, kind: str) -> None:
    fail = failing(kind, style)

    class Failing(Usable):
        async def work(self) -> AsyncIterator[int]:
            for item in range(items):
                yield item
            result = fail()
            await result

    async with serving(Failing) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.send({"type": 4, "invocationId": "1", "target": "Work", "arguments": []})
        for item in range(items):
            assert json.loads(await socket.read() or "") == {"type": 2, "invocationId": "1", "item": item}
        error = "An error occurred on the server while streaming results."
        assert await answer_to(socket, "1") == {"type": 3, "invocationId": "1", "error": error}
        await check_usable(socket)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("place", ["hub", "filter"])
async def test_an_on_connected_that_raises_anything_ends_the_connection_with_a_close(place: str, style: str, kind: str) -> None:
    """And `on_disconnected` does not run: the hub has not accepted the connection."""
    fail = failing(kind, style)
    left: list[object] = []

    class Failing(Usable):
        def on_connected(self) -> Any:
            return fail() if place == "hub" else asyncio.sleep(0)

        async def on_disconnected(self, exception: BaseException | None) -> None:
            left.append(exception)

    class Filter(HubFilter):
        def on_connected(self, lifetime: Any, next: Any) -> Any:
            return fail()

    filters = [Filter()] if place == "filter" else []
    async with serving(Failing, hub_filters=filters) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.write(HANDSHAKE)
        assert await socket.read_all() == ["{}", '{"type":7,"error":"Connection closed with an error."}']
        assert socket.socket.close_code == 1000
    assert left == []


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("place", ["hub", "filter"])
async def test_an_on_disconnected_that_raises_anything_is_the_end_of_its_own_connection_only(
    place: str, style: str, kind: str
) -> None:
    fail = failing(kind, style)

    class Failing(Usable):
        def on_disconnected(self, exception: BaseException | None) -> Any:
            return fail() if place == "hub" else asyncio.sleep(0)

    class Filter(HubFilter):
        def on_disconnected(self, lifetime: Any, exception: Any, next: Any) -> Any:
            return fail()

    filters = [Filter()] if place == "filter" else []
    async with (
        serving(Failing, hub_filters=filters) as serve,
        raw(serve.url) as hub,
        hub.socket() as other,
        hub.socket() as socket,
    ):
        await other.shake_hands()
        await socket.shake_hands()
        await socket.send({"type": 7})
        assert await socket.read_all() == ['{"type":7}']
        assert socket.socket.close_code == 1011
        await check_usable(other)


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize("transport", ["ws", "lp"])
async def test_a_user_id_provider_that_raises_anything_fails_the_handshake(transport: str, style: str, kind: str) -> None:
    """In ASP.NET Core's words; over Long Polling the connection used to stay, without a response."""
    error = '{"error":"An unexpected error occurred during connection handshake."}'
    async with serving(Usable, user_id_provider=failing(kind, style)) as serve, raw(serve.url) as hub:
        if transport == "ws":
            async with hub.socket() as socket:
                assert await socket.read_all() == [error]
                assert socket.socket.close_code == 1011
            return
        token = await hub.negotiate()
        assert (await hub.request("GET", id=token)).status == 200
        assert (await hub.request("GET", id=token)).text == error + "\x1e"
        assert (await hub.request("GET", id=token)).status == 204
        assert (await hub.request("GET", id=token)).status == 404


@pytest.mark.parametrize("kind", RAISED)
@pytest.mark.parametrize("style", ["sync", "async"])
async def test_an_authenticate_that_raises_anything_fails_its_request_only(style: str, kind: str) -> None:
    fail, failures = failing(kind, style), [True]

    def authenticate(_request: Any) -> Any:
        return fail() if failures else None

    async with serving(Usable, authenticate=authenticate) as serve, raw(serve.url) as hub:
        assert (await hub.request("POST", "/negotiate")).status == 500
        assert (await hub.request("GET", headers={"Accept": "text/event-stream"})).status == 500
        failures.clear()
        async with hub.socket(await hub.negotiate()) as socket:
            await socket.shake_hands()
            await check_usable(socket)


async def test_an_exception_whose_text_cannot_be_read_is_reported_without_it() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    class Failing(Usable):
        def work(self) -> None:
            raise Broken

    async with serving(Failing, enable_detailed_errors=True) as serve, raw(serve.url) as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Work", id="1")
        assert (await answer_to(socket, "1"))["error"].startswith(
            "An unexpected error occurred invoking 'work' on the server. Broken: "
        )
        await check_usable(socket)


async def test_a_method_that_waits_for_a_client_that_leaves_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Clients come and go; only what they cannot cause is logged with a traceback."""
    begun: asyncio.Queue[None] = asyncio.Queue()
    ended: asyncio.Queue[None] = asyncio.Queue()

    class Waiting(Usable):
        async def read(self, items: AsyncIterator[int]) -> list[int]:
            begun.put_nowait(None)
            return [item async for item in items]

        async def ask(self) -> object:
            begun.put_nowait(None)
            return await self.clients.caller.invoke("Give")

        def dispose(self) -> None:
            ended.put_nowait(None)

    caplog.set_level(logging.INFO, "signalr_client")
    async with serving(Waiting) as serve, raw(serve.url) as hub, asyncio.timeout(10):
        async with hub.socket() as socket:
            await socket.shake_hands()
            await socket.call("Read", id="1", streamIds=["u"])
            await socket.call("Ask", id="2")
            for _ in range(2):
                await begun.get()
        for _ in range(4):  # with on_connected and on_disconnected
            await ended.get()
    failed = {record.getMessage(): record.levelname for record in caplog.records}
    assert failed == {"! 'read' failed": "INFO", "! 'ask' failed": "INFO"}

"""What type checkers must infer about the public API, and which lines they must reject. Checked by test_types.py, never run.

`assert_type` fails if the inferred type differs. A line with ``# type: ignore`` must be an error: both checkers report unused
ignore comments.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict, assert_type

from tenacity import wait_exponential

from signalr_client import (
    DateTimeOffset,
    ExponentialBackoff,
    HubConnection,
    HubConnectionBuilder,
    HubException,
    HubProtocol,
    HubStream,
    JsonHubProtocol,
    MessagePackHubProtocol,
    PropertyName,
    RetryContext,
    RetryPolicy,
    Subscription,
    TransferFormat,
    bind,
    member_names,
)
from signalr_client.core.framing import Framer, TextFramer
from signalr_client.core.messages import HubMessage
from signalr_client.server import Hub, SingleClientProxy


@dataclass
class Point:
    """A type to convert to."""

    x: int
    y: int


class Color(Enum):
    """An enumeration."""

    RED = 0


class Movie(TypedDict):
    """Another type to convert to."""

    title: str


class RoomFull(HubException):
    """A subclass with a code of its own."""

    code = "room_full"


def errors(error: HubException) -> None:
    """The attributes of an error, and how one is made."""
    assert_type(error.code, str | int | None)
    assert_type(error.data, object)
    assert_type(error.text, str)
    assert_type(bind(error.data, Point), Point)
    RoomFull("m", data=Point(1, 2))
    HubException("m", code=404)
    HubException("m", code=1.5)  # type: ignore[arg-type]


async def results(connection: HubConnection) -> None:
    """`result_type` is the type of the result, in all its forms."""
    assert_type(await connection.invoke("M"), Any)
    assert_type(await connection.invoke("M", 1, "a", result_type=None), Any)
    assert_type(await connection.invoke("M", result_type=int), int)
    assert_type(await connection.invoke("M", 1, "a", result_type=Point), Point)
    assert_type(await connection.invoke("M", result_type=Movie), Movie)
    assert_type(await connection.invoke("M", result_type=list[Point]), list[Point])
    assert_type(await connection.invoke("M", result_type=int | None), int | None)
    assert_type(await connection.invoke("M", result_type=dict[str, list[int | None]]), dict[str, list[int | None]])
    assert_type(await connection.invoke("M", result_type=Literal["a", "b"]), Literal["a", "b"])
    assert_type(await connection.invoke("M", result_type=tuple[int, str]), tuple[int, str])
    chosen_at_run_time: Any = int
    assert_type(await connection.invoke("M", result_type=chosen_at_run_time), Any)
    await connection.invoke("M", result_type=5)  # type: ignore[call-overload]
    assert_type(await connection.invoke("M", result_type=Decimal | None), Decimal | None)
    assert_type(await connection.invoke("M", result_type=DateTimeOffset), DateTimeOffset)
    assert_type(await connection.invoke("M", result_type=Annotated[int, "metadata"]), int)
    assert_type(await connection.invoke("M", result_type=None | int), int | None)
    assert_type(bind(1, int | None), int | None)


class AskingHub(Hub):
    """A hub that asks its clients."""

    async def ask(self) -> int:
        """`result_type` of a client result has the same forms."""
        caller = self.clients.caller
        assert_type(caller, SingleClientProxy)
        assert_type(await caller.invoke("M"), object)
        assert_type(await caller.invoke("M", 1, result_type=Point), Point)
        assert_type(await caller.invoke("M", result_type=int | None), int | None)
        assert_type(await caller.invoke("M", result_type=list[Point | None]), list[Point | None])
        assert_type(await caller.invoke("M", result_type=Literal["a", "b"]), Literal["a", "b"])
        await caller.invoke("M", result_type=5)  # type: ignore[call-overload]
        return await caller.invoke("M", result_type=int)


def spelling(builder: HubConnectionBuilder) -> None:
    """How names are spelled: a word, or a function."""
    builder.with_hub_protocol(JsonHubProtocol(naming="PascalCase", enum_naming="camelCase"))
    builder.with_hub_protocol(MessagePackHubProtocol(naming=str.upper, enum_naming=None))
    JsonHubProtocol(naming="kebab-case")  # type: ignore[arg-type]
    JsonHubProtocol("PascalCase")  # type: ignore[call-arg]
    MessagePackHubProtocol(naming=len)  # type: ignore[arg-type]
    assert_type(PropertyName("IsOK", json="isOk").name, str)
    PropertyName("IsOK", "isOk")  # type: ignore[call-arg]
    assert_type(member_names(RED="red")(Color), type[Color])
    member_names(RED="red")(Point)  # type: ignore[type-var]
    assert_type(DateTimeOffset.of(datetime.now(UTC)), DateTimeOffset)
    moment: datetime = DateTimeOffset(2024, 2, 29, tzinfo=UTC)
    del moment


async def items(connection: HubConnection) -> None:
    """`item_type` is the type of the items."""
    assert_type(connection.stream("M"), HubStream[Any])
    assert_type(connection.stream("M", 1, item_type=int), HubStream[int])
    assert_type(connection.stream("M", item_type=Point | None), HubStream[Point | None])
    async for item in connection.stream("M", item_type=Literal[1, 2]):
        assert_type(item, Literal[1, 2])
    async with connection.stream("M", item_type=int) as stream:
        assert_type(stream, HubStream[int])
    connection.stream("M", item_type="int | no type")  # type: ignore[call-overload]


def protocols(builder: HubConnectionBuilder) -> None:
    """The protocols of the package are hub protocols, and so is a custom one."""
    assert_type(builder.with_hub_protocol(JsonHubProtocol()), HubConnectionBuilder)
    assert_type(builder.with_hub_protocol(MessagePackHubProtocol()), HubConnectionBuilder)
    builder.with_hub_protocol(OwnProtocol())
    builder.with_hub_protocol("messagepack")  # type: ignore[arg-type]
    builder.with_hub_protocol(MessagePackHubProtocol)  # type: ignore[arg-type]
    protocol: HubProtocol = MessagePackHubProtocol()
    assert_type(protocol.name, str)
    assert_type(protocol.transfer_format, TransferFormat)


class OwnProtocol:
    """A custom protocol, which has only the attributes that the interface requires."""

    name = "own"
    version = 1
    transfer_format = TransferFormat.TEXT

    def framer(self, max_size: int | None = None) -> Framer:
        """Split records like JSON."""
        return TextFramer(max_size)

    def encode(self, message: HubMessage) -> bytes:
        """Encode a message."""
        return repr(message).encode()

    def decode(self, record: bytes) -> HubMessage | None:
        """Decode a message."""
        del record
        return None


class GrowingDelay:
    """A retry policy whose parameter has another name."""

    def next_retry_delay(self, context: RetryContext) -> float | None:
        """Return a longer delay each time."""
        return float(context.previous_retry_count)


class AsyncPolicy:
    """A retry policy with a coroutine method."""

    async def next_retry_delay(self, retry_context: RetryContext) -> timedelta:
        """Return one minute."""
        del retry_context
        return timedelta(minutes=1)


async def one_second(_context: RetryContext) -> float | None:
    """A coroutine function as a retry policy."""
    return 1.0


def reconnects(builder: HubConnectionBuilder) -> None:
    """Delays, policies, functions and tenacity waits are all accepted."""
    assert_type(builder.with_automatic_reconnect(), HubConnectionBuilder)
    builder.with_automatic_reconnect([0, 1.5, timedelta(seconds=2)], retry_start=True)
    builder.with_automatic_reconnect(GrowingDelay())
    builder.with_automatic_reconnect(AsyncPolicy())
    builder.with_automatic_reconnect(lambda context: context.elapsed_time if context.elapsed_time < 60 else None)
    builder.with_automatic_reconnect(one_second)
    builder.with_automatic_reconnect(wait_exponential(max=60))
    builder.with_automatic_reconnect(ExponentialBackoff(first=1, max_delay=timedelta(minutes=1), jitter=False))
    builder.with_automatic_reconnect(ExponentialBackoff)  # type: ignore[arg-type]
    ExponentialBackoff(60)  # type: ignore[call-arg]
    assert_type(builder.with_calls_while_reconnecting(wait=True), HubConnectionBuilder)
    policies: list[RetryPolicy] = [GrowingDelay(), AsyncPolicy(), ExponentialBackoff()]
    builder.with_automatic_reconnect(policies[0])
    builder.with_automatic_reconnect(5)  # type: ignore[arg-type]
    builder.with_automatic_reconnect(["soon"])  # type: ignore[list-item]
    builder.with_automatic_reconnect(lambda: 5.0)  # type: ignore[arg-type, misc]


def on_error(error: Exception | None) -> None:
    """A callback for on_reconnecting and on_close."""
    del error


async def on_id(connection_id: str | None) -> None:
    """A callback for on_reconnected."""
    del connection_id


def on_text(text: str) -> None:
    """A callback that does not fit any event."""
    del text


def callbacks(connection: HubConnection, closed: asyncio.Future[Exception | None]) -> None:
    """The parameters of callbacks are checked, and decorated callbacks are returned unchanged."""
    connection.on_close(on_error)
    connection.on_reconnecting(on_error)
    connection.on_reconnecting(lambda error: None if error is None else error.add_note("lost"))
    connection.on_reconnected(on_id)
    connection.on_connected(on_id)
    connection.on_connected(lambda connection_id: print(connection_id and connection_id.upper()))
    connection.on_connected(lambda connection_id: connection.send("Join", connection_id))
    connection.on_connected(on_text)  # type: ignore[type-var]
    connection.on_connected(lambda: None)  # type: ignore[type-var]
    connection.on_close(closed.set_result)
    connection.on_close(print)
    connection.on_close(on_text)  # type: ignore[type-var]
    connection.on_reconnecting(on_text)  # type: ignore[type-var]
    connection.on_reconnected(on_text)  # type: ignore[type-var]
    connection.on_reconnected(on_error)  # type: ignore[type-var]
    connection.on_close(lambda: None)  # type: ignore[type-var]

    @connection.on_connected
    async def join(connection_id: str | None) -> bool:
        return connection_id is None

    assert_type(asyncio.run(join(None)), bool)

    @connection.on_close
    async def report(error: Exception | None) -> int:
        return 0 if error is None else 1

    assert_type(asyncio.run(report(None)), int)

    @connection.on_authentication_refreshed
    def refreshed(lifetime: float | None) -> None:
        del lifetime

    @connection.on_authentication_refresh_failed
    def failed(error: Exception) -> None:
        del error

    refreshed(1.0)
    failed(ValueError())
    connection.on_authentication_refreshed(on_text)  # type: ignore[type-var]


def handlers(connection: HubConnection) -> None:
    """Handlers may have any parameters; a decorated function keeps its type."""
    assert_type(connection.on("M", on_text), Subscription)
    assert_type(connection.on("M", lambda a, b: None), Subscription)

    @connection.on("M")
    async def add(x: int, y: int) -> int:
        return x + y

    assert_type(asyncio.run(add(1, 2)), int)

    @connection.on_unhandled
    def unhandled(target: str, arguments: list[object]) -> None:
        del target, arguments

    unhandled("M", [])
    connection.on_unhandled(on_text)  # type: ignore[type-var]


def tokens(builder: HubConnectionBuilder) -> None:
    """An access token factory may be sync or async."""

    async def later() -> str | None:
        return None

    builder.with_url("https://example.com/hub", access_token_factory=lambda: "token")
    builder.with_url("https://example.com/hub", access_token_factory=later)
    builder.with_url("https://example.com/hub", access_token_factory="token")  # type: ignore[arg-type]


async def uploads(connection: HubConnection, numbers: AsyncIterator[int]) -> None:
    """Any value may be an argument, including an upload stream."""
    await connection.send("M", numbers, 1, None)
    assert_type(await connection.invoke("M", numbers, result_type=int), int)

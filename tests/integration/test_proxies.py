"""Typed proxies of a hub: calls, streams and uploads through a Protocol, against our server, in both hub protocols."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import IntEnum
from typing import Any, Protocol, TypeVar

import pytest

from signalr_client import BindingError, ConnectionClosedError, HubException, HubProtocol, HubStream, hub_method
from signalr_client.server import Hub
from tests.support.hub_server import serving

T = TypeVar("T")


@dataclass
class Line:
    product_name: str
    price: Decimal


@dataclass
class Order:
    order_id: int
    lines: list[Line]


class Level(IntEnum):
    HIGH = 2


calls: list[tuple[object, ...]] = []
release = asyncio.Event()
cancelled = asyncio.Event()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    global release, cancelled
    calls.clear()
    release, cancelled = asyncio.Event(), asyncio.Event()
    yield
    calls.clear()


class ShopHub(Hub):
    def Add(self, x: int, y: int) -> int:
        calls.append(("Add", x, y))
        return x + y

    def total(self, order: Order) -> Decimal:
        calls.append(("total", order.order_id))
        return sum((line.price for line in order.lines), Decimal(0))

    def Echo(self, value: Any) -> Any:
        calls.append(("Echo", value))
        return value

    async def Wait(self) -> str:
        await release.wait()
        calls.append(("Wait",))
        return "not for the caller"

    @hub_method(cancellable=True)
    async def WaitForever(self) -> None:
        try:
            calls.append(("WaitForever",))
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def Counter(self, count: int) -> AsyncIterator[int]:
        try:
            for number in range(count):
                yield number
                await asyncio.sleep(0)
        finally:
            cancelled.set()

    async def Lines(self, *, orders: AsyncIterator[Order], at_least: Decimal) -> AsyncIterator[Line]:
        async for order in orders:
            for line in order.lines:
                if line.price >= at_least:
                    yield line

    async def Sum(self, left: AsyncIterator[int], factor: int, right: AsyncIterator[int]) -> int:
        return factor * (sum([number async for number in left]) + sum([number async for number in right]))

    @hub_method("renamed-method")
    def renamed(self) -> str:
        return "renamed"

    def Fail(self) -> None:
        raise HubException("no")


class Calculator(Protocol):
    async def Add(self, x: int, y: int = 5) -> int: ...

    async def Sum(self, left: AsyncIterator[int], factor: int, right: AsyncIterable[int]) -> int: ...

    def Counter(self, count: int) -> HubStream[int]: ...


class Shop(Calculator, Protocol):
    @hub_method("Total")
    async def total(self, order: Order) -> Decimal: ...

    def Lines(self, orders: AsyncIterator[Order], at_least: Decimal = Decimal(0)) -> AsyncIterator[Line]: ...

    async def Wait(self) -> None: ...

    @hub_method("Wait", send=True)
    async def start_waiting(self) -> None: ...

    async def WaitForever(self) -> None: ...

    @hub_method("renamed-method")
    async def renamed(self) -> str: ...

    @hub_method("Add")
    async def add_wrongly(self, x: int, y: int) -> list[int]: ...

    async def Fail(self) -> None: ...

    @hub_method("Echo")
    async def echo_untyped(self, value): ...  # type: ignore[no-untyped-def]

    async def Add_all(self, *numbers: int) -> int: ...


class Echoing(Protocol[T]):
    async def Echo(self, value: T) -> T: ...


ORDER = Order(1, [Line("pencil", Decimal("0.10")), Line("paper", Decimal("1.20"))])


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_methods_invoke_with_the_types_of_the_protocol(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve:
        shop = (await serve.connect(hub_protocol)).proxy(Shop)
        assert [await shop.Add(1, 2), await shop.Add(1), await shop.Add(y=3, x=4)] == [3, 6, 7]
        assert str(await shop.total(ORDER)) == "1.30"
        assert await shop.renamed() == "renamed"
        assert await shop.echo_untyped({"a": [1]}) == {"a": [1]}  # type: ignore[no-untyped-call]  # on purpose


async def test_a_generic_protocol_has_the_types_of_its_arguments(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve:
        connection = await serve.connect(hub_protocol)
        assert await connection.proxy(Echoing[Line]).Echo(ORDER.lines[0]) == ORDER.lines[0]
        assert await connection.proxy(Echoing[list[int]]).Echo([1]) == [1]
        with pytest.raises(BindingError, match=r"Cannot call Echoing\.Echo: value: expected Line, got Order"):
            await connection.proxy(Echoing[Line]).Echo(ORDER)  # type: ignore[arg-type]  # that is what is tested


async def test_a_method_without_a_result_waits_for_completion(hub_protocol: HubProtocol) -> None:
    """What the server returns is dropped."""
    async with serving(ShopHub, maximum_parallel_invocations_per_client=2) as serve:
        connection = await serve.connect(hub_protocol)
        shop = connection.proxy(Shop)
        waiting: asyncio.Task[Any] = asyncio.create_task(shop.Wait())
        assert await connection.invoke("Echo", 1) == 1  # the server has got both calls
        assert not waiting.done()
        release.set()
        async with asyncio.timeout(5):
            assert await waiting is None
        assert calls == [("Echo", 1), ("Wait",)]


async def test_a_method_that_sends_returns_at_once(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve:
        shop = (await serve.connect(hub_protocol)).proxy(Shop)
        async with asyncio.timeout(5):
            await shop.start_waiting()  # it would wait for ever if it waited for completion
            release.set()
            assert await shop.Add(1, 2) == 3  # the server runs calls in order
        assert calls == [("Wait",), ("Add", 1, 2)]


async def test_streams_have_items_of_the_type(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve:
        shop = (await serve.connect(hub_protocol)).proxy(Shop)

        async def orders() -> AsyncIterator[Order]:
            yield ORDER
            yield replace(ORDER, lines=[])

        stream = shop.Lines(orders(), Decimal(1))
        assert isinstance(stream, HubStream)
        assert [line async for line in stream] == [Line("paper", Decimal("1.20"))]
        assert [number async for number in shop.Counter(3)] == [0, 1, 2]


async def test_leaving_a_stream_cancels_it_on_the_server(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve, asyncio.timeout(5):
        shop = (await serve.connect(hub_protocol)).proxy(Shop)
        async with shop.Counter(1_000_000) as stream:
            assert await anext(stream) == 0
        await cancelled.wait()


async def test_uploads_may_be_in_any_position_and_be_streams_of_the_hub(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub, maximum_parallel_invocations_per_client=2) as serve:
        shop = (await serve.connect(hub_protocol)).proxy(Shop)
        assert await shop.Sum(numbers(3), 10, right=shop.Counter(4)) == 90


async def test_nothing_is_sent_if_a_call_does_not_fit(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve:
        shop: Any = (await serve.connect(hub_protocol)).proxy(Shop)
        with pytest.raises(TypeError, match=r"^Shop\.Add\(\) missing a required argument: 'x'$"):
            await shop.Add()
        with pytest.raises(TypeError, match=r"^Shop\.Add\(\) got an unexpected keyword argument 'z'$"):
            await shop.Add(1, z=2)
        with pytest.raises(AttributeError, match=r"'Shop' has no method 'Totals'\. Did you mean 'total'\?"):
            await shop.Totals(ORDER)
        with pytest.raises(BindingError, match=r"^Cannot call Shop\.Add: y: expected int, got str$"):
            await shop.Add(1, "2")
        with pytest.raises(
            BindingError, match=r"^Cannot call Shop\.Add: y: expected int, got Level \(an enum: send its value\)$"
        ):
            await shop.Add(1, Level.HIGH)
        wrong: Any = replace(ORDER, lines=[ORDER.lines[0], Line("paper", 1.2)])  # type: ignore[arg-type]  # wrong on purpose
        with pytest.raises(
            BindingError, match=r"^Cannot call Shop\.total: order\.lines\[1\]\.price: expected Decimal, got float$"
        ):
            await shop.total(wrong)
        with pytest.raises(BindingError, match=r"^Cannot call Shop\.Sum: right: expected AsyncIterable\[int\], got list$"):
            await shop.Sum(numbers(1), 1, [1])
        with pytest.raises(
            BindingError, match=r"^Cannot call Shop\.Lines: orders: expected AsyncIterator\[Order\], got Order$"
        ):
            shop.Lines(ORDER)
        assert await shop.Add(1, 2) == 3
        assert calls == [("Add", 1, 2)]


async def test_errors_are_those_of_invoke(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve:
        shop = (await serve.connect(hub_protocol)).proxy(Shop)
        with pytest.raises(HubException, match=r"no$"):
            await shop.Fail()
        with pytest.raises(HubException, match="Method does not exist"):
            await shop.Add_all(1, 2)
        with pytest.raises(BindingError, match=r"deserialize result to list\[int\]\. result: expected list\[int\], got int"):
            await shop.add_wrongly(1, 2)


async def test_cancelling_a_call_cancels_it_on_the_server(hub_protocol: HubProtocol) -> None:
    async with serving(ShopHub) as serve, asyncio.timeout(5):
        shop = (await serve.connect(hub_protocol)).proxy(Shop)
        task = asyncio.create_task(shop.WaitForever())
        while ("WaitForever",) not in calls:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await cancelled.wait()


async def test_a_proxy_outlives_its_connection(hub_protocol: HubProtocol) -> None:
    """It is created before the first start; a call fails when the connection ends, and the next one works after a restart."""
    async with serving(ShopHub) as serve, asyncio.timeout(5):
        connection = serve.builder(hub_protocol).build()
        shop = connection.proxy(Shop)
        async with connection:
            task = asyncio.create_task(shop.WaitForever())
            while ("WaitForever",) not in calls:
                await asyncio.sleep(0)
        with pytest.raises(ConnectionClosedError):
            await task
        async with connection:
            assert await shop.Add(1, 2) == 3


# the other direction


class Receiver(Protocol):
    @hub_method("OrderPlaced")
    async def order_placed(self, order: Order, *more: Decimal) -> None: ...

    @hub_method("Approve")
    async def approve(self, line: Line) -> bool: ...


class Everyone(Protocol):
    async def OrderPlaced(self, order: Order, *more: Decimal) -> None: ...


class Approver(Everyone, Protocol):
    async def Approve(self, line: Line) -> bool: ...


class OrderHub(Hub[Everyone, Approver]):
    async def Place(self, order: Order) -> list[bool]:
        await self.clients.all.OrderPlaced(order, Decimal("0.10"), Decimal(2))
        return [await self.clients.caller.Approve(line) for line in order.lines]

    async def PlaceWrongly(self) -> None:
        await self.clients.all.OrderPlaced({"orderId": 1})  # type: ignore[arg-type]  # that is what is tested

    async def AskEveryone(self) -> None:
        await self.clients.all.Approve(ORDER.lines[0])  # type: ignore[attr-defined]  # that is what is tested


class Approving(Receiver):
    """It derives from the Protocol, so its methods are registered under the names of the Protocol."""

    def __init__(self) -> None:
        self.placed: list[tuple[object, ...]] = []

    async def order_placed(self, order: Order, *more: Decimal) -> None:
        self.placed.append((order, *more))

    async def approve(self, line: Line) -> bool:
        return line.price < 1


async def test_an_object_that_implements_a_protocol_is_registered(hub_protocol: HubProtocol) -> None:
    """Its arguments are converted to its annotations, and its results answer the server."""
    receiver = Approving()
    async with serving(OrderHub) as serve:
        connection = serve.builder(hub_protocol).build()
        assert {subscription.target for subscription in connection.register(receiver)} == {"OrderPlaced", "Approve"}
        async with connection:
            assert await connection.invoke("Place", ORDER, result_type=list[bool]) == [True, False]
            await serve.server.hub_context(OrderHub).clients.client(str(connection.connection_id)).OrderPlaced(ORDER)
            assert await connection.invoke("Place", ORDER) == [True, False]
    assert receiver.placed == [(ORDER, Decimal("0.10"), Decimal(2)), (ORDER,), (ORDER, Decimal("0.10"), Decimal(2))]
    assert str(receiver.placed[0][1]) == "0.10"


async def test_only_single_clients_have_the_methods_of_their_protocol(hub_protocol: HubProtocol) -> None:
    async with serving(OrderHub, enable_detailed_errors=True) as serve:
        connection = await serve.connect(hub_protocol)
        with pytest.raises(HubException, match=r"AttributeError: 'Everyone' has no method 'Approve'\. It has OrderPlaced\."):
            await connection.invoke("AskEveryone")
        context = serve.server.hub_context(OrderHub)
        assert hasattr(context.clients.client("x"), "Approve")
        for target in (
            context.clients.all,
            context.clients.group("g"),
            context.clients.user("u"),
            context.clients.clients(["x"]),
        ):
            assert not hasattr(target, "Approve")


async def test_an_argument_for_clients_that_does_not_fit_is_refused(hub_protocol: HubProtocol) -> None:
    async with serving(OrderHub, enable_detailed_errors=True) as serve:
        connection = await serve.connect(hub_protocol)
        with pytest.raises(HubException, match=r"Cannot call Everyone\.OrderPlaced: order: expected Order, got dict"):
            await connection.invoke("PlaceWrongly")

"""Types on our server: parameters, uploads, results and client results, in both hub protocols. See docs/types.md."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, Protocol, TypeVar

import pydantic
import pytest

from signalr_client import HubException, HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.server import Hub, HubDefinitionError, HubServer
from tests.support.hub_server import refusal, serving

if TYPE_CHECKING:
    from datetime import time as Invisible  # noqa: N812  # on purpose

T = TypeVar("T")

AMOUNT: Final = Decimal("0.12345678901234567890")
HUGE: Final = Decimal(79228162514264337593543950335)


@dataclass
class Item(Generic[T]):
    item_name: str
    value: T
    children: list[Item[T]]


class Order(pydantic.BaseModel):
    order_id: int = pydantic.Field(gt=0)
    due: date | None = None
    took: timedelta = timedelta(0)


class TypesHub(Hub):
    def item(self, item: Item[Decimal], factor: float, note: Any) -> Item[Decimal]:
        assert type(factor) is float
        assert note == [0.5]
        assert type(note[0]) is float
        return Item(item.item_name, item.value, [item, *item.children])

    def order(self, order: Order) -> Order:
        return Order(order_id=order.order_id + 1, due=order.due, took=order.took * 2)

    def rename(self, order: Annotated[Order | None, "metadata"]) -> bool:
        return order is None

    async def total(self, amounts: AsyncIterator[Decimal], items: AsyncIterator[Item[Decimal]]) -> list[Decimal]:
        return [amount async for amount in amounts] + [item.value async for item in items]

    async def items(self, count: int) -> AsyncIterator[Item[Decimal]]:
        for number in range(count):
            yield Item("é", AMOUNT + number, [])

    async def ask(self, target: str) -> Item[Decimal]:
        return await self.clients.caller.invoke(target, Item("a", AMOUNT, []), result_type=Item[Decimal])

    async def ask_plain(self, target: str) -> object:
        return await self.clients.caller.invoke(target)

    async def relay(self, value: Decimal) -> None:
        await self.clients.all.send("Relayed", value)

    async def relay_anything(self, value: object) -> None:
        await self.clients.all.send("Relayed", value)


ITEM: Final = Item("a", AMOUNT, [Item("b", HUGE, [])])


async def test_parameters_and_results_of_hub_methods_have_their_types(hub_protocol: HubProtocol) -> None:
    """Beside a Decimal, floats and values without a type are what they always are."""
    async with serving(TypesHub) as serve:
        client = await serve.connect(hub_protocol)
        for target in ("Item", "item", "ITEM"):
            result = await client.invoke(target, ITEM, 0.5, [0.5], result_type=Item[Decimal])
            assert result == Item("a", AMOUNT, [ITEM, *ITEM.children])
            assert str(result.value) == str(AMOUNT)
        order = await client.invoke("Order", Order(order_id=1, due=date(2024, 2, 29), took=timedelta(1)), result_type=Order)
        assert order == Order(order_id=2, due=date(2024, 2, 29), took=timedelta(2))
        assert await client.invoke("Rename", None) is True


async def test_items_of_streams_in_both_directions_have_their_types(hub_protocol: HubProtocol) -> None:
    async def amounts() -> AsyncIterator[Decimal]:
        yield AMOUNT
        yield HUGE

    async def items() -> AsyncIterator[Item[Decimal]]:
        yield ITEM

    async with serving(TypesHub) as serve:
        client = await serve.connect(hub_protocol)
        total = await client.invoke("Total", amounts(), items(), result_type=list[Decimal])
        assert [str(amount) for amount in total] == [str(AMOUNT), str(HUGE), str(AMOUNT)]
        found = [item async for item in client.stream("Items", 2, item_type=Item[Decimal])]
        assert found == [Item("é", AMOUNT, []), Item("é", AMOUNT + 1, [])]
        plain = [item async for item in client.stream("Items", 1)]
        value = plain[0]["value" if hub_protocol.name == "json" else "Value"]
        assert value == (float(AMOUNT) if hub_protocol.name == "json" else str(AMOUNT))


async def test_results_of_clients_have_their_types(hub_protocol: HubProtocol) -> None:
    def answer(item: Item[Decimal]) -> Item[Decimal]:
        return Item(item.item_name, item.value + 1, [item])

    async with serving(TypesHub) as serve:
        client = await serve.connect(hub_protocol)
        client.on("Answer", answer)
        client.on("Wrong", lambda _item: {"itemName": "a", "value": [], "children": []})
        client.on("Huge", lambda: 2**70)
        result = await client.invoke("Ask", "Answer", result_type=Item[Decimal])
        assert result == Item("a", AMOUNT + 1, [Item("a", AMOUNT, [])])
        assert "result.value: expected Decimal, got list" in await refusal(client.invoke("Ask", "Wrong"))
        if hub_protocol.name == "json":
            assert "an integer of more than 64 bits" in await refusal(client.invoke("AskPlain", "Huge"))


async def test_a_decimal_is_relayed_between_the_protocols() -> None:
    """As JSON it may be an integer of more than 64 bits, which MessagePack could not carry if it were not a Decimal."""
    async with serving(TypesHub) as serve:
        received: asyncio.Queue[object] = asyncio.Queue()
        json = await serve.connect(JsonHubProtocol())
        messagepack = await serve.connect(MessagePackHubProtocol())

        def relayed(value: Decimal) -> None:
            received.put_nowait(value)

        json.on("Relayed", relayed)
        messagepack.on("Relayed", relayed)
        for value in (HUGE, AMOUNT):
            for client in (json, messagepack):
                await client.invoke("Relay", value)
                async with asyncio.timeout(5):
                    assert {str(await received.get()) for _ in range(2)} == {str(value)}
        assert await refusal(json.invoke("RelayAnything", 2**70)) == (
            "Failed to invoke 'relay_anything' due to an error on the server."
        )


@pytest.mark.parametrize(
    ("target", "arguments", "text"),
    [
        ("Item", [{"itemName": "a", "value": 1, "children": [{"itemName": 5}]}, 1.5, None],
         "arguments[0].children[0].item_name: expected str, got int"),
        ("Item", [ITEM, "x", None], "arguments[1]: expected float, got str"),
        ("Order", [{"orderId": 0}], "arguments[0].order_id: input should be greater than 0"),
        ("Order", [{"due": "tomorrow", "orderId": 1}], "arguments[0].due: expected date, got an invalid str"),
    ],
)  # fmt: skip
async def test_an_argument_that_does_not_fit_is_logged_with_its_path(
    hub_protocol: HubProtocol, target: str, arguments: list[object], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets the official text."""
    async with serving(TypesHub) as serve:
        client = await serve.connect(hub_protocol)
        message = await refusal(client.invoke(target, *arguments))
    assert message == f"Failed to invoke '{target.lower()}' due to an error on the server."
    assert any(text in record.getMessage() for record in caplog.records)


async def test_an_item_that_does_not_fit_ends_the_upload(hub_protocol: HubProtocol) -> None:
    async def amounts() -> AsyncIterator[object]:
        yield "not a number"

    async def none() -> AsyncIterator[object]:
        return
        yield

    async with serving(TypesHub, enable_detailed_errors=True) as serve:
        client = await serve.connect(hub_protocol)
        with pytest.raises(HubException, match=r"Failed to bind Stream message.*item: expected Decimal, got an invalid str"):
            await client.invoke("Total", amounts(), none())


class Hidden(Hub):
    def method(self, value: Invisible) -> None: ...


class Unsupported(Hub):
    def method(self, value: Callable[[], None]) -> None: ...


class UnsupportedStream(Hub):
    def method(self, values: AsyncIterator[Callable[[], None]]) -> None: ...


@dataclass
class Broken:
    value: Invisible


class BrokenField(Hub):
    def method(self, value: Broken) -> None: ...


class BrokenClient(Protocol):
    async def ask(self) -> Broken: ...


class TypedClients(Hub[BrokenClient]):
    pass


@pytest.mark.parametrize(
    ("hub", "text"),
    [
        (Hidden, "'Invisible'"),
        (Unsupported, r"'Unsupported\.method' cannot be called: Values cannot be converted to Callable\[\[\], None\]"),
        (UnsupportedStream, r"'UnsupportedStream\.method' cannot be called: Values cannot be converted to Callable"),
        (BrokenField, "'BrokenField.method' cannot be called: The annotation 'Invisible' of field 'value' of Broken"),
        (TypedClients, "'BrokenClient.ask'.*The annotation 'Invisible' of field 'value' of Broken"),
    ],
)
def test_a_type_that_cannot_be_used_is_refused_when_the_hub_is_mapped(hub: type[Hub[Any]], text: str) -> None:
    with pytest.raises(HubDefinitionError, match=text):
        HubServer({"/hub": hub})

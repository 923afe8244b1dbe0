"""A hub in Python with every kind of method and class that code is generated from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntFlag, StrEnum
from typing import Annotated, Generic, Literal, NamedTuple, Protocol, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic

from signalr_client import DateTimeOffset, PropertyName, hub_method, member_names
from signalr_client.server import CancellationToken, FromServices, Hub, authorize

T = TypeVar("T")


class State(Enum):
    """What became of an order."""

    NEW = 0
    ON_ITS_WAY = 4


@member_names(USD="USD")
class Currency(Enum):
    EURO = 0
    USD = 1


class Rights(IntFlag):
    READ = 1
    WRITE = 2


class Size(StrEnum):
    SMALL = "small"
    VERY_LARGE = "very large"


@dataclass
class Line:
    """One line of an order."""

    product_name: str
    price: Decimal
    is_ok: Annotated[bool, PropertyName("IsOK")] = True
    user_id: Annotated[int, PropertyName("UserId", json="user_id", messagepack="uid")] = 7


@dataclass
class Order:
    order_id: UUID
    lines: list[Line] = field(default_factory=list)
    ordered_at: datetime | None = None
    state: State = State.NEW
    note: str = "say \"hello\" \\ 'bye'"
    discount: Decimal = Decimal("0.10")
    parent: Order | None = None
    photo: bytes = b""


@dataclass
class Page(Generic[T]):
    items: list[T]
    next_page: Page[T] | None = None


@attrs.define
class Address:
    street: str
    zip_code: str = attrs.field(default="0")


class Point(msgspec.Struct, tag="point"):
    x: float
    y: float = 0.5


class Customer(pydantic.BaseModel):
    full_name: str = pydantic.Field(description="First and last name.")
    tags: set[str] = set()
    legacy: int = pydantic.Field(alias="legacyID")


class Entry(NamedTuple):
    key: str
    value: int


class Options(TypedDict, total=False):
    Page_size: int


class Clock:
    """A service: it has no fields that a client could send."""


class ShopClient(Protocol):
    """What the shop calls on its clients."""

    async def order_changed(self, order: Order, state: State) -> None:
        """Tell that an order has changed."""

    async def Confirm(self, question: str) -> bool: ...


class ShopHub(Hub[ShopClient]):
    """A shop."""

    async def place_order(self, order: Order, clock: Annotated[Clock, FromServices()]) -> UUID:
        """Place an order.

        It is <sent> & confirmed.
        """
        raise NotImplementedError

    def Find(self, text: str | None, page: int) -> Page[Order]:
        raise NotImplementedError

    @authorize(policy="staff")
    @hub_method("cancel-order")
    async def cancel(self, order_id: UUID, token: CancellationToken) -> None: ...

    async def watch(self, state: State | None) -> AsyncIterator[Order]:
        yield Order(UUID(int=1))

    async def import_lines(self, lines: AsyncIterator[Line], name: str) -> int:
        raise NotImplementedError

    def copy_lines(self, lines: AsyncIterator[Line]) -> AsyncIterator[Page[Line]]:
        raise NotImplementedError

    def convert(self, amount: Decimal, source: Currency, rights: Rights) -> dict[Currency, list[Decimal]]:
        raise NotImplementedError

    def times(self, a: date, b: time, c: timedelta, d: DateTimeOffset, e: datetime) -> timedelta:
        raise NotImplementedError

    def classes(self, a: Address, b: Point, c: Customer, d: Entry, e: Options) -> Size | None:
        raise NotImplementedError

    def anything(self, value: object, size: Literal["s", "m"], count: Literal[1, 2] | None) -> object:
        raise NotImplementedError

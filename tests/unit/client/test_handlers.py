"""`HubConnection.register`: which methods become handlers, and their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

import pytest

from signalr_client import HubConnection, HubConnectionBuilder, UnsupportedTypeError, hub_method


@dataclass
class Point:
    x: int


def connection() -> HubConnection:
    return HubConnectionBuilder().with_url("http://127.0.0.1/hub").build()


class Base:
    async def inherited(self) -> None: ...


class Receiver(Base):
    """A class with all kinds of members."""

    number = 5

    async def Plain(self) -> None: ...

    @hub_method("renamed-method")
    async def renamed(self) -> None: ...

    @hub_method("sync")
    def named_and_sync(self) -> None: ...

    @staticmethod
    async def Static() -> None: ...

    @classmethod
    async def OfTheClass(cls) -> None: ...

    async def _private(self) -> None: ...

    def helper(self) -> None: ...

    @property
    def explosive(self) -> NoReturn:
        raise AssertionError("a property was evaluated")


def test_register_adds_public_coroutine_methods_and_named_methods() -> None:
    subscriptions = connection().register(Receiver())
    targets = {subscription.target for subscription in subscriptions}
    assert targets == {"Plain", "renamed-method", "sync", "Static", "OfTheClass", "inherited"}


class Contract(Protocol):
    @hub_method("on-price")
    async def on_price(self, price: int) -> None: ...

    @hub_method("on-text")
    async def on_text(self, text: str) -> None: ...


class Implementation(Contract):
    async def on_price(self, price: int) -> None: ...

    @hub_method("other")
    async def on_text(self, text: str) -> None: ...


def test_an_overriding_method_keeps_the_name_of_the_one_it_overrides() -> None:
    """Unless it has a name of its own."""
    subscriptions = connection().register(Implementation())
    assert {subscription.target for subscription in subscriptions} == {"on-price", "other"}


async def test_the_annotations_of_registered_methods_are_used() -> None:
    received: list[object] = []

    class Typed:
        async def Moved(self, point: Point, *more: Point) -> None:
            received.extend((point, *more))

    hub = connection()
    hub.register(Typed())
    [handler] = hub._handlers.by_target["Moved"]
    await handler({"x": 1}, {"x": 2})  # type: ignore[misc]  # it is a coroutine function
    assert received == [Point(1), Point(2)]


def test_an_annotation_of_a_registered_method_that_cannot_be_used_is_refused() -> None:
    class Untypable:
        async def Called(self, callback: Callable[[], None]) -> None: ...

    with pytest.raises(UnsupportedTypeError, match="The handler for 'Called' cannot be registered"):
        connection().register(Untypable())


def test_methods_are_bound_to_the_receiver() -> None:
    receiver, hub = Receiver(), connection()
    hub.register(receiver)
    [plain] = hub._handlers.by_target["Plain"]
    assert plain == receiver.Plain


def test_register_rejects_an_object_without_handlers() -> None:
    with pytest.raises(TypeError, match="has no public coroutine method to register"):
        connection().register(object())

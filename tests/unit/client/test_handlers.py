"""`HubConnection.register`: which methods become handlers, and their names."""

from __future__ import annotations

from typing import NoReturn

import pytest

from signalr_client import HubConnection, HubConnectionBuilder, hub_method


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


def test_methods_are_bound_to_the_receiver() -> None:
    receiver, hub = Receiver(), connection()
    hub.register(receiver)
    [plain] = hub._handlers.by_target["Plain"]
    assert plain == receiver.Plain


def test_register_rejects_an_object_without_handlers() -> None:
    with pytest.raises(TypeError, match="has no public coroutine method to register"):
        connection().register(object())

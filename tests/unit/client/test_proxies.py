"""`HubConnection.proxy`: the objects that it returns, and what it refuses. Their calls: tests/integration/test_proxies.py."""

from __future__ import annotations

import copy
import gc
import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import pytest

from signalr_client import (
    HubConnection,
    HubConnectionBuilder,
    HubProtocol,
    HubStream,
    InvalidStateError,
    JsonHubProtocol,
    MessagePackHubProtocol,
    UnsupportedTypeError,
)

T_co = TypeVar("T_co", covariant=True)


@runtime_checkable
class Chat(Protocol):
    """What the hub offers."""

    async def Add(self, x: int, y: int = 5) -> int:
        """Return the sum."""
        ...

    def Counter(self, count: int) -> AsyncIterator[int]:
        """Count."""
        ...

    def Stream(self) -> HubStream[int]: ...

    def Iterable(self) -> AsyncIterable[int]: ...


class Getter(Protocol[T_co]):
    async def Get(self) -> T_co: ...


class Generator(Protocol):
    def Method(self) -> AsyncGenerator[int, None]: ...


class Unreadable(Protocol):
    async def Method(self) -> Callable[[], None]: ...


class UnreadableItems(Protocol):
    def Method(self) -> AsyncIterator[Callable[[], None]]: ...


def connection(protocol: HubProtocol | None = None) -> HubConnection:
    builder = HubConnectionBuilder().with_url("http://127.0.0.1/hub?id=secret")
    return builder.with_hub_protocol(protocol or JsonHubProtocol()).build()


def test_methods_look_like_those_of_the_protocol() -> None:
    chat = connection().proxy(Chat)
    assert (chat.Add.__name__, chat.Add.__qualname__, chat.Add.__doc__) == ("Add", "Chat.Add", "Return the sum.")
    assert str(inspect.signature(chat.Add)) == "(x: 'int', y: 'int' = 5) -> 'int'"
    assert inspect.iscoroutinefunction(chat.Add)
    assert not inspect.iscoroutinefunction(chat.Counter)
    assert chat.Counter.__doc__ == "Count."
    assert chat.__doc__ == "What the hub offers."
    assert isinstance(chat, Chat)


def test_a_proxy_has_nothing_but_the_methods() -> None:
    chat: Any = connection().proxy(Chat)
    assert {name for name in dir(chat) if not name.startswith("_")} == {"Add", "Counter", "Stream", "Iterable"}
    with pytest.raises(AttributeError):
        chat.Add = None
    with pytest.raises(AttributeError):
        chat.another = None


def test_the_text_form_names_the_protocol_and_no_secret() -> None:
    assert repr(connection().proxy(Chat)) == "<Chat proxy of <HubConnection Disconnected>>"


def test_a_misspelt_method_is_an_error_that_names_the_right_one() -> None:
    chat: Any = connection().proxy(Chat)
    with pytest.raises(AttributeError, match=r"^'Chat' has no method 'add'\. Did you mean 'Add'\?$"):
        chat.add(1, 2)
    assert not hasattr(chat, "Subtract")
    assert getattr(chat, "Subtract", None) is None


def test_a_class_is_made_once_for_a_protocol_and_a_binding() -> None:
    first, second = connection(), connection()
    assert type(first.proxy(Chat)) is type(second.proxy(Chat))
    assert type(first.proxy(Getter[int])) is type(second.proxy(Getter[int]))
    kinds: set[type] = {type(first.proxy(Getter[int])), type(first.proxy(Getter[str]))}
    assert len(kinds) == 2
    assert type(first.proxy(Chat)) is not type(connection(MessagePackHubProtocol()).proxy(Chat))


def test_a_proxy_does_not_outlive_its_use() -> None:
    """The classes are kept, and the connections are not."""
    hub = connection()
    hub.proxy(Chat)
    gone = weakref.ref(hub)
    del hub
    gc.collect()
    assert gone() is None


def test_a_copy_belongs_to_the_same_connection() -> None:
    chat = connection().proxy(Chat)
    assert repr(copy.copy(chat)) == repr(chat)


async def test_a_call_before_start_is_an_error_of_the_connection() -> None:
    with pytest.raises(InvalidStateError, match="The 'invoke' method cannot be called if the connection is not active"):
        await connection().proxy(Chat).Add(1)


def test_a_generator_is_refused_because_a_stream_is_none() -> None:
    with pytest.raises(
        TypeError, match=r"'Generator\.Method' returns AsyncGenerator, but .* is a HubStream: use AsyncIterator"
    ):
        connection().proxy(Generator)


@pytest.mark.parametrize("protocol", [Unreadable, UnreadableItems])
def test_a_result_that_cannot_be_received_is_refused(protocol: Any) -> None:
    with pytest.raises(UnsupportedTypeError, match=r"The result of 'Unreadable\w*\.Method' cannot be received: .* Callable"):
        connection().proxy(protocol)


def test_what_is_not_a_protocol_is_refused() -> None:
    with pytest.raises(TypeError, match="Type must be an interface"):
        connection().proxy(int)

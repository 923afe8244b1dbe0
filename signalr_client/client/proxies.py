"""Typed proxies: the hub methods of a Protocol as methods of an object. Room: client.

The class of a proxy is made once for each Protocol and binding. Its methods put the arguments in order, check them, and call
`invoke`, `send` or `stream`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from signalr_client.client.streams import HubStream
from signalr_client.core.binding import Binding
from signalr_client.core.contracts import ContractMethod, ContractProxy, read_contract

__all__ = ["Calls", "HubProxy", "proxy_class"]

_MOST_CLASSES: Final = 256


class Calls(Protocol):
    """What a proxy needs of a connection."""

    async def invoke(self, target: str, *args: object, result_type: Any = None) -> Any:
        """Call a hub method and wait for its result."""

    async def send(self, target: str, *args: object) -> None:
        """Invoke a hub method without waiting for a response."""

    def stream(self, target: str, *args: object, item_type: Any = None) -> HubStream[Any]:
        """Return the items of a streaming hub method."""


class HubProxy(ContractProxy):
    """The base of the proxies; holds the connection."""

    __slots__ = ("_calls",)

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def __repr__(self) -> str:
        """Return the name of the Protocol and the connection."""
        return f"<{self._contract.name} proxy of {self._calls!r}>"


@functools.lru_cache(_MOST_CLASSES)
def proxy_class(protocol: Any, binding: Binding) -> type[HubProxy]:
    """Return a class with the methods of a Protocol. It is made once and kept.

    Args:
        protocol: the Protocol, or a generic one with its arguments.
        binding: the conversion of results and items.

    Raises:
        TypeError: it is not a Protocol, or a member is not a method that can be called.
        UnsupportedTypeError: the type of a parameter, a result or an item is not supported.
    """
    return read_contract(protocol).implement(HubProxy, functools.partial(_method, binding=binding))


def _method(method: ContractMethod, binding: Binding) -> Callable[..., Any]:
    """Return the method of a proxy for a method of the Protocol."""
    wanted = method.checked_result(binding)
    if method.stream is not None:
        if not issubclass(HubStream, method.stream):
            raise TypeError(
                f"'{method.name}' returns {method.stream.__name__}, but a stream of a hub is a HubStream: use AsyncIterator, or"
                " HubStream itself."
            )
        return _stream(method, wanted)
    return _send(method) if method.send else _invoke(method, wanted)


def _invoke(method: ContractMethod, wanted: Any) -> Callable[..., Coroutine[Any, Any, Any]]:
    target, arguments = method.target, method.arguments

    async def invoke(self: HubProxy, /, *given: object, **named: object) -> Any:
        return await self._calls.invoke(target, *arguments(given, named), result_type=wanted)

    async def complete(self: HubProxy, /, *given: object, **named: object) -> None:
        await self._calls.invoke(target, *arguments(given, named))

    return complete if method.result is None else invoke


def _send(method: ContractMethod) -> Callable[..., Coroutine[Any, Any, None]]:
    target, arguments = method.target, method.arguments

    async def send(self: HubProxy, /, *given: object, **named: object) -> None:
        await self._calls.send(target, *arguments(given, named))

    return send


def _stream(method: ContractMethod, wanted: Any) -> Callable[..., HubStream[Any]]:
    target, arguments = method.target, method.arguments

    def stream(self: HubProxy, /, *given: object, **named: object) -> HubStream[Any]:
        return self._calls.stream(target, *arguments(given, named), item_type=wanted)

    return stream

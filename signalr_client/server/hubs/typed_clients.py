"""Typed clients: the proxies of ``Hub[ChatClient]``, made from a Protocol when the hub is mapped. Room: server, hubs."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Coroutine
from types import FunctionType
from typing import Any, Generic, Protocol

from signalr_client.core.binding import json_binding
from signalr_client.core.hub_method import wire_name
from signalr_client.errors import UnsupportedTypeError
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hubs.clients import ClientProxy, SingleClientProxy, single_clients_only
from signalr_client.server.hubs.hub import Hub
from signalr_client.server.injection.annotations import read_annotations

__all__ = ["client_protocol_of", "typed_proxy"]


class TypedProxy:
    """The base of the proxies of all typed hubs; holds the plain proxy behind them."""

    __slots__ = ("_proxy",)

    def __init__(self, proxy: ClientProxy) -> None:
        self._proxy = proxy


def client_protocol_of(hub_type: type[Hub[Any]]) -> type | None:
    """Return the ChatClient of a class that derives from ``Hub[ChatClient]``, directly or not; None for other hubs."""
    for kind in hub_type.__mro__:
        for base in vars(kind).get("__orig_bases__", ()):
            if typing.get_origin(base) is Hub:
                (client,) = typing.get_args(base)
                return None if isinstance(client, typing.TypeVar) or client is ClientProxy else client
    return None


def typed_proxy(client: type) -> type[TypedProxy]:
    """Return a proxy class for *client* with exactly its methods.

    Raises:
        HubDefinitionError: it is not a Protocol, or a member is not an ``async def``.
    """
    if not getattr(client, "_is_protocol", False):
        raise HubDefinitionError(f"Type must be an interface. ('{client!r}' is not a typing.Protocol.)")
    methods: dict[str, Any] = {"__slots__": (), "__doc__": f"Clients with the methods of {client.__name__}."}
    for kind in client.__mro__:
        if kind in (object, Generic, Protocol) or kind in Protocol.__mro__:
            continue
        if vars(kind).get("__annotations__"):
            raise HubDefinitionError(f"Type must not contain properties. ('{kind.__name__}' has attributes.)")
        for name, member in vars(kind).items():
            if not name.startswith("_") and name not in methods:
                methods[name] = _method(client, name, member)
    return type(f"{client.__name__}Proxy", (TypedProxy,), methods)


def _method(client: type, name: str, member: object) -> Callable[..., Coroutine[Any, Any, object]]:
    """Return a method that sends, or one that invokes if the Protocol's method has a result."""
    if isinstance(member, property):
        raise HubDefinitionError(f"Type must not contain properties. ('{name}' of '{client.__name__}' is one.)")
    result = _result_type(member) if isinstance(member, FunctionType) else _NO_METHOD
    if result is _NO_METHOD:
        raise HubDefinitionError(
            f"Cannot generate proxy implementation for '{client.__name__}.{name}'."
            " All client proxy methods must be 'async def', or return an Awaitable."
        )
    assert isinstance(member, FunctionType)
    try:
        json_binding().converter(result)
    except UnsupportedTypeError as exc:
        raise HubDefinitionError(f"The result of '{client.__name__}.{name}' cannot be received: {exc}") from exc
    signature, target = inspect.signature(member), wire_name(member) or name

    def positional(proxy: TypedProxy, arguments: tuple[object, ...], named: dict[str, object]) -> tuple[object, ...]:
        bound = signature.bind(proxy, *arguments, **named)
        bound.apply_defaults()
        return bound.args[1:]

    async def send(self: TypedProxy, *arguments: object, **named: object) -> object:
        await self._proxy.send(target, *positional(self, arguments, named))
        return None

    async def invoke(self: TypedProxy, *arguments: object, **named: object) -> object:
        if not isinstance(self._proxy, SingleClientProxy):
            raise single_clients_only()
        return await self._proxy.invoke(target, *positional(self, arguments, named), result_type=result)

    method = send if result is None else invoke
    method.__name__, method.__qualname__ = name, f"{client.__name__}.{name}"
    method.__doc__ = member.__doc__
    return method


_NO_METHOD: Any = object()


def _result_type(function: FunctionType) -> Any:
    """Return the type of the awaited result, None for no result, or `_NO_METHOD` if the function cannot be awaited."""
    returns = read_annotations(function, {}).get("return")
    if not inspect.iscoroutinefunction(function):
        if typing.get_origin(returns) not in (Awaitable, Coroutine):
            return _NO_METHOD
        returns = typing.get_args(returns)[-1]
    return None if returns in (None, type(None)) else returns

"""Typed clients: the proxies of ``Hub[ChatClient]``, made from a Protocol when the hub is mapped. Room: server, hubs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from signalr_client.core.binding import json_binding, type_variables
from signalr_client.core.contracts import ContractMethod, ContractProxy, read_contract
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hubs.clients import C, ClientProxy, S, SingleClientProxy, single_clients_only
from signalr_client.server.hubs.hub import Hub

__all__ = ["ClientTypes", "TypedProxy", "client_types_of", "typed_proxy"]


class TypedProxy(ContractProxy):
    """The base of the proxies of all typed hubs; holds the plain proxy behind them."""

    __slots__ = ("_proxy",)

    def __init__(self, proxy: ClientProxy) -> None:
        self._proxy = proxy

    def __repr__(self) -> str:
        """Return the name of the Protocol."""
        return f"<{self._contract.name} proxy of clients>"


class ClientTypes(NamedTuple):
    """The Protocols of ``Hub[ChatClient, SingleChatClient]``: of every target, and of a single client. Mostly they are the same."""

    every: Any
    single: Any


def client_types_of(hub_type: type[Hub[Any]]) -> ClientTypes | None:
    """Return the Protocols of a class that derives from ``Hub[ChatClient]``, directly or not; None for other hubs."""
    variables = type_variables(hub_type, ()).get(Hub, {})
    every, single = variables.get(C), variables.get(S)
    if not _is_given(every):
        return None
    return ClientTypes(every, single if _is_given(single) else every)


def _is_given(client: Any) -> bool:
    """Return whether a type argument of a hub is a Protocol; before Python 3.13 the default of a type variable may be there."""
    return client not in (None, ClientProxy, Any) and not isinstance(client, TypeVar)


@functools.lru_cache(256)
def typed_proxy(client: Any) -> type[TypedProxy]:
    """Return a proxy class for *client* with exactly its methods.

    Raises:
        HubDefinitionError: it is not a Protocol, or a member is not an ``async def``.
    """
    try:
        return read_contract(client).implement(TypedProxy, _method)
    except TypeError as exc:
        raise HubDefinitionError(str(exc)) from exc


def _method(method: ContractMethod) -> Callable[..., Coroutine[Any, Any, object]]:
    """Return a method that sends, or one that invokes if the Protocol's method has a result."""
    if method.stream is not None:
        raise HubDefinitionError(
            f"Cannot generate proxy implementation for '{method.name}'."
            " All client proxy methods must be 'async def', or return an Awaitable."
        )
    target, result, arguments = method.target, method.checked_result(json_binding()), method.arguments

    async def send(self: TypedProxy, /, *given: object, **named: object) -> None:
        await self._proxy.send(target, *arguments(given, named))

    if result is None:
        return send

    async def invoke(self: TypedProxy, /, *given: object, **named: object) -> object:
        if not isinstance(self._proxy, SingleClientProxy):
            raise single_clients_only()
        return await self._proxy.invoke(target, *arguments(given, named), result_type=result)

    return invoke

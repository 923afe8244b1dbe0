"""`HubContext`: a hub's clients and groups for code outside of it. Room: server, hubs."""

from __future__ import annotations

from typing import Any, Generic

from typing_extensions import TypeVar

from signalr_client.server.hubs.clients import C, HubClients, S
from signalr_client.server.hubs.groups import Groups
from signalr_client.server.hubs.hub import Hub

__all__ = ["HubContext"]

H = TypeVar("H", bound=Hub[Any])


class HubContext(Generic[H, C, S]):
    """A hub's clients and groups for code outside of it; one for each hub type.

    It comes from `HubServer.hub_context`, or as an injected service: ``HubContext[ChatHub]``, and for a typed hub
    ``HubContext[ChatHub, ChatClient]``. A hub method that waits for a client's result through it keeps its slot meanwhile (see
    `HubOptions.maximum_parallel_invocations_per_client`).
    """

    def __init__(self, clients: HubClients[C, S], groups: Groups) -> None:
        self.clients = clients
        self.groups = groups

"""One combination of server, transport and hub protocol, with methods to connect to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signalr_client import (
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubProtocol,
    JsonHubProtocol,
    MessagePackHubProtocol,
)

TRANSPORTS = {
    "ws": HttpTransportType.WEB_SOCKETS,
    "sse": HttpTransportType.SERVER_SENT_EVENTS,
    "lp": HttpTransportType.LONG_POLLING,
}
PROTOCOLS: dict[str, type[JsonHubProtocol | MessagePackHubProtocol]] = {
    "json": JsonHubProtocol,
    "messagepack": MessagePackHubProtocol,
}
PAIRINGS = [
    (transport, protocol)
    for transport in TRANSPORTS
    for protocol in PROTOCOLS
    if (transport, protocol) != ("sse", "messagepack")
]


@dataclass(frozen=True)
class Hubs:
    """The hubs of one server, accessed with one transport and hub protocol."""

    base: str
    transport_name: str
    protocol_name: str

    @property
    def transport(self) -> HttpTransportType:
        """The transport as an argument for `with_url`."""
        return TRANSPORTS[self.transport_name]

    @property
    def protocol(self) -> HubProtocol:
        """A new instance of the hub protocol."""
        return PROTOCOLS[self.protocol_name]()

    def url(self, path: str = "/testhub") -> str:
        """Return the URL of a hub."""
        return self.base + path

    def builder(self, path: str = "/testhub", **options: Any) -> HubConnectionBuilder:
        """Return a builder for a hub; *options* are passed to `with_url`."""
        given = {"transports": self.transport} | options
        return HubConnectionBuilder().with_url(self.url(path), **given).with_hub_protocol(self.protocol)

    def connection(self, path: str = "/testhub", **options: Any) -> HubConnection:
        """Return a connection that has not been started."""
        return self.builder(path, **options).build()

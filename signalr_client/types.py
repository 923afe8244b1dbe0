"""Public enumerations and type aliases that every room may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum, Flag, StrEnum

__all__ = [
    "AccessTokenFactory",
    "Headers",
    "HttpTransportType",
    "HubConnectionState",
    "Seconds",
    "TransferFormat",
]

Seconds = float | timedelta
"""A duration: seconds, or a timedelta."""

Headers = dict[str, str]
"""Headers of an HTTP request or of a hub message."""

AccessTokenFactory = Callable[[], str | None] | Callable[[], Awaitable[str | None]]
"""A function, sync or async, that returns the bearer token for the next requests, or None or "" for no token."""


class HttpTransportType(Flag):
    """The transports, as flags: ``WEB_SOCKETS | LONG_POLLING`` allows two. See docs/transports.md."""

    NONE = 0
    WEB_SOCKETS = 1
    SERVER_SENT_EVENTS = 2
    LONG_POLLING = 4
    ALL = 7

    @property
    def wire_name(self) -> str:
        """The name of one transport in a negotiate response."""
        return _TRANSPORT_NAMES[self]

    @classmethod
    def from_wire_name(cls, name: str) -> HttpTransportType | None:
        """Return the transport with this *name* in a negotiate response, or None for an unknown one."""
        return _TRANSPORTS_BY_NAME.get(name)


_TRANSPORT_NAMES = {
    HttpTransportType.WEB_SOCKETS: "WebSockets",
    HttpTransportType.SERVER_SENT_EVENTS: "ServerSentEvents",
    HttpTransportType.LONG_POLLING: "LongPolling",
}
_TRANSPORTS_BY_NAME = {name: transport for transport, name in _TRANSPORT_NAMES.items()}


class TransferFormat(Enum):
    """How the bytes of a hub protocol are sent: as text (JSON) or as binary (MessagePack)."""

    TEXT = "Text"
    BINARY = "Binary"


class HubConnectionState(StrEnum):
    """The states of a `HubConnection`; docs/architecture.md shows which follows which."""

    DISCONNECTED = "Disconnected"
    CONNECTING = "Connecting"
    CONNECTED = "Connected"
    RECONNECTING = "Reconnecting"
    DISCONNECTING = "Disconnecting"


def seconds(value: Seconds) -> float:
    """Return *value* in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)

"""signalr_client: a client for ASP.NET Core SignalR on asyncio and aiohttp, with a hub server (`signalr_client.server`).

connection = HubConnectionBuilder().with_url("http://localhost:5000/chathub").with_automatic_reconnect().build()

@connection.on("ReceiveMessage")
async def receive(user: str, message: str) -> None:
    print(f"{user}: {message}")

async with connection:
    await connection.invoke("SendMessage", "Anna", "hello")
"""

from signalr_client.client.builder import HubConnectionBuilder
from signalr_client.client.connection import HubConnection
from signalr_client.client.handlers import Subscription
from signalr_client.client.streams import HubStream
from signalr_client.core.binding import PropertyName, bind, member_names
from signalr_client.core.hub_method import hub_method
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.retry import ExponentialBackoff, RetryContext, RetryPolicy
from signalr_client.core.timestamps import DateTimeOffset
from signalr_client.errors import (
    AggregateTransportError,
    BindingError,
    ConnectionClosedError,
    HandshakeError,
    HandshakeTimeoutError,
    HubException,
    InvalidStateError,
    NegotiationError,
    ProtocolError,
    ServerTimeoutError,
    SignalRError,
    TransportError,
    UnsupportedTypeError,
)
from signalr_client.types import HttpTransportType, HubConnectionState, TransferFormat
from signalr_client.version import __version__

__all__ = [
    "AggregateTransportError",
    "BindingError",
    "ConnectionClosedError",
    "DateTimeOffset",
    "ExponentialBackoff",
    "HandshakeError",
    "HandshakeTimeoutError",
    "HttpTransportType",
    "HubConnection",
    "HubConnectionBuilder",
    "HubConnectionState",
    "HubException",
    "HubProtocol",
    "HubStream",
    "InvalidStateError",
    "JsonHubProtocol",
    "MessagePackHubProtocol",
    "NegotiationError",
    "PropertyName",
    "ProtocolError",
    "RetryContext",
    "RetryPolicy",
    "ServerTimeoutError",
    "SignalRError",
    "Subscription",
    "TransferFormat",
    "TransportError",
    "UnsupportedTypeError",
    "__version__",
    "bind",
    "hub_method",
    "member_names",
]

"""`HubOptions`: the options of a hub and of its transports, with ASP.NET Core's defaults. Room: server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.hubs.filters import HubFilter
from signalr_client.server.security.authentication import Authenticate
from signalr_client.server.security.authorization import Policy
from signalr_client.server.security.refresh import AuthenticationRefreshGate
from signalr_client.server.server_connection import ServerConnection
from signalr_client.types import HttpTransportType, Seconds, seconds

__all__ = ["HubOptions", "UserIdProvider"]

UserIdProvider = Callable[[ServerConnection], str | None | Awaitable[str | None]]
"""Returns the user identifier that `Clients.user` finds a connection by; called once for each connection, sync or async."""

_PROTOCOLS: Final[dict[str, Callable[[], HubProtocol]]] = {
    "json": JsonHubProtocol,
    "messagepack": MessagePackHubProtocol,
}

# Times that None switches off, times that must be positive, counts, sizes that may be zero, and maxima that may be None ("no limit").
_TIMERS: Final = ("client_timeout_interval", "handshake_timeout", "keep_alive_interval")
_TIMES: Final = ("close_timeout", "disconnect_timeout", "poll_timeout", "transport_send_timeout")
_COUNTS: Final = ("maximum_parallel_invocations_per_client", "stateful_reconnect_buffer_size", "stream_buffer_capacity")
_BUFFERS: Final = ("application_max_buffer_size", "transport_max_buffer_size")
_MAXIMA: Final = (
    "maximum_receive_message_size",
    "maximum_parallel_streams_per_client",
    "maximum_pending_results_per_client",
    "maximum_pending_connections",
)


def default_user_id(connection: ServerConnection) -> str | None:
    """Return the identifier of the connection's user."""
    return connection.user.identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions:
    """ASP.NET Core's HubOptions and HttpConnectionDispatcherOptions in one; times are seconds or timedeltas, sizes bytes.

    ASP.NET Core has no limits on parallel streams, pending client results and pending connections. The defaults are far above what
    well-behaved clients need.

    Options given for one hub replace those of the server altogether; use `dataclasses.replace` to start from them.

    Attributes:
        enable_detailed_errors: send clients the type and the text of every exception, not only of `HubException`.
        maximum_receive_message_size: the largest message that a client may send; None for no limit.
        maximum_parallel_invocations_per_client: how many calls of one client run at once; others wait for a slot.
        maximum_parallel_streams_per_client: how many calls of one client run at once besides those with a slot: streams, calls with
            uploads, calls that can be cancelled, and calls that gave their slot up because they invoke a client for a result. Further
            ones fail with an error that names this option. None for no limit.
        maximum_pending_results_per_client: how many invocations may wait for the result of one client at once. Further ones raise
            HubException in the code that invokes the client. None for no limit.
        stream_buffer_capacity: items of one upload that may wait for a running hub method; above that the client is not read.
        client_timeout_interval: how long a client that has pinged once may be silent; None switches it off.
        keep_alive_interval: how often the server pings; None switches it off.
        handshake_timeout: how long a client may take for its handshake; None for no limit.
        disable_implicit_from_services_parameters: inject only what is marked with `FromServices` or `FromKeyedServices`.
        supported_protocols: hub protocols, by name ("json", "messagepack") or as objects; None for both.
        stateful_reconnect_buffer_size: bytes of messages that are kept until the client acknowledges them; above that senders wait.
        hub_filters: filters around every call, the outermost first. Those of the server run around those of a hub.
        user_id_provider: returns the identifier that a connection's user is found by; by default `User.identifier`.
        authorization_policies: the policies that `authorize` names.
        transports: the transports that the endpoint offers.
        allow_stateful_reconnects: let clients that ask for it resume after a lost WebSocket, within the disconnect timeout.
        application_max_buffer_size: bytes from a client that may wait (calls that have not begun, upload items that have not been
            read); above that the client is not read. 0 for no limit.
        transport_max_buffer_size: bytes for a client that may wait to be sent; above that senders wait. 0 for no limit.
        maximum_pending_connections: how many connections may be open at this path before their handshake, those included that are
            negotiated and not connected yet. Above that, negotiate requests and WebSockets without negotiation are answered with 503.
            None for no limit.
        transport_send_timeout: how long a client may accept nothing while messages wait for it, before it is cut off.
        minimum_protocol_version: the lowest negotiate version that is accepted.
        close_on_authentication_expiration: end a connection when its user's authentication does (`User.expires_at`).
        enable_authentication_refresh: let clients renew their authentication while they stay connected; negotiate then says how
            long it lasts (`User.expires_at`), and `Hub.on_authentication_refreshed` runs after a renewal.
        on_authentication_refresh: decides whether a renewal is accepted; without it, only the same user may renew.
        poll_timeout: how long a poll of Long Polling waits for data.
        close_timeout: how long a WebSocket waits for the client's close frame.
        disconnect_timeout: how long a connection may be without a request before it is disposed of: between polls, and with stateful
            reconnect without a WebSocket.
        sub_protocol_selector: chooses one of the WebSocket sub-protocols that the client offers.
        authenticate: returns the user who sent a request; without it every client is anonymous.
        cors_origins: origins of web pages that may use the endpoint, "*" for any; none by default.
    """

    enable_detailed_errors: bool = False
    maximum_receive_message_size: int | None = 32 * 1024
    maximum_parallel_invocations_per_client: int = 1
    maximum_parallel_streams_per_client: int | None = 1000
    maximum_pending_results_per_client: int | None = 1000
    stream_buffer_capacity: int = 10
    client_timeout_interval: Seconds | None = 30.0
    keep_alive_interval: Seconds | None = 15.0
    handshake_timeout: Seconds | None = 15.0
    disable_implicit_from_services_parameters: bool = False
    supported_protocols: Sequence[str | HubProtocol] | None = None
    stateful_reconnect_buffer_size: int = 1_048_576
    hub_filters: Sequence[HubFilter | type[HubFilter]] = ()
    user_id_provider: UserIdProvider = default_user_id
    authorization_policies: Mapping[str, Policy] = field(default_factory=dict)

    transports: HttpTransportType = HttpTransportType.ALL
    allow_stateful_reconnects: bool = False
    application_max_buffer_size: int = 65_536
    transport_max_buffer_size: int = 65_536
    maximum_pending_connections: int | None = 5000
    transport_send_timeout: Seconds = 10.0
    minimum_protocol_version: int = 0
    close_on_authentication_expiration: bool = False
    enable_authentication_refresh: bool = False
    on_authentication_refresh: AuthenticationRefreshGate | None = None
    poll_timeout: Seconds = 90.0
    close_timeout: Seconds = 5.0
    disconnect_timeout: Seconds = 15.0
    sub_protocol_selector: Callable[[Sequence[str]], str | None] | None = None
    authenticate: Authenticate | None = None
    cors_origins: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            HubDefinitionError: a value is out of its range, or a protocol is not known.
        """
        for name in (*_TIMERS, *_TIMES):
            value = getattr(self, name)
            if value is not None and not seconds(value) > 0:  # also refuses NaN
                raise HubDefinitionError(f"{name} is {value}; it must be more than 0 seconds.")
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise HubDefinitionError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        for name in _BUFFERS:
            if getattr(self, name) < 0:
                raise HubDefinitionError(f"{name} is {getattr(self, name)}; it must be at least 0, which means no limit.")
        for name in _MAXIMA:
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise HubDefinitionError(f"{name} is {limit}; it must be at least 1, or None for no limit.")
        self.protocols()

    def protocols(self) -> tuple[HubProtocol, ...]:
        """Return the hub protocols, created anew where they are given by name.

        Raises:
            HubDefinitionError: there are none, or a name is not known.
        """
        if self.supported_protocols is None:
            return JsonHubProtocol(), MessagePackHubProtocol()
        protocols: list[HubProtocol] = []
        for protocol in self.supported_protocols:
            if not isinstance(protocol, str):
                protocols.append(protocol)
            elif protocol.lower() in _PROTOCOLS:
                protocols.append(_PROTOCOLS[protocol.lower()]())
            else:
                raise HubDefinitionError(f"The protocol '{protocol}' is not known; {sorted(_PROTOCOLS)} are.")
        if not protocols:
            raise HubDefinitionError("There are no supported protocols.")
        return tuple(protocols)

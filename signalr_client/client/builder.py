"""`HubConnectionBuilder`: from options to a `HubConnection`, without I/O. Room: client."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from signalr_client.client.connection import HubConnection
from signalr_client.client.options import ConnectionOptions, ReceiveLimit
from signalr_client.client.refresh import RefreshOptions
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol
from signalr_client.core.retry import RetryContext, RetryPolicy, as_retry_policy
from signalr_client.transports.base import HttpOptions
from signalr_client.types import AccessTokenFactory, HttpTransportType, Seconds, seconds

if TYPE_CHECKING:
    import ssl as ssl_module

    import aiohttp
    from tenacity.wait import wait_base

__all__ = ["HubConnectionBuilder"]

_PACKAGE_LOGGER: Final = "signalr_client"
"""The logger of every connection, unless `configure_logging` names another; each module logs to a child of it.

The first character of a line is a mark: ``>`` a message or request that was sent, ``<`` a message that was received, ``=`` a change
of state, ``%`` a keep-alive ping, ``!`` trouble. Lines never contain arguments, results, access tokens or connection tokens.
"""

RetryFunction = Callable[[RetryContext], Seconds | None | Awaitable[Seconds | None]]
"""A retry policy as a function, sync or async."""


class HubConnectionBuilder:
    """Collects options and builds one `HubConnection`. Every method except `build` returns the builder."""

    def __init__(self) -> None:
        self._http: HttpOptions | None = None
        self._protocol: HubProtocol = JsonHubProtocol()
        self._retry_policy: RetryPolicy | None = None
        self._retry_start = False
        self._calls_wait = False
        self._stateful_buffer_size: int | None = None
        self._server_timeout = 30.0
        self._keep_alive_interval = 15.0
        self._handshake_timeout = 15.0
        self._receive_limit = ReceiveLimit()
        self._refresh = RefreshOptions()
        self._logger = logging.getLogger(_PACKAGE_LOGGER)
        self._built = False

    def with_url(
        self,
        url: str,
        *,
        transports: HttpTransportType = HttpTransportType.ALL,
        skip_negotiation: bool = False,
        access_token_factory: AccessTokenFactory | None = None,
        access_token_in_query: bool = False,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        ssl: ssl_module.SSLContext | aiohttp.Fingerprint | bool = True,
        proxy: str | None = None,
        proxy_auth: aiohttp.BasicAuth | str | None = None,
        session: aiohttp.ClientSession | None = None,
        close_timeout: Seconds = 5.0,
        max_message_size: int | None = None,
    ) -> Self:
        """Set the hub to connect to, and how.

        Args:
            url: absolute, http or https (ws and wss are accepted and mean the same). Its query is kept and sent with every request.
                For a Unix socket, its path takes the place of the host: ``http+unix://%2Frun%2Fhub.sock/chathub``.
            transports: which transports may be used.
            skip_negotiation: connect without a negotiate request, which works with WebSockets only; there is no connection id then.
            access_token_factory: a function, sync or async, that returns a bearer token, or None or "" for no token.
            access_token_in_query: send the token of WebSockets and event streams as ``access_token`` in the query, as browsers have
                to, instead of in a header; for servers and proxies that read it there. Queries end up in logs of servers.
            headers: sent with every request; they replace the default headers, but not the access token.
            cookies: sent with every request to the hub's host.
            ssl: as in aiohttp: an SSLContext, or False to skip verification.
            proxy: the URL of an HTTP proxy; it may contain a user name and password.
            proxy_auth: the credentials as ``aiohttp.encode_basic_auth(name, password)`` returns them, or a BasicAuth.
            session: an aiohttp session to use; it is never closed here, and its own cookies are used instead of *cookies*.
            close_timeout: seconds that `HubConnection.stop` may take: for queued messages, the transport, handlers and callbacks.
            max_message_size: bytes of the largest message that is accepted from the server; None for no limit.

        Raises:
            TypeError: *access_token_factory* is not callable.
            ValueError: the URL or a number is not usable.
            ImportError: the proxy needs aiohttp-socks (extra ``proxy``), which is not installed: see docs/transports.md.
        """
        self._http = HttpOptions(
            url=url,
            transports=transports,
            skip_negotiation=skip_negotiation,
            access_token_factory=access_token_factory,
            access_token_in_query=access_token_in_query,
            headers=dict(headers or {}),
            cookies=dict(cookies or {}),
            ssl=ssl,
            proxy=proxy,
            proxy_auth=proxy_auth,
            session=session,
            close_timeout=seconds(close_timeout),
            max_message_size=max_message_size,
        )
        return self

    def with_hub_protocol(self, protocol: HubProtocol) -> Self:
        """Use *protocol* instead of JSON: ``MessagePackHubProtocol()``, or one of your own.

        Raises:
            TypeError: it is not a hub protocol.
        """
        if isinstance(protocol, str | type) or not isinstance(protocol, HubProtocol):
            raise TypeError(
                "with_hub_protocol() takes a protocol object: JsonHubProtocol(), MessagePackHubProtocol(), or one of your own with"
                f" name, version, transfer_format, framer, encode and decode; not {protocol!r}."
            )
        self._protocol = protocol
        return self

    def with_automatic_reconnect(
        self, policy: RetryPolicy | RetryFunction | wait_base | Sequence[Seconds] | None = None, *, retry_start: bool = False
    ) -> Self:
        """Reconnect when the connection is lost: after 0, 2, 10 and 30 seconds, or as *policy* says.

        Without a policy it gives up after these 42 seconds, as the official clients do; `ExponentialBackoff` never gives up. See
        docs/reconnecting.md.

        Args:
            policy: delays in seconds; or an object with ``next_retry_delay(context)``, or a function of the context, which may be
                async and returns seconds, or None to give up; or a tenacity wait.
            retry_start: let the policy cover the first `start` too.

        Raises:
            TypeError: *policy* is none of these.
            ValueError: a policy was set already, or a delay is negative, infinite or not a number.
        """
        if self._retry_policy is not None:
            raise ValueError("A reconnectPolicy has already been set.")
        self._retry_policy = as_retry_policy(policy)
        self._retry_start = retry_start
        return self

    def with_calls_while_reconnecting(self, *, wait: bool = True) -> Self:
        """Let `invoke`, `send` and `stream` wait while the connection is connecting or reconnecting, instead of raising an error.

        They are sent in the order in which they were made, after the callbacks of `HubConnection.on_connected` have run. If the
        connection ends for good, they raise InvalidStateError, which names the reason; nothing was sent then. Cancelling a call
        that waits sends nothing. The number of waiting calls is not limited here: each one belongs to a task or stream of yours.

        Calls that were in flight when the connection was lost do fail, because the server may have executed them. See
        docs/reconnecting.md.

        Args:
            wait: False restores the default: calls made at such a time raise InvalidStateError.
        """
        self._calls_wait = wait
        return self

    def with_stateful_reconnect(self, buffer_size: int = 1_048_576) -> Self:
        """Keep the connection when its WebSocket is lost, if the server allows it: open another one, and lose no message.

        Calls, streams and uploads go on, the connection id stays, and the state stays connected; `HubConnection.on_detached` and
        `HubConnection.on_resumed` tell of it. Attempts are made for 15 seconds. After that, after a server timeout, and on servers or
        transports without stateful reconnect, the connection is lost as usual, and `with_automatic_reconnect` has its turn. See
        docs/reconnecting.md.

        Args:
            buffer_size: bytes of sent messages that are kept until the server has acknowledged them; above that, senders wait.

        Raises:
            ValueError: *buffer_size* is not positive.
        """
        if not buffer_size > 0:
            raise ValueError(f"The buffer_size of stateful reconnect is a number of bytes above 0; {buffer_size} is not.")
        self._stateful_buffer_size = buffer_size
        return self

    def with_server_timeout(self, timeout: Seconds) -> Self:
        """End the connection when the server sends nothing for *timeout* (30 s); at least twice its keep-alive interval."""
        self._server_timeout = _duration("server timeout", timeout)
        return self

    def with_keep_alive_interval(self, interval: Seconds) -> Self:
        """Send a ping when nothing else was sent for *interval* (15 s); at most half of the server's client timeout."""
        self._keep_alive_interval = _duration("keep-alive interval", interval)
        return self

    def with_handshake_timeout(self, timeout: Seconds) -> Self:
        """Give the server *timeout* (15 s) to respond to the handshake; a third of it over a transport that is not the last to try."""
        self._handshake_timeout = _duration("handshake timeout", timeout)
        return self

    def with_receive_limit(
        self, bytes: int | None = 16_777_216, messages: int | None = 100_000, requests: int | None = 1000
    ) -> Self:
        """Limit the server's calls that wait for their handlers, and the items of streams that wait to be read.

        Past a limit the client stops reading, until half of it is left. What the client does not read piles up at the server, which
        then slows down whoever sends to this client. Pings are still sent, and the server timeout does not run. A warning in the log
        names the handler that is running. While something of yours waits for the server behind what is not read, the client reads on;
        the connection ends if that brings four times a limit (and 1 MiB or 10,000 messages). See docs/handlers.md.

        Args:
            bytes: bytes of received frames whose calls have not all been handled, and of items that were not read; None for no limit.
            messages: calls that have not been handled, and items that were not read; None for no limit.
            requests: calls for a result whose handlers run at once; others wait until one has ended. None for no limit.

        Raises:
            ValueError: a limit is not positive.
        """
        for name, limit in (("bytes", bytes), ("messages", messages), ("requests", requests)):
            if limit is not None and not limit > 0:
                raise ValueError(f"The receive limit {name}= must be positive, or None for no limit; not {limit}.")
        self._receive_limit = ReceiveLimit(bytes, messages, requests)
        return self

    def with_authentication_refresh(self, *, automatic: bool = True, before_expiration: Seconds = 300.0) -> Self:
        """Choose when the access token of a connection is renewed, on servers that say how long it is valid.

        Args:
            automatic: renew it automatically; otherwise only `HubConnection.refresh_authentication` does.
            before_expiration: how long before it expires. If it is valid for less than twice that long, it is renewed halfway. Never
                sooner than after 30 s.
        """
        self._refresh = RefreshOptions(automatic, _duration("time before the expiration", before_expiration, finite=True))
        return self

    def configure_logging(self, logger: logging.Logger | int | str) -> Self:
        """Log to *logger* and its children; or, given a level, show what the package logs at that level and above.

        With a level, a handler that writes to standard error is added unless logging is configured already.
        """
        if isinstance(logger, logging.Logger):
            self._logger = logger
            return self
        package = logging.getLogger(_PACKAGE_LOGGER)
        package.setLevel(logger)
        if not package.hasHandlers():
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
            package.addHandler(handler)
        return self

    def build(self) -> HubConnection:
        """Return the connection. It does no I/O and needs no running event loop.

        Raises:
            ValueError: no URL was given, options contradict each other, or the builder has built a connection already.
        """
        if self._built:
            raise ValueError("HubConnectionBuilder allows creation only of a single instance of HubConnection.")
        if self._http is None:
            raise ValueError("The 'HubConnectionBuilder.with_url' method must be called before building the connection.")
        if self._stateful_buffer_size is not None:
            if self._http.skip_negotiation:
                raise ValueError(
                    "Stateful reconnect has to be negotiated: leave out skip_negotiation=True or with_stateful_reconnect()."
                )
            if HttpTransportType.WEB_SOCKETS not in self._http.transports:
                raise ValueError("Stateful reconnect works over WebSockets only: allow them with transports=.")
        self._built = True
        options = ConnectionOptions(
            protocol=self._protocol,
            server_timeout=self._server_timeout,
            keep_alive_interval=self._keep_alive_interval,
            handshake_timeout=self._handshake_timeout,
            close_timeout=self._http.close_timeout,
            max_message_size=self._http.max_message_size,
            receive_limit=self._receive_limit,
            retry_policy=self._retry_policy,
            retry_start=self._retry_start,
            calls_wait=self._calls_wait,
            stateful_buffer_size=self._stateful_buffer_size,
            refresh=self._refresh,
        )
        return HubConnection(self._http, options, self._logger)


def _duration(what: str, value: Any, *, finite: bool = False) -> float:
    """Return *value* in seconds.

    Raises:
        ValueError: it is not positive, not a number, or (with *finite*) infinite.
    """
    number = seconds(value)
    if not number > 0 or (finite and math.isinf(number)):
        raise ValueError(f"The {what} must be a {'finite, ' if finite else ''}positive time in seconds, not {number:g}.")
    return number

"""`HubConnectionBuilder`: from options to a `HubConnection`, without I/O. Room: client. Spec: client-behaviour.md, "A. Options"."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tenacity.wait import wait_base

from signalr_client.client.connection import HubConnection
from signalr_client.client.refresh import RefreshOptions
from signalr_client.client.supervisor import LifeOptions
from signalr_client.core.negotiation import redact_url
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol
from signalr_client.core.retry import RetryContext, RetryPolicy, as_retry_policy
from signalr_client.transports.base import HttpOptions
from signalr_client.types import AccessTokenFactory, HttpTransportType, Seconds, seconds

if TYPE_CHECKING:
    import ssl as ssl_module

    import aiohttp

__all__ = ["HubConnectionBuilder"]

_PACKAGE_LOGGER = "signalr_client"

RetryFunction = Callable[[RetryContext], Seconds | None | Awaitable[Seconds | None]]
"""A retry policy as a function, sync or async."""


class HubConnectionBuilder:
    """Collects options and builds one `HubConnection`; every method but `build` returns the builder."""

    def __init__(self) -> None:
        self._http: HttpOptions | None = None
        self._protocol: HubProtocol = JsonHubProtocol()
        self._retry_policy: RetryPolicy | wait_base | None = None
        self._retry_start = False
        self._server_timeout = 30.0
        self._keep_alive_interval = 15.0
        self._handshake_timeout = 15.0
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
        ssl: ssl_module.SSLContext | bool = True,
        proxy: str | None = None,
        proxy_auth: aiohttp.BasicAuth | str | None = None,
        session: aiohttp.ClientSession | None = None,
        close_timeout: Seconds = 5.0,
        max_message_size: int | None = None,
    ) -> Self:
        """Set the hub to connect to, and how.

        Args:
            url: absolute, http or https; its query is kept and sent with every request. For a Unix socket, its path stands for the
                host: ``http+unix://%2Frun%2Fhub.sock/chathub``.
            transports: which transports may be used.
            skip_negotiation: connect at once, which only WebSockets can; then there is no connection id.
            access_token_factory: called for a bearer token, sync or async; None or "" for no token.
            access_token_in_query: send the token of a WebSocket and of an event stream as ``access_token`` in the query, as browsers
                have to, instead of in a header; for servers and proxies that look for it there. Queries end up in logs of servers.
            headers: sent with every request; they win over our own, but for the token.
            cookies: sent with every request to the hub's host.
            ssl: as in aiohttp: an SSLContext, or False to verify nothing.
            proxy: the URL of an HTTP proxy; name and password may be in it.
            proxy_auth: them, as ``aiohttp.encode_basic_auth(name, password)`` returns; a BasicAuth of older aiohttps will do.
            session: an aiohttp session to use; it is never closed here, and its own cookies are used instead of *cookies*.
            close_timeout: seconds that a closing connection waits for the server, and for handlers that still run.
            max_message_size: bytes that one message from the server may have; None for no limit.

        Raises:
            ValueError: the URL or a number makes no sense.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "http+unix") or not parts.netloc.rpartition("@")[2]:
            raise ValueError(f"A hub's URL begins with http:// or https:// and names a host; {redact_url(url)!r} does not.")
        if parts.scheme == "http+unix" and proxy is not None:
            raise ValueError("A proxy cannot reach a Unix socket: leave out proxy=, or name a host in the URL.")
        if transports is HttpTransportType.NONE:
            raise ValueError("transports=HttpTransportType.NONE leaves no way to connect.")
        if proxy is not None and urlsplit(proxy).scheme not in ("http", "https"):
            raise ValueError(f"A proxy is named by an http:// or https:// URL; {redact_url(proxy)!r} is none.")
        if isinstance(proxy_auth, str) and not proxy_auth.lower().startswith("basic "):
            raise ValueError("proxy_auth is what aiohttp.encode_basic_auth(name, password) returns; it begins with 'Basic '.")
        if max_message_size is not None and max_message_size < 1:
            raise ValueError(f"max_message_size is a number of bytes; {max_message_size} leaves no room for a message.")
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
            close_timeout=_positive("close_timeout", close_timeout),
            max_message_size=max_message_size,
        )
        return self

    def with_hub_protocol(self, protocol: HubProtocol) -> Self:
        """Speak *protocol* instead of JSON: ``MessagePackHubProtocol()``, or one of your own.

        Raises:
            TypeError: it is no hub protocol.
        """
        if not isinstance(protocol, HubProtocol):
            raise TypeError(
                f"A hub protocol has name, version, transfer_format, framer, encode and decode; {protocol!r} has not."
            )
        self._protocol = protocol
        return self

    def with_automatic_reconnect(
        self, policy: RetryPolicy | RetryFunction | wait_base | Sequence[Seconds] | None = None, *, retry_start: bool = False
    ) -> Self:
        """Reconnect when the connection is lost: after 0, 2, 10 and 30 seconds, or as *policy* says.

        Args:
            policy: delays in seconds; or an object with ``next_retry_delay(context)``, which may be async and returns seconds
                or None to give up; or a tenacity wait.
            retry_start: let the policy cover the first `start` too.

        Raises:
            TypeError: *policy* is none of these.
            ValueError: a policy was set already, or a delay is negative.

        Spec: client-behaviour.md, "F. Automatic reconnect".
        """
        if self._retry_policy is not None:
            raise ValueError("A reconnectPolicy has already been set.")
        self._retry_policy = as_retry_policy(policy)
        self._retry_start = retry_start
        return self

    def with_server_timeout(self, timeout: Seconds) -> Self:
        """End the connection when the server sends nothing for *timeout* (30 s); at least twice its keep-alive interval."""
        self._server_timeout = _positive("server timeout", timeout)
        return self

    def with_keep_alive_interval(self, interval: Seconds) -> Self:
        """Send a ping when nothing else was sent for *interval* (15 s); below half of the server's client timeout."""
        self._keep_alive_interval = _positive("keep-alive interval", interval)
        return self

    def with_handshake_timeout(self, timeout: Seconds) -> Self:
        """Give the server *timeout* (15 s) to answer the handshake."""
        self._handshake_timeout = _positive("handshake timeout", timeout)
        return self

    def with_authentication_refresh(self, *, automatic: bool = True, before_expiration: Seconds = 300.0) -> Self:
        """Choose when the access token of a standing connection is renewed, on servers that say how long one lasts.

        Args:
            automatic: renew it without being asked; else only `HubConnection.refresh_authentication` does.
            before_expiration: how long before the end; a lifetime of less than twice that is halved. Never sooner than 30 s.

        Spec: client-behaviour.md, "J. New by version" (authentication refresh).
        """
        self._refresh = RefreshOptions(automatic, _positive("time before the expiration", before_expiration))
        return self

    def configure_logging(self, logger: logging.Logger | int | str) -> Self:
        """Log to *logger* and its children; or, given a level, show what the package logs from that level on.

        With a level, a handler that writes to standard error is added unless logging was set up already.
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
            ValueError: no URL was given, or this builder has built one already.
        """
        if self._built:
            raise ValueError("HubConnectionBuilder allows creation only of a single instance of HubConnection.")
        if self._http is None:
            raise ValueError("The 'HubConnectionBuilder.with_url' method must be called before building the connection.")
        self._built = True
        life_options = LifeOptions(
            protocol=self._protocol,
            server_timeout=self._server_timeout,
            keep_alive_interval=self._keep_alive_interval,
            handshake_timeout=self._handshake_timeout,
            close_timeout=self._http.close_timeout,
            max_message_size=self._http.max_message_size,
            retry_policy=self._retry_policy,
            retry_start=self._retry_start,
            refresh=self._refresh,
        )
        return HubConnection(self._http, life_options, self._logger)


def _positive(what: str, value: Any) -> float:
    number = seconds(value)
    if number <= 0:
        raise ValueError(f"The {what} is a time in seconds above 0; {number:g} is not.")
    return number

"""What the client room knows of the transports: their common interface, and the options. Room: transports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from signalr_client.core.negotiation import redact_url
from signalr_client.errors import TransportError
from signalr_client.transports.failures import NO_TUNNEL
from signalr_client.types import AccessTokenFactory, HttpTransportType

if TYPE_CHECKING:
    import ssl as ssl_module

    import aiohttp

__all__ = ["HttpOptions", "SocketLostError", "Transport"]


class SocketLostError(TransportError):
    """A WebSocket broke without a close frame. With stateful reconnect the connection goes on, on another one."""


class Transport(Protocol):
    """One connection to a server that carries bytes both ways.

    A transport is connected from the beginning. `receive` has one caller at a time and `send` has one; `close` may be called by
    anybody, at any time.
    """

    @property
    def name(self) -> str:
        """Its name in a negotiate response: "WebSockets"."""

    @property
    def inherent_keep_alive(self) -> bool:
        """Whether a dead peer is noticed without pings, as with Long Polling."""

    async def receive(self) -> bytes | None:
        """Return the next bytes, or None when the server has ended the connection without an error, or `close` was called.

        Cancelling may lose what was just coming in, so after it only `close` makes sense.

        Raises:
            TransportError: the connection broke; a SocketLostError if it might be resumed.
            ProtocolError: the server sent more at once than `max_message_size` allows.
        """

    async def send(self, data: bytes) -> None:
        """Send *data*; waits while the network takes no more.

        Raises:
            TransportError: the connection broke, or `close` was called; some of *data* may have arrived.
        """

    async def close(self) -> None:
        """End the connection in the transport's own way, within the close timeout; idempotent. Cancelling ends it at once.

        What is in flight ends with it: a `receive` that waits returns None, and a `send` that waits raises TransportError.
        """


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class HttpOptions:
    """How to reach a hub; the arguments of `HubConnectionBuilder.with_url`, which explains them.

    ``session``, ``ssl``, ``proxy`` and ``proxy_auth`` are handed to aiohttp as they are. The repr shows no secret.

    Raises:
        ValueError: the URL, a number or a combination makes no sense.
        TypeError: an option has the wrong type.
    """

    url: str
    transports: HttpTransportType = HttpTransportType.ALL
    skip_negotiation: bool = False
    access_token_factory: AccessTokenFactory | None = None
    access_token_in_query: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    ssl: ssl_module.SSLContext | aiohttp.Fingerprint | bool = True
    proxy: str | None = None
    proxy_auth: aiohttp.BasicAuth | str | None = None
    session: aiohttp.ClientSession | None = None
    close_timeout: float = 5.0
    max_message_size: int | None = None

    def __post_init__(self) -> None:
        """Check the options, and read ``ws://`` as ``http://``."""
        for websocket, http in (("ws://", "http://"), ("wss://", "https://")):
            if self.url.lower().startswith(websocket):
                object.__setattr__(self, "url", http + self.url[len(websocket) :])  # the one change of a frozen instance
        self._check_addresses()
        if self.transports is HttpTransportType.NONE:
            raise ValueError("transports= must allow at least one transport, and HttpTransportType.NONE allows none.")
        factory = self.access_token_factory
        if factory is not None and not callable(factory):  # its value may be a token, so only its type is named
            raise TypeError(
                f"access_token_factory is a function that returns a token, not a {type(factory).__name__}: for a fixed token"
                " pass access_token_factory=lambda: token."
            )
        if not 0 < self.close_timeout < math.inf:
            raise ValueError(f"The close_timeout is a time in seconds above 0; {self.close_timeout:g} is not.")
        if self.max_message_size is not None and self.max_message_size < 1:
            raise ValueError(f"max_message_size must be at least 1 byte, not {self.max_message_size}.")

    def _check_addresses(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "http+unix") or not parts.netloc.rpartition("@")[2]:
            raise ValueError(
                f"The URL of a hub must begin with http:// or https:// and name a host, not {redact_url(self.url)!r}."
            )
        if self.proxy is None:
            return
        if parts.scheme == "http+unix":
            raise ValueError("A proxy cannot reach a Unix socket: leave out proxy=, or name a host in the URL.")
        if urlsplit(self.proxy).scheme not in ("http", "https"):
            raise ValueError(f"proxy must be an http:// or https:// URL, not {redact_url(self.proxy)!r}.")
        if self.session is None and parts.scheme == "http" and HttpTransportType.WEB_SOCKETS in self.transports:
            _import_tunnel()
        if isinstance(self.proxy_auth, str) and not self.proxy_auth.lower().startswith("basic "):
            raise ValueError("proxy_auth is what aiohttp.encode_basic_auth(name, password) returns; it begins with 'Basic '.")

    def __repr__(self) -> str:
        """Return the options that are no secrets; of the others, whether they are set."""
        given = [f"url={redact_url(self.url)!r}", f"transports={self.transports!r}"]
        given += [f"{name}={getattr(self, name)!r}" for name in ("skip_negotiation", "close_timeout", "max_message_size")]
        secret = ("access_token_factory", "headers", "cookies", "proxy", "proxy_auth", "session")
        given += [f"{name}=***" for name in secret if getattr(self, name)]
        return f"HttpOptions({', '.join(given)})"


def _import_tunnel() -> None:
    """Import what opens tunnels. This is done before the connection starts, because a running event loop must not wait for a disk.

    Raises:
        ImportError: its library is not installed.
    """
    try:
        import signalr_client.transports.tunnel  # noqa: F401, PLC0415  # see there
    except ImportError as exc:
        raise ImportError(NO_TUNNEL) from exc

"""The aiohttp sessions that requests go through: the caller's, or our own, one for each kind of connector. Room: transports.

Their options are in docs/transports.md, "Every option".
"""

from __future__ import annotations

import asyncio
import base64
import concurrent.futures.thread  # noqa: F401  # see below
import contextlib
import encodings.idna  # noqa: F401  # see below
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from signalr_client.transports.base import HttpOptions
from signalr_client.transports.failures import NO_TUNNEL, RequestLostError, TunnelError

__all__ = ["Sessions", "request_address", "send_once"]

# asyncio and ssl import two modules when they first resolve a host name and check that of a certificate. Here they are imported
# early, because a running event loop must not wait for a disk.

_UNIX: Final = "http+unix"


async def send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a request again: a client middleware, the innermost of its session.

    When a connection is lost, aiohttp repeats GET and DELETE once without telling anybody. The lost response of a poll may have
    carried messages, which the server does not send a second time, so they would be missing silently.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:  # those that aiohttp repeats a request after
        if isinstance(exc, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            raise  # nothing was sent, and aiohttp does not repeat it
        raise RequestLostError(str(exc)) from exc


class Sessions:
    """The sessions of one connection, from its start to its end; they share one jar of cookies.

    Args:
        options: of the connection.
        sends_user_agent: whether requests have a User-Agent at all.
    """

    def __init__(self, options: HttpOptions, *, sends_user_agent: bool) -> None:
        self._options = options
        self._skipped = [] if sends_user_agent else ["User-Agent"]
        self._jar: aiohttp.CookieJar | None = None
        self._owned: dict[str, aiohttp.ClientSession] = {}
        self._proxy = None if options.proxy is None else _with_credentials(URL(options.proxy), options.proxy_auth)

    def way(self, url: str, *, upgrade: bool = False) -> tuple[aiohttp.ClientSession, dict[str, Any]]:
        """Return the session for a request to *url*, and aiohttp's own options for it. Needs a running loop.

        Args:
            url: of the request.
            upgrade: whether the request is to become a WebSocket.
        """
        options: dict[str, Any] = {"ssl": self._options.ssl}
        socket = _unix_socket(url)
        if socket is None and self._proxy is not None and not self._tunnels(url):
            options["proxy"] = self._proxy
        session = self._options.session
        if session is not None:
            if not upgrade:  # ws_connect() takes no middlewares; repeating an upgrade loses no message
                # Middlewares of a request replace those of its session, which aiohttp does not make public.
                options["middlewares"] = (*getattr(session, "_middlewares", ()), send_once)
            return session, options
        if socket is not None:
            return self._own(socket, lambda: aiohttp.UnixConnector(socket)), options
        if self._tunnels(url):
            return self._own("tunnel", self._tunnel), options
        return self._own("", aiohttp.TCPConnector), options

    async def aclose(self) -> None:
        """Close our own sessions, within the close timeout; the caller's is left as it is. Cancelling drops none of them."""
        deadline = asyncio.get_running_loop().time() + self._options.close_timeout
        async with contextlib.AsyncExitStack() as closing:  # it closes the others when one is cancelled
            for session in self._owned.values():
                closing.push_async_callback(_close, session, deadline)
            self._owned.clear()

    def _tunnels(self, url: str) -> bool:
        """Return whether to ask the proxy for a tunnel to a plain WebSocket; aiohttp asks for one only where there is TLS.

        Without a tunnel, a proxy drops the headers that upgrade a request to a WebSocket.
        """
        proxy = self._proxy
        return proxy is not None and proxy.scheme == "http" and url.startswith("ws:") and self._options.session is None

    def _tunnel(self) -> aiohttp.BaseConnector:
        try:
            from signalr_client.transports.tunnel import TunnelConnector  # noqa: PLC0415  # see there
        except ImportError:  # HttpOptions does not notice if the server redirects from https to http
            raise TunnelError(NO_TUNNEL) from None
        return TunnelConnector.from_url(str(self._proxy))

    def _own(self, name: str, connector: Callable[[], aiohttp.BaseConnector]) -> aiohttp.ClientSession:
        if name not in self._owned:
            if self._jar is None:
                # unsafe: take cookies from a server with an IP address too; sticky sessions depend on them.
                # quote_cookie: aiohttp would quote values with = or /, which the base64 values of load balancers have.
                self._jar = aiohttp.CookieJar(unsafe=True, quote_cookie=False)
                if self._options.cookies:
                    self._jar.update_cookies(dict(self._options.cookies), request_address(self._options.url).with_path("/"))
            self._owned[name] = aiohttp.ClientSession(
                connector=connector(), cookie_jar=self._jar, skip_auto_headers=self._skipped, middlewares=(send_once,)
            )
        return self._owned[name]


async def _close(session: aiohttp.ClientSession, deadline: float) -> None:
    """Close a session; its connections are closed before anything is awaited, and their ends are waited for until *deadline*."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            await session.close()


def request_address(url: str) -> URL:
    """Return the URL for aiohttp. A request over a Unix socket needs a host name too, so ``http+unix`` URLs get localhost."""
    parts = urlsplit(url)
    return URL(urlunsplit(parts._replace(scheme="http", netloc="localhost")) if parts.scheme == _UNIX else url)


def _unix_socket(url: str) -> str | None:
    """Return the path of the socket that an ``http+unix`` URL has in place of a host, or None for other URLs."""
    parts = urlsplit(url)
    return unquote(parts.netloc) if parts.scheme == _UNIX else None


def _with_credentials(proxy: URL, auth: aiohttp.BasicAuth | str | None) -> URL:
    """Return the proxy's URL with name and password in it: aiohttp sends those with plain requests and with CONNECT."""
    if auth is None:
        return proxy
    if isinstance(auth, str):
        name, _, password = base64.b64decode(auth.partition(" ")[2]).decode("latin1").partition(":")
    else:
        name, password = auth.login, auth.password
    return proxy.with_user(name).with_password(password)

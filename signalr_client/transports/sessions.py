"""The aiohttp sessions that requests go through: the caller's, or our own, made as the way to a URL needs them. Room: transports.

Spec: client-behaviour.md, "A2. .NET HttpConnectionOptions" (Cookies, Proxy).
"""

from __future__ import annotations

import base64
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

import aiohttp
from aiohttp_socks import ProxyConnector
from yarl import URL

from signalr_client.transports.base import HttpOptions

__all__ = ["Sessions", "request_address"]

_UNIX: Final = "http+unix"


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

    def way(self, url: str) -> tuple[aiohttp.ClientSession, dict[str, Any]]:
        """Return the session for a request to *url*, and aiohttp's own options for it. Needs a running loop."""
        options: dict[str, Any] = {"ssl": self._options.ssl}
        socket = _unix_socket(url)
        if socket is None and self._proxy is not None and not self._tunnels(url):
            options["proxy"] = self._proxy
        if self._options.session is not None:
            return self._options.session, options
        if socket is not None:
            return self._own(socket, lambda: aiohttp.UnixConnector(socket)), options
        if self._tunnels(url):
            return self._own("tunnel", self._tunnel), options
        return self._own("", aiohttp.TCPConnector), options

    async def aclose(self) -> None:
        """Close our own sessions; the caller's is left as it is."""
        while self._owned:
            _, owned = self._owned.popitem()
            await owned.close()

    def _tunnels(self, url: str) -> bool:
        """Return whether the proxy has to be asked for a tunnel, which aiohttp does for TLS alone.

        Proxies drop what makes a plain request the beginning of a WebSocket.
        """
        proxy = self._proxy
        return proxy is not None and proxy.scheme == "http" and url.startswith("ws:") and self._options.session is None

    def _tunnel(self) -> aiohttp.BaseConnector:
        return ProxyConnector.from_url(str(self._proxy))

    def _own(self, name: str, connector: Any) -> aiohttp.ClientSession:
        if name not in self._owned:
            if self._jar is None:
                # unsafe: a server under an IP address may set cookies too; sticky sessions depend on them.
                # quote_cookie: aiohttp would put a value with one of =/ in quotes, and balancers' values, base64, have them.
                self._jar = aiohttp.CookieJar(unsafe=True, quote_cookie=False)
                if self._options.cookies:
                    self._jar.update_cookies(dict(self._options.cookies), request_address(self._options.url).with_path("/"))
            self._owned[name] = aiohttp.ClientSession(
                connector=connector(), cookie_jar=self._jar, skip_auto_headers=self._skipped
            )
        return self._owned[name]


def request_address(url: str) -> URL:
    """Return where a request to *url* goes: for ``http+unix`` to whoever listens at the socket, who needs a host name all the same."""
    parts = urlsplit(url)
    return URL(urlunsplit(parts._replace(scheme="http", netloc="localhost")) if parts.scheme == _UNIX else url)


def _unix_socket(url: str) -> str | None:
    """Return the path of the socket that an ``http+unix`` URL names where others name a host, or None for other URLs."""
    parts = urlsplit(url)
    return unquote(parts.netloc) if parts.scheme == _UNIX else None


def _with_credentials(proxy: URL, auth: aiohttp.BasicAuth | str | None) -> URL:
    """Return the proxy's URL with name and password in it: from there aiohttp sends them with plain requests and with CONNECT."""
    if auth is None:
        return proxy
    if isinstance(auth, str):
        name, _, password = base64.b64decode(auth.partition(" ")[2]).decode("latin1").partition(":")
    else:
        name, password = auth.login, auth.password
    return proxy.with_user(name).with_password(password)

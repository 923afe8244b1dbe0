"""The server behind a proxy, and its URL as seen through the proxy. Room: tools."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

__all__ = ["Target"]

DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Target:
    """A server, given by its URL, or by its host and port.

    Attributes:
        host, port: where to connect to.
        encrypted: whether TLS hides what is sent.

    Raises:
        ValueError: it is neither. The message does not repeat the URL, which may hold a token.
    """

    def __init__(self, target: str, target_port: int | None) -> None:
        is_url = "://" in target
        if is_url == (target_port is not None):
            raise ValueError(
                "The target is a URL, as in FaultProxy('http://host:port/path'), or a host with a port, as in"
                " FaultProxy('host', port)."
            )
        self._url = urlsplit(target if is_url else f"http://{bracketed(target)}:{target_port}")
        if self._url.scheme not in DEFAULT_PORTS:
            raise ValueError(f"The target must be an http, https, ws or wss URL; its scheme is {self._url.scheme!r}.")
        if not self._url.hostname:
            raise ValueError("The URL of the target has no host.")
        self.host: str = self._url.hostname
        self.port: int = self._url.port or DEFAULT_PORTS[self._url.scheme]
        self.encrypted: bool = self._url.scheme in {"https", "wss"}

    def through(self, host: str, port: int) -> str:
        """Return the target's URL with another host and port."""
        user, at, _ = self._url.netloc.rpartition("@")
        return urlunsplit(self._url._replace(netloc=f"{user}{at}{bracketed(host)}:{port}"))


def bracketed(host: str) -> str:
    """Return a host as URLs have it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host

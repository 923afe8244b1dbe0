"""What a browser has to hear before it lets a page of another origin talk to a hub. Room: server.

Spec: server-behaviour.md, "CORS for the browser client" under "B".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import hdrs, web
from yarl import URL

__all__ = ["CrossOrigin"]

_METHODS: Final = "GET, POST, DELETE"
_HEADERS: Final = "authorization, content-type, x-requested-with, x-signalr-user-agent"


class CrossOrigin:
    """The rule for pages of other origins; with no origins given there is none, and browsers keep to their own."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset([origins] if isinstance(origins, str) else origins)

    def headers(self, request: web.Request) -> dict[str, str]:
        """Return the headers of every answer to *request*. The origin is named, never ``*``: the client sends credentials."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not self._allows(origin):
            return {}
        return {
            hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin,
            hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS: "true",
            hdrs.VARY: hdrs.ORIGIN,
        }

    def is_preflight(self, request: web.Request) -> bool:
        """Return whether a browser asks what it may; it does so without credentials."""
        asks = request.method == hdrs.METH_OPTIONS and hdrs.ACCESS_CONTROL_REQUEST_METHOD in request.headers
        return asks and bool(self._origins)

    def preflight(self, request: web.Request) -> web.Response:
        """Return the answer to a browser that asks what it may."""
        headers = self.headers(request)
        if headers:
            headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = _METHODS
            wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS)
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = wanted or _HEADERS
        return web.Response(status=204, headers=headers)

    def allows_socket(self, request: web.Request) -> bool:
        """Return whether a WebSocket of this origin is let in: browsers do not ask before they open one."""
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or not self._origins or self._allows(origin):
            return True
        return URL(origin).authority == request.host

    def _allows(self, origin: str) -> bool:
        return "*" in self._origins or origin in self._origins

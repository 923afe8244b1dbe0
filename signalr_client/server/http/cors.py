"""Cross-origin requests: which web pages of other origins may use a hub. Room: server, http. See docs/server.md, "Options"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from signalr_client.server.http.door import HttpRequest, HttpResponse

__all__ = ["CrossOrigin"]

_METHODS: Final = "GET, POST, DELETE"
_HEADERS: Final = "authorization, content-type, x-requested-with, x-signalr-user-agent"


class CrossOrigin:
    """The policy for pages of other origins; without origins there is none, and browsers apply the same-origin policy."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._origins = frozenset([origins] if isinstance(origins, str) else origins)

    def headers(self, request: HttpRequest) -> dict[str, str]:
        """Return the headers of every response to *request*. The origin is named, never ``*``: the client sends credentials."""
        origin = request.header("Origin")
        if origin is None or not self._allows(origin):
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Vary": "Origin",
        }

    def is_preflight(self, request: HttpRequest) -> bool:
        """Return whether a browser asks what is allowed; it does so without credentials."""
        asks = request.method == "OPTIONS" and request.header("Access-Control-Request-Method") is not None
        return asks and bool(self._origins)

    def preflight(self, request: HttpRequest) -> HttpResponse:
        """Return the response to a preflight request."""
        headers = self.headers(request)
        if headers:
            headers["Access-Control-Allow-Methods"] = _METHODS
            headers["Access-Control-Allow-Headers"] = request.header("Access-Control-Request-Headers") or _HEADERS
        return HttpResponse(204, headers=headers)

    def allows_websocket(self, request: HttpRequest) -> bool:
        """Return whether the origin may open a WebSocket: browsers send no preflight request for one.

        Without origins, any may, as in ASP.NET Core.
        """
        origin = request.header("Origin")
        if origin is None or not self._origins or self._allows(origin):
            return True
        try:
            return urlsplit(origin).netloc == request.host
        except ValueError:  # not a URL, so not this server's origin
            return False

    def _allows(self, origin: str) -> bool:
        return "*" in self._origins or origin in self._origins

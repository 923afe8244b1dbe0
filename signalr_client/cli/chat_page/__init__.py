"""A web page for chatting, which runs the official TypeScript client. Room: tools.

The hub is at ``/chathub``; it has a method SendMessage(user, message), which calls ReceiveMessage(user, message) on all clients. The
official client is part of the package, so that the page works without the internet.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

__all__ = ["add_chat_page"]

_FOLDER: Final = Path(__file__).parent

_FILES: Final = {
    "/": "index.html",
    "/chat.css": "chat.css",
    "/chat.js": "chat.js",
    "/signalr.min.js": "signalr.min.js",
    "/signalr.min.js.LICENSE.txt": "LICENSE.signalr.txt",
}

_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src data:",
    "X-Content-Type-Options": "nosniff",
}


def add_chat_page(app: web.Application) -> None:
    """Serve the page at ``/`` of an application that has not started."""
    for path, name in _FILES.items():
        app.router.add_get(path, _sender(_FOLDER / name))


def _sender(file: Path) -> Callable[[web.Request], Awaitable[web.FileResponse]]:
    async def send(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(file, headers=_HEADERS)

    return send

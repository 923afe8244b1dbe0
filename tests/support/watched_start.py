"""A program that connects once and prints blocking calls made on the event loop; ``python -m tests.support.watched_start --help``."""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import os
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from signalr_client import HubConnectionBuilder, JsonHubProtocol, MessagePackHubProtocol
from tests.support.hubs import TRANSPORTS

_EVENTS = {"open", "os.listdir", "os.scandir", "import", "subprocess.Popen", "os.system", "time.sleep", "socket.getaddrinfo"}


class Watch:
    """Records blocking calls in the thread of the event loop while it is enabled."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        self._thread = threading.get_ident()

    def note(self, what: str) -> None:
        """Record a call with the source lines that led to it."""
        if self.on and threading.get_ident() == self._thread:
            frame: FrameType | None = sys._getframe(2)
            lines: list[str] = []
            while frame is not None and len(lines) < 8:
                lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno}")
                frame = frame.f_back
            self.seen.append(" < ".join([what, *lines]))

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Handle an audit event."""
        if event in _EVENTS:
            self.note(f"{event} {arguments[0]!r}")

    def wrap(self, owner: Any, name: str) -> None:
        """Watch a function that does not raise an audit event."""
        original: Callable[..., Any] = getattr(owner, name)

        def watched(*args: Any, **kwargs: Any) -> Any:
            self.note(f"{name} {args[:1]!r}")
            return original(*args, **kwargs)

        setattr(owner, name, watched)


def read_token() -> str:
    """Return a token that is read from a file."""
    return Path(__file__).read_text()[:3].replace('"', "x")


async def main() -> None:
    """Connect, make a call, and stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("transport", choices=TRANSPORTS)
    parser.add_argument("--messagepack", action="store_true")
    parser.add_argument("--authority", help="file with the certificate authority of the server")
    parser.add_argument("--reading-factory", action="store_true", help="use an access token factory that reads a file")
    given = parser.parse_args()
    tls: Any = True if given.authority is None else ssl.create_default_context(cafile=given.authority)
    watch = Watch()
    sys.addaudithook(watch.audit)
    for name in ("stat", "lstat", "access", "readlink"):
        watch.wrap(os, name)
    watch.wrap(importlib.metadata, "version")
    watch.wrap(ssl, "create_default_context")
    factory = read_token if given.reading_factory else str
    connection = (
        HubConnectionBuilder()
        .with_url(given.url, transports=TRANSPORTS[given.transport], ssl=tls, access_token_factory=factory)
        .with_hub_protocol(MessagePackHubProtocol() if given.messagepack else JsonHubProtocol())
        .with_automatic_reconnect()
        .build()
    )
    watch.on = True
    try:
        await connection.start()
    finally:
        watch.on = False
    assert await connection.invoke("Echo", 1) == 1
    watch.on = True
    await connection.stop()
    watch.on = False
    print(*watch.seen, sep="\n", end="")


if __name__ == "__main__":
    asyncio.run(main())

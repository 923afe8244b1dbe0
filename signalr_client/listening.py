"""Listening on a port without losing a socket: when the start is cancelled, and when a client connects during the end. Room: top."""

from __future__ import annotations

import asyncio
import ssl as ssl_module
from collections.abc import Callable
from contextlib import suppress
from typing import Final

__all__ = ["close", "listen"]

_BACKLOG: Final = 128  # connections that wait to be accepted, as in aiohttp


async def listen(
    protocol: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, ssl: ssl_module.SSLContext | None = None
) -> asyncio.Server:
    """Listen. Cancelling closes what was opened.

    asyncio's `create_server` alone, if it is cancelled at its last await, goes on listening without an owner.
    """
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, host, port, ssl=ssl, backlog=_BACKLOG, start_serving=False)
    try:
        await server.start_serving()
    except BaseException:  # cancelling too must close what was opened
        server.close()
        raise
    return server


async def close(server: asyncio.Server) -> None:
    """Stop listening. The protocols of connections that are just being accepted still get their sockets.

    asyncio accepts a socket in one turn of its event loop and makes the transport in the next. A server that is closed in between
    loses the socket without closing it, so accepting has to end first. If this is cancelled, listening ends all the same.
    """
    for listening in server.sockets:
        with suppress(NotImplementedError):  # the proactor loop of Windows; it accepts in a single turn
            asyncio.get_running_loop().remove_reader(listening)
    try:
        await asyncio.sleep(0)
    finally:
        server.close()

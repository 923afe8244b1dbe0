"""Listening on a port, and closing it without losing a socket. Room: tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

__all__ = ["close", "listen"]


async def listen(protocol: Callable[[], asyncio.Protocol], host: str, port: int) -> asyncio.Server:
    """Listen. Cancelling closes what was opened."""
    server = await asyncio.get_running_loop().create_server(protocol, host, port, start_serving=False)
    try:
        await server.start_serving()
    except BaseException:  # cancelling too must close what was opened
        server.close()
        raise
    return server


async def close(server: asyncio.Server) -> None:
    """Stop listening. The protocols of connections that are just being accepted still get their sockets.

    asyncio accepts a socket in one turn of its event loop and makes the transport in the next. A server that is closed in between
    loses the socket without closing it, so accepting has to end first.
    """
    for listening in server.sockets:
        with suppress(NotImplementedError):  # the proactor loop of Windows; it accepts in a single turn
            asyncio.get_running_loop().remove_reader(listening)
    try:
        await asyncio.sleep(0)
    finally:
        server.close()

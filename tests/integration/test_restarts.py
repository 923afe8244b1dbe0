"""Repeated restarts do not leak memory."""

from __future__ import annotations

import asyncio
import gc

from signalr_client.client.life import Life
from tests.support.wire import Wire, vanish


async def test_restarts_from_on_close_do_not_keep_earlier_connections_in_memory(wire: Wire) -> None:
    """Each callback runs in the context of the previous `Life`; after 200 restarts only a few are left."""
    restarts, before = 200, lives()
    wire.play(vanish)
    connection, done = wire.connection(close_timeout=0.1), asyncio.Event()
    left = restarts

    @connection.on_close
    async def restart(_error: Exception | None) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            done.set()
        else:
            await connection.start()

    async with asyncio.timeout(60):
        await connection.start()
        await done.wait()
        await connection.stop()
    assert lives() - before <= 3


def lives() -> int:
    """Return the number of `Life` objects in memory, including those of other tests."""
    gc.collect()
    return sum(isinstance(thing, Life) for thing in gc.get_objects())

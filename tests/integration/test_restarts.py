"""Repeated restarts do not leak memory."""

from __future__ import annotations

import asyncio
import gc
import weakref

from signalr_client.client.life import Life
from tests.support.wire import Wire, vanish


def lives() -> list[Life]:
    """Return the lives that are in memory."""
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, Life)]


async def test_restarts_from_on_close_do_not_keep_earlier_connections_in_memory(wire: Wire) -> None:
    """Each callback runs in the context of the previous `Life`; after 200 restarts only a few are left."""
    restarts = 200
    before = weakref.WeakSet(lives())  # what other tests have left
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
    assert len([life for life in lives() if life not in before]) <= 3

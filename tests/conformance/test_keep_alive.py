"""Keep-alive pings and timeouts."""

from __future__ import annotations

import asyncio

import pytest

from signalr_client import ServerTimeoutError
from tests.support.hubs import Hubs


async def test_pings_keep_an_idle_connection_open(hubs: Hubs) -> None:
    """The server's timeout is two seconds and the client's is one second; the connection is idle for three."""
    builder = hubs.builder("/fasthub").with_keep_alive_interval(0.3)
    if hubs.transport_name != "lp":
        builder.with_server_timeout(1.5)
    connection = builder.build()
    async with connection, asyncio.timeout(20):
        closed = asyncio.create_task(connection.wait_closed())
        assert await connection.invoke("Delay", 3000) == "slept 3000"  # only pings are sent in the meantime
        assert not closed.done()
        assert await connection.invoke("Add", 1, 2) == 3
    await closed


async def test_a_silent_server_times_out(hubs: Hubs) -> None:
    """All pending calls get the error. Long Polling has no server timeout, because a poll fails if the server is gone."""
    connection = hubs.builder("/silenthub").with_server_timeout(0.3).build()
    await connection.start()
    async with asyncio.timeout(10):
        if hubs.transport_name == "lp":
            assert await connection.invoke("Delay", 600) == "slept 600"
        else:
            with pytest.raises(ServerTimeoutError) as caught:
                await connection.invoke("Delay", 60_000)
            text = "Server timeout (300.00ms) elapsed without receiving a message from the server."
            assert str(caught.value).startswith(text)
            with pytest.raises(ServerTimeoutError):
                await connection.wait_closed()
    await connection.stop()

"""Pings and silence. Spec: client-behaviour.md, "E9. Keep-alive and server timeout"."""

from __future__ import annotations

import asyncio

import pytest

from signalr_client import ServerTimeoutError
from tests.support.hubs import Hubs


async def test_pings_keep_a_quiet_connection_alive(hubs: Hubs) -> None:
    """The server gives a silent client two seconds, and we give a silent server one; it stays for three."""
    builder = hubs.builder("/fasthub").with_keep_alive_interval(0.3)
    if hubs.transport_name != "lp":
        builder.with_server_timeout(1.5)
    connection = builder.build()
    async with connection, asyncio.timeout(20):
        closed = asyncio.create_task(connection.wait_closed())
        assert await connection.invoke("Delay", 3000) == "slept 3000"  # nothing but pings on the line
        assert not closed.done()
        assert await connection.invoke("Add", 1, 2) == 3
    await closed


async def test_a_server_that_says_nothing_is_given_up(hubs: Hubs) -> None:
    """Every pending call hears why; Long Polling notices a dead server by itself and has no such timeout."""
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

"""Clients that connect at the very moment in which `HubServer` stops."""

from __future__ import annotations

import asyncio
import socket

import pytest

from signalr_client.server import Hub, HubServer
from tests.support.leaks import left_behind, open_sockets

TURNS = range(8)  # of the event loop, between a connect and the stop


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def ended(client: socket.socket) -> bool:
    """Return True once the server has closed the connection of *client*."""
    try:
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("count", TURNS)
async def test_a_connection_that_is_just_being_accepted_is_closed(count: int) -> None:
    """asyncio accepts a socket in one turn of the event loop, and makes its transport in the next."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    server = HubServer({"/hub": Hub})
    await server.start()
    port = int(server.url().rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as first, socket.create_connection(("127.0.0.1", port)) as second:
        for client in (first, second):
            client.setblocking(False)
        await turns(count)
        await server.stop()
        async with asyncio.timeout(10):
            assert await ended(first)
            assert await ended(second)
    assert await left_behind(tasks, sockets) == []

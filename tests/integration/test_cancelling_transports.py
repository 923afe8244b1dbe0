"""Connecting and closing a transport can be cancelled at each await; the tasks of a connection do that when it is stopped."""

from __future__ import annotations

import asyncio
import logging

import pytest

from signalr_client import HubConnectionBuilder, TransferFormat
from signalr_client.server.http import dispatcher, long_polling
from signalr_client.transports.connector import Connected, Connector
from tests.support.cancelling import pair
from tests.support.hubs import TRANSPORTS
from tests.support.interruption import Outcome, at_each_await, generate_ways, left_running
from tests.support.leaks import left_behind, open_sockets

HANDSHAKE = b'{"protocol":"json","version":1}\x1e'


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Interrupt in every way."""
    generate_ways(metafunc, TRANSPORTS)


async def test_a_transport_can_be_cancelled_at_each_await(transport: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it negotiates, connects, sends, receives, and closes: no task and no socket is left."""
    monkeypatch.setattr(dispatcher, "_TICK", 0.02)
    monkeypatch.setattr(long_polling, "_TICK", 0.02)
    async with pair(start=False) as there:
        tasks, sockets = asyncio.all_tasks(), open_sockets()
        builder = HubConnectionBuilder().with_url(there.proxy.url, transports=TRANSPORTS[transport], close_timeout=1)
        options = builder.build()._http_options

        async def attempt() -> None:
            connector = Connector(options, TransferFormat.TEXT, logging.getLogger("test"))

            async def open_link(connected: Connected, _timeout: float) -> Connected:
                try:
                    await connected.transport.send(HANDSHAKE)
                    assert await connected.transport.receive()
                finally:
                    await connected.transport.close()
                return connected

            try:
                await connector.connect(open_link, 10)
            finally:
                await connector.aclose()

        async def check(outcome: Outcome) -> None:
            await there.assert_forgotten()
            await left_running(tasks)
            assert await left_behind(tasks, sockets) == []

        await at_each_await(attempt, check, way, at_least=5)

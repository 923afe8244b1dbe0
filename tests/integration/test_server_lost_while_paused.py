"""A client that is not read, because a method does not take its uploads, and that is gone meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from signalr_client import ConnectionClosedError, HttpTransportType
from signalr_client.server import Hub
from signalr_client.server.connections import context
from tests.support.hub_server import serving
from tests.support.hubs import TRANSPORTS


class Stubborn(Hub):
    begun: asyncio.Event
    told: asyncio.Event
    left: asyncio.Event

    async def never_read(self, items: AsyncIterator[int]) -> None:
        Stubborn.begun.set()
        await self.context.connection_aborted.wait()
        Stubborn.told.set()

    async def on_disconnected(self, exception: BaseException | None) -> None:
        Stubborn.left.set()


async def numbers() -> AsyncIterator[int]:
    for number in range(100_000):
        yield number


@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_its_loss_is_noticed(transport: HttpTransportType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a WebSocket, whose socket is not read either, by the next ping that cannot be written."""
    monkeypatch.setattr(context, "_TICK", 0.01)
    Stubborn.begun, Stubborn.told, Stubborn.left = asyncio.Event(), asyncio.Event(), asyncio.Event()
    async with serving(Stubborn, disconnect_timeout=0.5, keep_alive_interval=0.05) as serve:
        client = await serve.connect(transports=transport, close_timeout=0.01)
        async with asyncio.timeout(10):
            # a task, because `send` itself waits if the upload has filled the client's buffer by then
            sending = asyncio.create_task(client.send("NeverRead", numbers()))
            await Stubborn.begun.wait()
            await client.stop()
            await Stubborn.told.wait()
            await Stubborn.left.wait()
            await asyncio.wait({sending})
        assert sending.exception() is None or isinstance(sending.exception(), ConnectionClosedError)

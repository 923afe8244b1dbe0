"""Hubs in an aiohttp application of one's own, and what their server remembers of its clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from signalr_client.server import app as app_module
from signalr_client.server.http.state import State

__all__ = ["forget_lost_clients", "remembered", "served_app"]


@asynccontextmanager
async def served_app(app: web.Application, *, handler_cancellation: bool = False) -> AsyncIterator[str]:
    """Serve an application for as long as the block lasts; yield its address."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=handler_cancellation)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def remembered(app: web.Application) -> dict[str, int]:
    """Return how much the hubs of *app* remember of their clients, by what it is; everything is 0 when all have left."""
    hubs = app[app_module._HUBS]
    counts: dict[str, int] = {"connections": 0, "serving": 0, "contexts": 0, "tasks": 0, "lifetime": 0}
    for handler, dispatcher in hubs._mapped:
        counts["connections"] += len(dispatcher.connections)
        counts["serving"] += len(dispatcher.connections.serving)
        counts["contexts"] += len(handler._connections)
        counts["tasks"] += len(handler.tasks)
    for manager in hubs._managers.values():
        tables = (manager._connections, manager._groups, manager._users, manager._memberships, manager._results)
        counts["lifetime"] += sum(len(table) for table in tables)
    return counts


def forget_lost_clients(app: web.Application, keep: str | None = None) -> None:
    """Do what the server does after the disconnect timeout: dispose of connections that no request carries.

    Tests that shorten that timeout instead fail on a machine that is busy for as long.

    Args:
        app: the application of the server.
        keep: id of a connection that is between two polls, perhaps.
    """
    for _handler, dispatcher in app[app_module._HUBS]._mapped:
        for connection in list(dispatcher.connections._by_token.values()):
            if connection.state in (State.NEGOTIATED, State.INACTIVE) and connection.connection_id != keep:
                connection.expire()

"""Hubs in an aiohttp application, and a server for those who have none. Room: server.

Spec: server-behaviour.md, "A" rows 1 and 9, "B" (app shutdown).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from signalr_client.server.clients import HubContext
from signalr_client.server.endpoint import HubEndpoint
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.http_endpoint import HttpEndpoint
from signalr_client.server.hub import Hub
from signalr_client.server.lifetime import HubLifetime
from signalr_client.server.mapped_hub import MappedHub
from signalr_client.server.options import HubOptions
from signalr_client.server.services import ServiceCollection, ServiceContainer, build_container

__all__ = ["HubServer", "map_hub"]

GRACE: Final = 5.0  # seconds that hub methods which still run get when the application ends

_LIFETIMES: Final = web.AppKey("signalr_lifetimes", dict)
"""The connections of each hub type of an application: shared by all paths that the hub is mapped to."""

_SERVICES: Final = web.AppKey("signalr_services", ServiceCollection)
"""The services of hubs that were given none: nothing but the hub contexts of each other."""


def map_hub(
    app: web.Application,
    path: str,
    hub: type[Hub[Any]],
    *,
    options: HubOptions | None = None,
    services: ServiceCollection | ServiceContainer | None = None,
) -> HubContext[Any, Any]:
    """Serve *hub* at *path* of an aiohttp application.

    When the application shuts down, every client is told so and may come back; hub methods that still run get a few seconds.

    Args:
        app: an application that has not started.
        path: "/chathub", for example; clients negotiate at "/chathub/negotiate".
        hub: the hub class, made anew for each call.
        options: of this hub; the defaults are those of ASP.NET Core.
        services: what constructors and methods of the hub may ask for. Services belong to the caller, who closes them.

    Returns:
        The hub's clients and groups, for code outside of it.

    Raises:
        HubDefinitionError: the hub cannot be mapped; the text says what is wrong with which method.

    Spec: server-behaviour.md, "A" row 1.
    """
    if not path.startswith("/"):
        raise HubDefinitionError(f"The path of a hub begins with '/'; {path!r} does not.")
    lifetimes: dict[type, HubLifetime] = app.setdefault(_LIFETIMES, {})
    lifetime = lifetimes.setdefault(hub, HubLifetime())
    if services is None:
        services = app.setdefault(_SERVICES, ServiceCollection())
    endpoint = HubEndpoint(MappedHub(hub, options or HubOptions(), build_container(services), lifetime))
    http = HttpEndpoint(endpoint)
    http.add_routes(app, path)

    async def shut_down(_app: web.Application) -> None:
        await http.connections.shut_down()
        await endpoint.aclose(GRACE)

    app.on_shutdown.append(shut_down)
    return endpoint.hub.context


class HubServer:
    """A server with hubs and nothing else, for tests, scripts and small services; ``async with`` starts and stops it.

    Args:
        hubs: hub classes by their paths.
        options: of all hubs that `map_hub` does not give others.
        services: what the hubs may ask for; closed when the server stops.
        host, port: where to listen; port 0 takes a free one.
        ssl: an `ssl.SSLContext` to listen with; without it the server speaks plain http.
    """

    def __init__(
        self,
        hubs: Mapping[str, type[Hub[Any]]] | None = None,
        *,
        options: HubOptions | None = None,
        services: ServiceCollection | ServiceContainer | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: Any = None,
    ) -> None:
        self.app = web.Application()
        """The aiohttp application, for routes of your own."""
        self._options = options or HubOptions()
        self._services = services
        self._host = host
        self._port = port
        self._ssl = ssl
        self._runner: web.AppRunner | None = None
        self._contexts: dict[type, HubContext[Any, Any]] = {}
        for path, hub in (hubs or {}).items():
            self.map_hub(path, hub)

    def map_hub(self, path: str, hub: type[Hub[Any]], *, options: HubOptions | None = None) -> HubContext[Any, Any]:
        """Serve *hub* at *path* too.

        Args:
            path: where.
            hub: the hub class.
            options: instead of the server's; the server's hub filters run around those named here.

        Raises:
            HubDefinitionError: the hub cannot be mapped.
            RuntimeError: the server has started.
        """
        if options is None:
            options = self._options
        elif self._options.hub_filters:
            options = dataclasses.replace(options, hub_filters=(*self._options.hub_filters, *options.hub_filters))
        context = map_hub(self.app, path, hub, options=options, services=self._services)
        self._contexts.setdefault(hub, context)
        return context

    def hub_context(self, hub: type[Hub[Any]]) -> HubContext[Any, Any]:
        """Return the clients and groups of a hub, for code outside of it.

        Raises:
            HubDefinitionError: the hub is not mapped.
        """
        if hub not in self._contexts:
            raise HubDefinitionError(f"'{hub.__name__}' is not mapped; map it with map_hub('/path', {hub.__name__}).")
        return self._contexts[hub]

    def url(self, path: str = "") -> str:
        """Return the address of *path* on the running server.

        Raises:
            RuntimeError: it does not run.
        """
        if self._runner is None:
            raise RuntimeError("The server is not running: start it with 'async with server' or 'await server.start()'.")
        address = self._runner.addresses[0]
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{'https' if self._ssl else 'http'}://{host}:{address[1]}{path}"

    async def start(self) -> None:
        """Listen. Cancelling closes what was opened."""
        if self._runner is not None:
            raise RuntimeError("The server is running already.")
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=GRACE)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._ssl).start()
        except BaseException:  # cancelling too must close what was opened
            await runner.cleanup()
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Tell every client, end every connection, close the services; idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            if isinstance(self._services, ServiceCollection):
                await self._services.aclose()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

"""Hubs in an aiohttp application, and a server for programs that have none: the rooms put together. Room: server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from aiohttp import web
from aiohttp.log import server_logger

from signalr_client.listening import close, listen
from signalr_client.server.connections.handler import HubConnectionHandler
from signalr_client.server.errors import HubDefinitionError
from signalr_client.server.http.aiohttp_adapter import ServerLog, add_routes
from signalr_client.server.http.dispatcher import HttpConnectionDispatcher
from signalr_client.server.hubs.clients import C, S
from signalr_client.server.hubs.descriptor import HubDescriptor
from signalr_client.server.hubs.hub import Hub
from signalr_client.server.hubs.hub_context import HubContext
from signalr_client.server.injection.containers import ServiceContainer
from signalr_client.server.injection.services import ServiceCollection, build_container
from signalr_client.server.lifetime.memory import InMemoryLifetimeManager
from signalr_client.server.log import get_logger
from signalr_client.server.options import HubOptions
from signalr_client.user_code import call

if TYPE_CHECKING:
    import ssl as ssl_module

__all__ = ["HubServer", "map_hub"]

logger: Final = get_logger("app")

SHUTDOWN_TIMEOUT: Final = 5.0
"""Seconds that connections and hub methods get to end by themselves when the application stops, as in ASP.NET Core."""

_CLEANUP_TIMEOUT: Final = 1.0  # seconds that hub code gets to clean up after it was cancelled


class _Hubs:
    """The hubs of one application, which stop together."""

    def __init__(self) -> None:
        self.raw_bodies = False
        self.services = ServiceCollection()
        self._managers: dict[type, InMemoryLifetimeManager] = {}
        self._mapped: list[tuple[HubConnectionHandler, HttpConnectionDispatcher]] = []

    def manager(self, hub: type[Hub[Any]]) -> InMemoryLifetimeManager:
        """Return the lifetime manager of a hub type, which all paths that the hub is mapped to share."""
        return self._managers.setdefault(hub, InMemoryLifetimeManager())

    def add(self, handler: HubConnectionHandler, dispatcher: HttpConnectionDispatcher) -> None:
        """Add a mapped hub."""
        self._mapped.append((handler, dispatcher))

    def start_up(self) -> None:
        """Serve connections, also when the application starts once more."""
        for handler, _dispatcher in self._mapped:
            handler.start_up()

    async def shut_down(self) -> None:
        """End every connection of every hub, within one deadline for all, and cancel the hub code that is still running then."""
        for handler, _dispatcher in self._mapped:
            handler.shut_down()
        if await self._wait(SHUTDOWN_TIMEOUT):
            for handler, _dispatcher in self._mapped:
                for task in handler.tasks - {asyncio.current_task()}:
                    task.cancel()
            await self._wait(_CLEANUP_TIMEOUT)
        for _handler, dispatcher in self._mapped:
            dispatcher.connections.drop()
        abandoned = await self._wait(_CLEANUP_TIMEOUT)
        if abandoned:
            logger.error("! %d tasks of hubs ignored their cancellation and were abandoned", len(abandoned))

    async def _wait(self, patience: float) -> set[asyncio.Task[Any]]:
        """Wait for everything that runs; return what is still running after *patience* seconds."""
        deadline = asyncio.get_running_loop().time() + patience
        while running := self._running():
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                return running
            await asyncio.wait(running, timeout=left)
        return set()

    def _running(self) -> set[asyncio.Task[Any]]:
        tasks: set[asyncio.Task[Any]] = set()
        for handler, dispatcher in self._mapped:
            tasks |= handler.tasks | dispatcher.connections.serving
        tasks.discard(asyncio.current_task())  # a hub method may stop its own server
        return tasks


_HUBS: Final = web.AppKey("signalr_hubs", _Hubs)


def map_hub(
    app: web.Application,
    path: str,
    hub: type[Hub[C, S]],
    *,
    options: HubOptions | None = None,
    services: ServiceCollection | ServiceContainer | None = None,
) -> HubContext[Any, C, S]:
    """Serve *hub* at *path* of an aiohttp application.

    When the application shuts down, every client is told so and may reconnect; hub methods that are still running get a few seconds.

    Args:
        app: an application that has not started.
        path: "/chathub", for example; clients negotiate at "/chathub/negotiate". Matched in any case.
        hub: the hub class; each call gets a new instance.
        options: of this hub; the defaults are those of ASP.NET Core.
        services: what constructors and methods of the hub may ask for. They belong to the caller, who closes them.

    Returns:
        The hub's clients and groups, for code outside of it.

    Raises:
        HubDefinitionError: the hub cannot be mapped; the text says which method, and why.
    """
    if not path.startswith("/"):
        raise HubDefinitionError(f"The path of a hub begins with '/'; {path!r} does not.")
    hubs = _hubs_of(app)
    options = options or HubOptions()
    descriptor = HubDescriptor(
        hub,
        build_container(hubs.services if services is None else services),
        hubs.manager(hub),
        policies=options.authorization_policies,
        implicit_services=not options.disable_implicit_from_services_parameters,
    )
    handler = HubConnectionHandler(descriptor, options)
    dispatcher = HttpConnectionDispatcher(options, descriptor.requirements, handler.serve)
    with_refresh = options.enable_authentication_refresh
    add_routes(app, path, dispatcher, with_refresh=with_refresh, raw_bodies=hubs.raw_bodies)
    hubs.add(handler, dispatcher)
    return descriptor.context


def _hubs_of(app: web.Application) -> _Hubs:
    hubs = app.get(_HUBS)
    if hubs is None:
        hubs = app[_HUBS] = _Hubs()

        async def start_up(_app: web.Application) -> None:
            hubs.start_up()

        async def shut_down(_app: web.Application) -> None:
            await hubs.shut_down()

        app.on_startup.append(start_up)
        app.on_shutdown.append(shut_down)
    return hubs


class HubServer:
    """A server with hubs and nothing else, for tests, scripts and small services; ``async with`` starts and stops it.

    Args:
        hubs: hub classes by their paths.
        options: of all hubs that `map_hub` gives no others.
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
        ssl: ssl_module.SSLContext | None = None,
    ) -> None:
        self.app: web.Application = web.Application()
        """The aiohttp application, for routes of your own."""
        _hubs_of(self.app).raw_bodies = True
        self._options = options or HubOptions()
        self._services = services
        self._host = host
        self._port = port
        self._ssl = ssl
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._contexts: dict[type, HubContext[Any, Any]] = {}
        for path, hub in (hubs or {}).items():
            self.map_hub(path, hub)

    def map_hub(self, path: str, hub: type[Hub[C, S]], *, options: HubOptions | None = None) -> HubContext[Any, C, S]:
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

    def hub_context(self, hub: type[Hub[C, S]]) -> HubContext[Any, C, S]:
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
            RuntimeError: the server is not running.
        """
        if self._listener is None:
            raise RuntimeError("The server is not running: start it with 'async with server' or 'await server.start()'.")
        address = self._listener.sockets[0].getsockname()
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        return f"{'https' if self._ssl else 'http'}://{host}:{address[1]}{path}"

    async def start(self) -> None:
        """Listen. Cancelling closes what was opened; if it is cancelled once more meanwhile, `stop` closes the rest.

        Raises:
            OSError: the address cannot be listened on.
            RuntimeError: the server is running, or `stop` was cancelled and has to be called again.
        """
        if self._runner is not None:
            raise RuntimeError("The server is running already.")
        # auto_decompress: a request body is what the client sent, as in ASP.NET Core, and nothing is unpacked past the limits
        runner = web.AppRunner(
            self.app,
            access_log=None,
            logger=ServerLog(server_logger),
            shutdown_timeout=_CLEANUP_TIMEOUT,
            auto_decompress=False,
        )
        try:
            await runner.setup()
            assert runner.server is not None  # it is set up
            self._listener = await listen(runner.server, self._host, self._port, ssl=self._ssl)
        except BaseException:  # cancelling too must close what was opened
            await self._clean_up(runner)
            raise
        self._runner = runner

    async def stop(self) -> None:
        """Tell every client, end every connection, close the services; idempotent.

        Ending the connections takes a few seconds at most, whatever hub code does. A hub method may await it. After a cancelled
        call, call it again.
        """
        runner, self._runner = self._runner, None
        if runner is not None:
            await self._clean_up(runner)
            if isinstance(self._services, ServiceCollection):
                await call(self._services.aclose)

    async def _clean_up(self, runner: web.AppRunner) -> None:
        """Stop listening, and end what runs; what is left if this is cancelled is for the next `stop`."""
        listener, self._listener = self._listener, None
        try:
            if listener is not None:
                await close(listener)
            await runner.cleanup()
        except BaseException:  # most of all a cancellation
            self._runner = runner
            raise

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

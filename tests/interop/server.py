"""A server with the hubs of the ASP.NET Core test server, at the same paths and with the same options.

Run it with ``python -m tests.interop.server --urls URL``. It prints ``listening on URL`` when it is ready, and stops on SIGTERM or
``POST /shutdown``.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from urllib.parse import urlsplit

from aiohttp import web

from signalr_client import HttpTransportType
from signalr_client.server import Hub, HubOptions, HubServer, ServiceCollection, User, bearer_token
from tests.interop.hubs import (
    AuthHub,
    Clock,
    DetailedHub,
    FastHub,
    OrderedHub,
    Probe,
    RejectingHub,
    SilentHub,
    StrictHub,
    TestHub,
    TypedHub,
    drop_socket,
)
from tests.interop.values import ValuesHub

LARGE = 64 * 1024 * 1024


def user_of(request: web.Request, probe: Probe) -> User | None:
    """Return the user of a request. The token is ``user:NAME``, or ``once:N:NAME``, which is accepted N times."""
    match (bearer_token(request) or "").split(":"):
        case ["user", name]:
            pass
        case ["once", times, name]:
            token = f"{times}:{name}"
            probe.token_uses[token] = probe.token_uses.get(token, 0) + 1
            if probe.token_uses[token] > int(times):
                return None
        case _:
            return None
    return User(name, roles=["admin"] if name == "root" else [])


def mapped_hubs(probe: Probe) -> dict[str, tuple[type[Hub], HubOptions]]:
    """Return the hubs and their options by path."""

    def options(**given: object) -> HubOptions:
        common: dict[str, object] = {
            "maximum_receive_message_size": LARGE,
            "maximum_parallel_invocations_per_client": 100,
            "authenticate": lambda request: user_of(request, probe),
            "authorization_policies": {"admin": lambda user: user.is_in_role("admin")},
            "cors_origins": ["*"],
        }
        return HubOptions(**(common | given))  # type: ignore[arg-type]  # names and types are those of HubOptions

    large_buffers = {"application_max_buffer_size": LARGE, "transport_max_buffer_size": LARGE}
    stateful = {"allow_stateful_reconnects": True}
    fast = {"keep_alive_interval": 0.5, "client_timeout_interval": 2.0, "handshake_timeout": 1.0}
    return {
        "/testhub": (TestHub, options(**large_buffers, **stateful)),
        "/testhub-ws": (TestHub, options(transports=HttpTransportType.WEB_SOCKETS)),
        "/testhub-sse": (TestHub, options(transports=HttpTransportType.SERVER_SENT_EVENTS)),
        "/testhub-lp": (TestHub, options(transports=HttpTransportType.LONG_POLLING, poll_timeout=3.0)),
        "/stricthub": (StrictHub, options(maximum_receive_message_size=32 * 1024, maximum_parallel_invocations_per_client=1)),
        "/fasthub": (FastHub, options(**fast, **stateful)),
        "/silenthub": (SilentHub, options(keep_alive_interval=3600.0)),
        "/detailedhub": (DetailedHub, options(enable_detailed_errors=True)),
        "/orderedhub": (OrderedHub, options(maximum_parallel_invocations_per_client=1, **stateful)),
        "/typedhub": (TypedHub, options(enable_detailed_errors=True, maximum_parallel_invocations_per_client=10)),
        "/authhub": (AuthHub, options()),
        "/rejectinghub": (RejectingHub, options()),
        "/valueshub": (ValuesHub, options()),
    }


def build_server(host: str, port: int, *, ended: asyncio.Event | None = None) -> HubServer:
    """Return the server, not started yet."""
    probe = Probe()
    services = ServiceCollection().add_singleton(probe).add_singleton(Clock)
    server = HubServer(services=services, host=host, port=port)
    for path, (hub, options) in mapped_hubs(probe).items():
        server.map_hub(path, hub, options=options)
    routes = ProbeRoutes(probe, ended)
    server.app.middlewares.append(routes.note)
    server.app.router.add_post("/redirect/negotiate", routes.redirect)
    server.app.router.add_post("/refused/negotiate", routes.refuse)
    server.app.router.add_post("/probe/abort/{id}", routes.abort)
    server.app.router.add_get("/probe/requests", routes.requests)
    server.app.router.add_get("/probe/clear", routes.clear)
    server.app.router.add_post("/shutdown", routes.shut_down)
    return server


class ProbeRoutes:
    """Additional routes for the tests."""

    def __init__(self, probe: Probe, ended: asyncio.Event | None) -> None:
        self._probe = probe
        self._ended = ended

    @web.middleware
    async def note(self, request: web.Request, handler: object) -> web.StreamResponse:
        """Record each request to a hub."""
        if "hub" in request.path:
            self._probe.requests.append(f"{request.method} {request.path_qs}")
        return await handler(request)  # type: ignore[operator, no-any-return]  # a handler of aiohttp

    async def redirect(self, request: web.Request) -> web.Response:
        """Redirect N times, the last time to the hub that requires the token."""
        hops = int(request.query.get("hops", "1"))
        origin = f"{request.scheme}://{request.host}"
        url = f"{origin}/redirect?hops={hops - 1}" if hops > 1 else f"{origin}/authhub"
        return web.json_response({"url": url, "accessToken": "user:redirected"})

    async def refuse(self, _request: web.Request) -> web.Response:
        """Reject the negotiation."""
        return web.json_response({"error": "This connection is not allowed."})

    async def abort(self, request: web.Request) -> web.Response:
        """Cut a connection."""
        context = self._probe.live.get(request.match_info["id"])
        if context is None:
            return web.Response(status=404)
        drop_socket(context)
        return web.Response(text="aborted")

    async def requests(self, _request: web.Request) -> web.Response:
        """Return the requests to the hubs."""
        return web.Response(text="\n".join(self._probe.requests))

    async def clear(self, _request: web.Request) -> web.Response:
        """Clear the list of requests."""
        self._probe.requests.clear()
        return web.Response(text="ok")

    async def shut_down(self, _request: web.Request) -> web.Response:
        """Stop the server."""
        if self._ended is not None:
            self._ended.set()
        return web.Response(text="ok")


async def main(url: str) -> None:
    """Serve until SIGTERM or ``POST /shutdown``."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    parts = urlsplit(url)
    async with build_server(parts.hostname or "127.0.0.1", parts.port or 0, ended=ended) as server:
        print(f"listening on {server.url()}", flush=True)
        await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--urls", default="http://127.0.0.1:0", help="URL to listen on; port 0 for any free port")
    asyncio.run(main(parser.parse_args().urls))

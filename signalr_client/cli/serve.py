"""``serve``: run a hub server from the command line. Room: tools."""

from __future__ import annotations

from typing import Any

from signalr_client.cli.demo_hub import DemoHub
from signalr_client.cli.loading import load_class
from signalr_client.cli.signals import end_signals
from signalr_client.server import Hub, HubOptions, HubServer

__all__ = ["load_hub", "serve"]


async def serve(
    hub: type[Hub[Any]] = DemoHub, *, path: str, host: str, port: int, detailed_errors: bool, cors: list[str]
) -> None:
    """Serve *hub* until SIGINT or SIGTERM; print ``listening on URL`` once the server is ready."""
    ended = end_signals()
    options = HubOptions(enable_detailed_errors=detailed_errors, cors_origins=cors)
    async with HubServer({path: hub}, options=options, host=host, port=port) as server:
        print(f"listening on {server.url(path)}", flush=True)
        await ended.wait()


def load_hub(name: str) -> type[Hub[Any]]:
    """Return the hub class named by ``module:Class``; modules in the current folder are found too.

    Raises:
        ValueError: there is no such class, or it does not derive from Hub.
        LoadError: the module raised an exception when it was imported.
    """
    kind = "a class that derives from Hub"
    hub = load_class(name, example="chat:ChatHub", kind=kind)
    if not issubclass(hub, Hub):
        raise ValueError(f"{hub.__name__!r} of {hub.__module__!r} is not {kind}.")
    return hub

"""``serve``: run a hub server from the command line. Room: tools."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from signalr_client.cli.demo_hub import DemoHub
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
    """
    module_name, _, class_name = name.partition(":")
    if not class_name:
        raise ValueError(f"A hub is named as module:Class, for example chat:ChatHub, but got {name!r}.")
    if (folder := os.getcwd()) not in sys.path:
        sys.path.insert(0, folder)
    try:
        hub = getattr(importlib.import_module(module_name), class_name, None)
    except ModuleNotFoundError as exc:
        raise ValueError(f"There is no module {module_name!r}: {exc}.") from exc
    if not (isinstance(hub, type) and issubclass(hub, Hub)):
        raise ValueError(f"{class_name!r} of {module_name!r} is not a class that derives from Hub.")
    return hub

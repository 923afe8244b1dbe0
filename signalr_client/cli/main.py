"""Reads the command line. Room: tools."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Sequence

from signalr_client.cli.demo import demo
from signalr_client.cli.demo_hub import DemoHub
from signalr_client.cli.serve import load_hub, serve

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that *arguments* (``sys.argv`` by default) name.

    Raises:
        SystemExit: the arguments make no sense; with a word on why.
    """
    parser = argparse.ArgumentParser(
        prog="signalr", description="A SignalR hub server in Python, and a look at what SignalR does."
    )
    parser.add_argument("--log", metavar="LEVEL", help="log to standard error from this level on: debug, info, warning")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="start a server and two clients, and show what they can do")
    server = commands.add_parser("serve", help="serve a hub: the demo hub, or one of yours")
    server.add_argument("hub", nargs="?", metavar="module:Class", help="a hub class; without it the demo hub")
    server.add_argument("--path", help="where to serve it; /demohub, or the class name in small letters")
    server.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    server.add_argument("--port", type=int, default=5000, help="port to listen on, 0 for a free one (default: %(default)s)")
    server.add_argument("--detailed-errors", action="store_true", help="tell clients every error, not only HubException")
    server.add_argument("--cors", action="append", default=[], metavar="ORIGIN", help="let pages of this origin in; * for any")
    given = parser.parse_args(arguments)
    if given.log:
        logging.basicConfig(level=given.log.upper())
    try:
        if given.command == "demo":
            asyncio.run(demo())
            return
        hub = load_hub(given.hub) if given.hub else DemoHub
        path = given.path or f"/{hub.__name__.lower()}"
        options = {"path": path, "host": given.host, "port": given.port}
        asyncio.run(serve(hub, **options, detailed_errors=given.detailed_errors, cors=given.cors))
    except (ValueError, OSError) as error:
        parser.exit(2, f"signalr: {error}\n")
    except KeyboardInterrupt:
        pass

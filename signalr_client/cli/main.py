"""The command line interface. Room: tools."""

from __future__ import annotations

import argparse
import asyncio
import logging
from collections.abc import Sequence

from signalr_client.cli.demo import demo
from signalr_client.cli.demo_hub import DemoHub
from signalr_client.cli.generate import GenerateCommandError, add_generate, generate
from signalr_client.cli.loading import LoadError
from signalr_client.cli.serve import load_hub, serve
from signalr_client.cli.web_chat import web_chat
from signalr_client.version import __version__

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command given by *arguments* (default: ``sys.argv``).

    Raises:
        SystemExit: the arguments are invalid (2), or nothing could be generated (1); the reason is printed.
    """
    parser = argparse.ArgumentParser(
        prog="signalr", description="Run a SignalR hub server in Python, a demo of SignalR, or generate code for a hub."
    )
    parser.add_argument("--version", action="version", version=f"signalr-sdk {__version__}")
    parser.add_argument("--log", metavar="LEVEL", help="log to standard error, at this level and above: debug, info, warning")
    commands = parser.add_subparsers(dest="command", required=True)
    demonstration = commands.add_parser("demo", help="start a server and two clients and demonstrate the main features")
    demonstration.add_argument(
        "--web", action="store_true", help="only open a chat page in the browser, and serve it until Ctrl+C"
    )
    demonstration.add_argument("--port", type=int, default=0, help="port of the chat page with --web (default: any free port)")
    server = commands.add_parser("serve", help="serve the demo hub or a hub class of your own")
    server.add_argument("hub", nargs="?", metavar="module:Class", help="the hub class to serve (default: the demo hub)")
    server.add_argument("--path", help="URL path of the hub (default: the class name in lower case)")
    server.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    server.add_argument("--port", type=int, default=5000, help="port to listen on, 0 for any free port (default: %(default)s)")
    server.add_argument(
        "--detailed-errors",
        action="store_true",
        help="send all error messages to clients, not only those of HubException",
    )
    server.add_argument(
        "--cors", action="append", default=[], metavar="ORIGIN", help="allow requests from pages of this origin; * for any"
    )
    add_generate(commands)
    given = parser.parse_args(arguments)
    if given.log:
        logging.basicConfig(level=given.log.upper())
    try:
        if given.command == "demo":
            asyncio.run(web_chat(port=given.port, open_browser=True) if given.web else demo())
            return
        if given.command == "generate":
            generate(given)
            return
        hub = load_hub(given.hub) if given.hub else DemoHub
        path = given.path or f"/{hub.__name__.lower()}"
        options = {"path": path, "host": given.host, "port": given.port}
        asyncio.run(serve(hub, **options, detailed_errors=given.detailed_errors, cors=given.cors))
    except (ValueError, OSError) as error:
        parser.exit(2, f"signalr: {error}\n")
    except (GenerateCommandError, LoadError) as error:
        parser.exit(1, f"signalr: {error}\n")
    except KeyboardInterrupt:
        pass

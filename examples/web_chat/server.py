"""Serve a chat room and its web page: python examples/web_chat/server.py, then open the URL that it prints.

The page runs the official TypeScript client. Its files are in signalr_client/cli/chat_page.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from aiohttp import web

from signalr_client.cli.chat_page import add_chat_page
from signalr_client.server import Hub, map_hub


class ChatClient(Protocol):
    """What the server calls on the clients."""

    async def ReceiveMessage(self, user: str, message: str) -> None:  # the name that SignalR clients use
        """Show a message."""


class ChatHub(Hub[ChatClient]):
    """One room for everyone."""

    async def SendMessage(self, user: str, message: str) -> None:
        """Send a message to everyone in the room, the sender included."""
        await self.clients.all.ReceiveMessage(user, message)


def main() -> None:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Serve a chat room and its web page.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=5000, help="port to listen on, 0 for any free port (default: %(default)s)")
    arguments = parser.parse_args()
    app = web.Application()
    map_hub(app, "/chathub", ChatHub)
    add_chat_page(app)
    web.run_app(app, host=arguments.host, port=arguments.port)


if __name__ == "__main__":
    main()

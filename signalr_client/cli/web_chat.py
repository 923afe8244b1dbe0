"""``demo --web``: a chat room in the browser, with a Python client as a bot. Room: tools."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser

from signalr_client import HubConnection, HubConnectionBuilder
from signalr_client.cli.chat_page import add_chat_page
from signalr_client.cli.demo_hub import DemoHub
from signalr_client.cli.signals import end_signals
from signalr_client.server import HubServer

__all__ = ["web_chat"]

BOT = "Bot"


async def web_chat(*, port: int = 0, open_browser: bool = False) -> None:
    """Serve the chat page on a loopback port until SIGINT or SIGTERM.

    Args:
        port: 0 for any free port.
        open_browser: open the page, if there is a screen to show it on.
    """
    ended = end_signals()
    server = HubServer({"/chathub": DemoHub}, port=port)
    add_chat_page(server.app)
    async with server, chat_bot(server.url("/chathub")):
        url = server.url("/")
        print(f"A chat page is at {url} - open it in two windows. Ctrl+C ends the demo.", flush=True)
        if open_browser and _can_open():
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()  # some browsers block their caller
        await ended.wait()


def chat_bot(url: str) -> HubConnection:
    """Return a client that welcomes those who write to the room for the first time."""
    connection = HubConnectionBuilder().with_url(url).build()
    known = {BOT}

    @connection.on("ReceiveMessage")
    async def receive(user: str, _message: str) -> None:
        if user not in known:
            known.add(user)
            text = f"Hello {user}! I am a client in Python, and your browser runs the official client. Open a second window."
            await connection.send("SendMessage", BOT, text)

    return connection


def _can_open() -> bool:
    """Return False if `webbrowser` would start a text browser in this terminal."""
    return sys.platform in ("win32", "darwin") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))

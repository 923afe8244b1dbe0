"""A bot in the chat room: python examples/web_chat/bot.py http://127.0.0.1:5000/chathub.

It answers messages that begin with its name, for example "bot, roll".
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
from datetime import datetime

from signalr_client import ExponentialBackoff, HubConnectionBuilder, SignalRError


def answer(name: str, user: str, message: str) -> str | None:
    """Return the answer to a message, or None if the bot has not been addressed."""
    if not (addressed := re.match(rf"@?{re.escape(name)}\b\W*(.*)", message, re.IGNORECASE | re.DOTALL)):
        return None
    match addressed[1].lower().rstrip(" ?!."):
        case "roll":
            return f"{user} rolls a {random.randint(1, 6)}."  # not for secrets
        case "time":
            return f"It is {datetime.now().astimezone():%H:%M}."
        case _:
            return f"Hello {user}! I am a Python program. Try “{name}, time” or “{name}, roll”."


async def run(url: str, name: str) -> None:
    """Answer until the connection has ended for good."""
    connection = HubConnectionBuilder().with_url(url).with_automatic_reconnect(ExponentialBackoff(), retry_start=True).build()

    @connection.on("ReceiveMessage")
    async def receive(user: str, message: str) -> None:
        if user != name and (text := answer(name, user, message)):
            await connection.send("SendMessage", name, text)

    @connection.on_connected
    async def announce(_connection_id: str | None) -> None:
        print(f"connected to {url}", flush=True)
        await connection.send("SendMessage", name, "I am here.")

    async with connection:
        await connection.wait_closed()


def main() -> None:
    """Read the arguments; exit with status 1 if the connection fails, and with 130 after Ctrl+C."""
    parser = argparse.ArgumentParser(description="Answer questions in a chat room.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/chathub")
    parser.add_argument("--name", default="Bot", help="the name that it answers to (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.url, arguments.name))
    except SignalRError as error:
        sys.exit(f"bot: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

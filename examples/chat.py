"""Chat on the console: python examples/chat.py URL NAME.

The hub needs a method SendMessage(user, message) that calls ReceiveMessage(user, message) on all clients. Each line of standard
input is sent: of a terminal, a pipe or a file. The program ends at the end of the input (Ctrl+D, on Windows Ctrl+Z and Enter).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator

from signalr_client import ConnectionClosedError, ExponentialBackoff, HubConnection, HubConnectionBuilder, SignalRError


async def chat(url: str, name: str) -> None:
    """Connect to the hub at *url* and chat as *name* until the input or the connection ends."""
    builder = HubConnectionBuilder().with_url(url).with_automatic_reconnect(ExponentialBackoff())
    connection = builder.with_calls_while_reconnecting().build()

    @connection.on("ReceiveMessage")
    def show(user: str, message: str) -> None:
        print(f"{user}: {message}", flush=True)

    @connection.on_reconnecting
    def report_lost(error: Exception | None) -> None:
        print(f"* connection lost, reconnecting ({error or 'closed by the server'})", flush=True)

    @connection.on_reconnected
    def report_reconnected(_connection_id: str | None) -> None:
        print("* reconnected", flush=True)

    async with connection:
        print(f"* connected to {url} as {name}", flush=True)
        typing = asyncio.create_task(send_input(connection, name))
        closed = asyncio.create_task(connection.wait_closed())
        try:
            done, _ = await asyncio.wait({typing, closed}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            typing.cancel()
            closed.cancel()


async def send_input(connection: HubConnection, name: str) -> None:
    """Send each line of standard input; while the connection is lost, a line waits for the next one."""
    async for line in standard_input():
        try:
            await connection.invoke("SendMessage", name, line)
        except ConnectionClosedError as error:  # the server may have received it, so it is not sent again
            print(f"* perhaps not delivered: {line} ({error})", flush=True)


async def standard_input() -> AsyncIterator[str]:
    """Yield the lines of standard input.

    asyncio can wait for a pipe, but not for a file, and on Windows for neither. So each line is read in a thread; a daemon, because
    nothing can interrupt a thread that waits for a terminal. It has a file object of its own, because Python closes sys.stdin at exit.
    """
    loop = asyncio.get_running_loop()
    file = open(sys.stdin.fileno(), encoding=sys.stdin.encoding, errors="replace", closefd=False)

    def deliver(line: asyncio.Future[str], text: str) -> None:
        if not line.done():
            line.set_result(text)

    def read_line(line: asyncio.Future[str]) -> None:
        text = file.readline()
        with contextlib.suppress(RuntimeError):  # the event loop has been closed
            loop.call_soon_threadsafe(deliver, line, text)

    while True:
        line: asyncio.Future[str] = loop.create_future()
        threading.Thread(target=read_line, args=(line,), daemon=True).start()
        text = await line
        if not text:
            return
        yield text.rstrip("\r\n")


def main() -> None:
    """Read the arguments; exit with status 1 if the connection fails, and with 130 after Ctrl+C."""
    parser = argparse.ArgumentParser(description="Chat with everyone on a hub.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/chathub")
    parser.add_argument("name", help="the name to chat under")
    arguments = parser.parse_args()
    try:
        asyncio.run(chat(arguments.url, arguments.name))
    except SignalRError as error:
        sys.exit(f"* {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

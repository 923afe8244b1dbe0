"""Chat with everyone on a hub: python examples/chat.py URL NAME.

The hub needs a method SendMessage(user, message) that calls ReceiveMessage(user, message) on all clients. Each line from
standard input is sent, and messages from all users are printed. The program reconnects automatically if the connection is
lost, and ends at the end of the input (Ctrl+D).
"""

from __future__ import annotations

import asyncio
import sys

from signalr_client import HubConnection, HubConnectionBuilder, SignalRError


async def main(url: str, name: str) -> None:
    """Connect to the hub at *url* and chat as *name*."""
    connection = HubConnectionBuilder().with_url(url).with_automatic_reconnect().build()

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
    """Send each line of standard input until it ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        try:
            await connection.invoke("SendMessage", name, line.decode().rstrip())
        except SignalRError as error:
            print(f"* not sent: {error}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], sys.argv[2]))
    except SignalRError as error:
        sys.exit(f"* {error}")
    except KeyboardInterrupt:
        pass

"""``demo``: a server and two clients in one process, which demonstrate the main features step by step. Room: tools."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from signalr_client import HubConnection, HubConnectionBuilder, HubException, MessagePackHubProtocol, SignalRError
from signalr_client.cli.demo_hub import DemoHub
from signalr_client.cli.web_chat import web_chat
from signalr_client.server import HubServer

__all__ = ["demo"]


async def demo() -> None:
    """Demonstrate invoke, send, handlers, client results, streams in both directions, errors and reconnecting.

    On a terminal, a chat page is served afterwards until Ctrl+C; otherwise the demo ends by itself.
    """
    say("With SignalR a server can call its clients, and clients can call the server, over one connection.")
    async with HubServer({"/demohub": DemoHub}) as server:
        url = server.url("/demohub")
        say(f"1. A hub server is running at {url}. It is written in Python; an ASP.NET Core server behaves the same.")
        anna = HubConnectionBuilder().with_url(url).with_automatic_reconnect([0, 0.2, 1]).build()
        bob = HubConnectionBuilder().with_url(url).with_hub_protocol(MessagePackHubProtocol()).build()
        async with anna, bob:
            say("2. Two clients are connected: Anna uses JSON, Bob uses MessagePack.")
            await show_calls(anna)
            await show_messages(anna, bob)
            await show_client_result(anna, bob)
            await show_streams(anna)
            await show_error(anna)
            await show_reconnect(anna)
        say("10. Both clients have disconnected, and the server stops.")
    if sys.stdin.isatty() and sys.stdout.isatty():
        await web_chat()
    else:
        say("End of the demo. 'signalr demo --web' opens a chat page in the browser.")


async def show_calls(anna: HubConnection) -> None:
    """Call a method and get its result."""
    result = await anna.invoke("Add", 40, 2)
    say(f"3. invoke: Anna calls Add(40, 2) on the server and waits for the result: {result}.")


async def show_messages(anna: HubConnection, bob: HubConnection) -> None:
    """Call handlers of the clients from the server."""
    received: asyncio.Queue[str] = asyncio.Queue()

    @bob.on("ReceiveMessage")
    async def receive(user: str, message: str) -> None:
        await received.put(f"{user} says {message!r}")

    anna.on("ReceiveMessage", lambda _user, _message: None)  # the hub sends the message to Anna too
    await anna.send("SendMessage", "Anna", "hello, everybody")
    say("4. send: Anna calls SendMessage and does not wait. The server calls ReceiveMessage on every client.")
    say(f"   handler: Bob registered a function for ReceiveMessage, and it was called: {await received.get()}.")


async def show_client_result(anna: HubConnection, bob: HubConnection) -> None:
    """Get a result from a client."""

    @bob.on("Answer")
    async def answer(question: str) -> str:
        return f"Bob, and you asked {question!r}"

    reply = await anna.invoke("AskClient", bob.connection_id, "Who is there?")
    say(f"5. client result: Anna asks the server to ask Bob. Bob's handler returned: {reply}.")


async def show_streams(anna: HubConnection) -> None:
    """Stream in both directions."""
    numbers = [number async for number in anna.stream("Counter", 5, 20)]
    say(f"6. stream from the server: Anna reads the stream Counter with 'async for': {numbers}.")

    async def readings() -> AsyncIterator[int]:
        for number in (3, 5, 8):
            yield number

    total = await anna.invoke("Total", readings())
    say(f"7. stream to the server: Anna passes an async generator; the server returns the sum of 3, 5 and 8: {total}.")


async def show_error(anna: HubConnection) -> None:
    """Call a method that fails."""
    try:
        await anna.invoke("Fail", "this one always fails")
    except HubException as error:
        say(
            f"8. errors: a method that fails raises HubException in the client, and the connection stays open.\n   The error: {error}"
        )


async def show_reconnect(anna: HubConnection) -> None:
    """Lose the connection and reconnect."""
    back = asyncio.Event()
    anna.on_reconnecting(lambda _error: say("9. reconnect: Anna's connection was cut. Her client reconnects automatically ..."))
    anna.on_reconnected(lambda _connection_id: back.set())
    before = anna.connection_id
    try:
        await anna.invoke("DropConnection")
    except SignalRError:  # the connection was cut before the response arrived
        await back.wait()
    changed = "a new one" if anna.connection_id != before else "the same"
    say(f"   ... and is connected again; her connection id is {changed}. Add(1, 1) returns {await anna.invoke('Add', 1, 1)}.")


def say(text: str) -> None:
    """Print one step."""
    print(text, flush=True)

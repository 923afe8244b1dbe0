"""A scripted server for either hub protocol, which uses messages instead of JSON objects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from signalr_client import HubConnection, HubConnectionBuilder, HubProtocol, TransferFormat
from signalr_client.core.framing import RECORD_SEPARATOR
from signalr_client.core.messages import Completion, HubMessage, Invocation, Ping
from tests.support.scripted_server import Peer, Script, ScriptedServer

HANDSHAKE_ANSWER = b"{}" + RECORD_SEPARATOR


class WirePeer:
    """The server side of one WebSocket, with the hub protocol of the test.

    Attributes:
        handshake: the client's handshake request, once received.
        got: all messages from the client so far, in order.
        close_code: the code of the client's close frame, once received; None if the client disconnected without one.
    """

    def __init__(self, peer: Peer, protocol: HubProtocol) -> None:
        self.request = peer.request
        self.socket = peer.socket
        self.handshake = b""
        self.got: list[HubMessage] = []
        self.close_code: int | None = None
        self._peer = peer
        self._protocol = protocol
        self._framer = protocol.framer()

    @property
    def transport(self) -> asyncio.Transport:
        """The connection of the client, for tests that stop reading from it."""
        return self._peer.transport

    async def receive(self) -> list[HubMessage]:
        """Return the messages in the client's next frame, or an empty list if it has closed the connection."""
        data = await self._frame()
        if data is None:
            return []
        messages = [message for record in self._framer.feed(data) if (message := self._protocol.decode(record)) is not None]
        self.got += messages
        return messages

    async def receive_until(self, kind: type[HubMessage], count: int = 1) -> list[HubMessage]:
        """Receive until *count* messages of *kind* have arrived in total or the client has closed; return the messages of that kind."""
        while sum(type(message) is kind for message in self.got) < count and await self.receive():
            pass
        return [message for message in self.got if type(message) is kind]

    async def until_closed(self) -> None:
        """Receive until the client closes the connection."""
        while await self.receive():
            pass

    async def take_handshake(self) -> None:
        """Wait for the client's handshake request without sending a response."""
        self.handshake = await self._frame() or b""

    async def shake_hands(self, *behind: HubMessage) -> None:
        """Respond to the handshake, with further messages in the same frame."""
        await self.take_handshake()
        await self.write(HANDSHAKE_ANSWER + self.encode(*behind))

    def encode(self, *messages: HubMessage) -> bytes:
        """Return messages as encoded on the wire."""
        return b"".join(self._protocol.encode(message) for message in messages)

    async def send(self, *messages: HubMessage) -> None:
        """Send messages in one frame."""
        await self.write(self.encode(*messages))

    async def write(self, data: bytes) -> None:
        """Send *data* unchanged in a frame of the type that the protocol uses."""
        if self._protocol.transfer_format is TransferFormat.TEXT:
            await self.socket.send_str(data.decode())
        else:
            await self.socket.send_bytes(data)

    async def answer_calls(self) -> None:
        """Respond to every call with its first argument until the client closes the connection."""
        while messages := await self.receive():
            for message in messages:
                if isinstance(message, Invocation) and message.invocation_id:
                    result = message.arguments[0] if message.arguments else None
                    await self.send(Completion(invocation_id=message.invocation_id, result=result))

    async def _frame(self) -> bytes | None:
        frame = await self.socket.receive()
        if frame.type is WSMsgType.CLOSE:
            self.close_code = frame.data
        if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return None
        return frame.data.encode() if isinstance(frame.data, str) else bytes(frame.data)


WireScript = Callable[[WirePeer], Awaitable[None]]


class Wire:
    """Scripts for consecutive connections to a scripted server, with the hub protocol of the test.

    The last script is used for all later connections. ``peers`` has the connections so far.
    """

    def __init__(self, server: ScriptedServer, protocol: HubProtocol) -> None:
        self.server = server
        self.protocol = protocol
        self.peers: list[WirePeer] = []

    def play(self, *scripts: WireScript) -> None:
        """Set the scripts of the next connections; each connection is cut when its script returns."""
        left = list(scripts)

        async def run(peer: Peer) -> None:
            wired = WirePeer(peer, self.protocol)
            self.peers.append(wired)
            script = left.pop(0) if len(left) > 1 else left[0]
            await script(wired)

        script: Script = run
        self.server.script = script

    def builder(self, **options: object) -> HubConnectionBuilder:
        """Return a builder for a connection to the server; *options* are passed to `with_url`."""
        builder = HubConnectionBuilder().with_url(self.server.url, **options)  # type: ignore[arg-type]  # passed to with_url
        return builder.with_hub_protocol(self.protocol)

    def connection(self, **options: object) -> HubConnection:
        """Return a connection to the server that has not been started."""
        return self.builder(**options).build()

    @property
    def negotiations(self) -> list[web.Request]:
        """The negotiate requests so far."""
        return [request for request in self.server.requests if request.method == "POST"]


async def stay(peer: WirePeer) -> None:
    """Perform the handshake and keep the connection open until the client closes it."""
    await peer.shake_hands()
    await peer.until_closed()


async def echo(peer: WirePeer) -> None:
    """Perform the handshake and respond to every call with its first argument."""
    await peer.shake_hands()
    await peer.answer_calls()


async def vanish(peer: WirePeer) -> None:
    """Perform the handshake, wait for the client's first ping, and abort the connection."""
    await peer.shake_hands()
    await peer.receive_until(Ping)


async def blocked(sent: Callable[[], int]) -> None:
    """Return when a server is blocked in sending: what *sent* counts has not grown for many turns of the event loop."""
    before = -1
    while before != sent():
        before = sent()
        for _ in range(300):
            await asyncio.sleep(0)

"""A scripted peer that speaks either hub protocol, in messages instead of JSON objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from signalr_client import HubConnection, HubConnectionBuilder, HubProtocol, TransferFormat
from signalr_client.core.framing import RECORD_SEPARATOR
from signalr_client.core.messages import Completion, HubMessage, Invocation, Ping
from tests.support.scripted_server import Peer, Script, ScriptedServer

HANDSHAKE_ANSWER = b"{}" + RECORD_SEPARATOR


class WirePeer:
    """The server's side of one WebSocket, in the hub protocol of the test.

    Attributes:
        handshake: the client's handshake request, once it has come.
        got: every message of the client so far, in order.
        close_code: the code of the client's close frame, once it has closed; None when it vanished.
    """

    def __init__(self, peer: Peer, protocol: HubProtocol) -> None:
        self.request = peer.request
        self.socket = peer.socket
        self.handshake = b""
        self.got: list[HubMessage] = []
        self.close_code: int | None = None
        self._protocol = protocol
        self._framer = protocol.framer()

    async def receive(self) -> list[HubMessage]:
        """Return the messages of the client's next frame; none when it has closed."""
        data = await self._frame()
        if data is None:
            return []
        messages = [message for record in self._framer.feed(data) if (message := self._protocol.decode(record)) is not None]
        self.got += messages
        return messages

    async def receive_until(self, kind: type[HubMessage], count: int = 1) -> list[HubMessage]:
        """Read on until *count* messages of a kind have come in all, or the client has closed; return those of that kind."""
        while sum(type(message) is kind for message in self.got) < count and await self.receive():
            pass
        return [message for message in self.got if type(message) is kind]

    async def until_closed(self) -> None:
        """Read on until the client closes."""
        while await self.receive():
            pass

    async def take_handshake(self) -> None:
        """Wait for the client's handshake request and leave it unanswered."""
        self.handshake = await self._frame() or b""

    async def shake_hands(self, *behind: HubMessage) -> None:
        """Answer the handshake, with messages *behind* the answer in the same frame."""
        await self.take_handshake()
        await self.write(HANDSHAKE_ANSWER + self.encode(*behind))

    def encode(self, *messages: HubMessage) -> bytes:
        """Return messages as they are written on the wire."""
        return b"".join(self._protocol.encode(message) for message in messages)

    async def send(self, *messages: HubMessage) -> None:
        """Send messages in one frame."""
        await self.write(self.encode(*messages))

    async def write(self, data: bytes) -> None:
        """Send a frame of the protocol's kind with whatever *data* is."""
        if self._protocol.transfer_format is TransferFormat.TEXT:
            await self.socket.send_str(data.decode())
        else:
            await self.socket.send_bytes(data)

    async def answer_calls(self) -> None:
        """Answer every call with its first argument until the client closes."""
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
    """Scripts for the connections to a scripted server, one after another, in the hub protocol of the test.

    The last script serves all later connections. ``peers`` has the connections so far.
    """

    def __init__(self, server: ScriptedServer, protocol: HubProtocol) -> None:
        self.server = server
        self.protocol = protocol
        self.peers: list[WirePeer] = []

    def play(self, *scripts: WireScript) -> None:
        """Set what the next connections run through; each is cut when its script returns."""
        left = list(scripts)

        async def run(peer: Peer) -> None:
            wired = WirePeer(peer, self.protocol)
            self.peers.append(wired)
            script = left.pop(0) if len(left) > 1 else left[0]
            await script(wired)

        script: Script = run
        self.server.script = script

    def builder(self, **options: object) -> HubConnectionBuilder:
        """Return a builder for a connection to the server; *options* are those of `with_url`."""
        builder = HubConnectionBuilder().with_url(self.server.url, **options)  # type: ignore[arg-type]  # with_url's own
        return builder.with_hub_protocol(self.protocol)

    def connection(self, **options: object) -> HubConnection:
        """Return a connection to the server that has not started."""
        return self.builder(**options).build()

    @property
    def negotiations(self) -> list[web.Request]:
        """The negotiate requests so far."""
        return [request for request in self.server.requests if request.method == "POST"]


async def stay(peer: WirePeer) -> None:
    """Shake hands and stay until the client closes."""
    await peer.shake_hands()
    await peer.until_closed()


async def echo(peer: WirePeer) -> None:
    """Shake hands and answer every call with its first argument."""
    await peer.shake_hands()
    await peer.answer_calls()


async def vanish(peer: WirePeer) -> None:
    """Shake hands, wait for the client's first ping, and drop the socket without a word."""
    await peer.shake_hands()
    await peer.receive_until(Ping)

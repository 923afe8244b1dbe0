"""The server's side of a connection above the WebSocket: session, dispatcher, a hub with methods of every kind."""

from __future__ import annotations

from typing import Final

from signalr_client.core import handshake
from signalr_client.core.session import HubSession, SessionOptions
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.loops import run
from tests.fuzz.memory_server import MemoryServer, Request
from tests.fuzz.seeds import HANDSHAKES, JSON, JSON_WORDS, MESSAGEPACK, MESSAGEPACK_WORDS, PROTOCOLS, streams

CONTROL: Final = 6
SEEDS: Final = [
    *(stream for protocol in (JSON, MESSAGEPACK) for stream in streams(protocol)),
    b'{"type":1,"invocationId":"1","target":"typed","arguments":[{"x":1,"y":2.5},"2020-01-01T00:00:00Z",[null]]}\x1e',
    b'{"type":1,"invocationId":"1","target":"ask","arguments":[{}]}\x1e{"type":3,"invocationId":"1","result":[]}\x1e',
    b"\x1e".join(
        [
            b'{"type":1,"invocationId":"1","target":"ask","arguments":[{}]}',
            b'{"type":3,"headers":{"signalr-error":"{\\"code\\":1}"},"invocationId":"s1","error":"no"}',
            b"",
        ]
    ),
    b"\x1e".join(
        [
            b'{"type":1,"invocationId":"1","target":"upload","arguments":[],"streamIds":["2","3"]}',
            b'{"type":2,"invocationId":"2","item":1}',
            b'{"type":2,"invocationId":"3","item":{"x":1}}',
            b'{"type":3,"invocationId":"2"}',
            b'{"type":3,"invocationId":"3"}',
            b"",
        ]
    ),
    b'{"type":1,"invocationId":"1","target":"fail","arguments":["x"]}\x1e{"type":1,"target":"tell","arguments":[[1]]}\x1e',
]
WORDS: Final = [
    *JSON_WORDS, *MESSAGEPACK_WORDS, *HANDSHAKES,
    *(b'"%s"' % name for name in (b"echo", b"add", b"tell", b"typed", b"fail", b"ask", b"count", b"upload")),
    *(bytes([0xA0 | len(name)]) + name for name in (b"echo", b"add", b"tell", b"typed", b"fail", b"ask", b"count", b"upload")),
]  # fmt: skip


def target(data: bytes) -> None:
    """Whatever a client sends, the server logs no error, leaves nothing behind, and sends what a client can read."""
    run(serve(Choices(data)))


async def serve(choices: Choices) -> None:
    """Serve one client."""
    protocol, with_handshake = choices.pick(PROTOCOLS), choices.number(8) > 0
    server = MemoryServer(
        maximum_receive_message_size=choices.pick((32_768, 100, None)),
        maximum_parallel_invocations_per_client=choices.pick((1, 3)),
        enable_detailed_errors=True,
        allow_stateful_reconnects=True,
    )
    pattern = choices.pick(PATTERNS)
    code = choices.pick((1000, None, 1006, 4000))
    stream = (handshake.encode_request(protocol.name, 1) if with_handshake else b"") + choices.rest()
    request = Request(headers=[("Upgrade", "websocket")], pieces=list(cut(stream, pattern)), close_code=code)
    assert await server.dispatcher.handle(request) is None
    await server.stop()
    [socket] = request.opened
    check_output(b"".join(socket.sent))


def check_output(data: bytes) -> None:
    """A client can read everything: if the handshake was accepted, in the protocol that the client asked for."""
    text, separator, rest = data.partition(b"\x1e")
    if not data:
        return
    assert separator
    if handshake.decode_response(text).error is not None:
        assert not rest
        return
    ends: list[object] = []
    for protocol in PROTOCOLS:
        client = HubSession.client(protocol, SessionOptions(), 0.0)
        client.receive(data, 0.0)
        client.receive_end()
        ends.append(client.error)
    assert None in ends, ends

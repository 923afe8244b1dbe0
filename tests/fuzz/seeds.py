"""Valid input to begin with, encoded by our own protocols, and the words that a fuzzer should know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from signalr_client.core import handshake
from signalr_client.core.messages import (
    Ack,
    CancelInvocation,
    Close,
    Completion,
    HubMessage,
    Invocation,
    Ping,
    Sequence,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.timestamps import PreciseDatetime

__all__ = [
    "HANDSHAKES",
    "JSON",
    "JSON_WORDS",
    "MESSAGEPACK",
    "MESSAGEPACK_WORDS",
    "MESSAGES",
    "NEGOTIATE_RESPONSES",
    "PROTOCOLS",
    "record",
    "records",
    "streams",
]

JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()
PROTOCOLS: Final[tuple[HubProtocol, ...]] = (JSON, MESSAGEPACK)

_HEADERS: Final = {"Foo": "Bar"}
_PRECISE: Final = PreciseDatetime.of(datetime(2020, 2, 3, 4, 5, 6, 789_012, tzinfo=UTC), 300)

MESSAGES: Final[tuple[HubMessage, ...]] = (
    Invocation(target="echo", arguments=[]),
    Invocation(headers=_HEADERS, invocation_id="1", target="add", arguments=[1, -2]),
    Invocation(invocation_id="2", target="upload", arguments=[], stream_ids=["3", "4"]),
    Invocation(target="echo", arguments=[None, True, 1.5, "é\n\x1e", [[[]]], {"a": {"b": [2**63]}}]),
    Invocation(target="echo", arguments=[b"\x00\xff", _PRECISE, datetime(2000, 1, 1, tzinfo=UTC), -(2**31)]),
    StreamItem(headers=_HEADERS, invocation_id="3", item={"x": 1}),
    StreamItem(invocation_id="3", item="x" * 40),
    Completion(invocation_id="1"),
    Completion(invocation_id="1", result=None),
    Completion(headers=_HEADERS, invocation_id="2", result=[1, "two"]),
    Completion(invocation_id="3", error="It failed."),
    StreamInvocation(headers=_HEADERS, invocation_id="5", target="count", arguments=[3], stream_ids=["6"]),
    StreamInvocation(invocation_id="7", target="count", arguments=[]),
    CancelInvocation(headers=_HEADERS, invocation_id="5"),
    Ping(),
    Close(),
    Close(error="It ended.", allow_reconnect=True),
    Ack(sequence_id=1),
    Sequence(sequence_id=2),
)

HANDSHAKES: Final = (
    handshake.encode_request("json", 1),
    handshake.encode_request("messagepack", 2),
    handshake.encode_request("JSON", 2),
    handshake.encode_response(),
    handshake.encode_response("The protocol 'x' is not supported."),
    b'{"type":1}\x1e',
)

_OFFERS: Final = (
    b'"availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"LongPolling"}]'
)
NEGOTIATE_RESPONSES: Final = (
    b'{"negotiateVersion":1,"connectionId":"a","connectionToken":"b","useStatefulReconnect":true,' + _OFFERS + b"}",
    b'{"connectionId":"a","tokenLifetimeSeconds":60,' + _OFFERS + b"}",
    b'{"url":"https://user:word@host:5001/hub?id=x&access_token=y#z","accessToken":"secret"}',
    b'{"error":"No."}',
    b'{"ProtocolVersion":"1.2"}',
    b'{"tokenLifetimeSeconds":3600.5,"accessToken":"secret"}',
)

_MEMBERS: Final = [
    "type", "headers", "invocationId", "target", "arguments", "streamIds", "item", "error", "result", "allowReconnect",
    "sequenceId", "protocol", "version",
]  # fmt: skip
JSON_WORDS: Final = [
    *(f'"{member}":'.encode() for member in _MEMBERS),
    *(b'{"type":%d' % kind for kind in range(10)),
    b"\x1e", b"null", b"true", b"false", b"[[[[", b"]]]]", b"{}", b'""', b"1e309", b"-0", b"9" * 30, b"NaN", b'"\\ud800"', b"\\u0000",
    b"\xed\xa0\x80", b"\xff",
]  # fmt: skip
MESSAGEPACK_WORDS: Final = [
    *(bytes([0x90 | size]) for size in range(8)),
    b"\xc0", b"\xc2", b"\xc3", b"\xc4\x01", b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xcf" + b"\xff" * 8, b"\xd3\x80" + bytes(7),
    b"\xd6\xff", b"\xd7\xff", b"\xc7\x0c\xff", b"\xc9\xff\xff\xff\xff\x01", b"\xdb\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff", b"\x80", b"\x81", b"\xa1a", b"\xa0", b"\xff\xff\xff\xff\x07", b"\x80\x80\x80\x80\x08",
]  # fmt: skip


def record(protocol: HubProtocol, message: HubMessage) -> bytes:
    """Return *message* without its framing."""
    [found] = protocol.framer().feed(protocol.encode(message))
    return found


def records(protocol: HubProtocol) -> list[bytes]:
    """Return every message without its framing."""
    return [record(protocol, message) for message in MESSAGES]


def streams(protocol: HubProtocol) -> list[bytes]:
    """Return every message with its framing, and some in one frame."""
    encoded = [protocol.encode(message) for message in MESSAGES]
    return [*encoded, b"".join(encoded), b"".join(encoded[:5]), protocol.encode(MESSAGES[0]) * 20]

"""Test vectors from .NET: messages encoded by the .NET 10 hub protocols, in ``vectors.json`` next to this file.

For both protocols: we encode to the same bytes as .NET, and decode the bytes of .NET, all at once and byte by byte. The messages
are repeated here in Python, so that a member with a wrong name in both the encoder and the decoder is found.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypedDict, cast

import pytest

from signalr_client.core.handshake import (
    HandshakeBuffer,
    HandshakeRequest,
    HandshakeResponse,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
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


class Vector(TypedDict, total=False):
    """One entry of the file; its members depend on its kind."""

    name: str
    json: str
    messagepack: str
    messagepackPrefix: str
    messagepackLength: int
    hex: str


VECTORS: Final = {
    vector["name"]: vector
    for vector in cast("list[Vector]", json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8")))
}
JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()

HEADERS: Final = {"Foo": "Bar", "KeyWith\nNew\r\nLines": "Still Works"}

MESSAGES: Final[dict[str, HubMessage]] = {
    "invocation": Invocation(invocation_id="123", target="Target", arguments=["arg", 42]),
    "invocation-non-blocking": Invocation(target="Target", arguments=["arg", 42, None, True, 1.5]),
    "invocation-no-arguments": Invocation(invocation_id="1", target="Target", arguments=[]),
    "invocation-headers": Invocation(headers=HEADERS, invocation_id="123", target="Target", arguments=["x"]),
    "invocation-streams": Invocation(invocation_id="123", target="Target", arguments=[1], stream_ids=["s1", "s2"]),
    "invocation-unicode": Invocation(invocation_id="é", target="Tärget", arguments=["日本語 🎉", "<>&'\"\\/", "\x1e\x00"]),
    "invocation-integers": Invocation(
        invocation_id="1",
        target="T",
        arguments=[0, -1, 127, 128, 255, 256, 65535, 65536, -(2**31), 2**31 - 1, -(2**63), 2**63 - 1],
    ),
    "stream-invocation": StreamInvocation(invocation_id="123", target="Target", arguments=["arg"]),
    "stream-invocation-streams-headers": StreamInvocation(
        headers=HEADERS, invocation_id="123", target="Target", arguments=["arg"], stream_ids=["s1"]
    ),
    "stream-item": StreamItem(invocation_id="123", item="item"),
    "stream-item-null": StreamItem(invocation_id="123", item=None),
    "stream-item-headers": StreamItem(headers=HEADERS, invocation_id="123", item=42),
    "completion-result": Completion(invocation_id="123", result=42),
    "completion-null-result": Completion(invocation_id="123", result=None),
    "completion-void": Completion(invocation_id="123"),
    "completion-error": Completion(invocation_id="123", error="It didn't work!"),
    "completion-headers": Completion(headers=HEADERS, invocation_id="123", result="r"),
    "cancel-invocation": CancelInvocation(invocation_id="123"),
    "cancel-invocation-headers": CancelInvocation(headers=HEADERS, invocation_id="123"),
    "ping": Ping(),
    "close": Close(),
    "close-error": Close(error="Connection closed because of an error!"),
    "close-error-reconnect": Close(error="bye", allow_reconnect=True),
    "close-reconnect": Close(allow_reconnect=True),
    "ack": Ack(sequence_id=1394),
    "sequence": Sequence(sequence_id=1234),
}
"""The vectors whose message is the same in both protocols."""

GUID: Final = "00010203-0405-0607-0706-050403020100"
# .NET timestamps have a resolution of 100 ns: it wrote 08.1234567. A PreciseDatetime keeps the digits that a datetime cannot hold
# and writes them again. It equals the datetime without those digits, so a test below checks what is decoded once more.
MOMENT: Final = PreciseDatetime.of(datetime(2016, 4, 5, 6, 7, 8, 123456, tzinfo=UTC), 700)

VALUES: Final[dict[str, tuple[HubMessage, HubMessage]]] = {
    "invocation-values": (
        Invocation(
            invocation_id="1",
            target="T",
            arguments=[
                "2016-04-05T06:07:08.1234567Z",
                GUID,
                "AQL/",
                1,
                1.25,
                "00:01:30.5000000",
                "2020-01-01T05:06:07+02:00",
            ],
        ),
        Invocation(
            invocation_id="1",
            target="T",
            arguments=[
                MOMENT,
                GUID,
                b"\x01\x02\xff",
                "Green",
                "1.25",
                905_000_000,
                [datetime(2020, 1, 1, 5, 6, 7, tzinfo=UTC), 120],
            ],
        ),
    ),
    "invocation-complex": (
        Invocation(
            invocation_id="1",
            target="T",
            arguments=[
                {
                    "string": "s",
                    "intArray": [1, 2],
                    "byteArray": "AQID",
                    "guid": GUID,
                    "dateTime": "2016-04-05T06:07:08.1234567Z",
                    "color": 2,
                    "maybeDouble": None,
                    "point": {"x": 1, "y": 2},
                    "points": {"k": {"x": 3, "y": 4}},
                }
            ],
        ),
        Invocation(
            invocation_id="1",
            target="T",
            arguments=[
                {
                    "String": "s",
                    "IntArray": [1, 2],
                    "ByteArray": b"\x01\x02\x03",
                    "Guid": GUID,
                    "DateTime": MOMENT,
                    "Color": "Blue",
                    "MaybeDouble": None,
                    "Point": {"X": 1, "Y": 2},
                    "Points": {"k": {"X": 3, "Y": 4}},
                }
            ],
        ),
    ),
}
"""The vectors whose values .NET encodes differently in the two protocols, as (JSON, MessagePack) in plain Python values."""

# .NET escapes a character beyond U+FFFF as two \uXXXX, with upper-case hex digits in every escape. The text is the same to a JSON
# reader, so the parsed JSON is compared for these vectors.
ESCAPED_DIFFERENTLY: Final = {"invocation-unicode"}

LENGTHS: Final = [int(name.removeprefix("length-prefix-")) for name in VECTORS if name.startswith("length-prefix-")]

EXPECTED: Final[list[tuple[str, HubProtocol, HubMessage]]] = [
    *[(name, JSON, message) for name, message in MESSAGES.items()],
    *[(name, MESSAGEPACK, message) for name, message in MESSAGES.items()],
    *[(name, JSON, messages[0]) for name, messages in VALUES.items()],
    *[(name, MESSAGEPACK, messages[1]) for name, messages in VALUES.items()],
]
each_message = pytest.mark.parametrize(
    ("name", "protocol", "message"), EXPECTED, ids=[f"{protocol.name}-{name}" for name, protocol, _ in EXPECTED]
)


def wire_of(name: str, protocol: HubProtocol) -> bytes:
    """Return the bytes that .NET wrote."""
    return bytes.fromhex(VECTORS[name]["json" if protocol is JSON else "messagepack"])


def read(protocol: HubProtocol, chunks: list[bytes]) -> list[HubMessage | None]:
    """Return the messages in *chunks*, which must end at the end of a message."""
    framer = protocol.framer()
    messages = [protocol.decode(record) for chunk in chunks for record in framer.feed(chunk)]
    assert framer.error is None
    assert framer.pending == 0
    return messages


def bytewise(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


def test_every_vector_is_tested() -> None:
    """All vectors are tested here except "value: ...", which show the encoding of single .NET values and are not messages."""
    tested = {*MESSAGES, *VALUES, *(f"length-prefix-{length}" for length in LENGTHS)}
    tested |= {"handshake-request", "handshake-response-ok", "handshake-response-error"}
    assert {name for name in VECTORS if not name.startswith("value: ")} == tested
    assert len(VECTORS) == 99  # all names are unique


@each_message
def test_messages_encode_to_the_bytes_of_dotnet(name: str, protocol: HubProtocol, message: HubMessage) -> None:
    ours, theirs = protocol.encode(message), wire_of(name, protocol)
    if protocol is JSON and name in ESCAPED_DIFFERENTLY:
        assert ours != theirs
        assert ours[-1:] == theirs[-1:] == b"\x1e"
        # a list of pairs instead of a dict, so that the order of the members is compared
        assert json.loads(ours[:-1], object_pairs_hook=list) == json.loads(theirs[:-1], object_pairs_hook=list)
    else:
        assert ours == theirs


@each_message
def test_the_bytes_of_dotnet_decode_to_messages(name: str, protocol: HubProtocol, message: HubMessage) -> None:
    assert read(protocol, [wire_of(name, protocol)]) == [message]


@each_message
def test_decoded_messages_encode_to_the_same_bytes(name: str, protocol: HubProtocol, message: HubMessage) -> None:
    [again] = read(protocol, [wire_of(name, protocol)])
    assert again is not None
    assert protocol.encode(again) == protocol.encode(message)


@each_message
def test_the_bytes_of_dotnet_decode_byte_by_byte(name: str, protocol: HubProtocol, message: HubMessage) -> None:
    assert read(protocol, bytewise(wire_of(name, protocol))) == [message]


@pytest.mark.parametrize("protocol", [JSON, MESSAGEPACK], ids=["json", "messagepack"])
def test_all_messages_of_dotnet_decode_from_one_buffer(protocol: HubProtocol) -> None:
    expected = [(name, message) for name, spoken, message in EXPECTED if spoken is protocol]
    stream = b"".join(wire_of(name, protocol) for name, _ in expected)
    assert read(protocol, [stream]) == read(protocol, bytewise(stream)) == [message for _, message in expected]


@pytest.mark.parametrize("length", LENGTHS)
def test_length_prefixes_equal_those_of_dotnet(length: int) -> None:
    """Prefixes of one, two and three bytes, on both sides of the limits."""
    vector = VECTORS[f"length-prefix-{length}"]
    message = Invocation(target="T", arguments=["x" * length])
    wire = MESSAGEPACK.encode(message)
    assert wire.startswith(bytes.fromhex(vector["messagepackPrefix"]))
    assert len(wire) == vector["messagepackLength"]
    assert read(MESSAGEPACK, [wire]) == read(MESSAGEPACK, bytewise(wire)) == [message]


def test_handshake_requests_equal_those_of_dotnet() -> None:
    wire = bytes.fromhex(VECTORS["handshake-request"]["hex"])
    assert encode_request("messagepack", 2) == wire
    assert HandshakeBuffer(len(wire)).feed(wire) == (wire[:-1], b"")
    assert decode_request(wire[:-1]) == HandshakeRequest("messagepack", 2)


@pytest.mark.parametrize(
    ("name", "error"),
    [("handshake-response-ok", None), ("handshake-response-error", "Requested protocol 'x' is not available.")],
)
def test_handshake_responses_equal_those_of_dotnet(name: str, error: str | None) -> None:
    wire = bytes.fromhex(VECTORS[name]["hex"])
    assert encode_response(error) == wire
    assert HandshakeBuffer(len(wire)).feed(wire) == (wire[:-1], b"")
    assert decode_response(wire[:-1]) == HandshakeResponse(error=error)


@pytest.mark.parametrize("name", ["handshake-request", "handshake-response-ok", "handshake-response-error"])
def test_a_handshake_received_byte_by_byte_ends_with_its_separator(name: str) -> None:
    wire = bytes.fromhex(VECTORS[name]["hex"])
    buffer = HandshakeBuffer(len(wire))
    *before, last = [buffer.feed(bytes([byte])) for byte in wire]
    assert before == [None] * (len(wire) - 1)
    assert last == (wire[:-1], b"")

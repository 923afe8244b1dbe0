"""Bytes that we did not make: what the real server and the .NET client (both .NET 10) write when they resume, in ``resume.json``.

Both were cut off from a peer that spoke the hub protocol by hand, and then came back to it. An Ack that their timer happened to send
at the end was removed. The server had responded to three calls of ``Add``, of which the client then acknowledged some. The client had
made five calls, of which the first was acknowledged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypedDict, cast

import pytest

from signalr_client.core.handshake import encode_response
from signalr_client.core.messages import UNSET, Ack, Completion, CountedMessage, Invocation, Ping
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.session import HubSession, SessionOptions


class Vector(TypedDict):
    """One entry of the file."""

    name: str
    protocol: str
    hex: str


VECTORS: Final = {
    (vector["name"], vector["protocol"]): bytes.fromhex(vector["hex"])
    for vector in cast("list[Vector]", json.loads((Path(__file__).parent / "resume.json").read_text(encoding="utf-8")))
}
OPTIONS: Final = SessionOptions(replay_limit=100_000)
CALLS: Final[list[CountedMessage]] = [
    Invocation(invocation_id="1", target="ClearRecorded", arguments=[]),
    *(Invocation(invocation_id=UNSET, target="Record", arguments=[number]) for number in range(3)),
    Invocation(invocation_id="2", target="Recorded", arguments=[]),
]
RESULTS: Final[list[CountedMessage]] = [Completion(invocation_id=str(number), result=number + 40) for number in (1, 2, 3)]

both_protocols = pytest.mark.parametrize("protocol", [JsonHubProtocol(), MessagePackHubProtocol()], ids=["json", "messagepack"])


def client(protocol: HubProtocol) -> tuple[HubSession, bytes]:
    """Return a client's session after its handshake, and its request."""
    session = HubSession.client(protocol, OPTIONS, 0.0)
    request = session.data_to_send()
    session.receive(encode_response(), 0.0)
    return session, request


def server(protocol: HubProtocol) -> HubSession:
    """Return a server's session after the handshake of the .NET client."""
    session = HubSession.server([protocol], OPTIONS, 0.0)
    session.receive(VECTORS["client-handshake", protocol.name], 0.0)
    assert session.stateful
    session.data_to_send()
    return session


def send(session: HubSession, messages: Iterable[CountedMessage]) -> bytes:
    """Send *messages* and return their bytes."""
    for message in messages:
        session.send(message, 0.0)
    return session.data_to_send()


def reconnect(session: HubSession) -> bytes:
    """Continue on a new socket, and return what the session writes there."""
    session.detach()
    session.resume(1.0)
    return session.data_to_send()


@both_protocols
def test_our_client_resumes_with_the_bytes_of_the_dotnet_client(protocol: HubProtocol) -> None:
    session, request = client(protocol)
    assert request == VECTORS["client-handshake", protocol.name]
    assert send(session, CALLS) == VECTORS["client-sends", protocol.name]
    session.receive(protocol.encode(Ack(sequence_id=1)), 0.0)
    assert reconnect(session) == VECTORS["client-resumes", protocol.name]


@both_protocols
@pytest.mark.parametrize("acknowledged", [0, 2, 3])
def test_our_server_resumes_with_the_bytes_of_the_real_server(protocol: HubProtocol, acknowledged: int) -> None:
    session = server(protocol)
    send(session, RESULTS)
    if acknowledged:
        session.receive(protocol.encode(Ack(sequence_id=acknowledged)), 0.0)
    assert reconnect(session) == VECTORS[f"server-resumes-{acknowledged}-acknowledged", protocol.name]


@both_protocols
@pytest.mark.parametrize("step", [1, 1_000])
@pytest.mark.parametrize("received", range(1, 6))
def test_our_server_takes_from_the_dotnet_client_what_it_has_not_received(
    protocol: HubProtocol, received: int, step: int
) -> None:
    session = server(protocol)
    session.receive(b"".join(map(protocol.encode, [Ping(), *CALLS[:received]])), 0.0)
    reconnect(session)
    stream = VECTORS["client-resumes", protocol.name]
    pieces = (stream[at : at + step] for at in range(0, len(stream), step))
    assert [message for piece in pieces for message in session.receive(piece, 1.0)] == CALLS[received:]
    assert session.error is None


@both_protocols
@pytest.mark.parametrize("step", [1, 1_000])
@pytest.mark.parametrize(("acknowledged", "received"), [(0, 0), (0, 1), (0, 3), (2, 2), (2, 3), (3, 3)])
def test_our_client_takes_from_the_real_server_what_it_has_not_received(
    protocol: HubProtocol, acknowledged: int, received: int, step: int
) -> None:
    session, _request = client(protocol)
    session.receive(b"".join(map(protocol.encode, RESULTS[:received])), 0.0)
    reconnect(session)
    stream = VECTORS[f"server-resumes-{acknowledged}-acknowledged", protocol.name]
    pieces = (stream[at : at + step] for at in range(0, len(stream), step))
    assert [message for piece in pieces for message in session.receive(piece, 1.0)] == RESULTS[received:]
    assert session.error is None

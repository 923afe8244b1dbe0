"""Replays to a peer that does not count the items of streams it does not know, as ASP.NET Core does not."""

from __future__ import annotations

import random

import pytest

from signalr_client.core.handshake import encode_response
from signalr_client.core.messages import (
    Ack,
    CancelInvocation,
    Completion,
    HubMessage,
    Invocation,
    Sequence,
    StreamItem,
)
from signalr_client.core.padding import item_padding
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.session import HubSession, SessionOptions
from tests.support.hubs import PROTOCOLS

each_protocol = pytest.mark.parametrize("protocol", [PROTOCOLS[name]() for name in PROTOCOLS], ids=list(PROTOCOLS))


class Foreign:
    """The receiving half of a server that counts as ASP.NET Core does: an item of an unknown stream has no number."""

    def __init__(self, protocol: HubProtocol) -> None:
        self.delivered: list[HubMessage] = []
        self._protocol = protocol
        self._next, self._latest = 1, 0
        self._streams: set[str] = set()

    def receive(self, data: bytes) -> None:
        """Take whole messages."""
        for record in self._protocol.framer(None).feed(data):
            message = self._protocol.decode(record)
            if isinstance(message, Sequence):
                assert message.sequence_id <= self._next, "Sequence ID greater than amount of messages we've received."
                self._next = message.sequence_id
            elif isinstance(message, StreamItem) and message.invocation_id not in self._streams:
                continue
            elif isinstance(message, Invocation | StreamItem | Completion | CancelInvocation):
                self._next += 1
                if self._next - 1 > self._latest:
                    self._latest = self._next - 1
                    self._deliver(message)

    def _deliver(self, message: HubMessage) -> None:
        self.delivered.append(message)
        if isinstance(message, Invocation) and message.stream_ids:
            self._streams.update(message.stream_ids)
        elif isinstance(message, Completion):
            self._streams.discard(message.invocation_id)

    @property
    def ack(self) -> bytes:
        """An Ack of everything that has arrived."""
        return self._protocol.encode(Ack(sequence_id=self._latest))


@each_protocol
@pytest.mark.parametrize("seed", range(200))
def test_every_message_is_delivered_once_whatever_is_cut(protocol: HubProtocol, seed: int) -> None:
    """Calls and the items of several uploads are mixed; each socket takes some of the messages, and acknowledges some."""
    chance = random.Random(seed)
    session = HubSession.client(protocol, SessionOptions(replay_limit=1_000_000, counts_all_items=False), 0.0)
    session.data_to_send()
    session.receive(encode_response(), 0.0)
    server, sent, open_uploads, wire = Foreign(protocol), list[HubMessage](), list[str](), list[bytes]()

    def send(message: Invocation | StreamItem | Completion) -> None:
        session.send(message, 0.0)
        sent.append(message)

    def flush(share: float) -> None:
        """Take what is queued, and let a part of it arrive."""
        while data := session.data_to_send(chance.choice([1, 100, 1_000])):
            wire.append(data)
        for _ in range(round(len(wire) * share)):
            server.receive(wire.pop(0))

    for number in range(300):
        match chance.randrange(10):
            case 0 | 1:
                send(Invocation(target="Call", arguments=[number]))
            case 2:
                open_uploads.append(f"upload{number}")
                send(Invocation(target="Upload", arguments=[], stream_ids=open_uploads[-1:]))
            case 3 | 4 | 5 if open_uploads:
                send(StreamItem(invocation_id=chance.choice(open_uploads), item=number))
            case 6 if open_uploads:
                send(Completion(invocation_id=open_uploads.pop(chance.randrange(len(open_uploads)))))
            case 7:
                flush(chance.random())
            case 8:
                flush(chance.random())
                session.receive(server.ack, 0.0)
            case 9:
                session.detach()
                wire.clear()
                session.resume(0.0)
    flush(1.0)
    assert session.error is None
    assert server.delivered == sent


@each_protocol
def test_a_run_of_items_is_followed_by_its_number_and_as_many_messages_without_effect(protocol: HubProtocol) -> None:
    def item(number: int) -> StreamItem:
        return StreamItem(invocation_id="1", item=number)

    call = Invocation(target="Call", arguments=[])
    messages = [protocol.encode(message) for message in (call, item(1), item(2), call, item(3))]
    padding = item_padding(protocol)(messages, 7)
    effectless = protocol.encode(CancelInvocation(invocation_id="0"))
    assert padding == {
        9: protocol.encode(Sequence(sequence_id=8)) + 2 * effectless,
        11: protocol.encode(Sequence(sequence_id=11)) + effectless,
    }
    assert item_padding(protocol)([], 7) == {}

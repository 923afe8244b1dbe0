"""The two halves of stateful reconnect, with any numbers that a peer may send."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from signalr_client.core.replay import ReceivedCounter, ReplayBuffer
from signalr_client.errors import ProtocolError
from tests.fuzz.inputs import Choices

CONTROL: Final = 0
SEEDS: Final = [
    bytes([0, 5, 0, 6, 1, 0, 2, 0, 1, 3, 1, 1, 2, 0, 2]),
    bytes([0, 5, 1, 0, 3, 0, 9, 1, 2, 2, 0, 1, 3, 3]),
    bytes([4, 4, 6, 5, 0, 1, 4, 7]),
    bytes([4, 6, 4, 5, 0, 255]),
]
WORDS: Final = [b"\x02\x05" + b"\xff" * 8, b"\x02\x05\x7f" + b"\xff" * 7, b"\x05\x00\x00", b"\x06\x05\x00\x01"]


def target(data: bytes) -> None:
    """Numbers that cannot be are ProtocolErrors; bytes and numbers add up whatever the peer says."""
    choices = Choices(data)
    buffer, counter = ReplayBuffer(), ReceivedCounter()
    appended = acknowledged = received = 0
    now = 0.0
    while choices.left:
        now += 0.5
        match choices.number(8):
            case 0:
                buffer.append(bytes(choices.number(50)))
                appended += 1
            case 1:
                buffer.take(choices.pick((None, 1, 60)) if buffer.queued else None)
            case 2:
                number = choices.integer()
                with suppress(ProtocolError):
                    buffer.acknowledge(number)
                    assert number <= appended
                    acknowledged = max(acknowledged, number)
            case 3:
                first = buffer.resume()
                assert 1 <= first <= acknowledged + 1
                assert buffer.queued == buffer.size
            case 4:
                with suppress(ProtocolError):
                    received += counter.accept(choices.number(200) * 200, now)
                    assert counter.ack_due is not None
            case 5:
                with suppress(ProtocolError):
                    counter.sequence(choices.integer())
            case 6:
                counter.resume()
                assert counter.ack_due is None
            case _:
                assert counter.acknowledge() == received
        check(buffer, appended, acknowledged)


def check(buffer: ReplayBuffer, appended: int, acknowledged: int) -> None:
    """What is counted is what is kept, and nothing is released that was not acknowledged."""
    waiting, sent = sum(map(len, buffer._waiting)), sum(map(len, buffer._sent))
    assert (buffer.queued, buffer.size) == (waiting, waiting + sent)
    assert buffer.last == appended
    kept = len(buffer._waiting) + len(buffer._sent)
    assert kept >= appended - acknowledged

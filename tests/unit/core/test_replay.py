"""What is kept for a replay and what is dropped as a duplicate, without sockets, bytes on the wire or a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import SupportsIndex

import pytest

from signalr_client.core.replay import ACK_BYTES, ACK_DELAY, FIRST_ACK_DELAY, ReceivedCounter, ReplayBuffer
from signalr_client.errors import ProtocolError


def filled(*messages: bytes) -> ReplayBuffer:
    """Return a buffer with these messages, none of them sent."""
    buffer = ReplayBuffer()
    for message in messages:
        buffer.append(message)
    return buffer


# what was sent


def test_messages_are_taken_in_order_and_once() -> None:
    buffer = filled(b"a", b"bb", b"ccc")
    assert (buffer.size, buffer.queued) == (6, 6)
    assert buffer.take(3) == [b"a", b"bb"]
    assert (buffer.size, buffer.queued) == (6, 3)
    assert buffer.take() == [b"ccc"]
    assert (buffer.size, buffer.queued) == (6, 0)
    assert buffer.take() == []


def test_a_message_over_the_limit_is_taken_alone() -> None:
    buffer = filled(b"aaaa", b"b", b"c")
    assert buffer.take(2) == [b"aaaa"]
    assert buffer.take(2) == [b"b", b"c"]


def test_an_ack_releases_the_messages_up_to_its_number() -> None:
    buffer = filled(b"a", b"bb", b"ccc")
    buffer.take()
    buffer.acknowledge(2)
    assert buffer.size == 3
    buffer.acknowledge(1)  # late: ignored
    buffer.acknowledge(2)
    buffer.acknowledge(-5)
    assert buffer.size == 3
    buffer.acknowledge(3)
    assert buffer.size == 0


def test_a_buffer_tells_which_messages_it_keeps() -> None:
    buffer = ReplayBuffer()
    assert (buffer.first, buffer.last) == (1, 0)
    for number in (1, 2, 3):
        buffer.append(b"a")
        assert (buffer.first, buffer.last) == (1, number)
    buffer.take()
    buffer.acknowledge(1)
    assert (buffer.first, buffer.last) == (2, 3)
    buffer.resume()
    buffer.acknowledge(3)  # releases nothing
    assert (buffer.first, buffer.last) == (2, 3)
    buffer.append(b"b")
    buffer.take()
    buffer.acknowledge(4)
    assert (buffer.first, buffer.last) == (5, 4)


@pytest.mark.parametrize("limit", [None, 1, 3, 100])
def test_padding_follows_its_messages_in_the_next_replay_only(limit: int | None) -> None:
    asked: list[tuple[list[bytes], int]] = []

    def pad(messages: Sequence[bytes], first: int) -> dict[int, bytes]:
        asked.append((list(messages), first))
        return {2: b"..", 3: b"-"}

    def taken() -> bytes:
        data, size = b"", buffer.queued
        while parts := buffer.take(limit):
            data += b"".join(parts)
            assert buffer.queued == size - len(data)
        return data

    buffer = ReplayBuffer()
    for letter in (b"a", b"b", b"c"):
        buffer.append(letter)
    assert taken() == b"abc"
    buffer.acknowledge(1)
    buffer.append(b"d")  # not sent before the loss, so it is not padded
    assert buffer.resume(pad) == 2
    assert asked == [([b"b", b"c"], 2)]
    assert (buffer.size, buffer.queued) == (3, 6)
    assert taken() == b"b..c-d"
    assert buffer.resume() == 2
    assert taken() == b"bcd"


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_an_ack_for_a_message_that_was_not_sent_is_an_error(taken: int) -> None:
    buffer = filled(b"a", b"b", b"c")
    if taken:
        buffer.take(taken)
    with pytest.raises(ProtocolError, match=rf"^The peer acknowledged message {taken + 1}, but only {taken} were sent\.$"):
        buffer.acknowledge(taken + 1)
    assert buffer.size == 3


def test_everything_unacknowledged_is_sent_again_before_what_is_new() -> None:
    buffer = filled(b"a", b"b", b"c", b"d")
    buffer.take(3)
    buffer.acknowledge(1)
    buffer.append(b"e")
    assert buffer.resume() == 2
    assert (buffer.size, buffer.queued) == (4, 4)
    buffer.append(b"f")
    assert buffer.take(2) == [b"b", b"c"]
    assert buffer.take() == [b"d", b"e", b"f"]


def test_with_nothing_to_replay_the_sequence_is_the_number_of_the_next_message() -> None:
    buffer = ReplayBuffer()
    assert buffer.resume() == 1
    buffer.append(b"a")
    buffer.take()
    buffer.acknowledge(1)
    assert buffer.resume() == 2
    buffer.append(b"b")
    assert buffer.resume() == 2
    assert buffer.take() == [b"b"]


def test_a_replay_that_is_cut_off_starts_again_at_the_same_message() -> None:
    buffer = filled(b"a", b"b", b"c")
    buffer.take()
    for _ in range(3):
        assert buffer.resume() == 1
        assert buffer.take(1) == [b"a"]
    buffer.append(b"d")
    assert buffer.resume() == 1
    assert buffer.take() == [b"a", b"b", b"c", b"d"]


def test_an_ack_that_comes_during_a_replay_does_not_shorten_the_next_one() -> None:
    """The peer has all three messages but has read only one of the replay: a real server refuses the Sequence ID 4 then."""
    buffer = filled(b"a", b"b", b"c")
    buffer.take()
    assert buffer.resume() == 1
    buffer.take(1)
    buffer.acknowledge(3)
    assert buffer.size == 3
    assert buffer.resume() == 1
    assert buffer.take() == [b"a", b"b", b"c"]


def test_an_ack_for_a_new_message_ends_a_replay() -> None:
    buffer = filled(b"a", b"b", b"c")
    buffer.take()
    buffer.resume()
    buffer.take()
    buffer.append(b"d")
    with pytest.raises(ProtocolError, match="only 3 were sent"):
        buffer.acknowledge(4)
    buffer.take()
    buffer.acknowledge(4)
    assert buffer.size == 0
    assert buffer.resume() == 5


def test_a_full_buffer_asks_senders_to_wait_until_an_ack_makes_room() -> None:
    buffer = filled(b"aaa", b"b")
    assert not buffer.is_full(4)
    buffer.append(b"c")
    assert buffer.is_full(4)
    buffer.take()
    assert buffer.is_full(4)
    buffer.acknowledge(1)
    assert not buffer.is_full(4)


def test_one_new_message_may_follow_a_replay_although_the_buffer_is_full() -> None:
    """The official server acknowledges nothing twice, so without a new message the buffer would stay full forever."""
    buffer = filled(b"aaa", b"bbb")
    buffer.take()
    assert buffer.is_full(4)
    buffer.resume()
    assert not buffer.is_full(4)
    buffer.take()
    assert not buffer.is_full(4)
    buffer.append(b"c")
    assert buffer.is_full(4)
    buffer.take()
    buffer.acknowledge(2)
    assert buffer.is_full(4)
    buffer.acknowledge(3)
    assert not buffer.is_full(4)


def test_a_full_buffer_with_a_new_message_stays_full_after_resume() -> None:
    buffer = filled(b"aaa", b"bbb")
    buffer.take(3)
    buffer.resume()
    assert buffer.is_full(4)  # the second message was never sent, so its Ack will make room


class CountingDeque(deque[bytes]):
    """A deque that counts the elements that are put in and taken out."""

    moves = 0

    def append(self, x: bytes, /) -> None:
        CountingDeque.moves += 1
        super().append(x)

    def extend(self, iterable: Iterable[bytes], /) -> None:
        for x in iterable:
            self.append(x)

    def extendleft(self, iterable: Iterable[bytes], /) -> None:
        for x in iterable:
            CountingDeque.moves += 1
            super().appendleft(x)

    def popleft(self) -> bytes:
        CountingDeque.moves += 1
        return super().popleft()

    def clear(self) -> None:
        CountingDeque.moves += len(self)
        super().clear()

    def __getitem__(self, index: SupportsIndex) -> bytes:  # type: ignore[override]
        assert index == 0, "only the front of a deque is cheap to look at"
        return super().__getitem__(index)


def moves(count: int, limit: int | None, step: int) -> int:
    """Return how often *count* messages are moved when they are taken in pieces, acknowledged in steps, and replayed in between."""
    buffer = ReplayBuffer()
    buffer._sent, buffer._waiting = CountingDeque(), CountingDeque()
    CountingDeque.moves = taken = 0
    for number in range(1, count + 1):
        buffer.append(b"12345678")
        if number % step == 0:
            taken += len(buffer.take(limit))
            buffer.acknowledge(max(buffer.first + len(buffer._sent) - 1, buffer._replayed))
        if number % (count // 4) == 0:
            buffer.resume()
            buffer.resume()
    while parts := buffer.take(limit):
        taken += len(parts)
    buffer.append(b"12345678")
    taken += len(buffer.take())
    buffer.acknowledge(count + 1)
    assert (buffer.size, buffer.queued) == (0, 0)
    # Each message is appended once and popped once; each time that it is taken costs two moves, and so does each resume after that.
    assert CountingDeque.moves <= 2 * (count + 1) + 4 * taken
    return CountingDeque.moves


@pytest.mark.parametrize("limit", [8, 80, None])
@pytest.mark.parametrize("step", [1, 10, 250])
def test_the_cost_is_linear(limit: int | None, step: int) -> None:
    assert moves(8_000, limit, step) <= 8.5 * moves(1_000, limit, step)


# what has come


def due(counter: ReceivedCounter) -> float | None:
    """Return the attribute, which a type checker would otherwise take for a constant."""
    return counter.ack_due


def test_new_messages_are_accepted_and_acknowledged() -> None:
    counter = ReceivedCounter()
    assert due(counter) is None
    assert [counter.accept(10, 5.0 + number) for number in range(3)] == [True] * 3
    assert due(counter) == 5.0 + ACK_DELAY
    assert counter.acknowledge() == 3
    assert due(counter) is None


def test_an_ack_is_due_at_once_when_a_quarter_of_the_official_buffer_has_come() -> None:
    counter = ReceivedCounter()
    counter.accept(ACK_BYTES - 1, 5.0)
    assert due(counter) == 6.0
    counter.accept(1, 5.5)
    assert due(counter) == 5.5
    counter.acknowledge()
    counter.accept(ACK_BYTES - 1, 7.0)
    assert due(counter) == 8.0


def test_a_replay_is_dropped_up_to_the_last_message_received() -> None:
    counter = ReceivedCounter()
    for _ in range(3):
        counter.accept(1, 5.0)
    counter.resume()
    counter.sequence(2)
    assert [counter.accept(1, 6.0) for _ in range(4)] == [False, False, True, True]
    assert counter.acknowledge() == 5


def test_duplicates_are_acknowledged_too() -> None:
    counter = ReceivedCounter()
    counter.accept(1, 5.0)
    counter.acknowledge()  # lost with the socket
    counter.resume()
    counter.sequence(1)
    assert due(counter) is None
    assert not counter.accept(ACK_BYTES - 1, 6.0)
    assert due(counter) == 6.0 + FIRST_ACK_DELAY
    counter.resume()
    assert due(counter) is None
    counter.sequence(1)
    assert not counter.accept(ACK_BYTES, 7.0)
    assert due(counter) == 7.0
    assert counter.acknowledge() == 1


def test_the_rest_of_a_replay_that_was_cut_off_may_be_skipped() -> None:
    """The official clients do that when an Ack reaches them during the replay. Nothing is lost by it."""
    counter = ReceivedCounter()
    for _ in range(3):
        counter.accept(1, 5.0)
    counter.resume()
    counter.sequence(1)
    assert not counter.accept(1, 6.0)
    counter.resume()
    counter.sequence(4)
    assert counter.accept(1, 7.0)
    assert counter.acknowledge() == 4


def test_the_first_acks_after_a_resume_are_due_sooner() -> None:
    counter = ReceivedCounter()
    counter.resume()
    counter.sequence(1)
    delays = []
    for _ in range(6):
        counter.accept(1, 0.0)
        delays.append(due(counter))
        counter.acknowledge()
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    counter.resume()
    counter.sequence(1)
    counter.accept(1, 0.0)
    assert due(counter) == FIRST_ACK_DELAY


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3, "Sequence ID greater than amount of messages we've received."),
        (0, "Sequence ID 0 is not valid: the first message has the ID 1."),
        (-7, "Sequence ID -7 is not valid: the first message has the ID 1."),
    ],
)
def test_an_impossible_sequence_is_an_error(number: int, text: str) -> None:
    counter = ReceivedCounter()
    counter.accept(1, 5.0)
    counter.resume()
    with pytest.raises(ProtocolError) as caught:
        counter.sequence(number)
    assert str(caught.value) == text


def test_a_message_before_the_sequence_is_an_error() -> None:
    counter = ReceivedCounter()
    counter.accept(1, 5.0)
    counter.resume()
    with pytest.raises(ProtocolError) as caught:
        counter.accept(1, 6.0)
    assert str(caught.value) == ("A message arrived after a reconnect before the Sequence message, so its number is unknown.")

"""The rules of stateful reconnect: keep what was sent until it is acknowledged; drop what arrives twice. Room: core, row 2.

Both sides number the messages that they send, from 1 and without gaps. Only the messages of `CountedMessage` have a number; pings,
Close, Ack and Sequence have none. The numbers are not on the wire: both sides count. A new socket starts with a Sequence message
from each side, with the number of the counted message that follows it. An Ack says which messages have arrived.

`ReplayBuffer` is the sender's half and `ReceivedCounter` the receiver's half. They know neither bytes on the wire nor the time.

A `ReplayBuffer` keeps messages in spite of an Ack if they were sent before the last `resume`. Such an Ack proves that they arrived,
but not that their replay on the current socket did. The official clients and the official server accept no Sequence number above
their position in the replay, so a sender that releases messages too early, and is then cut off again in the middle of a replay,
cannot resume. An Ack for a newer message proves that the whole replay was read, and releases everything up to it.

Spec: hub protocol specification, "Overview", "Ack Message Encoding" and "Sequence Message Encoding", and MessageBuffer.cs of
ASP.NET Core where it says more.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from signalr_client.errors import ProtocolError

__all__ = ["ACK_BYTES", "ACK_DELAY", "FIRST_ACK_DELAY", "ReceivedCounter", "ReplayBuffer", "take"]

ACK_DELAY: Final = 1.0
"""Seconds after which a received message is acknowledged, as in the official clients and the official server."""

FIRST_ACK_DELAY: Final = 0.1
"""The same for the first Ack on a resumed connection. It doubles with each Ack until it is `ACK_DELAY` again.

The buffer of the peer may be full, the next cut may be near, and the real server ends a connection whose buffer stays full for 5 s.
"""

ACK_BYTES: Final = 25_000
"""Bytes of received messages that are acknowledged at once: a quarter of the official replay buffer of 100,000 bytes.

A sender stops while its buffer is full. With one Ack each second the official buffer carries no more than 100 kB/s.
"""


class ReplayBuffer:
    """Messages for one peer, kept from `append` until the peer has acknowledged them. The cost of all operations is linear.

    Attributes:
        size: bytes of all messages that are kept.
        queued: bytes of those that have not been taken for the current socket.
        first: the number of the oldest message that is kept, or of the next one.
    """

    def __init__(self) -> None:
        self.size: int = 0
        self.queued: int = 0
        self.first: int = 1
        self._sent: deque[bytes] = deque()  # taken for the current socket
        self._waiting: deque[bytes] = deque()  # not yet taken for the current socket; they follow those in _sent
        self._replayed = 0  # the highest number that was sent before the last resume
        self._padding: dict[int, bytes] = {}  # what follows these messages in the replay that is under way

    @property
    def last(self) -> int:
        """The number of the newest message, sent or not; 0 if there was none."""
        return self.first + len(self._sent) + len(self._waiting) - 1

    def append(self, data: bytes) -> None:
        """Add an encoded message; it gets the next number."""
        self._waiting.append(data)
        size = len(data)
        self.size += size
        self.queued += size

    def take(self, limit: int | None = None) -> list[bytes]:
        """Return the next messages for the current socket, in order.

        Args:
            limit: bytes to return at most, but at least one message, padding not counted. None returns all.
        """
        waiting, padding = self._waiting, self._padding
        if limit is None or self.queued <= limit:
            parts = list(waiting)
            waiting.clear()
            self.queued = 0
        else:
            parts = take(waiting, limit)
            self.queued -= sum(map(len, parts))
        first = self.first + len(self._sent)
        self._sent.extend(parts)
        if not padding:
            return parts
        padded = [part + padding.pop(number, b"") for number, part in enumerate(parts, first)]
        if self.queued:
            self.queued -= sum(map(len, padded)) - sum(map(len, parts))
        return padded

    def acknowledge(self, number: int) -> None:
        """Release the messages up to *number*, as an Ack of the peer says.

        Raises:
            ProtocolError: no message with this number was sent, so one side has lost count.
        """
        highest = max(self.first + len(self._sent) - 1, self._replayed)
        if number > highest:
            raise ProtocolError(f"The peer acknowledged message {number}, but only {highest} were sent.")
        if number <= self._replayed:
            return  # see the module's docstring
        sent = self._sent
        while self.first <= number:
            self.size -= len(sent.popleft())
            self.first += 1

    def resume(self, pad: Callable[[Sequence[bytes], int], dict[int, bytes]] | None = None) -> int:
        """Queue all messages that are kept for a new socket; return the number for the Sequence message that goes before them.

        Args:
            pad: is given the messages that were sent before and the number of the first, and returns what has to follow some of them
                in the replay, by their number.
        """
        self._replayed = max(self.first + len(self._sent) - 1, self._replayed)
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        count = self._replayed - self.first + 1
        self._padding = pad(list(itertools.islice(self._waiting, count)), self.first) if pad is not None else {}
        self.queued = self.size + sum(map(len, self._padding.values()))
        return self.first

    def is_full(self, limit: int) -> bool:
        """Return whether senders have to wait because more than *limit* bytes are kept.

        The first new message after `resume` never waits: only an Ack for a new message makes room, and the official server sends no
        Ack for messages that it has received before.
        """
        return self.size > limit and self.last > self._replayed


class ReceivedCounter:
    """Counts the messages of one peer: which are new, which arrive again, and when the next Ack is due.

    Attributes:
        ack_due: when an Ack has to be sent, or None while there is nothing to acknowledge.
        expects_sequence: nothing of the peer has arrived on the new socket yet.
    """

    def __init__(self) -> None:
        self.ack_due: float | None = None
        self._latest = 0  # the highest number received
        self._next = 1  # the number of the next message; lower than latest + 1 during a replay
        self._unacknowledged = 0  # bytes since the last Ack
        self._delay = ACK_DELAY
        self.expects_sequence: bool = False

    def accept(self, size: int, now: float) -> bool:
        """Count a message of *size* bytes; return whether it is new, and not one that has been received before.

        Duplicates are acknowledged too, because a peer that sends them has not seen the Ack.

        Raises:
            ProtocolError: it arrived on a new socket before the Sequence message, so its number is unknown. Dropping it could lose
                a message without an error, and accepting it could deliver one twice. No official client or server sends this.
        """
        if self.expects_sequence:
            raise ProtocolError("A message arrived after a reconnect before the Sequence message, so its number is unknown.")
        self._unacknowledged += size
        if self._unacknowledged >= ACK_BYTES:
            self.ack_due = now
        elif self.ack_due is None:
            self.ack_due = now + self._delay
        number = self._next
        self._next = number + 1
        if number <= self._latest:
            return False
        self._latest = number
        return True

    def sequence(self, number: int) -> None:
        """Act on a Sequence message: the next message has this *number*.

        Raises:
            ProtocolError: messages before *number* have never arrived, or *number* is below 1.
        """
        # Not compared with `_next`: a peer that saw an Ack may skip the rest of a replay that was cut off, and nothing is lost.
        if number > self._latest + 1:
            raise ProtocolError("Sequence ID greater than amount of messages we've received.")
        if number < 1:
            raise ProtocolError(f"Sequence ID {number} is not valid: the first message has the ID 1.")
        self._next = number
        self.expects_sequence = False

    def acknowledge(self) -> int:
        """Return the number for an Ack that is sent now."""
        self.ack_due = None
        self._unacknowledged = 0
        self._delay = min(2 * self._delay, ACK_DELAY)
        return self._latest

    def resume(self) -> None:
        """Expect a Sequence message, because the socket is a new one. What was not acknowledged will arrive again."""
        self.ack_due = None
        self._unacknowledged = 0
        self._delay = FIRST_ACK_DELAY
        self.expects_sequence = True


def take(queue: deque[bytes], limit: int) -> list[bytes]:
    """Remove messages from the front of *queue* and return them: at most *limit* bytes, but at least one message."""
    part = queue.popleft()
    parts, size = [part], len(part)
    while queue and size + len(queue[0]) <= limit:
        part = queue.popleft()
        parts.append(part)
        size += len(part)
    return parts

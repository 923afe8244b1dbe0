"""`Outbox`: what one side of a connection has still to send, in the order in which it leaves. Room: core, row 2."""

from __future__ import annotations

from collections import deque
from enum import Enum

from signalr_client.core.replay import ReplayBuffer, take

__all__ = ["Control", "Outbox"]


class Control(Enum):
    """What a session sends by itself. Its messages are not counted, so they may overtake those of the caller."""

    HANDSHAKE = "handshake"
    SEQUENCE = "sequence"
    ACK = "ack"
    PING = "ping"


class Outbox:
    """Encoded messages that wait for the transport: those of the session first, then those of the caller, a Close last.

    Attributes:
        messages: the messages of the caller.
    """

    def __init__(self) -> None:
        self.messages: deque[bytes] | ReplayBuffer = deque()
        self._control: dict[Control, bytes] = {}
        self._close = b""

    def put(self, kind: Control, data: bytes) -> int:
        """Queue a message of the session, in place of an earlier one of its kind; return how many bytes more are queued now."""
        replaced = self._control.get(kind, b"")
        self._control[kind] = data
        return len(data) - len(replaced)

    def put_close(self, data: bytes) -> None:
        """Queue the Close."""
        self._close = data

    def discard_control(self) -> int:
        """Drop the messages of the session, which were meant for one socket; return how many bytes that were."""
        size = sum(map(len, self._control.values()))
        self._control.clear()
        return size

    def take(self, limit: int | None) -> bytes:
        """Take whole messages, joined.

        Args:
            limit: bytes to return at most, but at least one message; more than that must be queued. None takes everything.
        """
        messages = self.messages
        if limit is None and not self._control and not self._close and type(messages) is deque:  # nearly always
            data = messages[0] if len(messages) == 1 else b"".join(messages)
            messages.clear()
            return data
        return b"".join(self._take_all() if limit is None else self._take_some(limit))

    def _take_all(self) -> list[bytes]:
        messages = self.messages
        if isinstance(messages, ReplayBuffer):
            parts = messages.take()
        else:
            parts = list(messages)
            messages.clear()
        if self._control:
            parts[:0] = self._control.values()
            self._control.clear()
        if self._close:
            parts.append(self._close)
            self._close = b""
        return parts

    def _take_some(self, limit: int) -> list[bytes]:
        messages = self.messages
        if self._control:
            return [self._control.pop(next(iter(self._control)))]
        if isinstance(messages, ReplayBuffer):
            if messages.queued:
                return messages.take(limit)
        elif messages:
            return take(messages, limit)
        close, self._close = self._close, b""
        return [close]

"""How the official clients and the official server count, acknowledge and replay messages, after MessageBuffer.cs of ASP.NET Core."""

from __future__ import annotations

from collections import deque

from signalr_client.core.messages import COUNTED, Ack, HubMessage, Sequence
from signalr_client.core.protocols import HubProtocol

__all__ = ["OfficialPeer", "OfficialPeerError"]


class OfficialPeerError(Exception):
    """What an official client or server ends the connection with."""


class OfficialPeer:
    """One side of a stateful connection after its handshake.

    It differs from ours in three ways that matter: it accepts no Sequence above its position in a replay, it releases messages on
    every Ack, and it acknowledges on a timer, each number once.
    """

    def __init__(self, protocol: HubProtocol) -> None:
        self._protocol = protocol
        self._framer = protocol.framer()
        self._output: list[bytes] | None = []  # None while there is no socket
        self._buffer: deque[tuple[int, bytes]] = deque()
        self._total = 0
        self._current = 1
        self._latest = self._acked = 0

    @property
    def unacknowledged(self) -> int:
        """Bytes that are kept for a replay."""
        return sum(len(data) for _, data in self._buffer)

    def send(self, message: HubMessage) -> None:
        """Queue a counted message, for the socket or for the next one."""
        self._total += 1
        data = self._protocol.encode(message)
        self._buffer.append((self._total, data))
        if self._output is not None:
            self._output.append(data)

    def data_to_send(self) -> bytes:
        """Return what is to be sent now."""
        data = b"".join(self._output or [])
        if self._output is not None:
            self._output.clear()
        return data

    def receive(self, data: bytes) -> list[HubMessage]:
        """Return the new messages that *data* completes."""
        messages: list[HubMessage] = []
        for record in self._framer.feed(data):
            message = self._protocol.decode(record)
            if isinstance(message, Sequence):
                if message.sequence_id > self._current:
                    raise OfficialPeerError("Sequence ID greater than amount of messages we've received.")
                self._current = message.sequence_id
            elif isinstance(message, Ack):
                while self._buffer and self._buffer[0][0] <= message.sequence_id:
                    self._buffer.popleft()
            elif message is not None and type(message) in COUNTED:
                number = self._current
                self._current += 1
                if number > self._latest:
                    self._latest = number
                    messages.append(message)
        return messages

    def tick(self) -> None:
        """Do what the timer does once a second."""
        if self._acked < self._latest and self._output is not None:
            self._output.append(self._protocol.encode(Ack(sequence_id=self._latest)))
            self._acked = self._latest

    def detach(self) -> None:
        """Lose the socket."""
        self._framer = self._protocol.framer()
        self._output = None

    def resume(self) -> None:
        """Write what goes first on a new socket."""
        number = self._buffer[0][0] if self._buffer else self._total + 1
        self._output = [self._protocol.encode(Sequence(sequence_id=number)), *(data for _, data in self._buffer)]

"""Splits a byte stream into the records of the hub protocol. Room: core, row 1; no I/O, no clock.

A WebSocket frame, a POST body or a Server-Sent Event may hold several records, or a part of one: the hub protocol does its own
framing. Text records end with 0x1E, binary ones begin with their length. Both framers share one contract: `feed` returns the
complete records. When the stream is broken, it returns the records before the break and stores the reason in `error`.

The bytes of an incomplete record are kept in one buffer, so however small the pieces are, each byte is searched and copied a fixed
number of times and costs one byte of memory. `feed` returns all records of *data* at once: a caller that must not spend much time
or memory in one call passes *data* in slices, which may be cut anywhere.
Spec: hub protocol specification, "JSON Encoding" and "MessagePack (MsgPack) encoding".
"""

from __future__ import annotations

from typing import Final, Protocol

from signalr_client.errors import ProtocolError

__all__ = ["RECORD_SEPARATOR", "BinaryFramer", "Framer", "RecordTooLargeError", "TextFramer", "read_varint", "write_varint"]

RECORD_SEPARATOR: Final = b"\x1e"
MAX_LENGTH: Final = 0x7FFF_FFFF
MAX_PREFIX: Final = 5


class RecordTooLargeError(ProtocolError):
    """A record exceeds the limit of ``max_size`` bytes. The text is that of ASP.NET Core and names the option of a server."""

    def __init__(self, max_size: int) -> None:
        super().__init__(max_size)
        self.max_size = max_size

    def __str__(self) -> str:
        """Return the official text."""
        return (
            f"The maximum message size of {self.max_size}B was exceeded. The message size can be configured in AddHubOptions."
        )


class Framer(Protocol):
    """Splits one direction of one connection into records."""

    error: ProtocolError | None
    """Why the stream cannot be read any further, or None while it can."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the records that *data* completes."""

    @property
    def pending(self) -> int:
        """Bytes of an incomplete record."""


class TextFramer:
    """Records that end with 0x1E.

    Args:
        max_size: bytes that one record may have, its separator included; None for no limit.
    """

    def __init__(self, max_size: int | None = None) -> None:
        self.error: ProtocolError | None = None
        self._max_size = max_size
        self._buffer = bytearray()  # a record that spans several pieces

    @property
    def pending(self) -> int:
        """Bytes of an incomplete record."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the records that *data* completes, without their separators."""
        buffer = self._buffer
        records = data.split(RECORD_SEPARATOR)
        rest = records.pop()
        if buffer and records:
            buffer += records[0]
            records[0] = bytes(buffer)
            buffer.clear()
        max_size = self._max_size
        if max_size is not None:
            for index, record in enumerate(records):
                if len(record) >= max_size:
                    self.error = RecordTooLargeError(max_size)
                    return records[:index]
            if len(buffer) + len(rest) > max_size:
                self.error = RecordTooLargeError(max_size)
                buffer.clear()
                return records
        if rest:
            buffer += rest
        return records


class BinaryFramer:
    """Records that begin with their length as a VarInt.

    Args:
        max_size: bytes that one record may have, its prefix included; None for the limit of the protocol, 2 GB.
    """

    def __init__(self, max_size: int | None = None) -> None:
        self.error: ProtocolError | None = None
        self._max_size = max_size
        self._buffer = bytearray()
        self._needed = 0  # bytes of the incomplete record; until they have arrived, the buffer is not looked at

    @property
    def pending(self) -> int:
        """Bytes of an incomplete record."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the records that *data* completes, without their prefixes."""
        records: list[bytes] = []
        buffer = self._buffer
        if buffer:
            buffer += data
            if len(buffer) < self._needed:
                return records
            data = bytes(buffer)
            buffer.clear()
        max_size, append = self._max_size, records.append
        start, end = 0, len(data)
        while start < end:
            length = data[start]
            body = start + 1
            if length >= 0x80:  # a prefix of several bytes: rare, so the common case stays two lines
                try:
                    prefix = read_varint(data[start : start + MAX_PREFIX])
                except ProtocolError as exc:
                    self.error = exc
                    return records
                if prefix is None:
                    self._needed = 0
                    break
                length, size = prefix
                body = start + size
            stop = body + length
            if max_size is not None and stop - start > max_size:
                self.error = RecordTooLargeError(max_size)
                return records
            if stop > end:
                self._needed = stop - start
                break
            append(data[body:stop])
            start = stop
        buffer += data[start:]
        return records


def read_varint(data: bytes) -> tuple[int, int] | None:
    """Return (length, prefix size), or None if more bytes are needed. Spec: hub protocol specification, "VarInt".

    Raises:
        ProtocolError: the prefix, seven bits a byte and low bits first, runs past 5 bytes or past 2 GB.
    """
    length = 0
    for index, byte in enumerate(data[:MAX_PREFIX]):
        length |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if length > MAX_LENGTH:
                raise ProtocolError("Messages over 2GB in size are not supported.")
            return length, index + 1
    if len(data) >= MAX_PREFIX:
        raise ProtocolError(f"Messages over 2GB in size are not supported. (length prefix {data[:MAX_PREFIX].hex(' ')})")
    return None


def write_varint(length: int) -> bytes:
    """Return *length* (0 to 2,147,483,647) as a VarInt."""
    if length < 0x80:
        return _SMALL[length]
    prefix = bytearray()
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)


_SMALL: Final = tuple(bytes([length]) for length in range(0x80))

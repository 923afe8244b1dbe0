"""WebSocket frames from a client, decoded as they arrive. Room: server, http; no I/O. Spec: RFC 6455, section 5.

aiohttp assembles a whole message before it delivers it, so every client could make the server hold as much as the largest message
allowed. The hub protocol is a byte stream in which frames mean nothing, so here the payload is delivered in pieces, as it arrives and
as ASP.NET Core does it: what a client can pile up is then bounded by the hub protocol's own limits.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["CLOSE", "DATA", "PING", "PONG", "PROTOCOL_ERROR", "FrameDecoder", "FrameError", "Piece"]

DATA: Final = 0x0
"""Stands for every data frame: text, binary, and their continuations."""

CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

PROTOCOL_ERROR: Final = 1002
"""The code of a close frame for a client that sent an invalid frame."""

_TEXT: Final = 0x1
_BINARY: Final = 0x2
_OPCODES: Final = frozenset({DATA, _TEXT, _BINARY, CLOSE, PING, PONG})
_CONTROL: Final = 0x8
_MAX_CONTROL: Final = 125
_MAX_LENGTH: Final = 2**63 - 1


class FrameError(Exception):
    """The client broke the WebSocket protocol."""


class Piece(NamedTuple):
    """A control frame, or a piece of the payload of data frames."""

    opcode: int
    payload: bytes


class FrameDecoder:
    """Decodes the frames of one client."""

    def __init__(self) -> None:
        self._buffer = b""  # of a frame header, or of a control frame
        self._left = 0  # payload bytes of the current data frame that have not arrived
        self._mask = b""
        self._offset = 0  # into the mask
        self._in_message = False  # a data frame without the FIN bit came last

    def feed(self, data: bytes) -> list[Piece]:
        """Return the control frames and the payload in *data*; neighbouring payload is joined.

        Raises:
            FrameError: the frames are invalid. What came before the error is lost, as the connection is.
        """
        pieces: list[Piece] = []
        payload: list[bytes] = []
        data = self._buffer + data if self._buffer else data
        self._buffer = b""
        position, end = 0, len(data)
        while position < end:
            if self._left:
                taken = data[position : position + self._left]
                payload.append(self._unmask(taken))
                self._left -= len(taken)
                position += len(taken)
                continue
            header = self._read_header(data, position)
            if header is None:
                self._buffer = data[position:]
                break
            opcode, length, body = header
            if opcode < _CONTROL:
                self._left, position = length, body
                continue
            if end - body < length:  # control frames are small, so they are delivered whole
                self._buffer = data[position:]
                break
            if payload:
                pieces.append(Piece(DATA, b"".join(payload)))
                payload.clear()
            pieces.append(Piece(opcode, self._unmask(data[body : body + length])))
            position = body + length
        if payload:
            pieces.append(Piece(DATA, payload[0] if len(payload) == 1 else b"".join(payload)))
        return pieces

    def _read_header(self, data: bytes, position: int) -> tuple[int, int, int] | None:
        """Return (opcode, payload length, start of the payload), or None if the header is not complete; set the mask."""
        available = len(data) - position
        if available < 2:
            return None
        first, second = data[position], data[position + 1]
        length, start = second & 0x7F, position + 2
        size = 2 + 4 + (0 if length < 126 else 2 if length == 126 else 8)
        opcode, is_final = first & 0x0F, first & 0x80
        if first & 0x70 or opcode not in _OPCODES:
            raise FrameError("a frame has reserved bits set, or an unknown opcode")
        if not second & 0x80:
            raise FrameError("a frame of a client is not masked")
        if opcode >= _CONTROL and (not is_final or length > _MAX_CONTROL):
            raise FrameError("a control frame is fragmented, or longer than 125 bytes")
        if available < size:
            return None
        if length >= 126:
            width = 2 if length == 126 else 8
            length = int.from_bytes(data[start : start + width])
            start += width
            if length > _MAX_LENGTH:
                raise FrameError("the length of a frame has its highest bit set")
        if opcode < _CONTROL:
            if (opcode == DATA) is not self._in_message:
                raise FrameError("a continuation frame without a message, or a message inside another one")
            self._in_message = not is_final
        self._mask, self._offset = data[start : start + 4], 0
        return opcode, length, start + 4

    def _unmask(self, payload: bytes) -> bytes:
        """Return a piece of payload, unmasked; pieces of one frame come in order."""
        size = len(payload)
        if not size:
            return payload
        offset = self._offset
        self._offset = (offset + size) & 3
        key = self._mask[offset:] + self._mask[:offset] if offset else self._mask
        key = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")

"""The server's WebSockets: frames of clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from signalr_client.server.http.aiohttp_adapter import _close_message
from signalr_client.server.http.frames import CLOSE, DATA, PING, PONG, FrameDecoder, FrameError, Piece
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.seeds import HANDSHAKES, JSON, MESSAGEPACK, streams

CONTROL: Final = 1


def frame(payload: bytes, first: int = 0x81, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """Return a frame of a client."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2) if size < 65_536 else b"\xff" + size.to_bytes(8)
    return bytes([first]) + length + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


SEEDS: Final = [
    frame(HANDSHAKES[0]) + frame(streams(JSON)[0]),
    frame(streams(MESSAGEPACK)[-2], 0x82),
    frame(b"ab", 0x01) + frame(b"", 0x89) + frame(b"cd", 0x80),
    frame(b"x", 0x8A) + frame(b"\x03\xe8bye", 0x88),
    frame(b"\x03", 0x88),
    b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04abc",
]
WORDS: Final = [b"\x88\x82", b"\x81\xfe\x01\x00", b"\x82\xff" + bytes(8), b"\x89\x80", b"\x00\x80", b"\x01\x81", b"\xff\xff"]


def target(data: bytes) -> None:
    """Pieces give the frames that a plain reading of the specification gives, or the connection is refused; little is kept."""
    choices = Choices(data)
    pattern, stream = choices.pick(PATTERNS), choices.rest()
    expected, error = read_plainly(stream)
    decoder, pieces = FrameDecoder(), []
    try:
        for piece in cut(stream, pattern):
            pieces += decoder.feed(piece)
            assert len(decoder._buffer) <= 14 + 125
        failed = False
    except FrameError:
        failed = True
    assert failed is error
    found = joined(pieces)
    assert found == expected if not failed else all(a.opcode == b.opcode for a, b in zip(found, expected, strict=False))
    for opcode, payload in found:
        if opcode == CLOSE:
            check_close(payload)
    try:
        assert joined(FrameDecoder().feed(stream)) == expected
        assert not error
    except FrameError:
        assert error


def joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Return *pieces* with neighbouring payload joined."""
    result: list[Piece] = []
    for piece in pieces:
        if piece.opcode == DATA and result and result[-1].opcode == DATA:
            result[-1] = Piece(DATA, result[-1].payload + piece.payload)
        else:
            result.append(piece)
    return result


def check_close(payload: bytes) -> None:
    """A close frame has a code or none."""
    try:
        message = _close_message(payload)
    except FrameError:
        assert len(payload) == 1
    else:
        assert 0 <= message.data < 65_536


def read_plainly(stream: bytes) -> tuple[list[Piece], bool]:
    """Return what a whole stream contains, and whether it breaks the rules of RFC 6455. Incomplete control frames are left out."""
    pieces: list[Piece] = []
    at, in_message = 0, False
    while len(stream) - at >= 2:
        first, second = stream[at], stream[at + 1]
        opcode, size = first & 0x0F, second & 0x7F
        control = opcode >= 8
        if first & 0x70 or opcode not in (0, 1, 2, CLOSE, PING, PONG) or not second & 0x80:
            return joined(pieces), True
        if control and (not first & 0x80 or size > 125):
            return joined(pieces), True
        at += 2
        wide = {126: 2, 127: 8}.get(size, 0)
        if len(stream) - at < wide + 4:
            break
        if wide:
            size = int.from_bytes(stream[at : at + wide])
            if size >= 2**63:
                return joined(pieces), True
        if not control:
            if (opcode == 0) != in_message:
                return joined(pieces), True
            in_message = not first & 0x80
        mask = stream[at + wide : at + wide + 4]
        at += wide + 4
        masked = stream[at : at + size]
        if control and len(masked) < size:
            break
        if masked or control:
            payload = bytes(byte ^ mask[index & 3] for index, byte in enumerate(masked))
            pieces.append(Piece(opcode if control else DATA, payload))
        at += size
    return joined(pieces), False

"""The WebSocket frame decoder: chunking does not change the result, and invalid frames are rejected. Spec: RFC 6455."""

from __future__ import annotations

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalr_client.server.http.frames import CLOSE, DATA, PING, FrameDecoder, FrameError, Piece


def frame(
    payload: bytes, opcode: int = 2, *, fin: bool = True, mask: bytes | None = b"\x01\x02\x03\x04", bits: int = 0
) -> bytes:
    """Return a frame as sent by a client."""
    size = len(payload)
    first = (0x80 if fin else 0) | bits | opcode
    masked = 0x80 if mask is not None else 0
    if size < 126:
        header = bytes([first, masked | size])
    elif size < 2**16:
        header = bytes([first, masked | 126]) + size.to_bytes(2)
    else:
        header = bytes([first, masked | 127]) + size.to_bytes(8)
    if mask is None:
        return header + payload
    return header + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def feed_in_pieces(wire: bytes, cuts: list[int]) -> list[Piece]:
    """Decode *wire*, split at *cuts*, and return the pieces with adjacent data joined."""
    decoder = FrameDecoder()
    bounds = [0, *sorted({cut % (len(wire) + 1) for cut in cuts}), len(wire)]
    pieces: list[Piece] = []
    for start, end in itertools.pairwise(bounds):
        for piece in decoder.feed(wire[start:end]):
            if pieces and piece.opcode == pieces[-1].opcode == DATA:
                pieces[-1] = Piece(DATA, pieces[-1].payload + piece.payload)
            else:
                pieces.append(piece)
    return pieces


frames = st.lists(
    st.tuples(
        st.sampled_from([1, 2, PING, CLOSE]),
        st.binary(max_size=125) | st.integers(0, 70_000).map(lambda size: b"x" * size),
        st.binary(min_size=4, max_size=4),
    ),
    max_size=6,
).map(lambda made: [(op, payload if op < 8 else payload[:125], mask) for op, payload, mask in made])


@given(frames, st.lists(st.integers(0, 400_000), max_size=8))
def test_chunking_does_not_change_the_payload(made: list[tuple[int, bytes, bytes]], cuts: list[int]) -> None:
    wire = b"".join(frame(payload, opcode, mask=mask) for opcode, payload, mask in made)
    expected: list[Piece] = []
    for opcode, payload, _mask in made:
        if opcode >= 8:
            expected.append(Piece(opcode, payload))
        elif payload and expected and expected[-1].opcode == DATA:
            expected[-1] = Piece(DATA, expected[-1].payload + payload)
        elif payload:
            expected.append(Piece(DATA, payload))
    assert feed_in_pieces(wire, cuts) == expected


def test_a_message_may_be_fragmented_with_a_ping_in_between() -> None:
    payload = os.urandom(300)
    wire = frame(payload[:100], 1, fin=False) + frame(b"hi", PING) + frame(payload[100:], 0)
    assert feed_in_pieces(wire, list(range(len(wire)))) == [
        Piece(DATA, payload[:100]),
        Piece(PING, b"hi"),
        Piece(DATA, payload[100:]),
    ]


def test_the_payload_of_an_incomplete_frame_is_delivered_and_not_buffered() -> None:
    decoder = FrameDecoder()
    wire = frame(b"x" * 1_000_000)
    assert [len(piece.payload) for piece in decoder.feed(wire[:500_014])] == [500_000]
    assert decoder._buffer == b""


@pytest.mark.parametrize(
    "wire",
    [
        frame(b"hi", mask=None),
        frame(b"hi", bits=0x40),
        frame(b"hi", 3),
        frame(b"hi", 11),
        frame(b"hi", PING, fin=False),
        frame(b"x" * 126, PING),
        frame(b"hi", 0),
        frame(b"hi", 1, fin=False) + frame(b"hi", 1),
        b"\x82\xff" + b"\xff" * 8 + b"mask",
    ],
    ids=[
        "not masked",
        "reserved bits",
        "unknown opcode",
        "unknown control opcode",
        "fragmented control frame",
        "long control frame",
        "continuation without a start",
        "new message before the end of the last",
        "length of 64 bits",
    ],
)
def test_invalid_frames_are_rejected(wire: bytes) -> None:
    with pytest.raises(FrameError):
        FrameDecoder().feed(wire)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_decoded_or_rejected(wire: bytes) -> None:
    decoder = FrameDecoder()
    try:
        for byte in wire:
            decoder.feed(bytes([byte]))
    except FrameError:
        pass

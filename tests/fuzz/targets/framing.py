"""Framing: the record separator of JSON, the length prefix of MessagePack."""

from __future__ import annotations

from typing import Final

from signalr_client.core.framing import BinaryFramer, Framer, TextFramer, read_varint, write_varint
from signalr_client.errors import ProtocolError
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.properties import check_error
from tests.fuzz.seeds import JSON, JSON_WORDS, MESSAGEPACK, MESSAGEPACK_WORDS, streams

CONTROL: Final = 3
SEEDS: Final = [
    *streams(JSON),
    *streams(MESSAGEPACK),
    b"\x80\x01" + b"x" * 130,
    b"\xff\xff\xff\xff\x07",
    b"\x1e" * 9,
    b"\x00" * 9,
]
WORDS: Final = [*JSON_WORDS, *MESSAGEPACK_WORDS]

_KINDS: Final[tuple[type[TextFramer | BinaryFramer], ...]] = (TextFramer, BinaryFramer)
_LIMITS: Final = (None, 1, 2, 20, 200, 2**31)


def target(data: bytes) -> None:
    """Pieces give the same records and the same error as the whole; nothing is made up, and limits hold."""
    choices = Choices(data)
    kind = choices.pick(_KINDS)
    limit, pattern, stream = choices.pick(_LIMITS), choices.pick(PATTERNS), choices.rest()
    whole: Framer = kind(limit)
    records = whole.feed(stream)
    pieces: Framer = kind(limit)
    found: list[bytes] = []
    for piece in cut(stream, pattern):
        found += pieces.feed(piece)
        if pieces.error is not None:
            break
    assert found == records
    assert (type(pieces.error), str(pieces.error)) == (type(whole.error), str(whole.error))
    assert sum(map(len, records)) + len(records) + whole.pending <= len(stream)
    if whole.error is None:
        assert pieces.pending == whole.pending
    else:
        check_error(whole.error, 0)
    if limit is not None:
        assert all(len(record) < limit for record in records)
        assert whole.pending <= max(limit, 4)  # a length prefix that is not complete has 4 bytes at most
    check_length(stream)


def check_length(data: bytes) -> None:
    """A length prefix is read as it was written."""
    try:
        found = read_varint(data)
    except ProtocolError:
        assert len(data) >= 5
        return
    if found is None:
        assert len(data) < 5
        return
    length, size = found
    assert 0 <= length < 2**31
    assert 1 <= size <= 5
    prefix = write_varint(length)
    assert len(prefix) <= size
    assert read_varint(prefix) == (length, len(prefix))

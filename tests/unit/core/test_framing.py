"""Framing: all ways to split a stream, size limits, invalid lengths, and the cost of parsing."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Iterator
from typing import Any, Final

import pytest

from signalr_client.core.framing import BinaryFramer, Framer, RecordTooLargeError, TextFramer, read_varint, write_varint
from signalr_client.errors import ProtocolError

TOO_LARGE_10: Final = "The maximum message size of 10B was exceeded. The message size can be configured in AddHubOptions."

LENGTHS: Final = [
    ("00", 0),
    ("01", 1),
    ("7f", 127),
    ("80 01", 128),
    ("ff 01", 255),
    ("80 02", 256),
    ("ff 7f", 16_383),
    ("80 80 01", 16_384),
    ("ff ff 7f", 2_097_151),
    ("80 80 80 01", 2_097_152),
    ("ff ff ff 7f", 268_435_455),
    ("80 80 80 80 01", 268_435_456),
    ("ff ff ff ff 07", 2_147_483_647),
]


@pytest.mark.parametrize(("prefix", "length"), LENGTHS)
def test_varints_encode_and_decode(prefix: str, length: int) -> None:
    wire = bytes.fromhex(prefix)
    assert write_varint(length) == wire
    assert read_varint(wire) == (length, len(wire))
    assert read_varint(wire + b"\xff\xff") == (length, len(wire))


@pytest.mark.parametrize(("prefix", "length"), LENGTHS)
def test_truncated_varint_is_incomplete(prefix: str, length: int) -> None:
    wire = bytes.fromhex(prefix)
    assert [read_varint(wire[:end]) for end in range(len(wire))] == [None] * len(wire)


def test_varint_with_redundant_bytes_is_accepted() -> None:
    assert read_varint(bytes.fromhex("81 80 80 80 00")) == (1, 5)


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        ("80 80 80 80 08", "Messages over 2GB in size are not supported."),
        ("ff ff ff ff 7f", "Messages over 2GB in size are not supported."),
        ("80 80 80 80 80", "Messages over 2GB in size are not supported. (length prefix 80 80 80 80 80)"),
        ("ff ff ff ff ff 01", "Messages over 2GB in size are not supported. (length prefix ff ff ff ff ff)"),
    ],
)
def test_varint_over_2_gb_is_rejected(prefix: str, text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_varint(bytes.fromhex(prefix))
    assert str(caught.value) == text


FRAMED: Final[list[tuple[type[TextFramer | BinaryFramer], bytes, list[bytes]]]] = [
    (TextFramer, b"", []),
    (TextFramer, b"{}\x1e", [b"{}"]),
    (TextFramer, b"\x1e", [b""]),
    (TextFramer, b"\x1e\x1e", [b"", b""]),
    (TextFramer, b"one\x1etwo\x1e", [b"one", b"two"]),
    (TextFramer, b"\xff\x00\x1e", [b"\xff\x00"]),  # invalid UTF-8 is detected by the decoder
    (BinaryFramer, b"", []),
    (BinaryFramer, b"\x00", [b""]),
    (BinaryFramer, b"\x02\x91\x06", [b"\x91\x06"]),
    (BinaryFramer, b"\x03one\x00\x03two", [b"one", b"", b"two"]),
    (BinaryFramer, b"\x1e" + b"\x1e" * 30, [b"\x1e" * 30]),
    (BinaryFramer, b"\x7f" + b"a" * 127, [b"a" * 127]),
    (BinaryFramer, b"\x80\x01" + b"a" * 128 + b"\x80\x01" + b"b" * 128, [b"a" * 128, b"b" * 128]),
    (BinaryFramer, b"\x80\x80\x01" + b"a" * 16_384, [b"a" * 16_384]),
]


@pytest.mark.parametrize(("framer_type", "stream", "records"), FRAMED)
def test_a_stream_is_split_into_records(
    framer_type: type[TextFramer | BinaryFramer], stream: bytes, records: list[bytes]
) -> None:
    framer = framer_type()
    assert framer.feed(stream) == records
    assert framer.pending == 0
    assert framer.error is None


@pytest.mark.parametrize(("framer_type", "stream", "records"), FRAMED)
def test_a_stream_received_byte_by_byte_is_split_into_records(
    framer_type: type[TextFramer | BinaryFramer], stream: bytes, records: list[bytes]
) -> None:
    framer = framer_type(max_size=20_000)
    assert [record for byte in stream for record in framer.feed(bytes([byte]))] == records
    assert framer.pending == 0
    assert framer.error is None


@pytest.mark.parametrize(("framer_type", "stream", "records"), [case for case in FRAMED if 0 < len(case[1]) < 300])
def test_a_stream_received_in_two_pieces_is_split_into_records(
    framer_type: type[TextFramer | BinaryFramer], stream: bytes, records: list[bytes]
) -> None:
    for cut in range(len(stream) + 1):
        framer = framer_type()
        assert framer.feed(stream[:cut]) + framer.feed(stream[cut:]) == records


def test_a_record_is_returned_as_soon_as_it_is_complete() -> None:
    """Also if its length arrived together with the end of the previous record."""
    framer = BinaryFramer()
    large, next_one = b"\xc8\x01" + b"a" * 200, b"\x80\x01" + b"b" * 128
    assert framer.feed(large[:50]) == []
    assert framer.feed(large[50:] + next_one[:1]) == [b"a" * 200]
    assert framer.feed(next_one[1:]) == [b"b" * 128]


@pytest.mark.parametrize(
    ("framer", "stream", "pending"),
    [
        (TextFramer(), b"one\x1etw", 2),
        (TextFramer(), b"", 0),
        (BinaryFramer(), b"\x03one\x03tw", 3),
        (BinaryFramer(), b"\x03one\x80", 1),
        (BinaryFramer(), b"\x05", 1),
    ],
)
def test_an_incomplete_record_is_pending(framer: Framer, stream: bytes, pending: int) -> None:
    framer.feed(stream)
    assert framer.pending == pending
    framer.feed(b"")
    assert framer.pending == pending


@pytest.mark.parametrize(
    ("framer", "stream"),
    [
        (TextFramer(10), b"123456789\x1e"),
        (TextFramer(10), b"123456789"),
        (BinaryFramer(10), b"\x09123456789"),
        (BinaryFramer(130), b"\x80\x01" + b"a" * 128),
        (TextFramer(10), b"123456789\x1e" * 3),  # the limit applies to a record, not to the received data
        (BinaryFramer(10), b"\x09123456789" * 3),
    ],
)
def test_a_record_may_be_as_large_as_the_limit(framer: Framer, stream: bytes) -> None:
    framer.feed(stream)
    assert framer.error is None


@pytest.mark.parametrize(
    ("framer", "stream", "before"),
    [
        (TextFramer(10), b"1234567890\x1e", []),
        (TextFramer(10), b"12345678901", []),  # rejected before its end is received
        (TextFramer(10), b"one\x1e1234567890\x1etwo\x1e", [b"one"]),
        (BinaryFramer(10), b"\x0a1234567890", []),
        (BinaryFramer(10), b"\x0a", []),  # rejected when its length is received
        (BinaryFramer(10), b"\x03one\x0a1234567890\x03two", [b"one"]),
        (BinaryFramer(10), b"\x03one\xff\xff\xff\xff\x07", [b"one"]),
    ],
)
def test_a_record_over_the_limit_ends_the_stream_after_the_records_before_it(
    framer: Framer, stream: bytes, before: list[bytes]
) -> None:
    assert framer.feed(stream) == before
    assert isinstance(framer.error, ProtocolError)
    assert str(framer.error) == TOO_LARGE_10


@pytest.mark.parametrize("framer", [TextFramer(10), BinaryFramer(10)])
def test_a_record_over_the_limit_received_in_pieces_ends_the_stream(framer: Framer) -> None:
    records = [record for _ in range(12) for record in framer.feed(b"\x0b")]
    assert records == []
    assert str(framer.error) == TOO_LARGE_10


def test_an_invalid_length_ends_the_stream_after_the_records_before_it() -> None:
    framer = BinaryFramer()
    assert framer.feed(b"\x03one\xff\xff\xff\xff\xff\x03two") == [b"one"]
    assert str(framer.error) == "Messages over 2GB in size are not supported. (length prefix ff ff ff ff ff)"


def test_an_invalid_length_received_byte_by_byte_ends_the_stream() -> None:
    framer = BinaryFramer()
    for _ in range(4):
        assert framer.feed(b"\xff") == []
        assert framer.error is None
    assert framer.feed(b"\xff") == []
    assert str(framer.error) == "Messages over 2GB in size are not supported. (length prefix ff ff ff ff ff)"


# cost, measured in bytes searched, copied and buffered, not in seconds


class Counted(bytes):
    """A piece of a stream that counts the bytes searched for a separator."""

    searched = 0

    def split(self, *arguments: Any) -> list[bytes]:
        """Split, and count."""
        Counted.searched += len(self)
        return super().split(*arguments)


class CountedBuffer(bytearray):
    """A framer's buffer that counts the bytes copied into and out of it."""

    copied = 0

    def __iadd__(self, data: Any) -> Any:  # type: ignore[misc]  # it returns the buffer itself
        """Append, and count."""
        CountedBuffer.copied += len(data)
        return super().__iadd__(data)

    def __bytes__(self) -> bytes:
        """Copy, and count."""
        CountedBuffer.copied += len(self)
        return bytes(memoryview(self))


def pieces(stream: bytes, size: int) -> Iterator[bytes]:
    """Yield *stream* in pieces of *size* bytes."""
    for start in range(0, len(stream), size):
        yield stream[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    ("framer_type", "record", "stream"),
    [
        (TextFramer, b"x" * 100_000, b"x" * 100_000 + b"\x1e"),
        (BinaryFramer, b"x" * 100_000, write_varint(100_000) + b"x" * 100_000),
        (TextFramer, b"ab", b"ab\x1e" * 30_000),
        (BinaryFramer, b"ab", b"\x02ab" * 30_000),
        (BinaryFramer, b"x" * 130, (write_varint(130) + b"x" * 130) * 1000),
    ],
)
def test_each_byte_is_searched_once_and_copied_a_fixed_number_of_times(
    framer_type: type[TextFramer | BinaryFramer], record: bytes, stream: bytes, size: int
) -> None:
    framer = framer_type(200_000)
    framer._buffer = CountedBuffer()
    Counted.searched = CountedBuffer.copied = 0
    records = [found for piece in pieces(stream, size) for found in framer.feed(Counted(piece))]
    assert set(records) == {record}
    assert Counted.searched <= len(stream)
    assert CountedBuffer.copied <= 2.1 * len(stream)
    assert framer.pending == 0


@pytest.mark.parametrize("framer_type", [TextFramer, BinaryFramer])
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_an_incomplete_record_takes_little_more_memory_than_its_size(
    framer_type: type[TextFramer | BinaryFramer], size: int
) -> None:
    framer = framer_type(10_000_000)
    stream = write_varint(1_000_000) + b"x" * 200_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for piece in pieces(stream, size):
            assert framer.feed(piece) == []
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert framer.pending == len(stream)
    assert after - before < 1.3 * len(stream)  # a bytearray overallocates by an eighth


@pytest.mark.parametrize(
    ("framer_type", "begin", "more"),
    [(TextFramer, b"x" * 900, b"x" * 1_000_000), (BinaryFramer, b"\x02ab\xff", b"\x7f" + b"x" * 1_000_000)],
)
def test_a_record_over_the_limit_is_not_buffered(
    framer_type: type[TextFramer | BinaryFramer], begin: bytes, more: bytes
) -> None:
    framer = framer_type(1000)
    framer.feed(begin)
    assert framer.pending > 0
    assert framer.feed(more) == []
    assert isinstance(framer.error, RecordTooLargeError)
    assert framer.pending == 0


def test_the_error_for_a_record_over_the_limit_can_be_pickled() -> None:
    error = pickle.loads(pickle.dumps(RecordTooLargeError(10)))
    assert (str(error), error.max_size) == (TOO_LARGE_10, 10)

"""Byte streams to records: every way to cut them, every limit, every broken length."""

from __future__ import annotations

from typing import Final

import pytest

from signalr_client.core.framing import BinaryFramer, Framer, TextFramer, read_varint, write_varint
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
def test_varint_vector(prefix: str, length: int) -> None:
    wire = bytes.fromhex(prefix)
    assert write_varint(length) == wire
    assert read_varint(wire) == (length, len(wire))
    assert read_varint(wire + b"\xff\xff") == (length, len(wire))


@pytest.mark.parametrize(("prefix", "length"), LENGTHS)
def test_varint_that_is_cut_off_asks_for_more(prefix: str, length: int) -> None:
    wire = bytes.fromhex(prefix)
    assert [read_varint(wire[:end]) for end in range(len(wire))] == [None] * len(wire)


def test_varint_with_more_bytes_than_it_needs_is_read() -> None:
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
def test_varint_over_2_gb_is_refused(prefix: str, text: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_varint(bytes.fromhex(prefix))
    assert str(caught.value) == text


FRAMED: Final[list[tuple[type[TextFramer | BinaryFramer], bytes, list[bytes]]]] = [
    (TextFramer, b"", []),
    (TextFramer, b"{}\x1e", [b"{}"]),
    (TextFramer, b"\x1e", [b""]),
    (TextFramer, b"\x1e\x1e", [b"", b""]),
    (TextFramer, b"one\x1etwo\x1e", [b"one", b"two"]),
    (TextFramer, b"\xff\x00\x1e", [b"\xff\x00"]),  # what is not UTF-8 is the decoder's business
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
def test_records_that_come_whole(framer_type: type[TextFramer | BinaryFramer], stream: bytes, records: list[bytes]) -> None:
    framer = framer_type()
    assert framer.feed(stream) == records
    assert framer.pending == 0
    assert framer.error is None


@pytest.mark.parametrize(("framer_type", "stream", "records"), FRAMED)
def test_records_that_come_one_byte_at_a_time(
    framer_type: type[TextFramer | BinaryFramer], stream: bytes, records: list[bytes]
) -> None:
    framer = framer_type(max_size=20_000)
    assert [record for byte in stream for record in framer.feed(bytes([byte]))] == records
    assert framer.pending == 0
    assert framer.error is None


@pytest.mark.parametrize(("framer_type", "stream", "records"), [case for case in FRAMED if 0 < len(case[1]) < 300])
def test_records_that_are_cut_in_two_anywhere(
    framer_type: type[TextFramer | BinaryFramer], stream: bytes, records: list[bytes]
) -> None:
    for cut in range(len(stream) + 1):
        framer = framer_type()
        assert framer.feed(stream[:cut]) + framer.feed(stream[cut:]) == records


def test_a_record_is_returned_as_soon_as_it_is_whole() -> None:
    """What the record before needed does not hold up the next one, though its length came with that one's end."""
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
def test_a_record_that_has_not_ended_is_pending(framer: Framer, stream: bytes, pending: int) -> None:
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
        (TextFramer(10), b"123456789\x1e" * 3),  # the limit is for one record, not for one read
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
        (TextFramer(10), b"12345678901", []),  # its end need not come
        (TextFramer(10), b"one\x1e1234567890\x1etwo\x1e", [b"one"]),
        (BinaryFramer(10), b"\x0a1234567890", []),
        (BinaryFramer(10), b"\x0a", []),  # its length is enough
        (BinaryFramer(10), b"\x03one\x0a1234567890\x03two", [b"one"]),
        (BinaryFramer(10), b"\x03one\xff\xff\xff\xff\x07", [b"one"]),
    ],
)
def test_a_larger_record_ends_the_stream_after_those_before_it(framer: Framer, stream: bytes, before: list[bytes]) -> None:
    assert framer.feed(stream) == before
    assert isinstance(framer.error, ProtocolError)
    assert str(framer.error) == TOO_LARGE_10


@pytest.mark.parametrize("framer", [TextFramer(10), BinaryFramer(10)])
def test_a_larger_record_that_comes_in_pieces_ends_the_stream(framer: Framer) -> None:
    records = [record for _ in range(12) for record in framer.feed(b"\x0b")]
    assert records == []
    assert str(framer.error) == TOO_LARGE_10


def test_a_broken_length_ends_the_stream_after_the_records_before_it() -> None:
    framer = BinaryFramer()
    assert framer.feed(b"\x03one\xff\xff\xff\xff\xff\x03two") == [b"one"]
    assert str(framer.error) == "Messages over 2GB in size are not supported. (length prefix ff ff ff ff ff)"


def test_a_broken_length_that_comes_one_byte_at_a_time_ends_the_stream() -> None:
    framer = BinaryFramer()
    for _ in range(4):
        assert framer.feed(b"\xff") == []
        assert framer.error is None
    assert framer.feed(b"\xff") == []
    assert str(framer.error) == "Messages over 2GB in size are not supported. (length prefix ff ff ff ff ff)"

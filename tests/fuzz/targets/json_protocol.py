"""JSON: one record to a message."""

from __future__ import annotations

from typing import Final

from tests.fuzz.properties import check_record
from tests.fuzz.seeds import JSON, JSON_WORDS, records

CONTROL: Final = 0
SEEDS: Final = [
    *records(JSON),
    b'{"type":1,"target":"T","arguments":[%s]}' % (b"[" * 70 + b"]" * 70),
    b'{"type":42}',
    b"[1]",
    b'"x"',
]
WORDS: Final = JSON_WORDS


def target(data: bytes) -> None:
    """A record is a message that can be encoded again, or None, or a ProtocolError."""
    check_record(JSON, data)

"""MessagePack with times finer than a microsecond."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Final

import msgspec

from signalr_client.core.timestamps import PreciseDatetime, decode_precise, may_be_precise, timestamp_extension
from tests.fuzz.properties import same
from tests.fuzz.seeds import MESSAGEPACK, MESSAGEPACK_WORDS, MESSAGES, record

CONTROL: Final = 0
SEEDS: Final = [
    record(MESSAGEPACK, MESSAGES[4]),
    b"\x91\xd7\xff\x00\x00\x00\x2f\x5e\x0b\xe1\x00",
    b"\x91\xc7\x0c\xff\x00\x00\x00\x01" + b"\xff\xff\xff\xf1\x88\x6e\x09\x00",  # before year 1
    b"\x91\xc7\x0c\xff\x3b\x9a\xc9\xff" + b"\x00\x00\x00\x3a\xff\xf4\x41\x7f",  # the last second of year 9999
    b"\x91\xc7\x0c\xff\x3b\x9a\xca\x00" + bytes(8),  # a second of nanoseconds
    b"\x81\xd7\xff\x00\x00\x00\x2c\x5e\x0b\xe1\x00\xc0",
]
WORDS: Final = [*MESSAGEPACK_WORDS, b"\x3b\x9a\xc9\xff", b"\x00\x00\x00\x2f"]


def target(data: bytes) -> None:
    """A record has values, or one of the errors for which msgspec is asked instead; precise times are sent as they came."""
    try:
        items: Any = decode_precise(data)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return
    level = [items]
    while level:
        for moment in (value for value in level if isinstance(value, PreciseDatetime)):
            assert may_be_precise(data)
            check_moment(moment)
        level = [
            child
            for value in level
            if isinstance(value, list | tuple | dict)
            for child in ([*value, *value.values()] if isinstance(value, dict) else value)
        ]


def check_moment(moment: PreciseDatetime) -> None:
    """It is encoded without loss, in both forms."""
    assert 0 < moment.nanosecond < 1000
    encoded = msgspec.msgpack.encode([timestamp_extension(moment)])
    [again] = decode_precise(encoded)
    assert same(again, moment)
    assert again.nanosecond == moment.nanosecond
    assert moment.isoformat().startswith(moment.replace(tzinfo=None).isoformat(timespec="microseconds"))
    for copied in (copy.copy(moment), pickle.loads(pickle.dumps(moment))):
        assert (copied, copied.nanosecond) == (moment, moment.nanosecond)

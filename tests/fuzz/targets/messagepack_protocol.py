"""MessagePack: one record to a message."""

from __future__ import annotations

from typing import Final

from signalr_client.core.messages import HubMessage
from signalr_client.errors import ProtocolError
from tests.fuzz.properties import check_record, same
from tests.fuzz.seeds import MESSAGEPACK, MESSAGEPACK_WORDS, records

CONTROL: Final = 0
SEEDS: Final = [
    *records(MESSAGEPACK),
    b"\x95\x01\x80\xc0\xa1T\x91" + b"\x91" * 70 + b"\xc0",  # nested too deeply
    b"\x94\x02\x80\xa11\xc7\x0c\xff" + bytes(12),  # timestamps of 12, 8 and 4 bytes
    b"\x94\x02\x80\xa11\xd7\xff" + bytes(8),
    b"\x94\x02\x80\xa11\xd6\xff" + bytes(4),
    b"\x94\x02\x80\xa11\xc8\x00\x02\x05ab",  # an unknown extension
    b"\x94\x02\x80\xa11\x81\x91\x01\xc0",  # an array as a map key
    b"\x94\x02\x80\xa11\x81\xd7\xff\x00\x00\x3d\x00\x00\xff\x91\x00\x00",  # a precise time as a map key
    b"\x91\x2a",
]
WORDS: Final = MESSAGEPACK_WORDS


def target(data: bytes) -> None:
    """A record is a message that can be encoded again, or None, or a ProtocolError; the fast path and the careful one agree."""
    message = check_record(MESSAGEPACK, data)
    assert same(careful(data), message)


def careful(data: bytes) -> HubMessage | None:
    """Return what the careful path makes of *data*, None for an error."""
    try:
        return MESSAGEPACK._decode_carefully(data)
    except ProtocolError:
        return None

"""A target that fails for some input, to test the fuzzer itself. Not one of `TARGETS`."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from signalr_client.core.messages import Ping
from signalr_client.errors import ProtocolError
from tests.fuzz.seeds import JSON

CONTROL: Final = 0
SEEDS: Final = [b'{"type":7}']
WORDS: Final = [b'"']


def target(data: bytes) -> None:
    """Fail for a Ping."""
    with suppress(ProtocolError):
        assert not isinstance(JSON.decode(data), Ping), "found"

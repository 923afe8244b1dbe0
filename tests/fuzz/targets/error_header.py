"""The header with the code and data of an error: any text can be received, and any value can be in the data of an error."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from signalr_client.core.error_header import ERROR_HEADER, MAX_ERROR_HEADER_SIZE, error_headers, received_error
from signalr_client.core.messages import UNSET, Completion
from signalr_client.core.portable import find_unportable
from signalr_client.core.protocols import JsonHubProtocol
from signalr_client.errors import HubException
from tests.fuzz.inputs import Choices
from tests.fuzz.properties import same
from tests.fuzz.seeds import JSON_WORDS, PROTOCOLS, error_texts

CONTROL: Final = 1
SEEDS: Final = [
    *(text.encode() for text in error_texts()),
    b"[" * 61 + b"]" * 61,
    b"[" * 8000,
    b'{"code":%d}' % 2**64,
    b'{"data":"' + b"x" * MAX_ERROR_HEADER_SIZE + b'"}',
]
WORDS: Final = [*JSON_WORDS, b'"code":', b'"data":', b"{", b"}", b",", b'"', b"\\"]

_LOG: Final = logging.getLogger("signalr_client.fuzz")
_LARGEST_MESSAGE: Final = 32_768


def target(data: bytes) -> None:
    """A header never raises, and what was read of it can be sent to anybody; what is sent can be read."""
    choices = Choices(data)
    received, raw = choices.flag(), choices.rest()
    if received:
        error = received_error(completion(raw.decode("utf-8", "surrogateescape")), _LOG)
        assert str(error) == "It failed."
        assert error.received
        assert error.code is None or type(error.code) in (str, int)
        for part in (error.code, error.data):
            assert find_unportable(part) is None
        check_round_trip(HubException("It failed.", error.code, error.data), known=len(raw) <= MAX_ERROR_HEADER_SIZE // 8)
        return
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        value = raw
    check_round_trip(HubException("It failed.", value, value), known=False)


def completion(text: str) -> Completion:
    """Return a message with the header."""
    return Completion(headers={ERROR_HEADER: text}, invocation_id="1", error="It failed.")


def check_round_trip(error: HubException, *, known: bool) -> None:
    """Send an error and receive it; *known* if nothing may be lost."""
    headers = error_headers(error, _LOG)
    if headers is UNSET:
        assert not known or (error.code is None and error.data is None)
        return
    message = completion(headers[ERROR_HEADER])
    for protocol in PROTOCOLS:
        encoded = protocol.encode(message)
        assert len(encoded) < _LARGEST_MESSAGE
        [record] = protocol.framer().feed(encoded)
        decoded = protocol.decode(record)
        assert isinstance(decoded, Completion)
        again = received_error(decoded, _LOG)
        if known or isinstance(protocol, JsonHubProtocol):
            assert (again.code, again.data) != (None, None)
        if known:
            assert same([again.code, again.data], [error.code, error.data])

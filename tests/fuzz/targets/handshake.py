"""The handshake, of both sides."""

from __future__ import annotations

from typing import Final

from signalr_client.core import handshake
from signalr_client.errors import HandshakeError
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.properties import check_error
from tests.fuzz.seeds import HANDSHAKES, JSON_WORDS, PROTOCOLS

CONTROL: Final = 4
SEEDS: Final = [*HANDSHAKES, HANDSHAKES[0] + HANDSHAKES[1], b"[]\x1e", b"null\x1e", b'{"protocol":1,"version":"1"}\x1e']
WORDS: Final = [*JSON_WORDS, b'"json"', b'"messagepack"', b'{"protocol":"json","version":']

_LIMITS: Final = (65_536, 1, 10, 40, 32_768)
_BY_NAME: Final = {protocol.name: protocol for protocol in PROTOCOLS}


def target(data: bytes) -> None:
    """Pieces give the same text as the whole. A text is a request, a response or a HandshakeError, and is encoded as it was read."""
    choices = Choices(data)
    limit, pattern = choices.pick(_LIMITS), choices.pick(PATTERNS)
    text_only, detailed, stream = choices.flag(), choices.flag(), choices.rest()
    whole = handshake.HandshakeBuffer(limit)
    parts = whole.feed(stream)
    assert feed_pieces(limit, stream, pattern) == (parts, whole.too_large)
    if parts is None:
        return
    text, rest = parts
    assert text + b"\x1e" + rest == stream
    assert len(text) < limit
    check_request(text, text_only=text_only, detailed=detailed)
    check_response(text)


def feed_pieces(limit: int, stream: bytes, pattern: tuple[int, ...]) -> tuple[tuple[bytes, bytes] | None, bool]:
    """Return what a buffer makes of the pieces of *stream*, and whether they were too large."""
    buffer = handshake.HandshakeBuffer(limit)
    fed = 0
    for piece in cut(stream, pattern):
        fed += len(piece)
        parts = buffer.feed(piece)
        if parts is not None:
            return (parts[0], parts[1] + stream[fed:]), buffer.too_large
        if buffer.too_large:
            break
    return None, buffer.too_large


def check_request(text: bytes, *, text_only: bool, detailed: bool) -> None:
    """What a server makes of it."""
    try:
        request = handshake.decode_request(text)
    except HandshakeError as exc:
        check_error(exc, len(text))
    else:
        encoded = handshake.encode_request(request.protocol, request.version)
        assert handshake.decode_request(encoded[:-1]) == request
    try:
        protocol, version = handshake.accept_request(text, _BY_NAME, text_only=text_only, detailed=detailed)
    except HandshakeError as exc:
        check_error(exc, len(text))
        check_refusal(str(exc))
    else:
        assert protocol in PROTOCOLS
        assert version <= protocol.version


def check_refusal(text: str) -> None:
    """A client can read the refusal that a server sends."""
    parts = handshake.HandshakeBuffer(10**9).feed(handshake.encode_response(text))
    assert parts is not None
    assert handshake.decode_response(parts[0]).error == text


def check_response(text: bytes) -> None:
    """What a client makes of it."""
    try:
        handshake.check_response(text)
    except HandshakeError as exc:
        check_error(exc, len(text))
    else:
        assert handshake.decode_response(text).error is None

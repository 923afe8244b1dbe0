"""Handshake requests and responses, and the errors for invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from signalr_client.core.handshake import (
    HandshakeBuffer,
    HandshakeRequest,
    HandshakeResponse,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from signalr_client.errors import HandshakeError


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        (b"", None),
        (b"{}", None),
        (b"{}\x1e", (b"{}", b"")),
        (b"\x1e", (b"", b"")),
        (b'{}\x1e{"type":6}\x1e', (b"{}", b'{"type":6}\x1e')),
        (b"{}\x1e\x02\x91\x06", (b"{}", b"\x02\x91\x06")),
        (b"{}\x1e\x1e", (b"{}", b"\x1e")),
    ],
)
def test_data_after_the_separator_belongs_to_the_hub_protocol(data: bytes, parts: tuple[bytes, bytes] | None) -> None:
    assert HandshakeBuffer(100).feed(data) == parts


@pytest.mark.parametrize("chunks", [[b"{}\x1e"], [b"{", b"}\x1e"], [b"{}", b"\x1e"], [b"{}\x1e" + b"x" * 1000]])
def test_a_handshake_may_be_as_long_as_the_limit(chunks: list[bytes]) -> None:
    buffer = HandshakeBuffer(3)
    *before, parts = [buffer.feed(chunk) for chunk in chunks]
    assert before == [None] * len(before)
    assert parts is not None
    assert parts[0] == b"{}"
    assert not buffer.too_large


@pytest.mark.parametrize(
    "chunks", [[b"{ }\x1e"], [b"{", b" }\x1e"], [b"{ }", b"\x1e"], [b"{   "], [b"{ }", b" "], [b"x" * 10_000]]
)
def test_a_handshake_over_the_limit_is_rejected_and_not_buffered(chunks: list[bytes]) -> None:
    buffer = HandshakeBuffer(3)
    assert [buffer.feed(chunk) for chunk in chunks] == [None] * len(chunks)
    assert buffer.too_large
    assert len(buffer._received) == 0


class CountedBytes(bytes):
    """Bytes that count how many of them are searched."""

    searched = 0

    def find(self, sub: Any, *bounds: Any) -> int:
        """Search, and count."""
        CountedBytes.searched += len(self)
        return super().find(sub, *bounds)


def test_each_byte_of_a_handshake_is_searched_once() -> None:
    text = b"x" * 60_000 + b"\x1e"
    buffer = HandshakeBuffer(65_536)
    CountedBytes.searched = 0
    parts = [buffer.feed(CountedBytes([byte])) for byte in text]
    assert parts[-1] == (text[:-1], b"")
    assert CountedBytes.searched == len(text)


@pytest.mark.parametrize(
    ("protocol", "version", "wire"),
    [
        ("json", 1, b'{"protocol":"json","version":1}\x1e'),
        ("messagepack", 2, b'{"protocol":"messagepack","version":2}\x1e'),
        ('a"b', 0, b'{"protocol":"a\\"b","version":0}\x1e'),
    ],
)
def test_requests_encode_and_decode(protocol: str, version: int, wire: bytes) -> None:
    assert encode_request(protocol, version) == wire
    assert decode_request(wire[:-1]) == HandshakeRequest(protocol, version)


@pytest.mark.parametrize(
    "text",
    [
        b'{"version":1,"protocol":"json"}',
        b' {\n"protocol" : "json" , "version" : 1 } ',
        b'{"protocol":"json","version":1,"minorVersion":7,"other":{"a":[1]}}',
        b'{"other":null,"protocol":"json","version":1}',
        b'{"pr\\u006ftocol":"json","version":1}',
    ],
)
def test_a_request_may_have_members_in_any_order_and_unknown_members(text: bytes) -> None:
    assert decode_request(text) == HandshakeRequest("json", 1)


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        (b"{}", "Missing required property 'protocol'. Message content: {}"),
        (b'{"version":1}', "Missing required property 'protocol'. Message content: {\"version\":1}"),
        (b'{"protocol":"json"}', "Missing required property 'version'. Message content: {\"protocol\":\"json\"}"),
        (b'{"Protocol":"json","Version":1}',
         "Missing required property 'protocol'. Message content: {\"Protocol\":\"json\",\"Version\":1}"),
        (b'{"protocol":1,"version":1}', "Expected 'protocol' to be of type String."),
        (b'{"protocol":null,"version":1}', "Expected 'protocol' to be of type String."),
        (b'{"protocol":"json","version":"1"}', "Expected 'version' to be of type Number."),
        (b'{"protocol":"json","version":1.5}', "Expected 'version' to be of type Number."),
        (b'{"protocol":"json","version":true}', "Expected 'version' to be of type Number."),
        (b'{"protocol":"json","version":null}', "Expected 'version' to be of type Number."),
        (b"[]", "Unexpected JSON Token Type 'Array'. Expected a JSON Object."),
        (b'"json"', "Unexpected JSON Token Type 'String'. Expected a JSON Object."),
        (b"true", "Unexpected JSON Token Type 'Boolean'. Expected a JSON Object."),
        (b"null", "Unexpected JSON Token Type 'Null'. Expected a JSON Object."),
        (b"1", "Unexpected JSON Token Type 'Number'. Expected a JSON Object."),
        (b"1.5", "Unexpected JSON Token Type 'Number'. Expected a JSON Object."),
    ],
)  # fmt: skip
def test_an_invalid_request_is_an_error_with_the_reason(text: bytes, trouble: str) -> None:
    with pytest.raises(HandshakeError) as caught:
        decode_request(text)
    assert str(caught.value) == trouble


@pytest.mark.parametrize(
    "text", [b"", b"{", b"GET / HTTP/1.1", b"\xff", b'{"protocol":"\xff","version":1}', pytest.param(b"[" * 100_000, id="deep")]
)
def test_a_request_that_is_not_json_is_an_error(text: bytes) -> None:
    with pytest.raises(HandshakeError, match=r"^Error reading JSON\. "):
        decode_request(text)


@pytest.mark.parametrize(
    ("error", "wire"),
    [
        (None, b"{}\x1e"),
        ("no", b'{"error":"no"}\x1e'),
        ("The protocol 'x' is not supported.", b'{"error":"The protocol \'x\' is not supported."}\x1e'),
    ],
)
def test_responses_encode_and_decode(error: str | None, wire: bytes) -> None:
    assert encode_response(error) == wire
    assert decode_response(wire[:-1]) == HandshakeResponse(error=error)


@pytest.mark.parametrize("text", [b"{}", b" { } ", b'{"minorVersion":1}', b'{"error":null}', b'{"other":{"error":"x"}}'])
def test_a_response_without_an_error_is_a_success(text: bytes) -> None:
    assert decode_response(text).error is None


@pytest.mark.parametrize("text", [b'{"type":6}', b'{"type":7,"error":"bye"}', b'{"error":"x","type":"1"}'])
def test_a_hub_message_is_not_a_response(text: bytes) -> None:
    with pytest.raises(HandshakeError) as caught:
        decode_response(text)
    assert str(caught.value) == "Expected a handshake response from the server."


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"null",
        b"1",
        b'{"error":1}',
        b'{"error":"\xff"}',
        b"<html>",
        pytest.param(b'{"type":' + b"[" * 100_000, id="deep"),
    ],
)
def test_an_invalid_response_is_an_error_with_the_reason(text: bytes) -> None:
    with pytest.raises(HandshakeError, match=r"^The server's handshake response cannot be read: "):
        decode_response(text)

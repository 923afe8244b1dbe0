"""The handshake: one JSON text in each direction before the first message. Room: core, row 1; no I/O, no clock.

It is JSON and ends with the record separator, whatever the hub protocol is. What follows the separator in the same frame already
belongs to the hub protocol. Spec: hub protocol specification, "Overview".
"""

from __future__ import annotations

from typing import Final

import msgspec

from signalr_client.core.framing import RECORD_SEPARATOR
from signalr_client.errors import HandshakeError, HandshakeTimeoutError

__all__ = [
    "HandshakeBuffer",
    "HandshakeRequest",
    "HandshakeResponse",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "timeout_error",
]


class HandshakeRequest(msgspec.Struct, frozen=True):
    """The request of a client: the name of a hub protocol, and its version."""

    protocol: str
    version: int


class HandshakeResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The response of a server: empty, or an error. A ``type`` member means that this is a message and not a handshake response."""

    error: str | None = None
    type: object = None


class HandshakeBuffer:
    """Collects the bytes of a handshake until its separator arrives, in linear time and bounded memory.

    Attributes:
        limit: bytes that the handshake may have, its separator included.
        too_large: whether the handshake exceeded the limit; nothing is kept of it then.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.too_large = False
        self._received = bytearray()

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Return (the handshake's text, the bytes after its separator), or None if it is incomplete or too large."""
        end = data.find(RECORD_SEPARATOR)  # only in what is new: searching all of it each time would be quadratic
        if len(self._received) + (len(data) if end < 0 else end + 1) > self.limit:
            self.too_large = True
            self._received.clear()
            return None
        if end < 0:
            self._received += data
            return None
        text = bytes(self._received) + data[:end]
        self._received.clear()
        return text, data[end + 1 :]


def encode_request(protocol: str, version: int) -> bytes:
    """Return the first bytes that a client sends."""
    return _encode(HandshakeRequest(protocol, version)) + RECORD_SEPARATOR


def decode_request(text: bytes) -> HandshakeRequest:
    """Return the request of a client; unknown members are ignored.

    Raises:
        HandshakeError: *text* is not a handshake request; the message says why, in the words of ASP.NET Core.
    """
    try:
        return _REQUEST.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise HandshakeError(_request_error(text, exc)) from exc


def encode_response(error: str | None = None) -> bytes:
    """Return the first bytes that a server sends: success, or *error*."""
    return _encode(HandshakeResponse(error=error)) + RECORD_SEPARATOR


def decode_response(text: bytes) -> HandshakeResponse:
    """Return the response of a server.

    Raises:
        HandshakeError: *text* is not a handshake response.
    """
    try:
        response = _RESPONSE.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise HandshakeError(f"The server's handshake response cannot be read: {exc}") from exc
    if response.type is not None:
        raise HandshakeError("Expected a handshake response from the server.")
    return response


def timeout_error(waited: float) -> HandshakeTimeoutError:
    """Return the error for a server that did not respond within *waited* seconds."""
    return HandshakeTimeoutError(f"The handshake timed out after {round(waited, 2):g} seconds.")


def _request_error(text: bytes, exc: Exception) -> str:
    """Return the official message for a request that cannot be read."""
    try:
        members = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return f"Error reading JSON. {exc}"
    if not isinstance(members, dict):
        kind = {list: "Array", str: "String", bool: "Boolean", type(None): "Null"}.get(type(members), "Number")
        return f"Unexpected JSON Token Type '{kind}'. Expected a JSON Object."
    if "protocol" in members and not isinstance(members["protocol"], str):
        return "Expected 'protocol' to be of type String."
    for member in ("protocol", "version"):
        if member not in members:
            shown = text.decode(errors="replace")
            return f"Missing required property '{member}'. Message content: {shown}"
    return "Expected 'version' to be of type Number."


_encode: Final = msgspec.json.Encoder().encode
_REQUEST: Final = msgspec.json.Decoder(HandshakeRequest)
_RESPONSE: Final = msgspec.json.Decoder(HandshakeResponse)

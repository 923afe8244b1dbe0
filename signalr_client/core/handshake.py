"""The handshake: one JSON text in each direction before the first message. Room: core, row 1; no I/O, no clock.

It is JSON and ends with the record separator, whatever the hub protocol is. What follows the separator in the same frame already
belongs to the hub protocol. Spec: hub protocol specification, "Overview".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from signalr_client.core.framing import RECORD_SEPARATOR
from signalr_client.core.protocols import HubProtocol
from signalr_client.errors import HandshakeError, HandshakeTimeoutError
from signalr_client.types import TransferFormat

__all__ = [
    "STATEFUL_VERSION",
    "HandshakeBuffer",
    "HandshakeRequest",
    "HandshakeResponse",
    "accept_request",
    "check_response",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
    "timeout_error",
]

STATEFUL_VERSION: Final = 2
"""The version of the hub protocol from which on the peers may use stateful reconnect."""


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
        self.too_large: bool = False
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


def accept_request(
    text: bytes, protocols: Mapping[str, HubProtocol], *, text_only: bool, detailed: bool
) -> tuple[HubProtocol, int]:
    """Return the hub protocol that the client requests, and the version of it.

    Args:
        text: the request.
        protocols: what the server offers, by name in lower case.
        text_only: the transport cannot carry a binary protocol.
        detailed: the client may know why its request cannot be read.

    Raises:
        HandshakeError: the request is refused; the message is meant for the client, in the words of ASP.NET Core.
    """
    try:
        request = decode_request(text)
    except HandshakeError as exc:
        detail = f" InvalidDataException: {exc}" if detailed else ""
        raise HandshakeError(f"An unexpected error occurred during connection handshake.{detail}") from exc
    protocol = protocols.get(request.protocol.lower())
    if protocol is None:
        raise HandshakeError(f"The protocol '{request.protocol}' is not supported.")
    if request.version > protocol.version:
        raise HandshakeError(f"The server does not support version {request.version} of the '{request.protocol}' protocol.")
    if text_only and protocol.transfer_format is not TransferFormat.TEXT:
        raise HandshakeError(
            f"Cannot use the '{protocol.name}' protocol on the current transport."
            f" The transport does not support '{protocol.transfer_format.value}' transfer format."
        )
    return protocol, request.version


def check_response(text: bytes) -> None:
    """Return if the server has accepted the handshake.

    Raises:
        HandshakeError: the server refused, or *text* is not a handshake response.
    """
    response = decode_response(text)
    if response.error is not None:
        raise HandshakeError(f"Unable to complete handshake with the server due to an error: {response.error}")


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

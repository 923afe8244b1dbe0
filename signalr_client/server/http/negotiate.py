"""The response to a negotiate request. Room: server, http; no I/O.

Spec: hub transport protocols specification, "`POST [endpoint-base]/negotiate` request".
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from signalr_client.types import HttpTransportType

__all__ = [
    "NegotiateRefusedError",
    "encode_refresh_response",
    "encode_refusal",
    "encode_response",
    "negotiate_version",
    "new_id",
]

HIGHEST_VERSION: Final = 1

_INTEGER: Final = re.compile(r"\s*([+-]?)0*(\d{1,10})\s*", re.ASCII)  # bounded: int() refuses thousands of digits
_INT32_MIN: Final = -(2**31)
_INT32_MAX: Final = 2**31 - 1

_FORMATS: Final = {
    HttpTransportType.WEB_SOCKETS: ("Text", "Binary"),
    HttpTransportType.SERVER_SENT_EVENTS: ("Text",),
    HttpTransportType.LONG_POLLING: ("Text", "Binary"),
}
_encode: Final = msgspec.json.Encoder().encode


class NegotiateRefusedError(Exception):
    """The client asked for a version that is not supported; the text is the response. Never leaves the room."""


def new_id() -> str:
    """Return an unguessable id or token: 128 random bits in 22 characters."""
    return secrets.token_urlsafe(16)


def negotiate_version(values: Sequence[str], minimum: int) -> int:
    """Return the version of the response.

    Args:
        values: the values of ``negotiateVersion`` in the query.
        minimum: `HubOptions.minimum_protocol_version`.

    Raises:
        NegotiateRefusedError: it is not a 32-bit integer, or below the minimum.
    """
    if not values:
        asked = 0
    elif len(values) == 1 and (match := _INTEGER.fullmatch(values[0])) and _INT32_MIN <= int(match[1] + match[2]) <= _INT32_MAX:
        asked = int(match[1] + match[2])
    else:
        raise NegotiateRefusedError("The client requested a non-integer protocol version.")
    if asked < minimum:
        raise NegotiateRefusedError(f"The client requested version '{asked}', but the server does not support this version.")
    return min(asked, HIGHEST_VERSION)


def encode_response(
    version: int,
    connection_id: str,
    token: str,
    transports: HttpTransportType,
    token_lifetime: int | None = None,
    *,
    stateful_reconnect: bool = False,
) -> bytes:
    """Return the response, with its members in the order in which ASP.NET Core writes them.

    One member is ours: it tells our client that a StreamItem is counted although its stream has ended.
    """
    response: dict[str, object] = {"useStatefulReconnect": True, "countsAllStreamItems": True} if stateful_reconnect else {}
    response |= {"negotiateVersion": version, "connectionId": connection_id}
    if version > 0:
        response["connectionToken"] = token
    if token_lifetime is not None:
        response["tokenLifetimeSeconds"] = token_lifetime
    response["availableTransports"] = [
        {"transport": transport.wire_name, "transferFormats": formats}
        for transport, formats in _FORMATS.items()
        if transport in transports
    ]
    return _encode(response)


def encode_refresh_response(token_lifetime: int | None) -> bytes:
    """Return the response to an accepted authentication refresh."""
    return _encode({} if token_lifetime is None else {"tokenLifetimeSeconds": token_lifetime})


def encode_refusal(error: str) -> bytes:
    """Return the response that refuses a connection."""
    return _encode({"error": error})

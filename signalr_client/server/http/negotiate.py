"""The answer to a negotiate request. Room: server; no I/O. Spec: server-behaviour.md, "Negotiate" under "B"."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from signalr_client.types import HttpTransportType

__all__ = ["NegotiateRefusedError", "encode_answer", "encode_refresh_answer", "encode_refusal", "negotiate_version", "new_id"]

HIGHEST_VERSION: Final = 1

_FORMATS: Final = {
    HttpTransportType.WEB_SOCKETS: ("Text", "Binary"),
    HttpTransportType.SERVER_SENT_EVENTS: ("Text",),
    HttpTransportType.LONG_POLLING: ("Text", "Binary"),
}
_encode: Final = msgspec.json.Encoder().encode


class NegotiateRefusedError(Exception):
    """The client asked for a version that cannot be spoken; the text is the answer. Never leaves the room."""


def new_id() -> str:
    """Return an id or a token that nobody can guess: 128 random bits in 22 characters."""
    return secrets.token_urlsafe(16)


def negotiate_version(values: Sequence[str], minimum: int) -> int:
    """Return the version to answer with.

    Args:
        values: what the query's ``negotiateVersion`` says, once for each time it is there.
        minimum: `HubOptions.minimum_protocol_version`.

    Raises:
        NegotiateRefusedError: it is no number, or too low a one.
    """
    if not values:
        asked = 0
    elif len(values) == 1 and re.fullmatch(r"\s*[+-]?\d+\s*", values[0], re.ASCII):
        asked = int(values[0])
    else:
        raise NegotiateRefusedError("The client requested a non-integer protocol version.")
    if asked < minimum:
        raise NegotiateRefusedError(f"The client requested version '{asked}', but the server does not support this version.")
    return min(asked, HIGHEST_VERSION)


def encode_answer(
    version: int, connection_id: str, token: str, transports: HttpTransportType, token_lifetime: int | None = None
) -> bytes:
    """Return the answer: the members in the order in which ASP.NET Core writes them."""
    answer: dict[str, object] = {"negotiateVersion": version, "connectionId": connection_id}
    if version > 0:
        answer["connectionToken"] = token
    if token_lifetime is not None:
        answer["tokenLifetimeSeconds"] = token_lifetime
    answer["availableTransports"] = [
        {"transport": transport.wire_name, "transferFormats": formats}
        for transport, formats in _FORMATS.items()
        if transport in transports
    ]
    return _encode(answer)


def encode_refresh_answer(token_lifetime: int | None) -> bytes:
    """Return the answer to an authentication refresh that was accepted."""
    return _encode({} if token_lifetime is None else {"tokenLifetimeSeconds": token_lifetime})


def encode_refusal(error: str) -> bytes:
    """Return the answer that says why there is no connection."""
    return _encode({"error": error})

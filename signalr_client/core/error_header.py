"""The code and the data of a `HubException`, in a header of the Completion with its message. Room: core, row 1; no I/O, no clock.

This is an extension of the hub protocol: clients and servers that do not know it ignore the header (docs/protocol.md, "Errors with code
and data"). An error matters more than its details, so nothing that is wrong with them hides it or ends the connection: details that
cannot be sent are left out and logged, and a header that cannot be read is ignored.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec

from signalr_client.core.binding import TooDeep, json_binding
from signalr_client.core.messages import UNSET, Completion
from signalr_client.core.portable import PORTABLE_DEPTH, find_unportable
from signalr_client.errors import BindingError, HubException
from signalr_client.types import Headers

__all__ = ["ERROR_HEADER", "MAX_ERROR_HEADER_SIZE", "error_headers", "received_error"]

ERROR_HEADER: Final = "signalr-error"
"""The name of the header. Its value is a JSON object with the members ``code`` and ``data``, each of which may be absent."""

MAX_ERROR_HEADER_SIZE: Final = 8192
"""Bytes of the JSON text. In a JSON message it is escaped and can double; a server accepts messages of 32,768 bytes by default."""

# As the JSON protocol writes values by default, whatever the protocol of the connection.
_BINDING: Final = json_binding()
_encode: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=_BINDING.write_other).encode


class _Unusable(ValueError):
    """The text of a header cannot be used; the message says why."""


def error_headers(error: Exception, log: logging.Logger) -> Headers | msgspec.UnsetType:
    """Return the headers of the Completion that reports *error*: none, unless it is a `HubException` with a code or data.

    What cannot be encoded, or is too large, is logged and left out.
    """
    if not isinstance(error, HubException) or error.received:
        return UNSET
    members: dict[str, object] = {}
    text = ""
    for name in ("code", "data"):
        try:
            value = getattr(error, name)
            if value is None:
                continue
            longer = _write({**members, name: value})
        except (BindingError, _Unusable) as exc:
            log.warning("! the %s of a %s cannot be sent: %s", name, type(error).__name__, exc)
        except Exception:  # user code: properties of the exception, and whatever is in its data
            log.warning("! the %s of a %s cannot be sent", name, type(error).__name__, exc_info=True)
        else:
            members[name], text = value, longer
    return {ERROR_HEADER: text} if text else UNSET


def received_error(completion: Completion, log: logging.Logger) -> HubException:
    """Return the exception for a Completion with an error, with its code and data if it has the header."""
    text = completion.headers.get(ERROR_HEADER) if completion.headers else None
    code: str | int | None = None
    data: object = None
    if text is not None:
        try:
            code, data = _read(text)
        except _Unusable as exc:
            log.debug("! ignored the header '%s' of Completion id=%.100r: %s", ERROR_HEADER, completion.invocation_id, exc)
    error = HubException(completion.error or "", code, data)
    error.received = True
    return error


def _write(members: dict[str, object]) -> str:
    """Return the value of the header.

    Raises:
        BindingError: a value has no JSON form.
        _Unusable: it could not be read by the peer.
    """
    try:
        plain = {name: _BINDING.write(value, name, PORTABLE_DEPTH) for name, value in members.items()}
    except TooDeep:
        raise _Unusable(f"it is nested more than {PORTABLE_DEPTH} levels deep") from None
    try:
        text = _encode(plain).decode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise _Unusable(f"it has no JSON form ({exc})") from exc
    _read(text)
    return text


def _read(text: str) -> tuple[str | int | None, object]:
    """Return the code and the data.

    Raises:
        _Unusable: the text is too long, is not what it should be, or has a value that one of the hub protocols cannot carry.
    """
    size = len(text)
    try:
        if size <= MAX_ERROR_HEADER_SIZE:
            size = len(data := text.encode())
        if size > MAX_ERROR_HEADER_SIZE:
            raise _Unusable(f"{size} bytes of JSON, where {MAX_ERROR_HEADER_SIZE} are allowed")
        members: Any = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as exc:
        raise _Unusable(f"it is not JSON ({exc})") from exc
    if not isinstance(members, dict):
        raise _Unusable("it is not a JSON object")
    code = members.get("code")
    if not (code is None or type(code) is str or type(code) is int):
        raise _Unusable(f"the code is of type {type(code).__name__}, where str or int is allowed")
    unportable = find_unportable(members, PORTABLE_DEPTH)
    if unportable is not None:
        raise _Unusable(unportable)
    return code, members.get("data")

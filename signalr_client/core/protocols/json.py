"""The JSON hub protocol. Room: core, row 1. Spec: hub protocol specification, "JSON Encoding".

A message is decoded into its type in one call, which makes it fast. Only if that call fails is the record read again, member by
member, to tell an unknown message type from an invalid message, and to describe the problem in the words of the official clients.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from signalr_client.core.binding import Binding, Naming, TooDeep, json_binding
from signalr_client.core.framing import RECORD_SEPARATOR, TextFramer
from signalr_client.core.messages import UNSET, CancelInvocation, Completion, HubMessage, StreamInvocation
from signalr_client.core.protocols.nesting import MAX_DEPTH, SHORTEST_JSON, exceeds_depth, json_may_exceed_depth, payload
from signalr_client.core.protocols.values import with_plain_values
from signalr_client.errors import BindingError, ProtocolError
from signalr_client.types import TransferFormat

__all__ = ["JsonHubProtocol"]

_STRING: Final = "string"
_ARRAY: Final = "array"
_MEMBERS: Final[dict[int, dict[str, str]]] = {
    1: {"target": _STRING, "arguments": _ARRAY},
    2: {"invocationId": _STRING, "item": ""},
    3: {"invocationId": _STRING},
    4: {"invocationId": _STRING, "target": _STRING, "arguments": _ARRAY},
    5: {"invocationId": _STRING},
    6: {},
    7: {},
    8: {"sequenceId": "number"},
    9: {"sequenceId": "number"},
}
"""The members that each message type must have, with the JSON type of each ("" for any)."""


_CHECKED: Final = frozenset({Completion, StreamInvocation, CancelInvocation})


class JsonHubProtocol:
    """Hub messages as JSON texts that end with 0x1E.

    Values are written as ASP.NET Core writes them by default; docs/types.md has the table. Received values are plain (dict, list,
    str, int, float, bool and None) until a type is asked for.

    Attributes:
        binding: the conversion of types.

    Args:
        naming: the names of fields, in both directions; reading ignores case and underscores.
        enum_naming: the names of the members of enumerations, as with a JsonStringEnumConverter in .NET. None writes numbers; both
            are read.
    """

    name: str = "json"  # not Final: a class constant does not match a property of HubProtocol for pyright
    version: int = 2
    transfer_format: TransferFormat = TransferFormat.TEXT

    def __init__(self, *, naming: Naming = "camelCase", enum_naming: Naming | None = None) -> None:
        self.binding: Binding = json_binding(naming, enum_naming)
        self._encode = msgspec.json.Encoder(decimal_format="number", enc_hook=self.binding.write_other).encode
        self._decode = msgspec.json.Decoder(HubMessage).decode
        self._decode_digits = msgspec.json.Decoder(HubMessage, float_hook=Decimal).decode

    def __repr__(self) -> str:
        """Return the expression that creates an equal object."""
        options = self.binding.options(naming="camelCase", enum_naming=None)
        return f"JsonHubProtocol({options})"

    def framer(self, max_size: int | None = None) -> TextFramer:
        """Return a new framer for one direction of one connection; *max_size* is in bytes."""
        return TextFramer(max_size)

    def encode(self, message: HubMessage) -> bytes:
        """Return *message* as JSON text with its separator.

        Raises:
            BindingError: a value has no JSON form (the message names its type), or the message is nested too deeply.
        """
        try:
            plain = with_plain_values(message, self.binding)
            data = self._encode(plain)
            if len(data) >= SHORTEST_JSON and json_may_exceed_depth(data) and self._exceeds_depth(plain, data):
                raise TooDeep
        except (BindingError, TypeError, ValueError, RecursionError) as exc:
            raise BindingError(f"Cannot send {type(message).__name__} as JSON: {exc}") from exc
        except TooDeep:
            text = f"Cannot send {type(message).__name__} as JSON: it is nested more than {MAX_DEPTH} levels deep."
            raise BindingError(text) from None
        return data + RECORD_SEPARATOR

    def decode(self, record: bytes) -> HubMessage | None:
        """Return the message of one record, or None for an unknown message type.

        Raises:
            ProtocolError: the record is not JSON, is nested too deeply, or a member is missing or of the wrong type.
        """
        try:
            message: HubMessage = self._decode(record)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            _diagnose(record, exc)
            return None
        if type(message) in _CHECKED:
            _check(message)
        if len(record) >= SHORTEST_JSON and json_may_exceed_depth(record) and exceeds_depth(payload(message)):
            raise ProtocolError(f"Error reading JSON. The maximum configured depth of {MAX_DEPTH} has been exceeded.")
        return message

    def decode_digits(self, record: bytes) -> HubMessage:
        """Return the message of a record that `decode` has accepted, with `Decimal` in place of float, so that no digit is lost."""
        message: HubMessage = self._decode_digits(record)
        return message

    def _exceeds_depth(self, message: HubMessage, data: bytes) -> bool:
        """Return whether *message*, encoded as *data*, is nested too deeply for its recipients."""
        exceeds = exceeds_depth(payload(message))
        return bool(exceeds_depth(payload(self._decode(data))) if exceeds is None else exceeds)


def _check(message: HubMessage) -> None:
    """Refuse what is invalid although all types are right."""
    if type(message) is Completion:
        if message.error and message.result is not UNSET:
            raise ProtocolError("The 'error' and 'result' properties are mutually exclusive.")
    elif not message.invocation_id:  # type: ignore[union-attr]  # StreamInvocation and CancelInvocation have one
        raise ProtocolError("Missing required property 'invocationId'.")


def _diagnose(record: bytes, refusal: Exception) -> None:
    """Return if *record* has an unknown message type.

    Raises:
        ProtocolError: the message is invalid; the text says why.
    """
    try:
        members = msgspec.json.decode(record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ProtocolError(f"Error reading JSON. {exc}") from exc
    if not isinstance(members, dict):
        raise ProtocolError(f"Unexpected JSON Token Type '{_json_type(members)}'. Expected a JSON Object.") from refusal
    if "type" not in members:
        raise ProtocolError("Missing required property 'type'.") from refusal
    kind = members["type"]
    if not isinstance(kind, int) or isinstance(kind, bool):
        raise ProtocolError("Expected 'type' to be of type Number.") from refusal
    if kind not in _MEMBERS:
        return
    for member, wanted in _MEMBERS[kind].items():
        if member not in members:
            raise ProtocolError(f"Missing required property '{member}'.") from refusal
        if wanted and _json_type(members[member]) != wanted:
            raise ProtocolError(f"Expected '{member}' to be of type {wanted.capitalize()}.") from refusal
    raise ProtocolError(f"Invalid message of type {kind}: {refusal}") from refusal


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return _STRING
        case int() | float() | Decimal():
            return "number"
        case list():
            return _ARRAY
        case _:
            return "object"

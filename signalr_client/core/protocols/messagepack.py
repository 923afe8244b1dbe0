"""The MessagePack hub protocol. Room: core, row 1. Spec: hub protocol specification, "MessagePack (MsgPack) encoding".

Each message is an array that begins with its type, prefixed with its length as a VarInt. We write what the .NET classes write (six
items for an invocation, three for Close) and accept what any official client writes (fewer items; additional items are ignored).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from signalr_client.core.binding import PLAIN, Binding, Naming, TooDeep, messagepack_binding
from signalr_client.core.framing import MAX_LENGTH, BinaryFramer, write_varint
from signalr_client.core.messages import (
    UNSET,
    Ack,
    CancelInvocation,
    Close,
    Completion,
    HubMessage,
    Invocation,
    Ping,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.messages import Sequence as SequenceMessage
from signalr_client.core.protocols.nesting import (
    MAX_DEPTH,
    SHORTEST_MESSAGEPACK,
    exceeds_depth,
    messagepack_may_exceed_depth,
)
from signalr_client.core.protocols.values import plain_arguments, plain_value
from signalr_client.core.timestamps import decode_precise, may_be_precise
from signalr_client.errors import BindingError, ProtocolError
from signalr_client.types import Headers, TransferFormat

__all__ = ["MessagePackHubProtocol"]

_ERROR: Final = 1
_VOID: Final = 2
_RESULT: Final = 3

_NO_HEADERS: Final[dict[str, str]] = {}
_NO_STREAMS: Final[list[str]] = []
_SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes})

# TypeError: a map key that cannot be hashed; ValueError: a timestamp out of range
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, TypeError)

T = TypeVar("T")


class MessagePackHubProtocol:
    """Hub messages as MessagePack arrays, prefixed with their length.

    Values are written as ASP.NET Core writes them by default; docs/types.md has the table. Received values are plain (dict, list,
    str, int, float, bool, bytes, `datetime` and None) until a type is asked for. An unknown extension is a `msgspec.msgpack.Ext`.

    Attributes:
        binding: the conversion of types.

    Args:
        naming: the names of fields, in both directions; reading ignores case and underscores.
        enum_naming: the names of the members of enumerations. None writes numbers, which ASP.NET Core reads only if it is configured
            so; both are read.
    """

    name: str = "messagepack"  # not Final: a class constant does not match a property of HubProtocol for pyright
    version: int = 2
    transfer_format: TransferFormat = TransferFormat.BINARY

    def __init__(self, *, naming: Naming = "PascalCase", enum_naming: Naming | None = "PascalCase") -> None:
        self.binding: Binding = messagepack_binding(naming, enum_naming)
        self._encode = msgspec.msgpack.Encoder(enc_hook=self.binding.write_other).encode
        self._decode = msgspec.msgpack.Decoder(list).decode

    def __repr__(self) -> str:
        """Return the expression that creates an equal object."""
        options = self.binding.options(naming="PascalCase", enum_naming="PascalCase")
        return f"MessagePackHubProtocol({options})"

    def framer(self, max_size: int | None = None) -> BinaryFramer:
        """Return a new framer for one direction of one connection; *max_size* is in bytes."""
        return BinaryFramer(max_size)

    def encode(self, message: HubMessage) -> bytes:
        """Return *message* as MessagePack, prefixed with its length.

        Raises:
            BindingError: a value has no MessagePack form (the message names its type), or the message is nested too deeply.
        """
        try:
            items = _WRITERS[type(message)](message, self.binding)
            body = self._encode(items)
            size = len(body)
            if size >= SHORTEST_MESSAGEPACK and messagepack_may_exceed_depth(body) and self._exceeds_depth(items, body):
                raise TooDeep
        except (BindingError, TypeError, ValueError, OverflowError, RecursionError) as exc:
            raise BindingError(f"Cannot send {type(message).__name__} as MessagePack: {exc}") from exc
        except TooDeep:
            text = f"Cannot send {type(message).__name__} as MessagePack: it is nested more than {MAX_DEPTH} levels deep."
            raise BindingError(text) from None
        if size > MAX_LENGTH:
            raise BindingError("Messages over 2GB in size are not supported.")
        return (_PREFIXES[size] if size < len(_PREFIXES) else write_varint(size)) + body

    def decode(self, record: bytes) -> HubMessage | None:
        """Return the message of one record, or None for an unknown message type.

        Raises:
            ProtocolError: the record is not MessagePack, is nested too deeply, or an item is missing or of the wrong type.
        """
        # The fast path for ordinary messages; whatever does not fit takes the careful one.
        try:
            items = self._decode(record)
            kind = record[1]  # of a short array the first item, and surely an integer: True equals 1, but is no type
            if kind == 2:
                _, headers, invocation_id, item = items
                plain = headers == _NO_HEADERS and type(invocation_id) is str and invocation_id
                if plain and (type(item) in _SCALARS or _is_plain(record)):
                    return StreamItem(invocation_id=invocation_id, item=item)
            elif kind == 1:
                _, headers, invocation_id, target, arguments, stream_ids = items
                plain = invocation_id is None and stream_ids == _NO_STREAMS and headers == _NO_HEADERS
                if plain and type(target) is str and target and type(arguments) is list:
                    for argument in arguments:
                        if type(argument) not in _SCALARS:
                            plain = _is_plain(record)
                            break
                    if plain:
                        return Invocation(target=target, arguments=arguments)
        except (*_UNREADABLE, IndexError):
            pass
        return self._decode_carefully(record)

    def _decode_carefully(self, record: bytes) -> HubMessage | None:
        try:
            items = _decode_times(record) if may_be_precise(record) else None
            if items is None:
                items = self._decode(record)
        except _UNREADABLE as exc:
            raise ProtocolError(f"Invalid MessagePack message: {exc}") from exc
        if not items:
            raise ProtocolError("Reading 'message type' as Int32 failed: the message is an empty array.")
        kind = items[0]
        if type(kind) is not int:
            raise ProtocolError(f"Reading 'message type' as Int32 failed: it is {type(kind).__name__}.")
        read = _READERS.get(kind)
        if read is None:
            return None
        try:
            message = read(items)
        except IndexError as exc:
            raise ProtocolError(f"A message of type {kind} with {len(items)} items is too short.") from exc
        if len(record) >= SHORTEST_MESSAGEPACK and messagepack_may_exceed_depth(record) and exceeds_depth(items):
            raise ProtocolError(f"Invalid MessagePack message: it is nested more than {MAX_DEPTH} levels deep.")
        return message

    def _exceeds_depth(self, items: Sequence[object], body: bytes) -> bool:
        """Return whether the message of *items*, encoded as *body*, is nested too deeply for its recipients."""
        exceeds = exceeds_depth(items)
        return bool(exceeds_depth(self._decode(body)) if exceeds is None else exceeds)


def _is_plain(record: bytes) -> bool:
    """Return whether a record with other values than scalars can have neither too many levels nor a precise timestamp.

    The byte 0xff is part of every timestamp finer than a microsecond and of few other records.
    """
    return 0xFF not in record and (len(record) < SHORTEST_MESSAGEPACK or not messagepack_may_exceed_depth(record))


def _decode_times(record: bytes) -> list[Any] | None:
    """Return the values of *record* with its times in full precision, or None if only msgspec can read it or name the error."""
    try:
        items = decode_precise(record)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    return items if isinstance(items, list) else None


def _write_call(message: Invocation | StreamInvocation, binding: Binding) -> tuple[object, ...]:
    kind = 1 if type(message) is Invocation else 4
    invocation_id, stream_ids = message.invocation_id or None, message.stream_ids or ()
    arguments = plain_arguments(message.arguments, binding)
    return kind, message.headers or _NO_HEADERS, invocation_id, message.target, arguments, stream_ids


def _write_stream_item(message: StreamItem, binding: Binding) -> tuple[object, ...]:
    item = message.item
    if type(item) not in PLAIN:
        item = plain_value(item, "item", binding)
    return 2, message.headers or _NO_HEADERS, message.invocation_id, item


def _write_completion(message: Completion, binding: Binding) -> tuple[object, ...]:
    if message.error:
        return 3, message.headers or _NO_HEADERS, message.invocation_id, _ERROR, message.error
    if message.result is UNSET:
        return 3, message.headers or _NO_HEADERS, message.invocation_id, _VOID
    return 3, message.headers or _NO_HEADERS, message.invocation_id, _RESULT, plain_value(message.result, "result", binding)


_WRITERS: Final[dict[type[HubMessage], Callable[[Any, Binding], tuple[object, ...]]]] = {
    Invocation: _write_call,
    StreamItem: _write_stream_item,
    Completion: _write_completion,
    StreamInvocation: _write_call,
    CancelInvocation: lambda message, _binding: (5, message.headers or _NO_HEADERS, message.invocation_id),
    Ping: lambda _message, _binding: (6,),
    Close: lambda message, _binding: (7, message.error or None, message.allow_reconnect),
    Ack: lambda message, _binding: (8, message.sequence_id),
    SequenceMessage: lambda message, _binding: (9, message.sequence_id),
}
"""Each message as the array that is sent."""

_PREFIXES: Final = tuple(write_varint(size) for size in range(0x4000))
"""The length prefixes of all but large messages, created once."""


def _item(items: Sequence[Any], index: int, name: str, wanted: type[T]) -> T:
    """Return an item of a message, whose type is checked."""
    value = items[index]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise ProtocolError(f"Reading '{name}' as {wanted.__name__} failed: it is {type(value).__name__}.")
    return value


def _id(items: Sequence[Any], index: int = 2) -> str:
    invocation_id = items[index]
    if type(invocation_id) is str and invocation_id:
        return invocation_id
    raise ProtocolError(f"Reading 'invocationId' as String failed: it is {invocation_id!r}.")


def _headers(items: Sequence[Any]) -> Headers | msgspec.UnsetType:
    headers = items[1]
    if not headers and isinstance(headers, dict):
        return UNSET
    for key, value in _item(items, 1, "headers", dict).items():
        if not (isinstance(key, str) and isinstance(value, str) and key and value):  # .NET refuses empty ones too
            raise ProtocolError(f"Reading 'headers' as a map of strings failed at {key!r}.")
    return headers  # type: ignore[no-any-return]  # every key and value was checked


def _stream_ids(items: Sequence[Any], index: int = 5) -> list[str] | msgspec.UnsetType:
    """Return the stream ids; the TypeScript client omits the item if there are none."""
    if len(items) <= index or items[index] is None:
        return UNSET
    stream_ids = _item(items, index, "streamIds", list)
    if not stream_ids:
        return UNSET
    for stream_id in stream_ids:
        if not isinstance(stream_id, str) or not stream_id:
            raise ProtocolError(f"Reading 'streamIds' as an array of strings failed at {stream_id!r}.")
    return stream_ids


def _target(items: Sequence[Any]) -> str:
    target = _item(items, 3, "target", str)
    if not target:
        raise ProtocolError("Reading 'target' as String failed: it is empty.")
    return target


def _read_invocation(items: list[Any]) -> Invocation:
    invocation_id = items[2]
    if not (invocation_id is None or type(invocation_id) is str):
        raise ProtocolError(f"Reading 'invocationId' as String failed: it is {type(invocation_id).__name__}.")
    return Invocation(
        headers=_headers(items),
        invocation_id=invocation_id or UNSET,
        target=_target(items),
        arguments=_item(items, 4, "arguments", list),
        stream_ids=_stream_ids(items),
    )


def _read_stream_item(items: list[Any]) -> StreamItem:
    return StreamItem(headers=_headers(items), invocation_id=_id(items), item=items[3])


def _read_completion(items: list[Any]) -> Completion:
    headers, invocation_id, kind = _headers(items), _id(items), _item(items, 3, "result kind", int)
    match kind:
        case 1:
            return Completion(headers=headers, invocation_id=invocation_id, error=_item(items, 4, "error", str))
        case 2:
            return Completion(headers=headers, invocation_id=invocation_id)
        case 3:
            return Completion(headers=headers, invocation_id=invocation_id, result=items[4])
        case _:
            raise ProtocolError(f"Invalid invocation result kind. It is {kind}; 1 to 3 are known.")


def _read_stream_invocation(items: list[Any]) -> StreamInvocation:
    return StreamInvocation(
        headers=_headers(items),
        invocation_id=_id(items),
        target=_target(items),
        arguments=_item(items, 4, "arguments", list),
        stream_ids=_stream_ids(items),
    )


def _read_cancel_invocation(items: list[Any]) -> CancelInvocation:
    return CancelInvocation(headers=_headers(items), invocation_id=_id(items))


def _read_ping(_items: list[Any]) -> Ping:
    return Ping()


def _read_close(items: list[Any]) -> Close:
    """Return a Close; the TypeScript client sends only two items."""
    error = None if items[1] is None else _item(items, 1, "error", str)
    allow_reconnect = len(items) > 2 and _item(items, 2, "allowReconnect", bool)
    return Close(error=UNSET if error is None else error, allow_reconnect=allow_reconnect)


def _read_ack(items: list[Any]) -> Ack:
    return Ack(sequence_id=_item(items, 1, "sequenceId", int))


def _read_sequence(items: list[Any]) -> SequenceMessage:
    return SequenceMessage(sequence_id=_item(items, 1, "sequenceId", int))


_READERS: Final[dict[int, Callable[[list[Any]], HubMessage]]] = {
    1: _read_invocation,
    2: _read_stream_item,
    3: _read_completion,
    4: _read_stream_invocation,
    5: _read_cancel_invocation,
    6: _read_ping,
    7: _read_close,
    8: _read_ack,
    9: _read_sequence,
}

"""One type for each message of the hub protocol, and nothing else. Room: core, row 0.

The types are msgspec Structs because there may be hundreds of thousands of messages a second: a Struct is the fastest to create, and
the JSON decoder creates it directly. Fields are in the order in which ASP.NET Core writes the members.

An absent member is `UNSET` (false in a condition), which is not the same as null: a `Completion` without ``result`` says
"nothing was returned", one with ``result=None`` says "the method returned null".
Spec: hub protocol specification, "Overview", "JSON Encoding" and "MessagePack (MsgPack) encoding".
"""

from __future__ import annotations

from typing import Final, get_args

from msgspec import UNSET, Struct, UnsetType

from signalr_client.types import Headers

__all__ = [
    "COUNTED",
    "UNSET",
    "VOID",
    "Ack",
    "CancelInvocation",
    "Close",
    "Completion",
    "CountedMessage",
    "HubMessage",
    "Invocation",
    "Ping",
    "Sequence",
    "StreamInvocation",
    "StreamItem",
]

VOID: Final = UNSET
"""The result of a Completion without one."""


class _Message(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type"):
    """Common to all messages: immutable, keyword-only, and the member names of the specification on the wire."""


class Invocation(_Message, frozen=True, kw_only=True, gc=False, tag=1):
    """Type 1: call a method of the peer. Without ``invocation_id`` no response is expected."""

    headers: Headers | UnsetType = UNSET
    invocation_id: str | UnsetType = UNSET
    target: str
    arguments: list[object]
    stream_ids: list[str] | UnsetType = UNSET


class StreamItem(_Message, frozen=True, kw_only=True, gc=False, tag=2):
    """Type 2: one item of a stream, in either direction."""

    headers: Headers | UnsetType = UNSET
    invocation_id: str
    item: object


class Completion(_Message, frozen=True, kw_only=True, gc=False, tag=3):
    """Type 3: an invocation or a stream has ended, with an error, with a result, or with neither."""

    headers: Headers | UnsetType = UNSET
    invocation_id: str
    error: str | UnsetType = UNSET
    result: object = UNSET


class StreamInvocation(_Message, frozen=True, kw_only=True, gc=False, tag=4):
    """Type 4: call a method of the peer that returns a stream."""

    headers: Headers | UnsetType = UNSET
    invocation_id: str
    target: str
    arguments: list[object]
    stream_ids: list[str] | UnsetType = UNSET


class CancelInvocation(_Message, frozen=True, kw_only=True, gc=False, tag=5):
    """Type 5: the caller no longer needs the stream (or, since .NET 11, the result)."""

    headers: Headers | UnsetType = UNSET
    invocation_id: str


class Ping(_Message, frozen=True, kw_only=True, gc=False, tag=6):
    """Type 6: the sender is still there."""


class Close(_Message, frozen=True, kw_only=True, gc=False, tag=7):
    """Type 7: the connection ends; ``allow_reconnect`` tells a client whether it may reconnect automatically."""

    error: str | None | UnsetType = UNSET  # null is accepted, because some servers send it, but never sent
    allow_reconnect: bool = False


class Ack(_Message, frozen=True, kw_only=True, gc=False, tag=8):
    """Type 8: all messages up to and including ``sequence_id`` were received. Stateful reconnect only."""

    sequence_id: int


class Sequence(_Message, frozen=True, kw_only=True, gc=False, tag=9):
    """Type 9: the next counted message has the number ``sequence_id``. Stateful reconnect only."""

    sequence_id: int


CountedMessage = Invocation | StreamItem | Completion | StreamInvocation | CancelInvocation
"""The messages that stateful reconnect numbers and delivers exactly once. All others belong to one physical connection."""

COUNTED: Final[frozenset[type]] = frozenset(get_args(CountedMessage))
"""The types of `CountedMessage`."""

HubMessage = CountedMessage | Ping | Close | Ack | Sequence
"""Any message of the hub protocol."""

"""One type for each message of the hub protocol, and nothing else. Room: core, row 0. Spec: HubProtocol.md.

The types are msgspec Structs because these are made by the hundred thousand a second and a Struct is both the fastest value
to make and the one that the JSON decoder builds by itself. Field order is the order in which ASP.NET Core writes the members.

An absent member is `UNSET` (false in a condition), which is not the same as null: a `Completion` without ``result`` says
"nothing was returned", one with ``result=None`` says "the method returned null".
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from signalr_client.types import Headers

__all__ = [
    "UNSET",
    "VOID",
    "Ack",
    "CancelInvocation",
    "Close",
    "Completion",
    "HubMessage",
    "Invocation",
    "Ping",
    "Sequence",
    "StreamInvocation",
    "StreamItem",
]

VOID: Final = UNSET
"""The result of a Completion that carries none."""


class _Message(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type"):
    """What the messages share: immutable, keyword-only, and the spec's member names on the wire."""


class Invocation(_Message, frozen=True, kw_only=True, gc=False, tag=1):
    """Type 1: call a method of the peer. Without ``invocation_id`` no answer is wanted."""

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
    """Type 4: call a method of the peer that answers with a stream."""

    headers: Headers | UnsetType = UNSET
    invocation_id: str
    target: str
    arguments: list[object]
    stream_ids: list[str] | UnsetType = UNSET


class CancelInvocation(_Message, frozen=True, kw_only=True, gc=False, tag=5):
    """Type 5: the caller no longer wants the stream (or, from .NET 11 on, the result)."""

    headers: Headers | UnsetType = UNSET
    invocation_id: str


class Ping(_Message, frozen=True, kw_only=True, gc=False, tag=6):
    """Type 6: I am still here."""


class Close(_Message, frozen=True, kw_only=True, gc=False, tag=7):
    """Type 7: the connection ends here; ``allow_reconnect`` says whether an automatic reconnect is welcome."""

    error: str | None | UnsetType = UNSET  # null is read, because some servers write it, and never written
    allow_reconnect: bool = False


class Ack(_Message, frozen=True, kw_only=True, gc=False, tag=8):
    """Type 8: everything up to and including ``sequence_id`` has come. Stateful reconnect only."""

    sequence_id: int


class Sequence(_Message, frozen=True, kw_only=True, gc=False, tag=9):
    """Type 9: the next counted message has the number ``sequence_id``. Stateful reconnect only."""

    sequence_id: int


HubMessage = Invocation | StreamItem | Completion | StreamInvocation | CancelInvocation | Ping | Close | Ack | Sequence
"""Any message of the hub protocol."""

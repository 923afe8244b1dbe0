"""What two descriptions of the same hub have in common: everything that is on the wire, without what one language cannot say."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from signalr_client.generate import Description
from signalr_client.generate.description import REQUIRED, Interface, Method, Record, Stream
from signalr_client.generate.types import ListOf, MapOf, Nullable, Reference, Scalar, TupleOf, Type, UnionOf, Variable

PYTHON = {kind: Scalar.INT64 for kind in Scalar if kind.is_integer} | {Scalar.FLOAT32: Scalar.FLOAT64}
"""The types that Python does not tell apart."""


def plain(description: Description, same: Mapping[Scalar, Scalar] | None = None) -> dict[str, Any]:
    """Return the methods and types of a description, without names in one language, docs and defaults."""
    same = same or {}

    def convert(kind: Type | Stream | None) -> Any:
        match kind:
            case Scalar():
                return same.get(kind, kind)
            case Stream():
                return "stream", convert(kind.item)
            case ListOf():
                return "set" if kind.unique else "list", convert(kind.item)
            case MapOf():
                return "map", convert(kind.key), convert(kind.value)
            case Nullable():
                return "nullable", convert(kind.inner)
            case TupleOf(items=parts) | UnionOf(members=parts) | Reference(arguments=parts):
                return type(kind), getattr(kind, "name", None), tuple(map(convert, parts))
            case Variable():
                return "variable", kind.name
            case _:
                return kind

    def method(found: Method) -> Any:
        return [(convert(each.type), each.default is REQUIRED) for each in found.parameters], convert(found.result)

    def interface(found: Interface | None) -> Any:
        return found and (found.name, {each.wire: method(each) for each in found.methods})

    def declaration(found: Any) -> Any:
        if not isinstance(found, Record):
            return {each.wire: each.value for each in found.members}, found.flags
        fields = {each.json: (each.messagepack, convert(each.type), each.default is REQUIRED) for each in found.fields}
        return fields, found.variables, tuple(map(convert, found.bases)), found.sequence

    return {
        "hubs": {
            hub.name: (interface(dataclasses.replace(hub, client=None)), interface(hub.client)) for hub in description.hubs
        },
        "types": {each.name: declaration(each) for each in description.declarations},
    }

"""C#'s types, keywords and literals. Room: generate."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from decimal import Decimal
from typing import Final

from signalr_client.generate.description import Stream
from signalr_client.generate.types import (
    ListOf,
    LiteralOf,
    MapOf,
    Nullable,
    Reference,
    Scalar,
    TupleOf,
    Type,
    UnionOf,
    Variable,
)

__all__ = ["LibraryNames", "escaped", "literal"]

_NAMESPACES: Final[dict[str, str]] = {
    "DateOnly": "System",
    "DateTime": "System",
    "DateTimeOffset": "System",
    "Flags": "System",
    "Guid": "System",
    "TimeOnly": "System",
    "TimeSpan": "System",
    "Dictionary": "System.Collections.Generic",
    "HashSet": "System.Collections.Generic",
    "IAsyncEnumerable": "System.Collections.Generic",
    "List": "System.Collections.Generic",
    "Task": "System.Threading.Tasks",
    "DataContract": "System.Runtime.Serialization",
    "DataMember": "System.Runtime.Serialization",
    "EnumMember": "System.Runtime.Serialization",
    "JsonConverter": "System.Text.Json.Serialization",
    "JsonIgnore": "System.Text.Json.Serialization",
    "JsonIgnoreCondition": "System.Text.Json.Serialization",
    "JsonPropertyName": "System.Text.Json.Serialization",
    "JsonStringEnumConverter": "System.Text.Json.Serialization",
    "JsonStringEnumMemberName": "System.Text.Json.Serialization",
    "HubMethodName": "Microsoft.AspNetCore.SignalR",
}
_KEYWORDS_TEXT: Final = (
    "abstract as base bool break byte case catch char checked class const continue decimal default delegate do double else enum event"
    " explicit extern false finally fixed float for foreach goto if implicit in int interface internal is lock long namespace new null"
    " object operator out override params private protected public readonly ref return sbyte sealed short sizeof stackalloc static"
    " string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using virtual void volatile while"
)
_KEYWORDS: Final = frozenset(_KEYWORDS_TEXT.split())


class LibraryNames:
    """Names of .NET's library: each with its namespace if a type of the description has the same name.

    Args:
        declared: the types of the description.

    Attributes:
        used: the namespaces that the text needs.
    """

    def __init__(self, declared: Collection[str]) -> None:
        self.used: set[str] = set()
        self._declared = declared

    def __call__(self, name: str) -> str:
        """Return the name to write."""
        namespace = _NAMESPACES[name]
        if name in self._declared:
            return f"global::{namespace}.{name}"
        self.used.add(namespace)
        return name

    def write(self, kind: Type | Stream) -> str:
        """Return a type; a tuple and a union, which C# has no type for, are object arrays and objects."""
        match kind:
            case Stream():
                return f"{self('IAsyncEnumerable')}<{self.write(kind.item)}>"
            case Scalar.ANY | Scalar.NULL | UnionOf():
                return "object" if isinstance(kind, UnionOf) else "object?"
            case Scalar():
                return self(kind.value) if kind.value in _NAMESPACES else kind.value
            case ListOf():
                return f"{self('HashSet' if kind.unique else 'List')}<{self.write(kind.item)}>"
            case TupleOf():
                return "object?[]"
            case MapOf():
                return f"{self('Dictionary')}<{self.write(kind.key)}, {self.write(kind.value)}>"
            case Nullable():
                return f"{self.write(kind.inner).removesuffix('?')}?"
            case LiteralOf():
                return _kind_of(kind)
            case Variable():
                return kind.name
            case Reference():
                arguments = f"<{', '.join(map(self.write, kind.arguments))}>" if kind.arguments else ""
                return f"{escaped(kind.name)}{arguments}"


def escaped(name: str) -> str:
    """Return an identifier, with an @ if it is a keyword."""
    return f"@{name}" if name in _KEYWORDS else name


def literal(value: bool | Decimal | float | str | None) -> str:  # noqa: FBT001  # any constant
    """Return a constant."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float() if math.isnan(value):
            return "double.NaN"
        case float() if math.isinf(value):
            return "double.PositiveInfinity" if value > 0 else "double.NegativeInfinity"
        case int() | float():
            return repr(value)
        case Decimal():
            return f"{value:f}m"
        case str():
            return json.dumps(value)


def _kind_of(kind: LiteralOf) -> str:
    kinds = {type(value) for value in kind.values}
    names: dict[type, str] = {str: "string", int: "long", bool: "bool"}
    return names[kinds.pop()] if len(kinds) == 1 else "object"

"""From the types of a description to JSON Schema (draft 7): what values are over JSON. Room: generate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from signalr_client.generate.description import REQUIRED, Constant, Description, Enumeration, Field, Record
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

__all__ = ["JsonSchemas", "Schema", "fixed_array"]

Schema = dict[str, Any]

_SCALARS: Final[dict[Scalar, Schema]] = {
    Scalar.NULL: {"type": "null"},
    Scalar.BOOL: {"type": "boolean"},
    Scalar.INT8: {"type": "integer", "minimum": -(2**7), "maximum": 2**7 - 1},
    Scalar.INT16: {"type": "integer", "minimum": -(2**15), "maximum": 2**15 - 1},
    Scalar.INT32: {"type": "integer", "format": "int32"},
    Scalar.INT64: {"type": "integer", "format": "int64"},
    Scalar.UINT8: {"type": "integer", "minimum": 0, "maximum": 2**8 - 1},
    Scalar.UINT16: {"type": "integer", "minimum": 0, "maximum": 2**16 - 1},
    Scalar.UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    Scalar.UINT64: {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    Scalar.FLOAT32: {"type": "number", "format": "float"},
    Scalar.FLOAT64: {"type": "number", "format": "double"},
    Scalar.DECIMAL: {"type": "number", "format": "decimal"},
    Scalar.STRING: {"type": "string"},
    Scalar.BYTES: {"type": "string", "contentEncoding": "base64"},
    Scalar.UUID: {"type": "string", "format": "uuid"},
    # a DateTime of .NET may have no offset, which the format date-time requires
    Scalar.DATE_TIME: {
        "type": "string",
        "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?$",
        "description": "A date and time, ISO 8601.",
    },
    Scalar.DATE_TIME_OFFSET: {"type": "string", "format": "date-time"},
    Scalar.DATE: {"type": "string", "format": "date"},
    Scalar.TIME: {
        "type": "string",
        "pattern": r"^\d{2}:\d{2}:\d{2}(\.\d{1,7})?$",
        "description": "A time of day, HH:mm:ss.fffffff.",
    },
    Scalar.DURATION: {
        "type": "string",
        "pattern": r"^-?(\d+\.)?\d{2}:\d{2}:\d{2}(\.\d{1,7})?$",
        "description": "A duration, [-][d.]hh:mm:ss[.fffffff].",
    },
    Scalar.ANY: {},
}


@dataclass(frozen=True, slots=True)
class _Instance:
    """A record with the values of its type variables: schemas have no variables, so there is one for each."""

    record: Record
    variables: Mapping[str, Type]


class JsonSchemas:
    """Makes the schemas of types, and collects those that are declared.

    Args:
        description: the declared types.
        enums: how enumerations are over JSON.
        location: where the declared schemas will be, as a JSON pointer.

    Attributes:
        declared: the schemas of the declared types that were mentioned, by name.
    """

    def __init__(self, description: Description, *, enums: Literal["numbers", "names"], location: str) -> None:
        self.declared: dict[str, Schema] = {}
        self._description = description
        self._names = enums == "names"
        self._location = location

    def schema(self, kind: Type) -> Schema:
        """Return the schema of a type; declared types are referred to."""
        return self._schema(kind, {})

    def _schema(self, kind: Type, variables: Mapping[str, Type]) -> Schema:
        match kind:
            case Scalar():
                return dict(_SCALARS[kind])
            case ListOf():
                unique = {"uniqueItems": True} if kind.unique else {}
                return {"type": "array", "items": self._schema(kind.item, variables), **unique}
            case TupleOf():
                return fixed_array([self._schema(item, variables) for item in kind.items])
            case MapOf():
                return self._map(kind, variables)
            case Nullable():
                return _nullable(self._schema(kind.inner, variables))
            case UnionOf():
                return {"anyOf": [self._schema(member, variables) for member in kind.members]}
            case LiteralOf():
                return {"enum": list(kind.values)}
            case Variable():
                return self._schema(variables.get(kind.name, Scalar.ANY), {})
            case Reference():
                arguments = tuple(_substitute(argument, variables) for argument in kind.arguments)
                return {"$ref": f"{self._location}/{self._declare(Reference(kind.name, arguments))}"}

    def _map(self, kind: MapOf, variables: Mapping[str, Type]) -> Schema:
        found: Schema = {"type": "object", "additionalProperties": self._schema(kind.value, variables)}
        key = self._description.by_name.get(kind.key.name) if isinstance(kind.key, Reference) else None
        if isinstance(key, Enumeration) and not key.flags:  # in keys, enumerations are names
            found["propertyNames"] = {"enum": [member.wire for member in key.members]}
        return found

    def _declare(self, reference: Reference) -> str:
        """Return the name of the schema of a declared type, and make it if that has not begun."""
        name = _instance_name(reference)
        if name not in self.declared:
            self.declared[name] = {}
            declaration = self._description.by_name[reference.name]
            if isinstance(declaration, Enumeration):
                self.declared[name] = self._enumeration(declaration)
            else:
                variables = dict(zip(declaration.variables, reference.arguments, strict=False))
                self.declared[name] = self._record(declaration, variables)
        return name

    def _record(self, record: Record, variables: Mapping[str, Type]) -> Schema:
        found: Schema = {"type": "object"}
        properties = {field.json: self._field(field, variables) for field in record.fields}
        if properties:
            found["properties"] = properties
        required = [field.json for field in record.fields if field.default is REQUIRED]
        if required:
            found["required"] = required
        if record.bases:
            found = {"allOf": [*(self._schema(base, variables) for base in record.bases), found]}
        return _described(found, record.doc)

    def _field(self, field: Field, variables: Mapping[str, Type]) -> Schema:
        found = _described(self._schema(field.type, variables), field.doc)
        if isinstance(field.default, Constant) and "$ref" not in found:  # beside a reference, it would be ignored
            value = field.default.value
            found["default"] = float(value) if isinstance(value, Decimal) else value
        return found

    def _enumeration(self, enumeration: Enumeration) -> Schema:
        found: Schema
        if self._names or enumeration.names or enumeration.textual:
            names = [member.wire for member in enumeration.members]
            found = {"type": "string"} if enumeration.flags else {"type": "string", "enum": names}
        else:
            names = [member.dotnet for member in enumeration.members]
            values = [member.value for member in enumeration.members]
            found = {"type": "integer", "x-enum-varnames": names}
            found |= {"x-enum-values": values} if enumeration.flags else {"enum": values}
        return _described(found, enumeration.doc)


def fixed_array(items: list[Schema]) -> Schema:
    """Return the schema of an array with exactly these items."""
    count = {"minItems": len(items), "maxItems": len(items)}
    return {"type": "array", "items": items, **count} if items else {"type": "array", **count}


def _nullable(schema: Schema) -> Schema:
    kind = schema.get("type")
    if isinstance(kind, str) and "enum" not in schema:
        return schema | {"type": [kind, "null"]}
    if not schema:
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _described(schema: Schema, doc: str) -> Schema:
    if not doc:
        return schema
    return {"allOf": [schema], "description": doc} if "$ref" in schema else {**schema, "description": doc}


def _instance_name(kind: Type) -> str:
    """Return ``PageOfOrder`` for ``Page[Order]``."""
    match kind:
        case Reference(name=name, arguments=arguments) if arguments:
            return f"{name}Of{'And'.join(map(_instance_name, arguments))}"
        case Reference(name=name):
            return name
        case Scalar():
            return kind.name.title().replace("_", "")
        case ListOf(item=item):
            return f"ListOf{_instance_name(item)}"
        case Nullable(inner=inner):
            return f"Optional{_instance_name(inner)}"
        case MapOf():
            return f"MapOf{_instance_name(kind.key)}To{_instance_name(kind.value)}"
        case TupleOf(items=parts) | UnionOf(members=parts):
            joined = ("And" if isinstance(kind, TupleOf) else "Or").join(map(_instance_name, parts))
            return f"{'Tuple' if isinstance(kind, TupleOf) else ''}{joined}"
        case LiteralOf():
            return "Or".join("".join(filter(str.isalnum, str(value))) for value in kind.values)
        case Variable():
            return kind.name


def _substitute(kind: Type, variables: Mapping[str, Type]) -> Type:
    """Return a type with its variables replaced."""

    def inside(part: Type) -> Type:
        return _substitute(part, variables)

    match kind:
        case Variable():
            return variables.get(kind.name, Scalar.ANY)
        case Reference():
            return Reference(kind.name, tuple(map(inside, kind.arguments)))
        case ListOf():
            return ListOf(inside(kind.item), kind.unique)
        case MapOf():
            return MapOf(inside(kind.key), inside(kind.value))
        case Nullable():
            return Nullable(inside(kind.inner))
        case TupleOf():
            return TupleOf(tuple(map(inside, kind.items)))
        case UnionOf():
            return UnionOf(tuple(map(inside, kind.members)))
        case Scalar() | LiteralOf():
            return kind

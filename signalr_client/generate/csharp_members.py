"""The properties and parameters of C# as they are written: attributes, accessors, initial values. Room: generate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from signalr_client.generate.csharp_syntax import Attribute, Code
from signalr_client.generate.csharp_values import NotConstant, Value, evaluate
from signalr_client.generate.description import (
    UNKNOWN,
    Constant,
    Declaration,
    Default,
    EmptyContainer,
    EnumConstant,
    Enumeration,
)
from signalr_client.generate.types import ListOf, MapOf, Nullable, Reference, Scalar, Type

__all__ = ["ParameterCode", "initial_value", "parameters_of", "zero"]

_FLOATS: Final = (Scalar.FLOAT32, Scalar.FLOAT64, Scalar.DECIMAL)


@dataclass(frozen=True, slots=True)
class ParameterCode:
    """One parameter of a method, a constructor or a record."""

    code: Code
    type: Code
    name: str
    modifiers: frozenset[str]
    default: Code | None

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute with a name."""
        return self.code.attribute(name)


def parameters_of(code: Code) -> Iterator[ParameterCode]:
    """Yield the parameters of a method, a constructor or a record."""
    given = code.part("parameters") or code.child("parameter_list")
    if given is None:
        return
    for parameter in given.children:
        if parameter.kind == "parameter":
            name = parameter.required("name").text
            yield ParameterCode(parameter, parameter.required("type"), name, parameter.modifiers, parameter.value())
    rest = given.part("name")
    if rest is not None:  # the grammar puts the parts of ``params int[] values`` into the list itself
        yield ParameterCode(given, given.required("type"), rest.text, frozenset({"params"}), None)


def initial_value(code: Code, kind: Type, names: Mapping[str, Value], declared: Mapping[str, Declaration]) -> Default:
    """Return the default that an expression gives to a member or a parameter; `UNKNOWN` if only .NET can evaluate it.

    Args:
        code: the expression.
        kind: the type of what it is given to.
        names: constants.
        declared: the enumerations.
    """
    inner = kind.inner if isinstance(kind, Nullable) else kind
    if _is_default(code):
        return Constant(None) if isinstance(kind, Nullable) or kind is Scalar.ANY else zero(kind, declared)
    if (isinstance(inner, ListOf | MapOf) or inner is Scalar.BYTES) and _is_empty(code):
        return EmptyContainer()
    if code.kind == "member_access_expression" and code.text in ("string.Empty", "String.Empty") and inner is Scalar.STRING:
        return Constant("")
    if isinstance(inner, Reference):
        return _enum_member(code, inner, declared)
    try:
        value = evaluate(code, names)
    except NotConstant:
        return UNKNOWN
    return Constant(value) if _fits(value, kind) else UNKNOWN


def zero(kind: Type, declared: Mapping[str, Declaration]) -> Default:
    """Return the default of a type in .NET: zero, false, null; `UNKNOWN` for those that are not simple in other languages."""
    match kind:
        case Nullable() | Scalar.ANY:
            return Constant(None)
        case Scalar.BOOL:
            return Constant(value=False)
        case Scalar() if kind.is_integer:
            return Constant(0)
        case Scalar.FLOAT32 | Scalar.FLOAT64:
            return Constant(0.0)
        case Reference():
            enumeration = declared.get(kind.name)
            members = enumeration.members if isinstance(enumeration, Enumeration) else ()
            return next((EnumConstant(kind.name, member.name) for member in members if member.value == 0), UNKNOWN)
        case _:
            return UNKNOWN


def _is_default(code: Code) -> bool:
    """Return whether an expression is ``default``, ``default!`` or ``default(T)``."""
    if code.kind == "postfix_unary_expression" and code.has_token("!"):
        return _is_default(code.children[0])
    return code.kind == "default_expression"


def _is_empty(code: Code) -> bool:
    """Return whether an expression makes an empty collection: ``[]``, ``new()``, ``new List<int>()``, ``Array.Empty<int>()``."""
    match code.kind:
        case "collection_expression":
            return not code.children
        case "object_creation_expression" | "implicit_object_creation_expression":
            arguments = code.part("arguments") or code.child("argument_list")
            return code.child("initializer_expression") is None and (arguments is None or not arguments.children)
        case "invocation_expression":
            function = code.required("function")
            name = function.part("name")
            return name is not None and name.text.partition("<")[0] == "Empty"
        case "member_access_expression":
            return code.required("name").text == "Empty"
        case _:
            return False


def _enum_member(code: Code, kind: Reference, declared: Mapping[str, Declaration]) -> Default:
    enumeration = declared.get(kind.name)
    if isinstance(enumeration, Enumeration) and code.kind == "member_access_expression":
        wanted = code.required("name").text
        for member in enumeration.members:
            if member.dotnet == wanted:
                return EnumConstant(enumeration.name, member.name)
    return Constant(None) if code.kind == "null_literal" else UNKNOWN


def _fits(value: Value, kind: Type) -> bool:
    """Return whether a constant is a value of a type; ``null!`` is not one of a type that excludes null."""
    if value is None:
        return isinstance(kind, Nullable) or kind is Scalar.ANY
    inner = kind.inner if isinstance(kind, Nullable) else kind
    match value:
        case bool():
            return inner in (Scalar.BOOL, Scalar.ANY)
        case int():
            return inner is Scalar.ANY or (isinstance(inner, Scalar) and (inner.is_integer or inner in _FLOATS))
        case float():
            return inner in (Scalar.FLOAT32, Scalar.FLOAT64, Scalar.ANY)
        case Decimal():
            return inner is Scalar.DECIMAL
        case str():
            return inner in (Scalar.STRING, Scalar.ANY)

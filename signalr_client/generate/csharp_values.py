"""Constant expressions of C#: defaults, values of enumerations, arguments of attributes. Room: generate."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from signalr_client.generate.csharp_syntax import Code

__all__ = ["NotConstant", "Value", "evaluate"]

Value = bool | int | float | Decimal | str | None

_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "|": operator.or_,
    "&": operator.and_,
    "^": operator.xor,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "<<": operator.lshift,
    ">>": operator.rshift,
}
_UNARY: Final[dict[str, Callable[[Any], Any]]] = {
    "-": operator.neg,
    "+": operator.pos,
    "~": operator.invert,
    "!": operator.not_,
}
_ESCAPES: Final = {"0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class NotConstant(Exception):
    """An expression that only the compiler or the program itself can evaluate."""


def evaluate(code: Code, names: Mapping[str, Value]) -> Value:
    """Return the value of an expression.

    Args:
        code: the expression.
        names: the constants that it may refer to, by their names as they are written.

    Raises:
        NotConstant: the value cannot be known from the source.
    """
    if code.kind in _LITERALS:
        return _LITERALS[code.kind](code)
    match code.kind:
        case "parenthesized_expression" | "checked_expression":
            return evaluate(code.children[0], names)
        case "cast_expression":
            return evaluate(code.required("value"), names)
        case "postfix_unary_expression" if code.has_token("!"):
            return evaluate(code.children[0], names)
        case "prefix_unary_expression":
            return _unary(code, names)
        case "binary_expression":
            return _binary(code, names)
        case "identifier" | "member_access_expression" | "qualified_name":
            return _named(code, names)
        case "invocation_expression":
            return _name_of(code)
        case _:
            raise NotConstant(code.first_line)


def _integer(code: Code) -> int:
    digits = code.text.lower().replace("_", "").rstrip("ul")
    if digits.endswith("m") and not digits.startswith("0x"):
        digits = digits[:-1]
    return int(digits, {"0x": 16, "0b": 2}.get(digits[:2], 10))


def _real(code: Code) -> float | Decimal:
    digits = code.text.replace("_", "")
    return Decimal(digits[:-1]) if digits[-1] in "mM" else float(digits.rstrip("fFdD"))


def _characters(part: Code) -> str:
    if part.kind != "escape_sequence":
        return part.text
    mark, code = part.text[1], part.text[2:]
    return chr(int(code, 16)) if mark in "uUx" else _ESCAPES.get(mark, mark)


def _raw_string(code: Code) -> str:
    if "\n" in code.text:  # its indentation would have to be removed
        raise NotConstant(code.first_line)
    return "".join(child.text for child in code.children if child.kind == "raw_string_content")


def _unary(code: Code, names: Mapping[str, Value]) -> Value:
    value = evaluate(code.children[-1], names)
    function = _UNARY.get(code.node.children[0].type)
    if function is None or not isinstance(value, int | float | Decimal):
        raise NotConstant(code.first_line)
    result: Value = function(value)
    return result


def _binary(code: Code, names: Mapping[str, Value]) -> Value:
    left, right = evaluate(code.required("left"), names), evaluate(code.required("right"), names)
    function = _OPERATORS.get(code.required("operator").text)
    try:
        if function is not None:
            result: Value = function(left, right)
            return result
    except TypeError:
        pass
    raise NotConstant(code.first_line)


def _named(code: Code, names: Mapping[str, Value]) -> Value:
    """Return the value of a constant: ``Send``, ``Names.Send``, or a longer name that ends in one of them."""
    name = "".join(code.text.split()).removeprefix("global::")
    while name not in names and "." in name:
        name = name.partition(".")[2]
    if name not in names:
        raise NotConstant(code.first_line)
    return names[name]


def _name_of(code: Code) -> str:
    function, arguments = code.required("function"), code.required("arguments")
    if function.text != "nameof" or len(arguments.children) != 1:
        raise NotConstant(code.first_line)
    return arguments.children[0].text.rpartition(".")[2]


_LITERALS: Final[dict[str, Callable[[Code], Value]]] = {
    "null_literal": lambda _code: None,
    "boolean_literal": lambda code: code.text == "true",
    "integer_literal": _integer,
    "real_literal": _real,
    "string_literal": lambda code: "".join(map(_characters, code.children)),
    "character_literal": lambda code: "".join(map(_characters, code.children)),
    "verbatim_string_literal": lambda code: code.text[2:-1].replace('""', '"'),
    "raw_string_literal": _raw_string,
}

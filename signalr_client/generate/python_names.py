"""Python's types, defaults and docstrings. Room: generate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from signalr_client.generate.description import Constant, Declaration, Default, EnumConstant, Enumeration, Field, Stream
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

__all__ = ["Imports", "attribute_name", "constant", "docstring", "string"]

_BUILTINS: Final[dict[Scalar, str]] = {
    Scalar.NULL: "None",
    Scalar.BOOL: "bool",
    Scalar.STRING: "str",
    Scalar.BYTES: "bytes",
    Scalar.FLOAT32: "float",
    Scalar.FLOAT64: "float",
    Scalar.ANY: "object",
    **{kind: "int" for kind in Scalar if kind.is_integer},
}
_DATES: Final = {
    Scalar.DATE_TIME: "dt.datetime",
    Scalar.DATE: "dt.date",
    Scalar.TIME: "dt.time",
    Scalar.DURATION: "dt.timedelta",
}
_IMPORTED: Final[dict[Scalar, tuple[str, str]]] = {
    Scalar.DECIMAL: ("decimal", "Decimal"),
    Scalar.UUID: ("uuid", "UUID"),
    Scalar.DATE_TIME_OFFSET: ("signalr_client", "DateTimeOffset"),
}
# What annotations in the body of a class refer to: a member with such a name would hide it from those below.
_USED_BY_ANNOTATIONS: Final = frozenset(
    {"bool", "bytes", "dict", "dt", "field", "float", "int", "list", "object", "set", "str", "tuple"}
)


class Imports:
    """The imports of a module, collected while types are written."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}
        self._dates = False

    def use(self, module: str, name: str) -> str:
        """Return a name, and import it."""
        self._names.setdefault(module, set()).add(name)
        return name

    def lines(self) -> list[str]:
        """Return the import statements: those of the standard library, an empty line, the others."""
        found = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self._names.items())]
        ours = [line for line in found if line.startswith("from signalr_client")]
        standard = (["import datetime as dt"] if self._dates else []) + [line for line in found if line not in ours]
        return [*standard, "", *ours] if standard and ours else [*standard, *ours]

    def default(self, default: Default, declared: Mapping[str, Declaration]) -> str | None:
        """Return a default that is a constant or a member of an enumeration, or None if it is neither."""
        match default:
            case Constant(value=Decimal()):
                return f'{self.use("decimal", "Decimal")}("{default.value}")'
            case Constant():
                return constant(default.value)
            case EnumConstant():
                enumeration = declared[default.enumeration]
                assert isinstance(enumeration, Enumeration)
                return f"{enumeration.name}.{default.member}"
            case _:
                return None

    def write(self, kind: Type | Stream) -> str:
        """Return a type as an annotation."""
        match kind:
            case Stream():
                return f"{self.use('collections.abc', 'AsyncIterator')}[{self.write(kind.item)}]"
            case Scalar() if kind in _DATES:
                self._dates = True
                return _DATES[kind]
            case Scalar():
                return _BUILTINS.get(kind) or self.use(*_IMPORTED[kind])
            case ListOf():
                return f"{'set' if kind.unique else 'list'}[{self.write(kind.item)}]"
            case TupleOf():
                return f"tuple[{', '.join(map(self.write, kind.items)) or '()'}]"
            case MapOf():
                return f"dict[{self.write(kind.key)}, {self.write(kind.value)}]"
            case Nullable():
                return f"{self.write(kind.inner)} | None"
            case UnionOf():
                return " | ".join(dict.fromkeys(map(self.write, kind.members)))
            case LiteralOf():
                return f"{self.use('typing', 'Literal')}[{', '.join(constant(value) for value in kind.values)}]"
            case Variable():
                return kind.name
            case Reference():
                return f"{kind.name}[{', '.join(map(self.write, kind.arguments))}]" if kind.arguments else kind.name


def attribute_name(name: str) -> str:
    """Return the name of a method or a field, with an underscore if it would hide what annotations below it refer to."""
    return f"{name}_" if name in _USED_BY_ANNOTATIONS else name


def constant(value: bool | Decimal | float | str | None) -> str:  # noqa: FBT001  # any constant
    """Return a constant."""
    if isinstance(value, str):
        return string(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def string(text: str) -> str:
    """Return a text in double quotes, or in single ones if it contains double ones."""
    if '"' in text:
        return repr(text)
    quoted = repr(f"'{text}")  # a single quote in the text makes repr use double ones
    return f'"{quoted[2:]}'


def docstring(text: str) -> list[str]:
    """Return the lines of a docstring."""
    lines = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').splitlines()
    if len(lines) == 1:
        end = '\\"' if lines[0].endswith('"') and not lines[0].endswith('\\"') else lines[0][-1:]
        return [f'"""{lines[0][:-1]}{end}"""']
    return [f'"""{lines[0]}', *lines[1:], '"""']


def positional_first(fields: tuple[Field, ...]) -> tuple[list[Field], list[Field]]:
    """Return the fields that a constructor takes by position, and the others."""
    return [field for field in fields if field.positional], [field for field in fields if not field.positional]

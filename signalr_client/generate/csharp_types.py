"""From the types of C# to those of a description. Room: generate.

What a type means on the wire is what System.Text.Json and MessagePack make of it. A type that is neither known nor declared in the
files is an error, with the file and the line, because a guess would be wrong without notice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from signalr_client.generate.csharp_declarations import Declarations, TypeDeclaration, simple_name, type_arguments
from signalr_client.generate.csharp_syntax import Code
from signalr_client.generate.description import Field, Record
from signalr_client.generate.types import ListOf, MapOf, Nullable, Reference, Scalar, Type, Variable

__all__ = ["CSharpTypes", "Scope"]

_KEYWORDS: Final[dict[str, Scalar]] = {
    kind.value: kind
    for kind in Scalar
    if kind.is_integer or kind in (Scalar.BOOL, Scalar.FLOAT32, Scalar.FLOAT64, Scalar.DECIMAL)
} | {"string": Scalar.STRING, "object": Scalar.ANY, "char": Scalar.STRING}

_NAMED: Final[dict[str, Type]] = {
    "Boolean": Scalar.BOOL,
    "SByte": Scalar.INT8,
    "Byte": Scalar.UINT8,
    "Int16": Scalar.INT16,
    "UInt16": Scalar.UINT16,
    "Int32": Scalar.INT32,
    "UInt32": Scalar.UINT32,
    "Int64": Scalar.INT64,
    "UInt64": Scalar.UINT64,
    "Single": Scalar.FLOAT32,
    "Half": Scalar.FLOAT32,
    "Double": Scalar.FLOAT64,
    "Decimal": Scalar.DECIMAL,
    "String": Scalar.STRING,
    "Char": Scalar.STRING,
    "Uri": Scalar.STRING,
    "Version": Scalar.STRING,
    "Guid": Scalar.UUID,
    "DateTime": Scalar.DATE_TIME,
    "DateTimeOffset": Scalar.DATE_TIME_OFFSET,
    "DateOnly": Scalar.DATE,
    "TimeOnly": Scalar.TIME,
    "TimeSpan": Scalar.DURATION,
    "Object": Scalar.ANY,
    "dynamic": Scalar.ANY,
    "JsonElement": Scalar.ANY,
    "JsonDocument": Scalar.ANY,
    "JsonNode": Scalar.ANY,
    "JsonValue": Scalar.ANY,
    "JsonArray": ListOf(Scalar.ANY),
    "JsonObject": MapOf(Scalar.STRING, Scalar.ANY),
    "ArrayList": ListOf(Scalar.ANY),
    "IEnumerable": ListOf(Scalar.ANY),
    "ICollection": ListOf(Scalar.ANY),
    "IList": ListOf(Scalar.ANY),
    "Hashtable": MapOf(Scalar.STRING, Scalar.ANY),
    "IDictionary": MapOf(Scalar.STRING, Scalar.ANY),
}
_LISTS: Final = frozenset(
    {
        *("List", "IList", "ICollection", "IEnumerable", "IReadOnlyList", "IReadOnlyCollection"),
        *("Collection", "ObservableCollection", "ReadOnlyCollection", "Queue", "Stack", "LinkedList"),
        *("ImmutableArray", "ImmutableList", "IImmutableList", "ImmutableQueue", "ConcurrentBag", "ConcurrentQueue"),
        *("Memory", "ReadOnlyMemory", "ArraySegment"),
    }
)
_BUFFERS: Final = frozenset({"Memory", "ReadOnlyMemory", "ArraySegment"})  # of bytes, these are written as byte[] is
_SETS: Final = frozenset(
    {
        *("HashSet", "ISet", "IReadOnlySet", "SortedSet", "ImmutableHashSet", "ImmutableSortedSet", "IImmutableSet"),
        *("FrozenSet",),
    }
)
_MAPS: Final = frozenset(
    {
        *("Dictionary", "IDictionary", "IReadOnlyDictionary", "SortedDictionary", "SortedList", "ConcurrentDictionary"),
        *("ReadOnlyDictionary", "ImmutableDictionary", "ImmutableSortedDictionary", "IImmutableDictionary", "FrozenDictionary"),
    }
)
_VALUE_TYPES: Final = frozenset(kind for kind in Scalar if kind not in (Scalar.STRING, Scalar.BYTES, Scalar.ANY, Scalar.NULL))


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a type is used: inside of which type, and with which type variables."""

    space: tuple[str, ...] = ()
    variables: frozenset[str] = frozenset()

    @classmethod
    def inside(cls, declaration: TypeDeclaration) -> Scope:
        """Return the scope of the members of a type."""
        return cls((*declaration.space, declaration.name), frozenset(declaration.variables))


class CSharpTypes:
    """Reads types.

    Args:
        declarations: the types in the files.
        describe: is called with each declared type that is used, and returns the reference to it.
        nullable: whether the project enables nullable reference types; ``#nullable`` directives come first.

    Attributes:
        library: the records that stand for classes of .NET, and were used.
    """

    def __init__(
        self, declarations: Declarations, describe: Callable[[TypeDeclaration, Code], Reference], *, nullable: bool
    ) -> None:
        self.library: dict[str, Record] = {}
        self._declarations = declarations
        self._describe = describe
        self._nullable = nullable

    def read(self, code: Code, scope: Scope) -> Type:
        """Return a type as it is written.

        Raises:
            GenerateError: it is not known, or has no form on the wire.
        """
        match code.kind:
            case "predefined_type":
                scalar = _KEYWORDS.get(code.text)
                if scalar is None:
                    raise code.error(f"A value of the type {code.text} cannot be sent.")
                return scalar
            case "nullable_type":
                return _nullable(self.read(code.required("type"), scope))
            case "array_type":
                return self._array(code, scope)
            case "identifier" | "qualified_name" | "alias_qualified_name" | "generic_name":
                return self._named(code, scope)
            case "tuple_type":
                raise code.error("System.Text.Json writes a tuple as {}, because it has fields only; use a record instead.")
            case _:
                raise code.error(f"The type {code.first_line} cannot be sent.")

    def read_place(self, code: Code, scope: Scope) -> Type:
        """Return the type of a parameter, a result or a member, which may be null wherever the compiler does not see to it.

        Without nullable reference types, every reference may be null.

        Raises:
            GenerateError: as `read` does.
        """
        kind = self.read(code, scope)
        if isinstance(kind, Nullable) or self.is_checked(code) or self._is_value(kind, code, scope):
            return kind
        return _nullable(kind)

    def is_checked(self, code: Code) -> bool:
        """Return whether nullable reference types are enabled at a place."""
        line = code.node.start_point.row
        before = [state for directive, state in code.file.nullable if directive <= line]
        return self._nullable if not before or before[-1] is None else before[-1]

    def is_known(self, code: Code) -> bool:
        """Return whether a named type is a class of .NET that is a value, a list or a map on the wire."""
        name, arguments = simple_name(code), type_arguments(code)
        return name in self._declarations.aliases or (
            self._generic(name, [Scalar.ANY] * len(arguments)) is not None if arguments else name in _NAMED
        )

    def find(self, code: Code, scope: Scope) -> TypeDeclaration | None:
        """Return the declaration of a named type, or None if no file has it."""
        name = "".join(code.text.partition("<")[0].split())
        return self._declarations.find(name, len(type_arguments(code)), scope.space, where=code.place)

    def _named(self, code: Code, scope: Scope) -> Type:
        name, arguments = simple_name(code), type_arguments(code)
        if name in scope.variables and not arguments:
            return Variable(name)
        declaration = self.find(code, scope)
        if declaration is not None:
            reference = self._describe(declaration, code)
            return Reference(reference.name, tuple(self.read(argument, scope) for argument in arguments))
        alias = self._declarations.aliases.get(name)
        if alias is not None and not arguments:
            return self.read(alias, Scope())
        known = self._generic(name, [self.read(argument, scope) for argument in arguments]) if arguments else _NAMED.get(name)
        if known is None:
            raise code.error(
                f"The type '{code.text}' is not declared in the files, and is not one that is known. Pass the file that declares it."
            )
        return known

    def _array(self, code: Code, scope: Scope) -> Type:
        item = self.read(code.required("type"), scope)
        if code.required("rank").has_token(","):
            raise code.error("System.Text.Json does not write arrays of several dimensions; use an array of arrays.")
        return Scalar.BYTES if item is Scalar.UINT8 else ListOf(item)

    def _generic(self, name: str, arguments: list[Type]) -> Type | None:
        """Return what a generic class of .NET is on the wire, or None for an unknown one."""
        match arguments:
            case [item] if name in _BUFFERS and item is Scalar.UINT8:
                return Scalar.BYTES
            case [item] if name in _LISTS or name in _SETS:
                return ListOf(item, unique=name in _SETS)
            case [item] if name == "Nullable":
                return _nullable(item)
            case [key, value] if name in _MAPS:
                return MapOf(key, value)
            case [key, value] if name == "KeyValuePair":
                return self._tuple("KeyValuePair", ["Key", "Value"], [key, value])
            case [*items] if name == "Tuple":
                names = [f"Item{number}" for number in range(1, len(items) + 1)]
                return self._tuple(f"Tuple{len(items)}", names, items)
            case _:
                return None

    def _tuple(self, name: str, names: list[str], arguments: list[Type]) -> Type:
        """Return a reference to a record for a tuple of .NET: an object over JSON, an array over MessagePack."""
        variables = tuple(f"T{part}" for part in names)
        fields = tuple(
            Field(part.lower(), part, part.lower(), part, Variable(variable), positional=True)
            for part, variable in zip(names, variables, strict=True)
        )
        self.library[name] = Record(name, fields, variables=variables, sequence=True)
        return Reference(name, tuple(arguments))

    def _is_value(self, kind: Type, code: Code, scope: Scope) -> bool:
        """Return whether a type can never be null, because it is a struct or an enumeration."""
        if isinstance(kind, Reference):
            declaration = self.find(code, scope)
            return kind.name == "KeyValuePair" if declaration is None else declaration.is_value_type
        return isinstance(kind, Variable) or kind in _VALUE_TYPES


def _nullable(kind: Type) -> Type:
    return kind if isinstance(kind, Nullable) or kind is Scalar.ANY else Nullable(kind)

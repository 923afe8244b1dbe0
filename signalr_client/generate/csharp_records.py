"""Records, classes, structs and enumerations in C#. Room: generate.

Which members are on the wire, and under which names, is decided as System.Text.Json and the contractless resolver of MessagePack do,
which are what SignalR uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from signalr_client.core.binding.naming import Naming, lower_start, naming_function
from signalr_client.generate.csharp_declarations import Declarations, TypeDeclaration, simple_name
from signalr_client.generate.csharp_docs import read_doc
from signalr_client.generate.csharp_members import ParameterCode, initial_value, parameters_of, zero
from signalr_client.generate.csharp_syntax import Attribute, Code
from signalr_client.generate.csharp_types import CSharpTypes, Scope
from signalr_client.generate.csharp_values import NotConstant, Value, evaluate
from signalr_client.generate.description import (
    REQUIRED,
    UNKNOWN,
    Constant,
    Declaration,
    Default,
    Enumeration,
    Field,
    Member,
    Record,
    Warn,
)
from signalr_client.generate.names import is_interface_name, python_constant, python_name
from signalr_client.generate.types import Nullable, Reference, Scalar, Type

__all__ = ["RecordReader"]

_MAYBE_MISSING = frozenset({"WhenWritingNull", "WhenWritingDefault"})
_INVISIBLE = frozenset({"JsonExtensionData", "IgnoreMember", "IgnoreDataMember"})


class RecordReader:
    """Reads what declared types consist of.

    Args:
        declarations: the types in the files.
        types: reads the types of members.
        described: the types that have been read, by name.
        naming: how System.Text.Json spells the names of members.
        enum_naming: how it spells those of enumerations.
        warn: is told what could not be expressed.
    """

    def __init__(
        self,
        declarations: Declarations,
        types: CSharpTypes,
        described: Mapping[str, Declaration],
        naming: Naming,
        enum_naming: Naming,
        warn: Warn,
    ) -> None:
        self._declarations = declarations
        self._types = types
        self._described = described
        self._spell, self._spell_member = _dotnet_naming(naming), _dotnet_naming(enum_naming)
        self._warn = warn

    # enumerations

    def enumeration(self, declaration: TypeDeclaration, name: str) -> Enumeration:
        """Return the description of an enumeration."""
        members = list(self._members(declaration))
        converter = declaration.attribute("JsonConverter")
        named = converter is not None and "JsonStringEnumConverter" in converter.code.text
        if not named:
            self._check_converters(declaration.code)
        described = tuple(member for _, member in members)
        texts = [code.attribute("JsonStringEnumMemberName") for code, _ in members]
        if named and texts and all(texts):  # then no number and no name of .NET is ever seen
            described = tuple(replace(member, value=member.wire) for member in described)
        bases = declaration.bases()
        underlying = self._types.read(bases[0], Scope()) if bases else Scalar.INT32
        assert isinstance(underlying, Scalar)
        flags = declaration.attribute("Flags") is not None
        return Enumeration(name, described, flags, underlying, names=named, doc=declaration.doc.text)

    def _members(self, declaration: TypeDeclaration) -> Iterator[tuple[Code, Member]]:
        names: dict[str, Value] = dict(self._declarations.constants)
        value = -1
        for code in declaration.code.required("body").children:
            if code.kind != "enum_member_declaration":
                continue
            dotnet, given = code.required("name").text, code.part("value")
            value = value + 1 if given is None else self._number(given, names)
            names[dotnet] = names[f"{declaration.name}.{dotnet}"] = value
            wire = self._text(code.attribute("JsonStringEnumMemberName"), "Name") or self._spell_member(dotnet)
            yield code, Member(python_constant(dotnet), dotnet, wire, value, read_doc(code.doc_comment()).text)

    def _number(self, code: Code, names: Mapping[str, Value]) -> int:
        try:
            value = evaluate(code, names)
        except NotConstant:
            value = None
        if isinstance(value, str) and len(value) == 1:  # a character
            value = ord(value)
        if not isinstance(value, int):
            raise code.error(f"The value of this member of an enumeration cannot be read: {code.first_line}")
        return value

    # records

    def record(self, declaration: TypeDeclaration, name: str) -> Record:
        """Return the description of a class, a record or a struct."""
        scope = Scope.inside(declaration)
        fields = {field.dotnet: field for field in self._positional(declaration, scope)}
        constructor = self._constructor_names(declaration)
        for member, conditional in declaration.members():
            field = self._member(member, scope, constructor)
            if field is not None:
                fields.setdefault(field.dotnet, field)
                if conditional:
                    self._declarations.conditional(member)
        for part in declaration.parts:
            self._check_converters(part)
            if part.attribute("JsonDerivedType") or part.attribute("JsonPolymorphic"):
                self._warn(f"{part.place}: The members of derived types of {declaration.name} and their $type are left out.")
        keys = self._keys(declaration)
        ordered = (
            tuple(sorted(fields.values(), key=lambda field: keys.get(field.dotnet, 0))) if keys else tuple(fields.values())
        )
        return Record(
            name, ordered, declaration.variables, tuple(self._bases(declaration, scope)), bool(keys), declaration.doc.text
        )

    def _bases(self, declaration: TypeDeclaration, scope: Scope) -> Iterator[Reference]:
        for base in declaration.bases():
            known = self._declarations.declared_base(declaration, base)
            if known is not None and known.kind != "interface":
                kind = self._types.read(base, scope)
                assert isinstance(kind, Reference)
                yield kind
            elif known is None and not is_interface_name(simple_name(base)):
                self._warn(f"{base.place}: The members of {base.text}, which no file declares, are left out.")

    def _positional(self, declaration: TypeDeclaration, scope: Scope) -> Iterator[Field]:
        """Yield the members that the parameters of a record make."""
        if declaration.kind != "record":
            return
        for part in declaration.parts:
            for parameter in parameters_of(part):
                kind = self._types.read_place(parameter.type, scope)
                default: Default = REQUIRED
                if parameter.default is not None:
                    default = self._initial(parameter.default, kind, parameter.name)
                field = self._field(parameter.name, parameter.code, kind, default)
                if field is not None:
                    doc = declaration.doc.parameters.get(parameter.name, "")
                    yield replace(field, doc=doc, positional=not declaration.bases())

    def _member(self, member: Code, scope: Scope, constructor: frozenset[str]) -> Field | None:
        """Return the field for a member of a class; None if it is not on the wire."""
        modifiers = member.modifiers
        included = member.attribute("JsonInclude") is not None
        if modifiers & {"static", "const"} or not ("public" in modifiers or included):
            return None
        if member.kind == "field_declaration" and not included:
            self._warn(f"{member.place}: System.Text.Json leaves out fields, so this one is left out: {member.first_line}")
            return None
        if member.kind == "field_declaration":
            variables = member.child("variable_declaration")
            assert variables is not None
            kind, name = variables.required("type"), variables.children[-1].required("name")
            value, settable = variables.children[-1].value(), True
        elif member.kind == "property_declaration" and "override" not in modifiers and _accessor(member, "get"):
            kind, name, value = member.required("type"), member.required("name"), member.part("value")
            settable = included or name.text.lower() in constructor or _accessor(member, "set") or _accessor(member, "init")
        else:
            return None
        read = self._types.read_place(kind, scope)
        default = self._default(member, name.text, read, value, settable=settable)
        field = self._field(name.text, member, read, default)
        return None if field is None else replace(field, doc=read_doc(member.doc_comment()).text)

    def _default(self, member: Code, name: str, kind: Type, value: Code | None, *, settable: bool) -> Default:
        """Return what a member is if it is left out."""
        if not settable:
            return Constant(None) if isinstance(kind, Nullable) else UNKNOWN
        if "required" in member.modifiers or member.attribute("JsonRequired") is not None:
            return REQUIRED
        if value is not None:
            return self._initial(value, kind, name)
        return Constant(None) if isinstance(kind, Nullable) or kind is Scalar.ANY else REQUIRED

    def _initial(self, value: Code, kind: Type, name: str) -> Default:
        default = initial_value(value, kind, self._declarations.constants, self._described)
        if default is not UNKNOWN:
            return default
        if not value.text.endswith("!"):  # null! and default! say that somebody else sets it
            self._warn(
                f"{value.place}: The initial value of {name} cannot be expressed, so it has to be given: {value.first_line}"
            )
        return REQUIRED

    def _field(self, dotnet: str, code: Code, kind: Type, default: Default) -> Field | None:
        """Return a field with the names that its attributes give it."""
        ignore = code.attribute("JsonIgnore")
        condition = "Never" if ignore is None else _last_name(ignore.named.get("Condition"), "Always")
        if condition == "Always":
            return None
        for attribute in code.attributes:
            if attribute.name in _INVISIBLE:
                self._warn(f"{code.place}: {dotnet} is left out, because of its attribute {attribute.name}.")
                return None
        if condition in _MAYBE_MISSING and default is REQUIRED:
            default = zero(kind, self._described)
        self._check_converters(code)
        json = self._text(code.attribute("JsonPropertyName"), "Name") or self._spell(dotnet)
        messagepack = self._text(code.attribute("Key"), "") or self._text(code.attribute("DataMember"), "Name") or dotnet
        return Field(python_name(dotnet), dotnet, json, messagepack, kind, default)

    def _text(self, attribute: Attribute | None, name: str) -> str | None:
        """Return the text that an attribute is given, by name or first; None if it is given none."""
        if attribute is None:
            return None
        given = attribute.named.get(name) or next(iter(attribute.arguments), None)
        if given is None:
            return None
        try:
            value = evaluate(given, self._declarations.constants)
        except NotConstant as exc:
            raise given.error(f"The argument of {attribute.name} cannot be read: {exc}") from exc
        return value if isinstance(value, str) else None

    def _keys(self, declaration: TypeDeclaration) -> dict[str, int]:
        """Return the positions of members in the array that a class is over MessagePack; empty if it is a map."""
        found: dict[str, int] = {}
        members = [(member.part("name"), member) for member, _ in declaration.members()]
        named = [(name.text, member) for name, member in members if name is not None]
        named += [(parameter.name, parameter.code) for part in declaration.parts for parameter in parameters_of(part)]
        for name, code in named:
            key, ordered = code.attribute("Key"), code.attribute("DataMember")
            given = key.arguments[0] if key is not None and key.arguments else None
            if given is None and ordered is not None:
                given = ordered.named.get("Order")
            if given is not None and given.kind == "integer_literal":
                found[name] = self._number(given, {})
        return found

    def _constructor_names(self, declaration: TypeDeclaration) -> frozenset[str]:
        """Return the names of the parameters of all constructors, in lower case: System.Text.Json sets members through them."""
        constructors = [member for member, _ in declaration.members() if member.kind == "constructor_declaration"]
        parameters: list[ParameterCode] = []
        for code in (*constructors, *declaration.parts):
            parameters += parameters_of(code)
        return frozenset(parameter.name.lower() for parameter in parameters)

    def _check_converters(self, code: Code) -> None:
        for attribute in code.attributes:
            if attribute.name in ("JsonConverter", "MessagePackFormatter"):
                self._warn(
                    f"{attribute.code.place}: What {attribute.code.first_line} does is not known; it is read as if it were not there."
                )


def _accessor(member: Code, name: str) -> bool:
    """Return whether a property has a public accessor; one with an expression body has a getter."""
    accessors = member.part("accessors")
    if accessors is None:
        return name == "get"
    return any(
        accessor.has_token(name) and not accessor.modifiers & {"private", "protected", "internal"}
        for accessor in accessors.children
    )


def _last_name(code: Code | None, default: str) -> str:
    return default if code is None else code.text.rpartition(".")[2]


def _dotnet_naming(naming: Naming) -> Callable[[str], str]:
    """Return what .NET does to its own names, which are in PascalCase already.

    Raises:
        ValueError: *naming* is not one of the known words.
    """
    naming_function(naming)
    return naming if callable(naming) else lower_start if naming == "camelCase" else str

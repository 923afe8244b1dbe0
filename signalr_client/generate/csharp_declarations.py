"""The types that files of C# declare, and how they are found by name. Room: generate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from signalr_client.generate.csharp_docs import Doc, read_doc
from signalr_client.generate.csharp_syntax import Attribute, Code, declarations_in
from signalr_client.generate.csharp_values import NotConstant, Value, evaluate
from signalr_client.generate.description import GenerateError, Warn

__all__ = ["Declarations", "TypeDeclaration", "base_types", "simple_name", "type_arguments"]

Kind = Literal["class", "struct", "record", "interface", "enum"]

_KINDS: Final[dict[str, Kind]] = {
    "class_declaration": "class",
    "struct_declaration": "struct",
    "record_declaration": "record",
    "interface_declaration": "interface",
    "enum_declaration": "enum",
}
_NAMESPACES: Final = frozenset({"namespace_declaration", "file_scoped_namespace_declaration"})


@dataclass(eq=False, slots=True)
class TypeDeclaration:
    """One type.

    Attributes:
        name: its name without the types around it.
        kind: what it is.
        variables: its type parameters.
        space: the names of the namespaces and types around it.
        parts: where it is declared; a partial type has several.
    """

    name: str
    kind: Kind
    variables: tuple[str, ...]
    space: tuple[str, ...]
    parts: list[Code] = field(default_factory=list)

    @property
    def code(self) -> Code:
        """The first part."""
        return self.parts[0]

    @property
    def is_value_type(self) -> bool:
        """Whether it is a struct or an enumeration, which is never null."""
        return self.kind in ("struct", "enum") or any(part.has_token("struct") for part in self.parts)

    @property
    def modifiers(self) -> frozenset[str]:
        """The modifiers of all parts."""
        return frozenset(modifier for part in self.parts for modifier in part.modifiers)

    @property
    def doc(self) -> Doc:
        """The documentation comment."""
        return read_doc("\n".join(filter(None, (part.doc_comment() for part in self.parts))))

    def attribute(self, name: str) -> Attribute | None:
        """Return the attribute with a name, from any part."""
        return next((found for part in self.parts if (found := part.attribute(name)) is not None), None)

    def bases(self) -> list[Code]:
        """Return the types in its base list."""
        return [base for part in self.parts for base in base_types(part)]

    def members(self) -> Iterator[tuple[Code, bool]]:
        """Yield what is declared inside of it, and whether that is compiled only under a condition."""
        for part in self.parts:
            body = part.part("body")
            if body is not None:
                yield from declarations_in(body)


class Declarations:
    """The types in several files.

    Args:
        files: their syntax trees.
        warn: is told of what could not be read.

    Attributes:
        constants: the constants that may be used in attributes and defaults, as ``Name`` of their class and as ``Class.Name``.
        aliases: the names that ``using Name = Type;`` gives to types.
    """

    def __init__(self, files: Sequence[Code], warn: Warn) -> None:
        self.constants: dict[str, Value] = {}
        self.aliases: dict[str, Code] = {}
        self._types: dict[str, list[TypeDeclaration]] = {}
        self._warn = warn
        for file in files:
            for broken in file.broken():
                warn(f"{broken.place}: This could not be read as C#, so something may be missing: {broken.first_line}")
            self._collect(file, ())
        self._collect_constants()

    def __iter__(self) -> Iterator[TypeDeclaration]:
        """Return all types, in the order of the files."""
        return (declaration for declarations in self._types.values() for declaration in declarations)

    def find(self, name: str, arity: int, space: tuple[str, ...] = (), *, where: str = "") -> TypeDeclaration | None:
        """Return the type that a name means, or None if no file declares it.

        Args:
            name: the name, with or without a namespace.
            arity: how many type arguments it has.
            space: the namespaces and types around the place where it is used.
            where: that place, for errors.

        Raises:
            GenerateError: it could be several types.
        """
        *qualifier, simple = name.removeprefix("global::").split(".")
        found = [
            declaration
            for declaration in self._types.get(simple, ())
            if len(declaration.variables) == arity and _ends_with(declaration.space, qualifier)
        ]
        if len(found) < 2:
            return found[0] if found else None
        near = sorted(found, key=lambda declaration: _common(declaration.space, space), reverse=True)
        if _common(near[0].space, space) == _common(near[1].space, space):
            places = " and ".join(declaration.code.place for declaration in near[:2])
            raise GenerateError(f"{where}: '{name}' could be the type of {places}.")
        return near[0]

    def derives_from(self, declaration: TypeDeclaration, name: str) -> Code | None:
        """Return the base type with a name, such as ``Hub`` or ``Hub<IChatClient>``, of a type or of its bases in the files."""
        for base in declaration.bases():
            if simple_name(base) == name and self.declared_base(declaration, base) is None:
                return base
            known = self.declared_base(declaration, base)
            if known is not None and known is not declaration and (found := self.derives_from(known, name)) is not None:
                return found
        return None

    def declared_base(self, declaration: TypeDeclaration, base: Code) -> TypeDeclaration | None:
        """Return the type that a base list names, or None if no file declares it."""
        return self.find(_name(base), len(type_arguments(base)), declaration.space, where=base.place)

    def conditional(self, member: Code) -> None:
        """Warn of a declaration that only some builds have."""
        self._warn(
            f"{member.place}: This is compiled only under a condition of #if; it is read as if that held: {member.first_line}"
        )

    def _collect(self, code: Code, space: tuple[str, ...]) -> None:
        for child, conditional in declarations_in(code):
            if child.kind in _NAMESPACES:
                name = tuple(child.required("name").text.split("."))
                body = child.part("body")
                if body is None:  # a file-scoped namespace: the rest of the file is in it
                    space = (*space, *name)
                else:
                    self._collect(body, (*space, *name))
            elif child.kind in _KINDS:
                self._declare(child, space)
            elif child.kind == "using_directive" and (alias := child.part("name")) is not None and child.has_token("="):
                self.aliases[alias.text] = child.children[-1]
            if conditional and child.kind in _KINDS:
                self.conditional(child)

    def _declare(self, code: Code, space: tuple[str, ...]) -> None:
        name = code.required("name").text
        parameters = code.part("type_parameters") or code.child("type_parameter_list")
        variables = tuple(parameter.required("name").text for parameter in parameters.children) if parameters else ()
        same = self._types.setdefault(name, [])
        known = next((other for other in same if (other.space, len(other.variables)) == (space, len(variables))), None)
        if known is None:
            known = TypeDeclaration(name, _KINDS[code.kind], variables, space)
            same.append(known)
        elif "partial" not in code.modifiers:
            raise GenerateError(f"{code.place}: '{name}' is declared a second time, after {known.code.place}.")
        known.parts.append(code)
        body = code.part("body")
        if body is not None and code.kind != "enum_declaration":
            self._collect(body, (*space, name))

    def _collect_constants(self) -> None:
        """Evaluate constants until nothing is added, because they may refer to each other in any order."""
        waiting = list(self._constant_declarations())
        while waiting:
            left = []
            for names, value in waiting:
                try:
                    self.constants |= dict.fromkeys(names, evaluate(value, self.constants))
                except NotConstant:
                    left.append((names, value))
            if len(left) == len(waiting):
                return
            waiting = left

    def _constant_declarations(self) -> Iterator[tuple[list[str], Code]]:
        for declaration in self:
            for member, _ in declaration.members():
                if member.kind != "field_declaration" or "const" not in member.modifiers:
                    continue
                variables = member.child("variable_declaration")
                for variable in variables.children if variables is not None else ():
                    if variable.kind == "variable_declarator" and (value := variable.value()) is not None:
                        name = variable.required("name").text
                        yield [name, f"{declaration.name}.{name}"], value


def base_types(code: Code) -> list[Code]:
    """Return the types in the base list of a declaration; the arguments for the constructor of a base class are left out."""
    bases = code.child("base_list")
    if bases is None:
        return []
    return [
        base.required("type") if base.kind == "primary_constructor_base_type" else base
        for base in bases.children
        if base.kind != "argument_list"
    ]


def simple_name(kind: Code) -> str:
    """Return the last part of the name of a type, without type arguments."""
    while kind.kind in ("qualified_name", "alias_qualified_name"):
        kind = kind.required("name")
    return (kind.child("identifier") or kind).text if kind.kind == "generic_name" else kind.text


def type_arguments(kind: Code) -> list[Code]:
    """Return the arguments of a generic type."""
    while kind.kind in ("qualified_name", "alias_qualified_name"):
        kind = kind.required("name")
    arguments = kind.child("type_argument_list")
    return arguments.children if arguments is not None else []


def _name(kind: Code) -> str:
    """Return the name of a type with its namespace, without type arguments."""
    if kind.kind == "qualified_name":
        return f"{_name(kind.required('qualifier'))}.{_name(kind.required('name'))}"
    return simple_name(kind)


def _ends_with(space: tuple[str, ...], qualifier: Iterable[str]) -> bool:
    wanted = tuple(qualifier)
    return not wanted or space[-len(wanted) :] == wanted


def _common(space: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Return how deep the innermost namespace is that encloses both, if a type in *space* can be seen from *other* at all."""
    return len(space) if other[: len(space)] == space else -1

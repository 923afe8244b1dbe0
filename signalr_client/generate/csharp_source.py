"""From C# hubs and interfaces to a description. Room: generate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from signalr_client.core.binding.naming import Naming, camel_case
from signalr_client.generate.csharp_declarations import Declarations, TypeDeclaration, simple_name, type_arguments
from signalr_client.generate.csharp_docs import read_doc
from signalr_client.generate.csharp_members import ParameterCode, initial_value, parameters_of
from signalr_client.generate.csharp_project import nullable_enabled
from signalr_client.generate.csharp_records import RecordReader
from signalr_client.generate.csharp_syntax import Code, read_file
from signalr_client.generate.csharp_types import CSharpTypes, Scope
from signalr_client.generate.csharp_values import NotConstant, evaluate
from signalr_client.generate.description import (
    REQUIRED,
    UNKNOWN,
    Declaration,
    Default,
    Description,
    Enumeration,
    GenerateError,
    Hub,
    Interface,
    Method,
    Parameter,
    Record,
    Stream,
    Warn,
    without_clients,
)
from signalr_client.generate.names import is_interface_name, python_name, without_interface_prefix
from signalr_client.generate.types import Reference, Type

__all__ = ["read_csharp"]

_AWAITABLES: Final = frozenset({"Task", "ValueTask"})
_STREAMS: Final = frozenset({"IAsyncEnumerable", "ChannelReader"})
_SERVICES: Final = frozenset({"FromServices", "FromKeyedServices"})
_LIFECYCLE: Final = frozenset({"OnConnectedAsync", "OnDisconnectedAsync", "Dispose", "ToString", "Equals", "GetHashCode"})
_BY_REFERENCE: Final = frozenset({"ref", "out", "in"})


def read_csharp(
    *files: str | Path,
    names: Sequence[str] = (),
    client: str | None = None,
    nullable: bool | None = None,
    naming: Naming = "camelCase",
    enum_naming: Naming = "PascalCase",
    warn: Warn = lambda _text: None,
) -> Description:
    """Return the description of the hubs and interfaces in files of C#.

    Args:
        files: the files; types that hubs use are looked up in all of them.
        names: which hubs and interfaces to read, and other types to include. By default all hubs; without hubs, all interfaces.
        client: the interface that clients implement, for hubs that are not a ``Hub<IChatClient>``.
        nullable: whether nullable reference types are enabled, where no ``#nullable`` says so. By default the project file decides.
        naming: how System.Text.Json spells the names of members.
        enum_naming: how it spells those of enumerations, where they are written by name.
        warn: is told what could not be expressed.

    Raises:
        GenerateError: something cannot be described; the text names the file and the line.
        OSError: a file cannot be read.
    """
    paths = [Path(file) for file in files]
    if nullable is None:
        nullable = all(nullable_enabled(path) for path in paths)
    declarations = Declarations([read_file(path) for path in paths], warn)
    reader = _Reader(declarations, naming, enum_naming, warn, nullable=nullable)
    hubs = reader.hubs(names, client)
    declared = (*reader.types.library.values(), *reader.described.values())
    return Description(hubs, declared, ", ".join(path.name for path in paths))


class _Reader:
    def __init__(self, declarations: Declarations, naming: Naming, enum_naming: Naming, warn: Warn, *, nullable: bool) -> None:
        self.described: dict[str, Declaration] = {}
        self.types = CSharpTypes(declarations, self._describe, nullable=nullable)
        self._declarations = declarations
        self._origins: dict[str, TypeDeclaration] = {}
        self._records = RecordReader(declarations, self.types, self.described, naming, enum_naming, warn)
        self._warn = warn

    def hubs(self, names: Sequence[str], client: str | None) -> tuple[Hub, ...]:
        """Return the hubs with these names, and describe the other types with such names."""
        chosen = [self._named(name) for name in names] or self._all()
        common = None if client is None else self._client(self._named(client))
        hubs = []
        for declaration in chosen:
            if declaration.kind in ("struct", "enum", "record") or (
                declaration.kind == "class" and not self._is_hub(declaration) and not _has_hub_name(declaration)
            ):
                self._describe(declaration, declaration.code)
            else:
                hubs.append(self._hub(declaration, common))
        return without_clients(hubs)

    def _named(self, name: str) -> TypeDeclaration:
        found = [declaration for declaration in self._declarations if declaration.name == name.rpartition(".")[2]]
        if "." in name:
            found = [each for each in found if ".".join((*each.space, each.name)).endswith(name)]
        if len(found) != 1:
            known = ", ".join(sorted(declaration.name for declaration in self._declarations)) or "none"
            raise GenerateError(f"'{name}' is the name of {len(found) or 'no'} types in the files, which declare {known}.")
        return found[0]

    def _all(self) -> list[TypeDeclaration]:
        classes = [each for each in self._declarations if each.kind == "class" and "abstract" not in each.modifiers]
        hubs = [each for each in classes if self._is_hub(each)]
        for each in classes:
            if each not in hubs and _has_hub_name(each):
                self._warn(
                    f"{each.code.place}: {each.name} is left out, because it does not derive from Hub in these files. If it is a hub,"
                    " name it, or pass the file of its base class."
                )
        interfaces = [each for each in self._declarations if each.kind == "interface"]
        found = hubs or interfaces
        if not found:
            raise GenerateError("There are no hubs and no interfaces in the files.")
        return found

    def _is_hub(self, declaration: TypeDeclaration) -> bool:
        return self._declarations.derives_from(declaration, "Hub") is not None

    def _hub(self, declaration: TypeDeclaration, common: Interface | None) -> Hub:
        base = self._declarations.derives_from(declaration, "Hub")
        arguments = [] if base is None else type_arguments(base)
        client = common
        if arguments:
            found = self.types.find(arguments[0], Scope(declaration.space))
            if found is None:
                self._warn(
                    f"{arguments[0].place}: The methods of {arguments[0].text} are left out; pass the file that declares it."
                )
            else:
                client = self._client(found)
        methods = tuple(self._methods(declaration))
        return Hub(without_interface_prefix(declaration.name), methods, declaration.doc.text, client=client)

    def _client(self, declaration: TypeDeclaration) -> Interface:
        if declaration.kind != "interface":
            raise declaration.code.error(f"{declaration.name} is not an interface, so it cannot be what clients implement.")
        methods = tuple(self._methods(declaration))
        return Interface(without_interface_prefix(declaration.name), methods, declaration.doc.text)

    # methods

    def _methods(self, declaration: TypeDeclaration) -> Iterator[Method]:
        """Yield the methods of a hub or an interface, with those of its bases; an override takes the place of what it overrides."""
        found: dict[str, Method] = {}
        for owner in self._with_bases(declaration):
            own: set[str] = set()
            for member, conditional in owner.members():
                if not self._is_method(member, owner):
                    continue
                method = self._method(member, owner)
                if method.dotnet in own:
                    raise member.error(f"Duplicate definitions of '{method.dotnet}'. Overloading is not supported.")
                own.add(method.dotnet)
                known = found.get(method.dotnet)
                if known is not None and known.wire != known.dotnet and method.wire == method.dotnet:
                    method = replace(method, wire=known.wire)  # the attribute is inherited
                found[method.dotnet] = method
                if conditional:
                    self._declarations.conditional(member)
        yield from found.values()

    def _with_bases(self, declaration: TypeDeclaration) -> list[TypeDeclaration]:
        """Return a type and its declared bases, the most basic first."""
        found: list[TypeDeclaration] = []
        for base in declaration.bases():
            known = self._declarations.declared_base(declaration, base)
            if known is not None and (known.kind == "interface") == (declaration.kind == "interface"):
                found += [each for each in self._with_bases(known) if each not in found]
            elif (
                known is None
                and simple_name(base) != "Hub"
                and (declaration.kind == "interface" or not is_interface_name(simple_name(base)))
            ):
                self._warn(f"{base.place}: The methods of {base.text}, which no file declares, are left out.")
        return [*found, declaration]

    def _is_method(self, member: Code, owner: TypeDeclaration) -> bool:
        """Return whether a member is a method that can be called remotely."""
        modifiers = member.modifiers
        if owner.kind == "interface":
            if member.kind in ("property_declaration", "event_field_declaration", "event_declaration", "indexer_declaration"):
                raise member.error(f"Type must not contain properties or events, but {owner.name} has: {member.first_line}")
            return member.kind == "method_declaration" and not modifiers & {"static", "private", "protected", "internal"}
        return (
            member.kind == "method_declaration"
            and "public" in modifiers
            and "static" not in modifiers
            and member.required("name").text not in _LIFECYCLE
        )

    def _method(self, code: Code, owner: TypeDeclaration) -> Method:
        dotnet = code.required("name").text
        if code.part("type_parameters") or code.child("type_parameter_list"):
            raise code.error(f"Method '{dotnet}' is a generic method which is not supported on a Hub.")
        for broken in code.broken():
            body = code.part("body")
            if body is None or broken.node.start_byte < body.node.start_byte:
                raise broken.error(f"This cannot be read as C#: {broken.first_line}")
        scope, doc = Scope.inside(owner), read_doc(code.doc_comment())
        parameters = tuple(self._parameters(code, owner, scope, doc.parameters))
        result = self._result(code.required("returns"), scope)
        wire = self._wire_name(code) or dotnet
        return Method(wire, python_name(dotnet), dotnet, parameters, result, doc.text, doc.returns)

    def _wire_name(self, code: Code) -> str | None:
        attribute = code.attribute("HubMethodName")
        if attribute is None:
            return None
        given = next(iter(attribute.arguments), None) or attribute.named.get("name")
        try:
            name = None if given is None else evaluate(given, self._declarations.constants)
        except NotConstant as exc:
            raise attribute.code.error(f"The name cannot be read: {exc}. Pass the file that declares it.") from exc
        if not isinstance(name, str):
            raise attribute.code.error("HubMethodName takes a text.")
        return name

    def _parameters(self, code: Code, owner: TypeDeclaration, scope: Scope, docs: dict[str, str]) -> Iterator[Parameter]:
        for parameter in parameters_of(code):
            if simple_name(parameter.type) == "CancellationToken" or self._is_service(parameter, owner, scope):
                continue
            if parameter.modifiers & _BY_REFERENCE:
                raise parameter.code.error(
                    f"The parameter '{parameter.name}' is passed by reference, which a client cannot do."
                )
            kind = self._value_or_stream(parameter.type, scope)
            default: Default = REQUIRED
            if parameter.default is not None and not isinstance(kind, Stream):
                default = self._default(parameter.default, kind, parameter.name)
            name = parameter.name.removeprefix("@")
            yield Parameter(python_name(name), camel_case(name), kind, default, docs.get(name, ""))

    def _default(self, code: Code, kind: Type, name: str) -> Default:
        default = initial_value(code, kind, self._declarations.constants, self.described)
        if default is UNKNOWN:
            self._warn(f"{code.place}: The default of '{name}' cannot be expressed, so it has to be given: {code.first_line}")
            return REQUIRED
        return default

    def _is_service(self, parameter: ParameterCode, owner: TypeDeclaration, scope: Scope) -> bool:
        """Return whether a parameter of a hub comes from the services, which no client sends.

        .NET decides by what is registered, which the source does not show. An interface cannot be sent, so it has to be a service.
        """
        if any(attribute.name in _SERVICES for attribute in parameter.code.attributes if "params" not in parameter.modifiers):
            return True
        kind = parameter.type
        if owner.kind == "interface" or kind.kind not in ("identifier", "generic_name", "qualified_name"):
            return False
        declared = self.types.find(kind, scope)
        if declared is None:
            unknown = simple_name(kind) not in _STREAMS and not self.types.is_known(kind)
            service = unknown and is_interface_name(simple_name(kind))
        else:
            service = declared.kind == "interface"
        if service:
            self._warn(
                f"{parameter.code.place}: '{parameter.name}' is taken for a service, because {kind.text} is an interface."
            )
        return service

    def _result(self, code: Code, scope: Scope) -> Type | Stream | None:
        if code.text == "void":
            return None
        name, arguments = simple_name(code), type_arguments(code)
        if name in _AWAITABLES:
            return self._result(arguments[0], scope) if arguments else None
        return self._value_or_stream(code, scope)

    def _value_or_stream(self, code: Code, scope: Scope) -> Type | Stream:
        arguments = type_arguments(code)
        if simple_name(code) in _STREAMS and len(arguments) == 1:
            return Stream(self.types.read_place(arguments[0], scope))
        return self.types.read_place(code, scope)

    # types

    def _describe(self, declaration: TypeDeclaration, code: Code) -> Reference:
        """Return a reference to a type, and describe it if that has not begun."""
        name = declaration.name
        known = self._origins.setdefault(name, declaration)
        if known is not declaration:
            raise code.error(
                f"'{name}' is the name of two types that are used here: {known.code.place} and {declaration.code.place}."
            )
        if declaration.kind == "interface":
            raise code.error(f"{name} is an interface, which System.Text.Json cannot read.")
        if name not in self.described:
            self.described[name] = _UNFINISHED  # ends the reading of a class that contains itself
            read = self._records.enumeration if declaration.kind == "enum" else self._records.record
            made: Enumeration | Record = read(declaration, name)
            del self.described[name]
            self.described[name] = made  # after those that it uses
        return Reference(name)


def _has_hub_name(declaration: TypeDeclaration) -> bool:
    return declaration.name.endswith("Hub") and bool(declaration.bases())


_UNFINISHED: Final = Record("", ())

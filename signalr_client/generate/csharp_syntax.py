"""Files of C#, read by tree-sitter. Room: generate. tree-sitter is optional: the extra ``generate`` installs it."""

from __future__ import annotations

import codecs
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from signalr_client.generate.description import GenerateError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

__all__ = ["Attribute", "Code", "SourceFile", "declarations_in", "read_file"]

_BRANCHES: Final = frozenset({"preproc_else", "preproc_elif"})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file.

    Attributes:
        path: as it was given.
        nullable: the lines of ``#nullable`` directives, in order, and what they say: True for enable, False for disable, and None for
            restore, which is what the project says.
    """

    path: str
    nullable: tuple[tuple[int, bool | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Code:
    """A node of the syntax tree, with its file."""

    file: SourceFile
    node: Node

    @property
    def kind(self) -> str:
        """The kind of the node, as the grammar calls it."""
        return self.node.type

    @property
    def text(self) -> str:
        """The source text."""
        return (self.node.text or b"").decode()

    @property
    def place(self) -> str:
        """The file and the line, for messages."""
        return f"{self.file.path}:{self.node.start_point.row + 1}"

    @property
    def children(self) -> list[Code]:
        """The parts that the grammar names, without comments."""
        return [Code(self.file, node) for node in self.node.named_children if node.type != "comment"]

    @property
    def modifiers(self) -> frozenset[str]:
        """Words such as public and static."""
        return frozenset(child.text for child in self.children if child.kind == "modifier")

    @property
    def attributes(self) -> list[Attribute]:
        """The attributes in square brackets before a declaration."""
        lists = [child for child in self.children if child.kind == "attribute_list"]
        return [Attribute(child) for found in lists for child in found.children if child.kind == "attribute"]

    def attribute(self, name: str) -> Attribute | None:
        """Return the first attribute with this name, without the suffix ``Attribute``."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)

    def part(self, name: str) -> Code | None:
        """Return the part in a field of the grammar, or None."""
        node = self.node.child_by_field_name(name)
        return None if node is None else Code(self.file, node)

    def required(self, name: str) -> Code:
        """Return the part in a field of the grammar.

        Raises:
            GenerateError: it is missing.
        """
        part = self.part(name)
        if part is None or part.node.is_missing:
            raise self.error(f"This cannot be read as C#: {self.first_line}")
        return part

    def child(self, kind: str) -> Code | None:
        """Return the first child of a kind, or None."""
        return next((child for child in self.children if child.kind == kind), None)

    def has_token(self, token: str) -> bool:
        """Return whether a keyword or an operator is a part of this node itself."""
        return any(node.type == token for node in self.node.children)

    def value(self) -> Code | None:
        """Return the expression after an equals sign, or None."""
        nodes = self.node.children
        after = next((index + 1 for index, node in enumerate(nodes) if node.type == "="), len(nodes))
        return Code(self.file, nodes[after]) if after < len(nodes) else None

    @property
    def first_line(self) -> str:
        """The first line of the text, cut to a length that fits into a message."""
        return self.text.strip().partition("\n")[0].strip()[:80]

    def error(self, text: str) -> GenerateError:
        """Return an error with the place before it."""
        return GenerateError(f"{self.place}: {text}")

    def broken(self) -> Iterator[Code]:
        """Yield the outermost nodes that could not be read."""
        if not self.node.has_error:
            return
        if self.node.is_error or self.node.is_missing:
            yield self
            return
        for node in self.node.children:
            yield from Code(self.file, node).broken()

    def doc_comment(self) -> str:
        """Return the documentation comment before this node, with its slashes."""
        lines: list[str] = []
        node = self.node.prev_sibling
        while node is not None and node.type == "comment":
            text = (node.text or b"").decode()
            if not text.startswith(("///", "/**")):
                break
            lines.insert(0, text)
            node = node.prev_sibling
        return "\n".join(lines)


class Attribute:
    """An attribute in square brackets.

    Attributes:
        name: its name, without namespace and without the suffix ``Attribute``.
        arguments: the expressions that are given by position.
        named: those that are given by name.
        code: where it is.
    """

    __slots__ = ("arguments", "code", "name", "named")

    def __init__(self, code: Code) -> None:
        self.code: Code = code
        name = code.required("name")
        while name.kind in ("qualified_name", "alias_qualified_name"):
            name = name.required("name")
        self.name: str = (name.child("identifier") or name).text.removesuffix("Attribute")
        self.arguments: list[Code] = []
        self.named: dict[str, Code] = {}
        given = code.child("attribute_argument_list")
        for argument in given.children if given is not None else ():
            key, value = argument.part("name"), argument.value()
            if key is not None and value is not None:
                self.named[key.text] = value
            else:
                self.arguments.append(argument.children[-1])


def read_file(path: Path) -> Code:
    """Return the syntax tree of a file.

    Raises:
        GenerateError: tree-sitter is not installed, or the file is not text.
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as exc:
        raise GenerateError(f"{path}: This is not a text in UTF-8 or UTF-16: {exc}.") from exc
    root = _parser().parse(text.encode()).root_node
    directives = tuple(_nullable_directives(root))
    return Code(SourceFile(str(path), directives), root)


def declarations_in(code: Code) -> Iterator[tuple[Code, bool]]:
    """Yield the declarations in a file, a namespace or a type, and whether each is compiled only under a condition.

    Of ``#if``, ``#elif`` and ``#else``, only the first branch is read, because its conditions are known to the compiler only.
    """
    for child in code.children:
        if child.kind == "preproc_if":
            yield from ((found, True) for found, _ in declarations_in(child))
        elif child.kind not in _BRANCHES:
            yield child, False


def _nullable_directives(root: Node) -> Iterator[tuple[int, bool | None]]:
    meanings = {"enable": True, "disable": False, "restore": None}
    for node in _all(root):
        if node.type == "preproc_nullable":
            words = (node.text or b"").decode().split()
            if len(words) > 1 and words[1] in meanings and "warnings" not in words[2:]:
                yield node.start_point.row, meanings[words[1]]


def _all(root: Node) -> Iterator[Node]:
    """Yield the nodes of a tree in the order of the text; a tree may be deeper than Python's stack."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


@functools.cache
def _parser() -> Parser:
    try:
        import tree_sitter  # noqa: PLC0415  # optional
        import tree_sitter_c_sharp  # noqa: PLC0415  # likewise
    except ImportError as exc:
        raise GenerateError(
            "Reading C# needs tree-sitter; install the extra 'generate': pip install 'signalr-sdk[generate]'"
        ) from exc
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_c_sharp.language()))

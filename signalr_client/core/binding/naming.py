"""How the names of fields and of enum members are spelled on the wire. Room: core, row 1.

Python writes ``first_name`` and ``DARK_RED``; .NET writes ``FirstName`` and ``DarkRed``, and ``firstName`` in JSON. A name that is
spelled as in .NET already is left alone by `pascal_case`, and treated by `camel_case` as System.Text.Json treats it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from enum import Enum
from typing import Final, Literal, TypeVar

__all__ = [
    "Naming",
    "PropertyName",
    "camel_case",
    "enum_naming_function",
    "given_member_names",
    "lower_start",
    "member_names",
    "naming_function",
    "pascal_case",
    "plain_name",
]

EnumT = TypeVar("EnumT", bound=type[Enum])

_MEMBER_NAMES: Final = "__wire_names__"

Naming = Literal["camelCase", "PascalCase", "unchanged"] | Callable[[str], str]
"""How names are spelled: one of the usual ways, or a function from the name in Python to the name on the wire."""


@dataclass(frozen=True, slots=True)
class PropertyName:
    """The .NET name of a field, where it does not follow from the Python name: ``is_ok: Annotated[bool, PropertyName("IsOK")]``.

    The naming of the protocol applies to it: ``isOK`` over JSON, ``IsOK`` over MessagePack.

    Args:
        name: the name of the property in .NET.
        json: the name over JSON, exactly, as ``[JsonPropertyName]`` gives it.
        messagepack: the name over MessagePack, exactly, as ``[Key]`` or ``[DataMember]`` gives it.
    """

    name: str
    _: KW_ONLY
    json: str | None = None
    messagepack: str | None = None

    def spelled(self, spell: Callable[[str], str], *, binary: bool) -> str:
        """Return the name on the wire; *spell* is the naming of the hub protocol, and *binary* whether that is MessagePack."""
        return (self.messagepack if binary else self.json) or spell(self.name)


def member_names(**names: str) -> Callable[[EnumT], EnumT]:
    """Give members of an enumeration their names on the wire, where these do not follow from the Python names.

    ``@member_names(USD="USD")`` above a class with the member ``USD``, which would be written as ``Usd``. The names are used as they
    are, whatever the naming of the protocol.

    Raises:
        ValueError: the class has no such member.
    """

    def mark(kind: EnumT) -> EnumT:
        unknown = names.keys() - kind.__members__.keys()
        if unknown:
            raise ValueError(f"{kind.__name__} has no member {', '.join(sorted(unknown))}.")
        setattr(kind, _MEMBER_NAMES, names)
        return kind

    return mark


def given_member_names(kind: type[Enum]) -> dict[str, str]:
    """Return the names that `member_names` gave to members, by their Python names."""
    names: dict[str, str] = getattr(kind, _MEMBER_NAMES, {})
    return names


def pascal_case(name: str) -> str:
    """Return ``FirstName`` for ``first_name``; underscores at the ends are dropped."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def camel_case(name: str) -> str:
    """Return ``firstName`` for ``first_name`` and for ``FirstName``; ``isOK`` for ``IsOK`` and ``url`` for ``URL``, as .NET does."""
    first, *others = [part for part in name.split("_") if part] or [""]
    return lower_start(first) + "".join(part[:1].upper() + part[1:] for part in others)


def plain_name(name: str) -> str:
    """Return what all spellings of a name have in common."""
    return name.replace("_", "").lower()


def naming_function(naming: Naming) -> Callable[[str], str]:
    """Return the function for the names of fields.

    Raises:
        ValueError: *naming* is not one of the known words.
    """
    return _choose(naming, _FIELDS)


def enum_naming_function(naming: Naming) -> Callable[[str], str]:
    """Return the function for the names of enum members, which are written in capitals in Python.

    Raises:
        ValueError: *naming* is not one of the known words.
    """
    return _choose(naming, _MEMBERS)


def _choose(naming: Naming, functions: dict[str, Callable[[str], str]]) -> Callable[[str], str]:
    if callable(naming):
        return naming
    if naming not in functions:
        raise ValueError(f"A naming is one of {', '.join(map(repr, functions))}, or a function; {naming!r} is not.")
    return functions[naming]


def lower_start(word: str) -> str:
    """Lower the capitals at the start of a word, except one that begins the next word: ``xmlFile`` for ``XMLFile``."""
    capitals = next((index for index, letter in enumerate(word) if not letter.isupper()), len(word))
    if 1 < capitals < len(word) and word[capitals].islower():
        capitals -= 1
    return word[:capitals].lower() + word[capitals:]


def _words(name: str) -> str:
    return name.lower() if name.isupper() else name


_FIELDS: Final[dict[str, Callable[[str], str]]] = {
    "camelCase": camel_case,
    "PascalCase": pascal_case,
    "unchanged": str,
}
_MEMBERS: Final[dict[str, Callable[[str], str]]] = {
    "camelCase": lambda name: camel_case(_words(name)),
    "PascalCase": lambda name: pascal_case(_words(name)),
    "unchanged": str,
}

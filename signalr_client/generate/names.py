"""Names in each language. Room: generate. How fields are spelled on the wire is the business of core/binding/naming.py."""

from __future__ import annotations

import keyword
from itertools import pairwise

from signalr_client.core.binding.naming import camel_case, pascal_case

__all__ = [
    "dotnet_name",
    "is_identifier",
    "is_interface_name",
    "parameter_name",
    "python_constant",
    "python_name",
    "typescript_name",
    "without_interface_prefix",
]


def python_name(name: str) -> str:
    """Return ``get_url_for_id`` for ``GetURLForId``: the name of a method, a parameter or a field by PEP 8."""
    words = "_".join(_words(name)).lower()
    return f"{words}_" if keyword.iskeyword(words) else words


def python_constant(name: str) -> str:
    """Return ``DARK_BLUE`` for ``DarkBlue``: the name of an enum member by PEP 8; ``MRO`` cannot be one and becomes ``MRO_``."""
    constant = "_".join(_words(name)).upper()
    return f"{constant}_" if constant == "MRO" else constant


def dotnet_name(name: str) -> str:
    """Return the C# name of a type member: ``RenamedMethod`` for ``renamed-method``, ``SendMessage`` for ``send_message``."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in name)
    result = pascal_case(plain.lower() if plain.isupper() and "_" in plain else plain)
    return f"_{result}" if result[:1].isdigit() else result


def parameter_name(name: str) -> str:
    """Return the name of a parameter in C# and TypeScript."""
    return camel_case(name)


def typescript_name(name: str) -> str:
    """Return *name*, or its quoted form if it is not an identifier: the key of a member."""
    return name if is_identifier(name) else f'"{name}"'


def is_identifier(name: str) -> bool:
    """Return whether *name* consists of letters, digits and underscores, and begins with no digit."""
    return name.isidentifier() and name.isascii()


def without_interface_prefix(name: str) -> str:
    """Return ``ChatClient`` for ``IChatClient``; names like ``Index`` and ``IPAddress`` have no such prefix or are ambiguous."""
    return name[1:] if is_interface_name(name) else name


def is_interface_name(name: str) -> bool:
    """Return whether a name of C# is spelled as that of an interface."""
    return len(name) > 2 and name[0] == "I" and name[1].isupper() and name[2].islower()


def _words(name: str) -> list[str]:
    """Return the words of a name in PascalCase, camelCase or snake_case: ``XMLFile2Go`` consists of XML, File2 and Go."""
    spaced = "".join(letter if letter.isalnum() else " " for letter in name)
    words = []
    for part in spaced.split():
        starts = [0]
        for index, (before, letter) in enumerate(pairwise(part), start=1):
            follows = part[index + 1 : index + 2]
            if letter.isupper() and (not before.isupper() or follows.islower()):
                starts.append(index)
        words += [part[start:end] for start, end in pairwise([*starts, len(part)])]
    return words

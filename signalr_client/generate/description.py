"""What a hub offers, whatever language it was read from and is written in. Room: generate.

A reader turns a source into a `Description`, a writer turns it into a text. Types are those of .NET, because they say the most;
names are kept in each spelling that a writer needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum

from signalr_client.generate.types import Reference, Scalar, Type

__all__ = [
    "REQUIRED",
    "UNKNOWN",
    "Constant",
    "Declaration",
    "Default",
    "Description",
    "EmptyContainer",
    "EnumConstant",
    "Enumeration",
    "Field",
    "GenerateError",
    "Hub",
    "Interface",
    "Member",
    "Method",
    "Parameter",
    "Record",
    "Stream",
    "Warn",
    "check_names",
    "trailing_defaults",
    "without_clients",
]

Warn = Callable[[str], None]
"""Takes the text of a warning: what could not be expressed, and where it is."""


class GenerateError(Exception):
    """Code cannot be generated; the text says why, and names the file and the line where there is one."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A default that every language can write."""

    value: bool | int | float | Decimal | str | None


@dataclass(frozen=True, slots=True)
class EnumConstant:
    """A default that is a member of an enumeration, by its Python name."""

    enumeration: str
    member: str


@dataclass(frozen=True, slots=True)
class EmptyContainer:
    """A default that is a new list, set or dictionary, or no bytes."""


class _Mark(Enum):
    REQUIRED = "required"
    UNKNOWN = "unknown"


REQUIRED = _Mark.REQUIRED
"""There is no default."""

UNKNOWN = _Mark.UNKNOWN
"""There is a default, but only its own program can compute it."""

Default = Constant | EnumConstant | EmptyContainer | _Mark


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a record.

    Attributes:
        name: in Python.
        dotnet: in C#.
        json: over JSON.
        messagepack: over MessagePack.
        type: its type.
        default: what it is if it is left out.
        positional: whether Python's constructor takes it by position.
    """

    name: str
    dotnet: str
    json: str
    messagepack: str
    type: Type
    default: Default = REQUIRED
    doc: str = ""
    positional: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """A class that consists of fields.

    Attributes:
        variables: its type variables.
        bases: the records that it derives from, whose fields are not repeated.
        sequence: whether it is an array over MessagePack, as tuples of .NET are.
    """

    name: str
    fields: tuple[Field, ...]
    variables: tuple[str, ...] = ()
    bases: tuple[Reference, ...] = ()
    sequence: bool = False
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an enumeration.

    Attributes:
        name: in Python.
        dotnet: in C#.
        wire: on the wire, where it is written by name.
        value: a number, as in .NET, or a text.
    """

    name: str
    dotnet: str
    wire: str
    value: int | str
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Enumeration:
    """An enumeration of numbers, as in .NET, or of texts.

    Attributes:
        flags: whether its members can be combined.
        underlying: the integer that holds its values.
        names: whether it is written by name over JSON, whatever the hub does with others.
    """

    name: str
    members: tuple[Member, ...]
    flags: bool = False
    underlying: Scalar = Scalar.INT32
    names: bool = False
    doc: str = ""

    @property
    def textual(self) -> bool:
        """Whether the values are texts."""
        return any(isinstance(member.value, str) for member in self.members)


Declaration = Record | Enumeration


@dataclass(frozen=True, slots=True)
class Stream:
    """What a parameter or a result is if it is sent item by item."""

    item: Type


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a caller passes: its names in Python and C#, and its type; a `Stream` is an upload."""

    name: str
    dotnet: str
    type: Type | Stream
    default: Default = REQUIRED
    doc: str = ""

    @property
    def value_type(self) -> Type:
        """The type of the argument, or of each item of an upload."""
        return self.type.item if isinstance(self.type, Stream) else self.type


@dataclass(frozen=True, slots=True)
class Method:
    """A method that one side offers to the other.

    Attributes:
        wire: the target of a call.
        name: in Python.
        dotnet: in C#.
        result: None if there is none.
        returns: what the documentation says of the result.
    """

    wire: str
    name: str
    dotnet: str
    parameters: tuple[Parameter, ...] = ()
    result: Type | Stream | None = None
    doc: str = ""
    returns: str = ""

    @property
    def result_type(self) -> Type | None:
        """The type of the result, or of each item of a stream."""
        return self.result.item if isinstance(self.result, Stream) else self.result


@dataclass(frozen=True, slots=True)
class Interface:
    """The methods of a client, or of a hub; the name is that of a Python class, without the I of C#."""

    name: str
    methods: tuple[Method, ...]
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Hub(Interface):
    """The methods that clients may call, and those that the hub calls on clients, if they are known."""

    client: Interface | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """Everything that was read: hubs, and the types that they use, each before its users where that is possible."""

    hubs: tuple[Hub, ...]
    declarations: tuple[Declaration, ...]
    source: str = ""
    by_name: dict[str, Declaration] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the declarations.

        Raises:
            GenerateError: two things have the same name.
        """
        names = [*(each.name for each in (*self.declarations, *self.hubs)), *(client.name for client in self.clients)]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise GenerateError(f"Two classes are named {twice[0]}; generate them into files of their own.")
        object.__setattr__(self, "by_name", {declaration.name: declaration for declaration in self.declarations})

    @property
    def clients(self) -> tuple[Interface, ...]:
        """The interfaces of clients, each once."""
        return tuple({hub.client.name: hub.client for hub in self.hubs if hub.client is not None}.values())


def without_clients(hubs: Sequence[Hub]) -> tuple[Hub, ...]:
    """Return hubs without the interfaces among them that are what the clients of another hub implement."""
    clients = {hub.client.name for hub in hubs if hub.client is not None}
    return tuple(hub for hub in hubs if hub.name not in clients)


def trailing_defaults(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return parameters with those defaults only that a signature can have: constants, after which no parameter is required."""
    found: list[Parameter] = []
    optional = True
    for parameter in reversed(parameters):
        optional = optional and isinstance(parameter.default, Constant | EnumConstant)
        found.append(parameter if optional else replace(parameter, default=REQUIRED))
    return found[::-1]


def check_names(owner: str, names: Iterable[str], language: str) -> None:
    """Refuse names that occur twice.

    Raises:
        GenerateError: two members of *owner* would have the same name.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise GenerateError(f"Several members of {owner} have the name {twice[0]} in {language}.")

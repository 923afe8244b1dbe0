"""``generate``: TypeScript, C# and AsyncAPI from a hub in Python, and Python from one in C#. Room: tools."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from signalr_client.cli.loading import LoadError, load_class
from signalr_client.core.binding import Naming
from signalr_client.errors import UnsupportedTypeError
from signalr_client.generate import (
    AsyncApiOptions,
    CSharpOptions,
    Description,
    GenerateError,
    Spelling,
    TypeScriptOptions,
    read_csharp,
    read_python,
    to_asyncapi,
    to_csharp,
    to_python,
    to_typescript,
)
from signalr_client.server import HubDefinitionError

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # argparse has no public name for it

__all__ = ["GenerateCommandError", "add_generate", "generate"]

_NAMINGS: Final = ("camelCase", "PascalCase", "unchanged")
_ONLY_FOR: Final = {
    "namespace": ("csharp",),
    "protocol": ("typescript",),
    "enums": ("typescript", "csharp", "asyncapi"),
    "title": ("asyncapi",),
    "version": ("asyncapi",),
    "path": ("asyncapi",),
}
_DESCRIPTION: Final = """\
Write what a hub offers in another language. SOURCE is module:ChatHub, a hub class in Python; module:Chat, a Protocol with the methods
of a hub; or Chat.cs, a file of C# with hubs or interfaces. After the name of a file, :ChatHub chooses a class, and several files may
be given."""


class GenerateCommandError(Exception):
    """Nothing was generated; the text says why."""


def add_generate(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "generate",
        help="write TypeScript, C#, AsyncAPI or Python code for a hub",
        description=_DESCRIPTION,
    )
    parser.add_argument("source", nargs="+", metavar="SOURCE", help="module:Class, file.cs or file.cs:Class")
    parser.add_argument("--to", required=True, choices=("typescript", "csharp", "asyncapi", "python"), help="what to write")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="the file to write (default: standard output)")
    parser.add_argument(
        "--client", metavar="CLASS", help="the Protocol or interface that clients implement, if the hub does not name it"
    )
    parser.add_argument(
        "--naming", choices=_NAMINGS, help="how the hub spells the names of members over JSON (default: camelCase)"
    )
    parser.add_argument(
        "--enums", choices=("numbers", "names"), help="how enumerations are on the wire (default: as .NET writes them)"
    )
    parser.add_argument("--enum-naming", choices=_NAMINGS, help="how their names are spelled (default: PascalCase)")
    parser.add_argument("--protocol", choices=("json", "messagepack"), help="TypeScript: the hub protocol (default: json)")
    parser.add_argument("--namespace", help="C#: the namespace of the types")
    parser.add_argument(
        "--nullable", choices=("enable", "disable"), help="from C#: whether the project has nullable reference types"
    )
    parser.add_argument("--title", help="AsyncAPI: the title (default: the name of the hub)")
    parser.add_argument("--version", help="AsyncAPI: the version of the application (default: 1.0.0)")
    parser.add_argument("--path", help="AsyncAPI: the path of the hub (default: its name in lower case)")


def generate(given: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        ValueError: the arguments do not fit together, or name something that does not exist.
        GenerateCommandError: the hub cannot be described, or a file cannot be read or written.
    """
    for option, targets in _ONLY_FOR.items():
        if getattr(given, option) is not None and given.to not in targets:
            raise ValueError(f"--{option.replace('_', '-')} is for --to {' and '.join(targets)} only.")
    try:
        text = _write(_read(given), given)
        if given.output is not None:
            given.output.write_text(text, encoding="utf-8", newline="\n")
    except (GenerateError, HubDefinitionError, UnsupportedTypeError, LoadError) as exc:
        raise GenerateCommandError(str(exc)) from exc
    except OSError as exc:
        raise GenerateCommandError(f"{exc.filename}: {exc.strerror}" if exc.filename else str(exc)) from exc
    if given.output is None:
        print(text, end="")


def _read(given: argparse.Namespace) -> Description:
    sources = [_csharp_source(source) for source in given.source]
    files = [source for source in sources if source is not None]
    if files and len(files) < len(sources):
        raise ValueError("Sources in Python and in C# cannot be mixed.")
    naming: Naming = given.naming or "camelCase"
    enum_naming: Naming = given.enum_naming or "PascalCase"
    if not files:
        if given.nullable is not None:
            raise ValueError("--nullable is for sources in C# only.")
        classes = [load_class(source, example="chat:ChatHub") for source in given.source]
        client = None if given.client is None else load_class(given.client, example="chat:ChatClient")
        return read_python(*classes, client=client, spelling=Spelling(json=naming, enums=enum_naming), warn=_warn)
    return read_csharp(
        *dict.fromkeys(file for file, _ in files),
        names=[name for _, name in files if name],
        client=given.client,
        nullable=None if given.nullable is None else given.nullable == "enable",
        naming=naming,
        enum_naming=enum_naming,
        warn=_warn,
    )


def _write(description: Description, given: argparse.Namespace) -> str:
    enums = {"enums": given.enums}
    match given.to:
        case "typescript":
            return to_typescript(description, TypeScriptOptions(**_set(enums, protocol=given.protocol)))
        case "csharp":
            return to_csharp(description, CSharpOptions(**_set(enums, namespace=given.namespace)), warn=_warn)
        case "asyncapi":
            if given.path is not None and len(description.hubs) != 1:
                raise ValueError(f"--path is for one hub, but there are {len(description.hubs)}.")
            paths = None if given.path is None else ((description.hubs[0].name, given.path),)
            options = _set(enums, title=given.title, version=given.version, paths=paths)
            return to_asyncapi(description, AsyncApiOptions(**options))
        case _:
            return to_python(description)


def _set(common: dict[str, Any], **options: object) -> dict[str, Any]:
    """Return the options that were given."""
    return {name: value for name, value in {**common, **options}.items() if value is not None}


def _csharp_source(source: str) -> tuple[str, str] | None:
    """Return the file and the class of a source in C#; None for one in Python."""
    file, _, name = source.rpartition(":")
    if file.endswith(".cs"):
        return file, name
    return (source, "") if source.endswith(".cs") else None


def _warn(text: str) -> None:
    print(f"signalr: warning: {text}", file=sys.stderr)

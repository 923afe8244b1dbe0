"""A file imports only from its own room's earlier rows and from rooms above; imports for types count. See docs/architecture.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.quality

PACKAGE = Path(__file__).parents[2] / "signalr_client"

# The rooms that each room may import from, itself included where its files may know each other.
TOP = {"errors", "types"}
LOOP = {"user_code", "gate"}  # top files that know asyncio; not for core
CORE = {"core.0", "core.1", "core.2"}
ALLOWED = {
    "errors": set[str](),
    "types": set[str](),
    "user_code": TOP,
    "gate": TOP,
    "core.0": TOP | {"core.0"},
    "core.1": TOP | {"core.0", "core.1"},
    "core.2": TOP | CORE,
    "transports": TOP | LOOP | {"core.0", "core.1", "transports"},
    "client": TOP | LOOP | CORE | {"transports", "client"},
    "server": TOP | LOOP | CORE | {"server"},
    "tools": TOP | CORE | {"transports", "client", "server", "tools", "package"},
    "package": TOP | CORE | {"transports", "client"},
}
ROWS = {
    "messages": "core.0",
    "hub_method": "core.0",
    "state": "core.2",
    "replay": "core.2",
    "retry": "core.2",
    "session": "core.2",
}

# Libraries that a room must not know.
FORBIDDEN = {
    "core.0": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "core.1": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "core.2": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "transports": {"msgspec", "json", "threading"},
    "client": {"msgspec", "json", "threading"},
    "server": {"threading"},
}


def room(module: str) -> str:
    """Return the room of a module, given by its full name."""
    parts = module.split(".")[1:]
    match parts:
        case []:
            return "package"
        case ["errors" | "types" | "user_code" | "gate" as name, *_]:
            return name
        case ["core"]:
            return "core.0"
        case ["core", name, *_]:
            return ROWS.get(name, "core.1")
        case ["transports" | "client" | "server" as name, *_]:
            return name
        case _:
            return "tools"


def imports(source: Path) -> set[str]:
    """Return the modules that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            found.add(node.module or "")
    return found


def modules() -> list[tuple[str, Path]]:
    """Return every module of the package and its file."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_file_imports_only_what_its_room_may(module: str, path: Path) -> None:
    """The folders show the architecture, so the imports must keep to it."""
    here = room(module)
    for imported in imports(path):
        if imported.split(".")[0] == "signalr_client":
            assert room(imported) in ALLOWED[here], f"{module} ({here}) imports {imported} ({room(imported)})"
        else:
            assert imported.split(".")[0] not in FORBIDDEN.get(here, set()), f"{module} ({here}) imports {imported}"
    # only the type of a session that the caller brings is known to the client
    if here == "client" and "aiohttp" in imports(path):
        assert path.name == "builder.py"

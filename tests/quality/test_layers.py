"""Checks of the layers: files import only modules that their room may use, including imports for types. See docs/architecture.md."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.quality

PACKAGE = Path(__file__).parents[2] / "signalr_client"

# The rooms that each room may import from, including itself if its files may import each other.
TOP = {"errors", "types", "version"}
LOOP = {"user_code", "gate", "listening"}  # top-level modules that use asyncio; not for core
CORE = {"core.0", "core.1", "core.2"}
ALLOWED = {
    "errors": set[str](),
    "types": set[str](),
    "version": set[str](),
    "user_code": TOP,
    "gate": TOP,
    "listening": TOP,
    "core.0": TOP | {"core.0"},
    "core.1": TOP | {"core.0", "core.1"},
    "core.2": TOP | CORE,
    "transports": TOP | LOOP | {"core.0", "core.1", "transports"},
    "client": TOP | LOOP | CORE | {"transports", "client"},
    "tools": TOP | {"listening"} | CORE | {"transports", "client", "server", "generate", "tools", "package"},
    "package": TOP | CORE | {"transports", "client"},
}
# The rooms of the server, in order: each may import from the ones before it and from itself.
SERVER_ROOMS = (
    "server.errors",
    "server.log",
    "server.injection",
    "server.security",
    "server.server_connection",
    "server.lifetime",
    "server.hubs",
    "server.options",
    "server.connections",
    "server.http",
    "server.app",
    "server",
)
ALLOWED |= {here: TOP | LOOP | CORE | set(SERVER_ROOMS[: row + 1]) for row, here in enumerate(SERVER_ROOMS)}
ALLOWED["server.http"] -= {"server.connections"}  # they communicate through server_connection.py
ALLOWED["tools"] |= set(SERVER_ROOMS)
ALLOWED["generate"] = TOP | CORE | set(SERVER_ROOMS[: SERVER_ROOMS.index("server.hubs") + 1]) | {"generate"}
ROWS = {
    "messages": "core.0",
    "hub_method": "core.0",
    "state": "core.2",
    "outbox": "core.2",
    "replay": "core.2",
    "retry": "core.2",
    "session": "core.2",
    "session_options": "core.2",
}

# Libraries that a room must not import.
FORBIDDEN = {
    "core.0": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "core.1": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "core.2": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "transports": {"msgspec", "json", "threading"},
    "client": {"msgspec", "json", "threading"},
    **{here: {"threading"} for here in SERVER_ROOMS},
    "generate": {"asyncio", "aiohttp", "threading", "re"},  # source code is parsed, not searched
}


def room(module: str) -> str:
    """Return the room of a module, given its full name."""
    parts = module.split(".")[1:]
    match parts:
        case []:
            return "package"
        case ["errors" | "types" | "version" | "user_code" | "gate" | "listening" as name, *_]:
            return name
        case ["core"]:
            return "core.0"
        case ["core", name, *_]:
            return ROWS.get(name, "core.1")
        case ["transports" | "client" | "generate" as name, *_]:
            return name
        case ["server", name, *_]:
            return f"server.{name}"
        case ["server"]:
            return "server"
        case _:
            return "tools"


def imports(source: Path) -> set[str]:
    """Return the modules that a file imports, anywhere in the file."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            found.add(node.module or "")
    return found


def modules() -> list[tuple[str, Path]]:
    """Return all modules of the package and their files."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_file_imports_only_from_allowed_rooms(module: str, path: Path) -> None:
    here = room(module)
    for imported in imports(path):
        if imported.split(".")[0] == "signalr_client":
            assert room(imported) in ALLOWED[here], f"{module} ({here}) imports {imported} ({room(imported)})"
        else:
            assert imported.split(".")[0] not in FORBIDDEN.get(here, set()), f"{module} ({here}) imports {imported}"
    # the client may use aiohttp only for the type of a session that is passed in
    if here == "client" and "aiohttp" in imports(path):
        assert path.name == "builder.py"


# Files of the server that may import the web framework at run time.
WEB_FRAMEWORK = {"signalr_client.server.app", "signalr_client.server.http.aiohttp_adapter"}


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_server_imports_aiohttp_in_one_adapter_only(module: str, path: Path) -> None:
    """An adapter for another web framework can be added beside it. Other files may import aiohttp only for types."""
    if module.startswith("signalr_client.server") and module not in WEB_FRAMEWORK:
        tree = ast.parse(path.read_text())
        for_types = {
            node
            for check in ast.walk(tree)
            if isinstance(check, ast.If) and "TYPE_CHECKING" in ast.unparse(check.test)
            for node in ast.walk(check)
        }
        at_run_time = [
            node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) and node not in for_types
        ]
        assert not any("aiohttp" in ast.unparse(node) and "aiohttp_adapter" not in ast.unparse(node) for node in at_run_time)


def test_there_are_no_circular_imports() -> None:
    """Imports for types count too."""
    known = dict(modules())
    graph = {module: {imported for imported in imports(path) if imported in known} for module, path in known.items()}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for imported in sorted(graph[module]):
                visit(imported, (*way, module))
            done.add(module)

    for module in graph:
        visit(module, ())

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
    "tools": TOP | CORE | {"transports", "client", "server", "tools", "package"},
    "package": TOP | CORE | {"transports", "client"},
}
# The rooms inside the server, in order: each may import from those before it, and from itself.
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
ALLOWED["server.http"] -= {"server.connections"}  # they meet at the door server_connection.py
ALLOWED["tools"] |= set(SERVER_ROOMS)
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

# Libraries that a room must not know.
FORBIDDEN = {
    "core.0": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "core.1": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "core.2": {"asyncio", "aiohttp", "time", "random", "socket", "threading"},
    "transports": {"msgspec", "json", "threading"},
    "client": {"msgspec", "json", "threading"},
    **{here: {"threading"} for here in SERVER_ROOMS},
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
        case ["transports" | "client" as name, *_]:
            return name
        case ["server", name, *_]:
            return f"server.{name}"
        case ["server"]:
            return "server"
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


# The files of the server that may know the web framework, other than for types.
WEB_FRAMEWORK = {"signalr_client.server.app", "signalr_client.server.http.aiohttp_adapter"}


@pytest.mark.parametrize(("module", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_the_server_knows_aiohttp_in_one_adapter_only(module: str, path: Path) -> None:
    """So that an adapter for another web framework can stand beside it; the public API names aiohttp's request for types alone."""
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


def test_no_import_goes_in_a_circle() -> None:
    """Imports for types count: a circle of files can only be understood as one file."""
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

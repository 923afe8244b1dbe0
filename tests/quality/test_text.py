"""Checks of the source text of the project."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import signalr_client

pytestmark = pytest.mark.quality

ROOT = Path(__file__).parents[2]
CODE = ["signalr_client", "tests", "examples", "benchmarks"]


def python_files(*folders: str) -> list[Path]:
    """Return the Python files under *folders*."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def calls_in_tests() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield the location, the function and the node of each call in the tests."""
    for path in python_files("tests"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                where = f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
                yield where, ast.unparse(node.func), node


def test_no_test_sleeps() -> None:
    """Tests wait for events; ``sleep(0)`` is allowed, to yield to the event loop."""
    allowed = {"0", "math.inf"}
    found = [
        where
        for where, function, call in calls_in_tests()
        if function.rpartition(".")[2] == "sleep"
        and next(ast.unparse(argument) for argument in (*call.args, *call.keywords)) not in allowed
    ]
    assert not found


def test_no_test_mocks() -> None:
    """Tests use fakes with behaviour: no mocking library, and ``monkeypatch`` only for constants and `sys`."""
    imports = re.compile(r"^\s*(import|from)\s.*\b(mock|pytest_mock)\b", re.MULTILINE)
    found = [str(path.relative_to(ROOT)) for path in python_files("tests") if imports.search(path.read_text())]
    for where, function, call in calls_in_tests():
        if function == "monkeypatch.setattr":
            owner, attribute = ast.unparse(call.args[0]), ast.unparse(call.args[1]).strip("'")
            if owner != "sys" and not attribute.isupper():
                found.append(where)
    assert not found


def test_only_published_documents_are_referenced() -> None:
    """Readers can open all sources that the code, the tests and the documents refer to."""
    unpublished = re.compile(r"(client|server)-behaviour\.md|hubs-api-documentation\.md|\bshared/(?!aspnetcore/bin\b)")
    files = [path for folder in [*CODE, "docs", "scripts", ".ci"] for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in [*files, *ROOT.glob("*.md"), ROOT / "pyproject.toml"]
        if not {"node_modules", "__pycache__", "bin", "obj"} & set(path.parts)
        and path.suffix != ".png"
        and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if unpublished.search(line)
    ]
    assert not found


def test_all_exported_names_exist() -> None:
    """``__all__`` contains only existing names; that of the public package is sorted."""
    for info in pkgutil.walk_packages(signalr_client.__path__, "signalr_client."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{info.name}.{name}"
    assert signalr_client.__all__ == sorted(signalr_client.__all__)


def test_except_exception_has_a_reason() -> None:
    """Catching all exceptions is meant for user code; a comment on the line says why."""
    for path in python_files("signalr_client"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.search(r"except (Base)?Exception\b", line):
                assert "#" in line, f"{path.relative_to(ROOT)}:{number}: add a comment with the reason"


def test_files_and_functions_stay_small() -> None:
    """Files have at most 400 lines, and functions at most 50."""
    for path in python_files("signalr_client"):
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path.relative_to(ROOT)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                assert length <= 50, f"{path.relative_to(ROOT)}: {node.name} has {length} lines"


def test_no_todo_without_an_issue() -> None:
    """Open work is tracked in issues, not in comments."""
    for path in python_files(*CODE):
        if path != Path(__file__):
            assert not re.search(r"#\s*(TODO|FIXME|XXX)\b", path.read_text()), path.relative_to(ROOT)


def test_relative_links_in_documents_exist() -> None:
    """All relative links in README, CHANGELOG and docs refer to existing files."""
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text()):
            assert (document.parent / link).exists(), f"{document.name}: {link}"

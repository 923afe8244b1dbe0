"""mypy and pyright infer the same types for the public API, and reject the same mistakes; no public symbol is without a type."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

import signalr_client
import signalr_client.server
import signalr_client.testing
from tests.support.aspnetcore import missing

pytestmark = pytest.mark.quality

ROOT = Path(__file__).parents[2]
CASES = sorted(path for path in Path(__file__).parent.glob("*.py") if path.name not in ("__init__.py", "test_types.py"))


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a type checker from this environment."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def pyright(*options: str, **environment: str) -> dict[str, Any]:
    """Return the report of pyright; it is configured in pyproject.toml."""
    if importlib.util.find_spec("pyright") is None:
        missing("pyright is not installed")
    # prevents pyright from looking for a newer version of itself on the network
    done = run("pyright", "--outputjson", *options, PYRIGHT_PYTHON_IGNORE_WARNINGS="1", **environment)
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        missing(f"pyright cannot be run: {done.stderr or done.stdout}")
    return report


def test_mypy_infers_the_expected_types() -> None:
    done = run("mypy", *map(str, CASES))
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_infers_the_expected_types() -> None:
    report = pyright("--pythonpath", sys.executable)
    assert report["summary"]["filesAnalyzed"] == len(CASES) + 1  # and __init__.py
    found = [
        f"{Path(diagnostic['file']).name}:{diagnostic['range']['start']['line'] + 1}: {diagnostic['message']}"
        for diagnostic in report["generalDiagnostics"]
        if diagnostic["severity"] == "error"
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "module", [signalr_client, signalr_client.server, signalr_client.testing], ids=lambda module: module.__name__
)
def test_every_public_name_has_a_case(module: Any) -> None:
    text = "\n".join(path.read_text() for path in CASES)
    used = {name for name in module.__all__ if re.search(rf"^(?!from|import|    \w+,$).*\b{name}\b", text, re.MULTILINE)}
    assert set(module.__all__) == used


def test_every_public_symbol_has_a_type(tmp_path: Path) -> None:
    """As users get the package, with its py.typed: installed in an environment of its own."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    [packages] = environment.glob("lib/python*/site-packages")
    shutil.copytree(ROOT / "signalr_client", packages / "signalr_client", ignore=shutil.ignore_patterns("__pycache__"))
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    # pyright asks the `python` of the search path where packages are
    path = os.pathsep.join((str(environment / "bin"), os.environ["PATH"]))
    report = pyright("--verifytypes", "signalr_client", "--ignoreexternal", PATH=path)["typeCompleteness"]
    assert report["packageName"] == "signalr_client"
    assert report["pyTypedPath"] == str(packages / "signalr_client" / "py.typed")
    found = [
        f"{symbol['name']}: {diagnostic['message']}"
        for symbol in report["symbols"]
        for diagnostic in symbol["diagnostics"]
        if symbol["isExported"] and diagnostic["severity"] == "error"
    ]
    assert not found, "\n".join(found)
    assert report["completenessScore"] == 1
    assert report["exportedSymbolCounts"]["withKnownType"] > 1000

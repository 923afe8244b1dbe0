"""mypy and pyright infer the same types for the public API, and reject the same mistakes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.aspnetcore import missing

pytestmark = pytest.mark.quality

ROOT = Path(__file__).parents[2]
CASES = "tests/typing/cases.py"


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


def test_mypy_infers_the_expected_types() -> None:
    done = run("mypy", CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_infers_the_expected_types() -> None:
    """It is configured in pyproject.toml."""
    if importlib.util.find_spec("pyright") is None:
        missing("pyright is not installed")
    # prevents pyright from looking for a newer version of itself on the network
    done = run("pyright", "--outputjson", "--pythonpath", sys.executable, PYRIGHT_PYTHON_IGNORE_WARNINGS="1")
    try:
        report = json.loads(done.stdout)
    except ValueError:
        missing(f"pyright cannot be run: {done.stderr or done.stdout}")
    assert report["summary"]["filesAnalyzed"] == 1
    found = [
        f"{diagnostic['range']['start']['line'] + 1}: {diagnostic['message']}"
        for diagnostic in report["generalDiagnostics"]
        if diagnostic["severity"] == "error"
    ]
    assert not found, "\n".join(found)

"""Requirements of the official clients. If a client is missing, its tests are skipped, or fail if SIGNALR_INTEROP=required."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.aspnetcore import missing

TYPESCRIPT = Path(__file__).parent / "typescript"


def _node() -> str:
    """Return the path of Node.js, with the official TypeScript client at hand: npm installs it on first use."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("Node.js with npm is not installed")
    packages = json.loads((TYPESCRIPT / "package.json").read_text())["dependencies"]
    with FileLock(TYPESCRIPT / "node_modules.lock"):  # the tests may run in several processes
        if not all((TYPESCRIPT / "node_modules" / name).exists() for name in packages):
            install = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund"]
            installed = subprocess.run(install, cwd=TYPESCRIPT, capture_output=True, text=True, check=False)
            if installed.returncode:
                missing(f"npm could not install {', '.join(packages)}: {installed.stderr.strip()}")
    return node


@pytest.fixture(scope="session")
def typescript_check() -> list[str]:
    """The command that runs the scenarios of the official TypeScript client."""
    return [_node(), str(TYPESCRIPT / "check.mjs")]


@pytest.fixture(scope="session")
def typescript_client() -> Path:
    """The folder of the official TypeScript client."""
    _node()
    return TYPESCRIPT / "node_modules" / "@microsoft" / "signalr"


@pytest.fixture(scope="session")
def typescript_values() -> list[str]:
    """The command that runs the values of docs/types.md through the official TypeScript client."""
    return [_node(), str(TYPESCRIPT / "values.mjs")]


@pytest.fixture(scope="session")
def typescript_stress() -> list[str]:
    """The command that runs the official TypeScript client under load, with stateful reconnect."""
    return [_node(), str(TYPESCRIPT / "stress.mjs")]


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of the packages that are installed for tests, with the TypeScript compiler and the schemas of AsyncAPI."""
    _node()
    return TYPESCRIPT / "node_modules"


@pytest.fixture(scope="session")
def tsc(node_modules: Path) -> list[str]:
    """The command of the TypeScript compiler."""
    return [_node(), str(node_modules / "typescript" / "bin" / "tsc")]

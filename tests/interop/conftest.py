"""What the official clients need to run; a test whose client is missing is skipped, or fails where interop is required."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.aspnetcore import missing

TYPESCRIPT = Path(__file__).parent / "typescript"


@pytest.fixture(scope="session")
def typescript_check() -> list[str]:
    """The command that runs the scenarios of the official TypeScript client, which npm brings the first time."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing("Node.js with npm is not here")
        raise AssertionError("missing() does not return")
    if not (TYPESCRIPT / "node_modules" / "@microsoft" / "signalr-protocol-msgpack").exists():
        install = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund"]
        brought = subprocess.run(install, cwd=TYPESCRIPT, capture_output=True, text=True, check=False)
        if brought.returncode:
            missing(f"npm could not bring @microsoft/signalr: {brought.stderr.strip()}")
    return [node, str(TYPESCRIPT / "check.mjs")]

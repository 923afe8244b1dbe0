"""Every target with input that atheris derives from the code that it reaches, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, WHOLE_CONNECTIONS

pytest.importorskip("atheris", reason="atheris exists for Linux on x86-64 only")

ROOT = Path(__file__).parents[2]
RUNS, LONG_RUNS, LONG_RUNS_OF_CONNECTIONS = 1_000, 1_000_000, 100_000


def fuzz(name: str, runs: int, artifacts: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command line of the fuzzer."""
    command = [sys.executable, "-m", "tests.fuzz", name, "--runs", str(runs), "--artifacts", str(artifacts), *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def report(done: subprocess.CompletedProcess[str], name: str) -> str:
    """Return the line about a target."""
    return next((line for line in done.stdout.splitlines() if line.startswith(f"{name}: ")), done.stdout + done.stderr)


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """A short run of all targets in one process, because instrumenting the package takes longer than the inputs."""
    return fuzz("all", RUNS, tmp_path_factory.mktemp("artifacts"))


@pytest.mark.parametrize("name", TARGETS)
def test_a_guided_search_finds_no_broken_promise(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if request.config.getoption("--long"):
        runs = LONG_RUNS_OF_CONNECTIONS if name in WHOLE_CONNECTIONS else LONG_RUNS
        done = fuzz(name, runs, tmp_path)
    else:
        done, runs = request.getfixturevalue("short_run"), RUNS
    assert report(done, name).startswith(f"{name}: ok, {runs} runs in"), done.stdout + done.stderr


def test_a_broken_promise_is_reported_and_can_be_reproduced(tmp_path: Path) -> None:
    """With a target that fails for a message that is not among its seeds."""
    done = fuzz("broken", 100_000, tmp_path)
    assert done.returncode == 1
    assert report(done, "broken").startswith("broken: FAILED")
    [artifact] = tmp_path.glob("broken-crash-*")
    again = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "broken", str(artifact)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1
    assert "AssertionError: found" in again.stderr

"""A real ASP.NET Core SignalR server, running as a separate process on a free loopback port."""

from __future__ import annotations

import os
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "tests" / "interop" / "aspnetcore"
BUILT = SOURCES / "bin"


def required() -> bool:
    """Return whether a missing program is a failure (as in CI) instead of a reason to skip."""
    return os.environ.get("SIGNALR_INTEROP") == "required"


def missing(what: str) -> NoReturn:
    """Skip the test with the message *what*, or fail it if SIGNALR_INTEROP=required."""
    if required():
        pytest.fail(f"{what}, and SIGNALR_INTEROP=required", pytrace=False)
    pytest.skip(what)


def program(name: str) -> Path:
    """Return the path of interop-server, interop-client or interop-csharp; skip or fail the test if it is missing.

    ``SIGNALR_ASPNETCORE_SERVER`` is the path of interop-server, and the others are beside it. Without it, they are looked for where
    scripts/build-interop puts them, then in the folder ``shared/aspnetcore/bin`` next to the project.
    """
    named = os.environ.get("SIGNALR_ASPNETCORE_SERVER")
    folders = [Path(named).parent] if named else [BUILT, ROOT.parent / "shared" / "aspnetcore" / "bin"]
    file = f"{name}.exe" if os.name == "nt" else name
    for folder in folders:
        if (folder / file).exists():
            return folder / file
    missing(f"{name} was not found (run scripts/build-interop, or set SIGNALR_ASPNETCORE_SERVER to the path of interop-server)")


@contextmanager
def aspnetcore_server(environment: Mapping[str, str] | None = None, *, url: str = "http://127.0.0.1:0") -> Iterator[str]:
    """Run a real server during the block; yield its base URL."""
    with running([str(program("interop-server")), "--urls", url], environment) as started:
        yield started


@contextmanager
def running(command: list[str], environment: Mapping[str, str] | None = None, *, ready: str = "listening on ") -> Iterator[str]:
    """Run a program until the end of the block; yield once it has printed a line that contains *ready*.

    The value is the rest of that line: the URL, for a hub server.
    """
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    reader: threading.Thread | None = None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if ready in line:
                # further output is read and discarded, because a full pipe would block the program
                reader = threading.Thread(target=deque, args=(process.stdout, 0), name=f"output of {command[0]}")
                reader.start()
                yield line.partition(ready)[2].strip()
                break
        else:
            pytest.fail(f"{command[0]} exited with status {process.wait()}: {''.join(lines)}", pytrace=False)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if reader is not None:
            reader.join()
        process.stdout.close()

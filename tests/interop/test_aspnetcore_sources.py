"""The C# sources in tests/interop/aspnetcore, and the script that builds them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import aspnetcore
from tests.support.aspnetcore import ROOT, SOURCES, program

BUILD = ROOT / "scripts" / "build-interop"

# The SDK adds these to every file of a project with ImplicitUsings; interop-csharp adds the others itself.
IMPLICIT_USINGS = "global using System.IO; global using System.Net.Http;"

FAKE_DOTNET = """#!/bin/sh
if [ "$1" = --version ]; then
    echo 10.0.100
    exit
fi
echo "$@" >> {calls}
mkdir -p bin
printf '#!/bin/sh\\necho "started: $*" >> {calls}\\n' > bin/interop-client
chmod +x bin/interop-client
"""


@pytest.mark.interop
@pytest.mark.parametrize("folder", ["server", "client"])
def test_the_official_compiler_accepts_the_sources(folder: str, tmp_path: Path) -> None:
    """They are compiled against the libraries of the programs that the other interop tests use."""
    usings = tmp_path / "usings.cs"
    usings.write_text(IMPLICIT_USINGS)
    files = [usings, *sorted((SOURCES / folder).glob("*.cs"))]
    command = [str(program("interop-csharp")), "check", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0 errors\n")


def run_build(project: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the build script in a copy of the project."""
    script = project / "scripts" / "build-interop"
    script.parent.mkdir()
    shutil.copy(BUILD, script)
    sources = project / "tests" / "interop" / "aspnetcore"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("bin", "obj"))
    command = [shutil.which("bash") or "bash", str(script)]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_the_build_script_says_that_the_sdk_is_missing(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dirname").symlink_to(shutil.which("dirname") or "/usr/bin/dirname")
    done = run_build(tmp_path, str(tools))
    assert done.returncode == 1
    assert "A .NET SDK, version 10 or newer, is required (found: none)." in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_the_build_script_publishes_each_project_to_one_folder(tmp_path: Path) -> None:
    """A stand-in for dotnet notes how it was called."""
    tools, calls = tmp_path / "tools", tmp_path / "calls"
    tools.mkdir()
    (tools / "dotnet").write_text(FAKE_DOTNET.format(calls=calls))
    (tools / "dotnet").chmod(0o755)
    done = run_build(tmp_path, f"{tools}:/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    published = [f"publish {project} --configuration Release --output bin" for project in ("server", "client", "compiler")]
    assert calls.read_text().splitlines() == [*published, "started: vectors"]


def test_programs_are_found_where_they_were_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is asked first, then the folder of scripts/build-interop."""
    name = "interop-server.exe" if os.name == "nt" else "interop-server"
    built, named = tmp_path / "built" / name, tmp_path / "named" / name
    for path in (built, named):
        path.parent.mkdir()
        path.touch()
    monkeypatch.setattr(aspnetcore, "BUILT", built.parent)
    monkeypatch.delenv("SIGNALR_ASPNETCORE_SERVER", raising=False)
    assert program("interop-server") == built
    monkeypatch.setenv("SIGNALR_ASPNETCORE_SERVER", str(named))
    assert program("interop-server") == named

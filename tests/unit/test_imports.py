"""What `import signalr_client` imports. Modules are counted, because the time that they take depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, sys
import aiohttp
before = set(sys.modules)
import signalr_client
print(json.dumps(sorted(set(sys.modules) - before)))
"""

LIBRARIES = {"msgpack", "msgspec", "typing_extensions"}
"""The libraries that every connection needs, apart from aiohttp and what aiohttp imports."""


def imported() -> list[str]:
    """Return the modules that `import signalr_client` adds to those of aiohttp, in a new interpreter."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def test_importing_the_client_imports_no_library_that_few_programs_need() -> None:
    """tenacity, aiohttp-socks and the libraries of extras are imported by the functions that use them."""
    found = {module.partition(".")[0] for module in imported() if not module.startswith("_cython")} - sys.stdlib_module_names
    assert found | {"typing_extensions"} == LIBRARIES | {"signalr_client"}  # which aiohttp imports, too, before Python 3.13


def test_importing_the_client_imports_neither_the_server_nor_the_tools() -> None:
    rooms = {tuple(module.split(".")[:2]) for module in imported() if module.startswith("signalr_client.")}
    assert not rooms & {("signalr_client", room) for room in ("server", "testing", "cli", "generate")}


def test_importing_the_client_imports_few_modules() -> None:
    """Some of the standard library, which differs a little between the versions of Python, and the client itself."""
    modules = imported()
    own = [module for module in modules if module.startswith("signalr_client")]
    standard = [module for module in modules if module.partition(".")[0] in sys.stdlib_module_names]
    assert 60 < len(own) < 120
    assert len(standard) < 25, standard
    assert not {"importlib.metadata", "zipfile", "csv", "multiprocessing"} & set(standard)

"""The Python code blocks in the documentation run, in order."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from signalr_client.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"


async def execute(code: str, line: int, page: str, namespace: dict[str, Any]) -> None:
    """Run a block that begins after *line* of a page, as if typed into ``python -m asyncio``."""
    tree = ast.parse(code)
    ast.increment_lineno(tree, line)
    compiled = compile(tree, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    # eval() adds __builtins__ to the namespace. Imports made by C code look it up there; since Python 3.12
    # subclassing typing.Generic makes such an import.
    result = eval(compiled, namespace)
    if inspect.iscoroutine(result):
        await result


@pytest.mark.parametrize(
    "page", ["errors.md", "handlers.md", "proxies.md", "reconnecting.md", "server.md", "testing.md", "types.md"]
)
async def test_the_code_of_a_page_runs(page: str) -> None:
    """The blocks share one namespace, and their assertions hold."""
    text = (DOCS / page).read_text()
    namespace = vars(types.ModuleType("page"))
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert blocks
    for block in blocks:
        await execute(block[1], text.count("\n", 0, block.start(1)), page, namespace)


async def test_the_page_on_generated_code_shows_what_is_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks with the name of a file are that file, or a part of it once a command has written it; Python without a name runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("chat", "orders_api"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    text = (DOCS / "generate.md").read_text()
    namespace = vars(types.ModuleType("page"))
    sources = []
    for block in re.finditer(r"^```(\w+) ?(\S*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        language, name, code = block.groups()
        if language == "console":
            for line in code.splitlines():
                main(shlex.split(line)[2:])
        elif name:
            sources += compare(tmp_path / name, code)
        elif language == "python":
            await execute(code, text.count("\n", 0, block.start(3)), "generate.md", namespace)
    assert sources == ["chat.py", "Orders.cs"]


def compare(path: Path, code: str) -> list[str]:
    """Write a file that does not exist yet, and return its name; check that one that was generated contains what is shown."""
    if path.exists():
        assert code in path.read_text()
        return []
    path.write_text(code)
    return [path.name]

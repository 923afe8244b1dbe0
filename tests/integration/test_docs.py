"""The Python code blocks in the documentation run, in order."""

from __future__ import annotations

import ast
import inspect
import re
import types
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["handlers.md", "proxies.md", "reconnecting.md", "server.md", "testing.md", "types.md"])
async def test_the_code_of_a_page_runs(page: str) -> None:
    """The blocks share one namespace, as if typed into ``python -m asyncio``, and their assertions hold."""
    text = (DOCS / page).read_text()
    namespace = vars(types.ModuleType("page"))
    blocks = list(re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert blocks
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        tree = ast.parse(block[1])
        ast.increment_lineno(tree, line)
        code = compile(tree, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        # eval() adds __builtins__ to the namespace. Imports made by C code look it up there; since Python 3.12
        # subclassing typing.Generic makes such an import.
        result = eval(code, namespace)
        if inspect.iscoroutine(result):
            await result

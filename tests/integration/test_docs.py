"""The Python code blocks in the documentation run, in order."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import shlex
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import trustme

from signalr_client.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = {"quickstart.md", "generate.md"}
"""Pages with whole programs, which have tests of their own: in test_readme.py, and below."""

PAGES = [page.name for page in sorted(DOCS.glob("*.md")) if "```python" in page.read_text() and page.name not in PROGRAMS]


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the files that pages about TLS refer to into the current folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    for name in ("client", "server"):
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / f"{name}.pem"))
    monkeypatch.chdir(tmp_path)


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


@pytest.mark.usefixtures("certificates", "no_leaks")
@pytest.mark.parametrize("page", PAGES)
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


def texts_of_the_package() -> str:
    """Return all string literals of the package, those of f-strings without what is filled in, one a line."""
    texts = []
    for path in (DOCS.parent / "signalr_client").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values))
    return "\n".join(texts)


PYTHONS = (
    "SyntaxError",
    "ModuleNotFoundError",
    "Connect call failed",
    " (Not Found)",
    " (Unauthorized)",
    "(Forbidden)",
    "(Method Not",
)


def test_the_messages_that_can_be_looked_up_are_those_of_the_package() -> None:
    """Each part of a message in docs/troubleshooting.md is in the source, except for numbers and for what Python itself says."""
    known = texts_of_the_package()
    rows = re.findall(r"^\| (?:log: )?((?:`[^`]+`(?:, )?)+)", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    messages = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(messages) > 25
    for message in messages:
        for part in re.split(r"\.\.\.|\d[\d.,]*|: (?=[A-Z])", message):
            wanted = part.strip(" .(),")
            if len(wanted) > 12 and not any(text in message for text in PYTHONS):
                assert wanted in known, message


@pytest.mark.parametrize("module", ["signalr_client", "signalr_client.server", "signalr_client.testing"])
def test_the_reference_has_every_public_name(module: str) -> None:
    reference = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    documented = set(re.findall(r"^\.\. auto(?:class|exception|function):: (?:\w+\.)*(\w+)", reference, re.MULTILINE))
    assert set(importlib.import_module(module).__all__) - {"__version__"} <= documented

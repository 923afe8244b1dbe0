"""The pages that explain the examples."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.quality

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGES = sorted((ROOT / "docs" / "examples").glob("*.md"))


def excerpts(text: str) -> str:
    """Return *text* without its indentation, so that an excerpt of a function can be found in its file."""
    return "\n".join(line.strip() for line in text.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_on_a_page_is_that_of_an_example(page: Path) -> None:
    """Each block stands, as it is but for its indentation, in a file that the page links to."""
    text = page.read_text()
    files = [(page.parent / link).resolve() for link in re.findall(r"\]\(([^)#\s]+\.py)\)", text)]
    assert files
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        assert textwrap.dedent(block) == block
        assert any(excerpts(block) in excerpts(file.read_text()) for file in files), (
            f"{page.name} quotes what is in no file:\n{block}"
        )


def test_every_example_has_a_page_and_every_page_is_listed() -> None:
    pages = "".join(page.read_text() for page in PAGES)
    for file in EXAMPLES.rglob("*.py"):
        assert f"](../../{file.relative_to(ROOT).as_posix()})" in pages, file
    overview = (ROOT / "docs" / "examples.md").read_text()
    for page in PAGES:
        assert f"](examples/{page.name})" in overview, page

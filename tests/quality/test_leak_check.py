"""Tests of the leak check itself, with tests that leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.loops import LOOPS

pytestmark = pytest.mark.quality

CONFTEST = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.support.leaks import no_leaks
from tests.support.loops import LOOPS
import pytest
@pytest.fixture(autouse=True)
def watch(no_leaks): ...
"""


@pytest.fixture(params=sorted(LOOPS), autouse=True)
def conftest(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> None:
    """Enable the leak check for the inner tests, which run on each event loop in turn."""
    factories = f"def pytest_asyncio_loop_factories(): return {{'loop': LOOPS[{request.param!r}]}}\n"
    pytester.makeconftest(CONFTEST + factories)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("task = asyncio.create_task(asyncio.Event().wait()); kept.append(task)", "left behind:*task*"),
        ("s = socket.socket(); kept.append(s)", "left behind:*socket:*"),
    ],
)
def test_a_leak_fails_the_test(pytester: pytest.Pytester, body: str, words: str) -> None:
    """A running task or an open socket fails the test that left it."""
    pytester.makepyfile(
        f"import asyncio, socket\nkept = []\nasync def test_leaves():\n    {body}\n    await asyncio.sleep(0)\n"
    )
    result = pytester.runpytest_subprocess("-o", "asyncio_mode=auto", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines_random([f"*{part}*" for part in words.split("*") if part])


def test_a_test_that_closes_everything_passes(pytester: pytest.Pytester) -> None:
    """A closed socket is not a leak, even if the event loop needs another iteration to close it."""
    pytester.makepyfile(
        "import asyncio\n"
        "async def test_tidy():\n"
        "    server = await asyncio.start_server(lambda r, w: w.close(), '127.0.0.1', 0)\n"
        "    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())\n"
        "    await reader.read()\n"
        "    writer.close()\n"
        "    server.close()\n"
    )
    pytester.runpytest_subprocess("-o", "asyncio_mode=auto", "-p", "no:cacheprovider").assert_outcomes(passed=1)

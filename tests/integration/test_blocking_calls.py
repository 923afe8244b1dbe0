"""Connecting does not block the event loop: files are read only at import. Home Assistant, for example, reports blocking calls."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from signalr_client.server import Hub, HubServer
from tests.support.aspnetcore import ROOT
from tests.support.hub_server import serving
from tests.support.hubs import PAIRINGS


class Echo(Hub):
    """The hub for the test."""

    def echo(self, value: object) -> object:
        """Return the value."""
        return value


async def watched_start(*arguments: str) -> str:
    """Run `tests.support.watched_start` in a separate process and return its output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.watched_start",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


@pytest.fixture
async def url(no_leaks: None) -> AsyncIterator[str]:
    async with serving(Echo) as served:
        yield served.url


each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])


@each_pairing
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_starting_and_stopping_a_connection_makes_no_blocking_calls(
    url: str, host: str, transport: str, protocol: str
) -> None:
    options = ["--messagepack"] if protocol == "messagepack" else []
    assert await watched_start(url.replace("127.0.0.1", host), transport, *options) == ""


@pytest.mark.parametrize("transport", ["ws", "sse", "lp"])
async def test_connecting_over_tls_makes_no_blocking_calls(tmp_path: Path, transport: str) -> None:
    """The application loads certificates itself; with ssl=True, aiohttp has loaded them at import."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    async with HubServer({"/hub": Echo}, ssl=context) as server:
        output = await watched_start(server.url("/hub"), transport, "--authority", str(tmp_path / "authority.pem"))
    assert output == ""


async def test_a_blocking_call_is_detected(url: str) -> None:
    """Verifies the check used by the tests above: here the token factory reads a file."""
    output = await watched_start(url, "ws", "--reading-factory")
    assert "open" in output

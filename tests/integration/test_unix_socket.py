"""A hub on a Unix socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, UnixConnector, web

from signalr_client import HubConnectionBuilder, NegotiationError
from signalr_client.server import Hub, map_hub
from tests.support.hubs import PAIRINGS, PROTOCOLS, TRANSPORTS


class Where(Hub):
    def host(self) -> str:
        request = self.context.get_http_request()
        return "" if request is None else request.host

    def cookie(self, name: str) -> str | None:
        request = self.context.get_http_request()
        return None if request is None else request.cookies.get(name)


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    """The socket of a server that runs during the test."""
    app = web.Application()
    map_hub(app, "/hub", Where)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    path = tmp_path / "hub @1.sock"
    try:
        await web.UnixSite(runner, str(path)).start()
        yield path
    finally:
        await runner.cleanup()


def address(path: Path) -> str:
    return f"http+unix://{quote(str(path), safe='')}/hub"


@pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])
async def test_all_transports_work_over_a_unix_socket(path: Path, transport: str, protocol: str) -> None:
    builder = HubConnectionBuilder().with_url(address(path), transports=TRANSPORTS[transport], cookies={"c": "1"})
    async with builder.with_hub_protocol(PROTOCOLS[protocol]()).build() as client:
        assert await client.invoke("Host") == "localhost"
        assert await client.invoke("Cookie", "c") == "1"
        assert client.url == address(path)


async def test_a_given_session_with_a_unix_connector_can_be_used(path: Path) -> None:
    async with ClientSession(connector=UnixConnector(str(path))) as session:
        async with HubConnectionBuilder().with_url("http://localhost/hub", session=session).build() as client:
            assert await client.invoke("Host") == "localhost"
        assert not session.closed


async def test_a_missing_socket_is_a_negotiation_error(tmp_path: Path) -> None:
    with pytest.raises(NegotiationError, match="Failed to complete negotiation") as failed:
        await HubConnectionBuilder().with_url(address(tmp_path / "none.sock")).build().start()
    assert "none.sock" in str(failed.value)


def test_a_proxy_is_rejected_for_a_unix_socket() -> None:
    with pytest.raises(ValueError, match="A proxy cannot reach a Unix socket"):
        HubConnectionBuilder().with_url("http+unix://%2Fhub.sock/hub", proxy="http://127.0.0.1:3128")


@pytest.mark.parametrize("url", ["http+unix:///hub", "ws+unix://%2Fhub.sock/hub", "unix:///hub.sock"])
def test_an_invalid_unix_socket_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match="The URL of a hub must begin with"):
        HubConnectionBuilder().with_url(url)

"""The library that opens tunnels through proxies is optional, and imported only where a tunnel may be needed."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp
import pytest

from signalr_client import HttpTransportType, HubConnectionBuilder, TransportError
from signalr_client.transports.base import HttpOptions
from signalr_client.transports.failures import TunnelError
from signalr_client.transports.sessions import Sessions

PROXY = "http://127.0.0.1:1"


@pytest.fixture
def without_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``import aiohttp_socks`` fail, as where it is not installed."""
    monkeypatch.setitem(sys.modules, "aiohttp_socks", None)
    monkeypatch.delitem(sys.modules, "signalr_client.transports.tunnel", raising=False)


@pytest.mark.usefixtures("without_library")
def test_a_missing_library_is_an_error_that_names_the_extra() -> None:
    with pytest.raises(ImportError, match=r"pip install 'signalr-sdk\[proxy\]'"):
        HubConnectionBuilder().with_url("http://host/hub", proxy=PROXY)


@pytest.mark.usefixtures("without_library")
@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("https://host/hub", {}),
        ("http://host/hub", {"transports": HttpTransportType.SERVER_SENT_EVENTS | HttpTransportType.LONG_POLLING}),
    ],
    ids=["https", "no WebSockets"],
)
def test_the_library_is_not_needed_where_no_tunnel_is(url: str, options: dict[str, Any]) -> None:
    HubConnectionBuilder().with_url(url, proxy=PROXY, **options)


@pytest.mark.usefixtures("without_library")
async def test_the_library_is_not_needed_with_a_session() -> None:
    """WebSockets of such a session are not tunnelled: see docs/transports.md."""
    async with aiohttp.ClientSession() as session:
        HubConnectionBuilder().with_url("http://host/hub", proxy=PROXY, session=session)


@pytest.mark.usefixtures("without_library")
async def test_a_redirect_that_needs_the_missing_library_fails_like_a_request() -> None:
    """The URL of the hub is https, so nothing was missing until the server named another one."""
    sessions = Sessions(HttpOptions(url="https://host/hub", proxy=PROXY), sends_user_agent=True)
    with pytest.raises(TunnelError, match=r"signalr-sdk\[proxy\]"):
        sessions.way("ws://service/hub", upgrade=True)
    await sessions.aclose()


async def test_a_proxy_that_cannot_be_reached_for_a_tunnel_is_a_transport_error() -> None:
    builder = HubConnectionBuilder().with_url(
        "http://127.0.0.1:2/hub", proxy=PROXY, transports=HttpTransportType.WEB_SOCKETS, skip_negotiation=True
    )
    connection = builder.build()
    async with asyncio.timeout(30):
        with pytest.raises(TransportError, match="WebSockets failed: the proxy cannot be reached: "):
            await connection.start()

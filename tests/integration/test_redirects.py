"""Redirects that a negotiation may answer with, good and bad. Spec: client-behaviour.md, "B4. Redirects"."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator

import pytest

from signalr_client import HttpTransportType, HubConnectionBuilder, NegotiationError, TransportError
from tests.support.gated_hub import Gate, gated_hub
from tests.support.hubs import TRANSPORTS
from tests.support.scripted_server import OFFER, ScriptedServer


@pytest.fixture
async def service() -> AsyncIterator[Gate]:
    async with gated_hub() as gate:
        yield gate


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://[::1/hub", r"Invalid negotiation response received\. The redirect leads nowhere: Invalid IPv6 URL\."),
        ("/hub", "the URL cannot be used"),
        ("hub", "the URL cannot be used"),
        ("http://", "the URL cannot be used"),
        ("http://127.0.0.1:99999/hub", "Port out of range 0-65535"),
        ("ftp://127.0.0.1/hub?access_token=hush", r"ftp://127\.0\.0\.1/hub/negotiate\?access_token=\*\*\*"),
        ("http://127.0.0.1:1/hub?access_token=hush", "Cannot connect to host 127"),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_a_negotiation_error(scripted: ScriptedServer, url: str, text: str) -> None:
    """Whatever a server names; what is secret in it is not shown."""
    scripted.negotiate = {"url": url, "accessToken": "hush"}
    connection = HubConnectionBuilder().with_url(scripted.url).build()
    with pytest.raises(NegotiationError, match=text) as caught:
        await connection.start()
    assert "hush" not in "".join(traceback.format_exception(caught.value))
    assert connection.state == "Disconnected"
    assert len(scripted.requests) == 1


@pytest.mark.parametrize("url", ["", None])
async def test_an_empty_url_is_no_redirect(scripted: ScriptedServer, url: str | None) -> None:
    scripted.negotiate = OFFER | {"url": url}
    async with HubConnectionBuilder().with_url(scripted.url).build() as connection:
        assert connection.connection_id == "public-id"


async def test_a_token_without_a_url_serves_this_start(scripted: ScriptedServer) -> None:
    """The official clients take it from any answer."""
    scripted.negotiate = OFFER | {"accessToken": "from-negotiate"}
    async with HubConnectionBuilder().with_url(scripted.url, access_token_factory=lambda: "mine").build():
        pass
    assert [request.headers["Authorization"] for request in scripted.requests] == ["Bearer mine", "Bearer from-negotiate"]


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_the_services_token_goes_with_every_request_to_it(scripted: ScriptedServer, service: Gate, name: str) -> None:
    """And the caller's headers do; the caller's factory is asked for the first request alone."""
    asked = []
    scripted.negotiate = {"url": service.url + "?hub=chat", "accessToken": "for-the-service"}
    builder = HubConnectionBuilder().with_url(
        scripted.url,
        transports=TRANSPORTS[name],
        access_token_factory=lambda: asked.append(1) or "mine",  # type: ignore[func-returns-value]  # for its effect
        headers={"X-Tenant": "7"},
    )
    async with asyncio.timeout(5), builder.build() as connection:
        assert await connection.invoke("Echo", 1) == 1
    assert len(asked) == 1
    assert {tuple(seen.tokens) for seen in service.seen} == {("Bearer for-the-service",)}
    assert {tuple(seen.all("X-Tenant")) for seen in service.seen} == {("7",)}
    assert all("hub=chat" in seen.path for seen in service.seen)
    assert scripted.requests[0].headers["X-Tenant"] == "7"
    assert len(scripted.requests) == 1


async def test_a_401_of_the_service_is_not_tried_again(scripted: ScriptedServer, service: Gate) -> None:
    """There is no other token: the caller's is the front's."""
    scripted.negotiate = {"url": service.url, "accessToken": "worthless"}
    service.refuse(401, "POST")
    tokens = []
    builder = HubConnectionBuilder().with_url(
        scripted.url,
        transports=HttpTransportType.LONG_POLLING,
        access_token_factory=lambda: tokens.append("mine") or "mine",  # type: ignore[func-returns-value]  # for its effect
    )
    with pytest.raises(TransportError, match="401"):
        await builder.build().start()
    assert [seen.kind for seen in service.seen].count("POST") == 1
    assert tokens == ["mine"]


async def test_a_fallback_negotiates_again_at_the_service(scripted: ScriptedServer, service: Gate) -> None:
    scripted.negotiate = {"url": service.url, "accessToken": "for-the-service"}
    service.refuse(404, "WebSocket")
    async with asyncio.timeout(5), HubConnectionBuilder().with_url(scripted.url).build() as connection:
        assert await connection.invoke("Echo", 1) == 1
    assert [seen.kind for seen in service.seen[:4]] == ["negotiate", "WebSocket", "negotiate", "GET"]
    assert len(scripted.requests) == 1
    assert {tuple(seen.tokens) for seen in service.seen} == {("Bearer for-the-service",)}

"""`access_token_in_query`, which sends the access token in the query. See docs/transports.md, "Access tokens"."""

from __future__ import annotations

import logging

import pytest
from aiohttp import web

from signalr_client import HttpTransportType
from signalr_client.server import Hub, User, authorize, bearer_token
from tests.support.hub_server import serving
from tests.support.hubs import TRANSPORTS

TOKEN = "a b+c/%?&=ü"


@authorize
class Secured(Hub):
    def who(self) -> str | None:
        return self.context.user_identifier


@pytest.mark.parametrize("in_query", [False, True])
@pytest.mark.parametrize("transport", TRANSPORTS.values(), ids=TRANSPORTS)
async def test_the_query_has_the_token_only_for_websockets_and_event_streams(
    transport: HttpTransportType, in_query: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Browsers cannot set headers for these requests. The token is percent-encoded, and not logged."""
    caplog.set_level(logging.DEBUG, "signalr_client")
    seen: list[tuple[str, bool, bool]] = []

    def authenticate(request: web.Request) -> User | None:
        token = bearer_token(request)
        streams = "text/event-stream" in request.headers.get("Accept", "") or "Upgrade" in request.headers
        kind = "stream" if streams else "request"
        seen.append((kind, "Authorization" in request.headers, "access_token" in request.query))
        return User("anna") if token == TOKEN else None

    async with serving(Secured, authenticate=authenticate) as serve:
        serve.url += "?tenant=7"
        client = await serve.connect(transports=transport, access_token_factory=lambda: TOKEN, access_token_in_query=in_query)
        assert await client.invoke("Who") == "anna"
    streams = transport is not HttpTransportType.LONG_POLLING
    expected = {("request", True, False)}
    if streams:
        expected.add(("stream", not in_query, in_query))
    assert set(seen) == expected
    assert TOKEN not in caplog.text
    assert "a%20b" not in caplog.text
    assert "a+b" not in caplog.text


@pytest.mark.parametrize("token", ["", None])
async def test_without_a_token_the_url_is_unchanged(token: str | None) -> None:
    queries = []

    def authenticate(request: web.Request) -> User:
        queries.append(request.query_string)
        return User("somebody")

    async with serving(Secured, authenticate=authenticate) as serve:
        await serve.connect(access_token_factory=lambda: token, access_token_in_query=True)
    assert len(queries) == 2
    assert not any("access_token" in query for query in queries)

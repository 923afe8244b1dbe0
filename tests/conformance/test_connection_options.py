"""What travels with the requests: headers, cookies, queries, tokens. Spec: client-behaviour.md, "A6", "C. Access tokens", "B4"."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from signalr_client import AggregateTransportError, HttpTransportType, NegotiationError, SignalRError
from tests.support.hubs import TRANSPORTS, Hubs

AGENT = r"Microsoft SignalR/\d+\.\d+ \([^;]+; (Linux|macOS|Windows NT|Unknown OS); Python; \d+\.\d+\.\d+\S*\)"


async def test_headers_and_query_come_with_every_transport(hubs: Hubs) -> None:
    headers = {"X-Tenant": "7", "x-empty": ""}
    builder = hubs.builder("/testhub?room=blue&room=red%20one", headers=headers)
    async with builder.build() as connection:
        assert await connection.invoke("GetHeader", "X-Tenant") == "7"
        assert await connection.invoke("GetHeader", "X-Empty") == ""
        assert (await connection.invoke("GetQuery", "room")).startswith("blue")


async def test_the_user_agent_has_the_official_form(hubs: Hubs) -> None:
    async with hubs.connection() as connection:
        text = await connection.invoke("GetHeader", "User-Agent")
        assert re.fullmatch(AGENT, text)
        assert await connection.invoke("GetHeader", "X-Requested-With") == "XMLHttpRequest"


@pytest.mark.parametrize(("given", "sent"), [("My Program/1", "My Program/1"), ("", "")])
async def test_a_user_agent_of_the_callers_wins(hubs: Hubs, given: str, sent: str) -> None:
    """An empty one sends none."""
    async with hubs.connection(headers={"user-agent": given}) as connection:
        assert await connection.invoke("GetHeader", "User-Agent") == sent


async def test_cookies_come_with_every_transport(hubs: Hubs) -> None:
    async with hubs.connection(cookies={"c": "cookie-value"}) as connection:
        assert await connection.invoke("GetCookie", "c") == "cookie-value"


async def test_a_session_of_the_callers_is_used_and_left_open(hubs: Hubs) -> None:
    async with aiohttp.ClientSession(headers={"X-Session": "mine"}, cookies={"s": "1"}) as session:
        for _ in range(2):
            async with hubs.connection(session=session) as connection:
                assert await connection.invoke("GetHeader", "X-Session") == "mine"
                assert await connection.invoke("GetCookie", "s") == "1"
            assert not session.closed


# access tokens


class Tokens:
    """A factory that hands out a token of the /authhub, a new one each time, each good for so many requests."""

    def __init__(self, uses: int | None = None) -> None:
        self.name = f"anna-{uuid.uuid4()}"
        self._uses = uses
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._uses is None:
            return f"user:{self.name}"
        return f"once:{self._uses}:{self.name}-{self.calls}"

    async def later(self) -> str:
        await asyncio.sleep(0)
        return self()


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_when_a_token_is_asked_for(hubs: Hubs, form: str) -> None:
    """For the negotiation and the WebSocket; polls, POSTs and event streams use what is known. A restart asks anew."""
    tokens = Tokens()
    factory: Callable[[], str | Awaitable[str]] = tokens if form == "sync" else tokens.later
    connection = hubs.connection("/authhub", access_token_factory=factory)
    expected = 2 if hubs.transport is HttpTransportType.WEB_SOCKETS else 1
    for starts in (1, 2):
        async with connection:
            for _ in range(3):
                assert await connection.invoke("WhoAmI") == tokens.name
        assert tokens.calls == starts * expected


async def test_a_token_that_is_used_up_is_renewed(hubs: Hubs) -> None:
    """One good for a single request: every poll and POST is answered with 401 first, and sent once more."""
    tokens = Tokens(uses=1)
    async with hubs.connection("/authhub", access_token_factory=tokens) as connection:
        for _ in range(5):
            assert (await connection.invoke("WhoAmI")).startswith(tokens.name)
    assert tokens.calls >= (2 if hubs.transport is HttpTransportType.WEB_SOCKETS else 5)


@pytest.mark.parametrize("token", [None, "", "nonsense"])
async def test_without_a_good_token_the_negotiation_fails(hubs: Hubs, token: str | None) -> None:
    """401 is final there: the token was just asked for."""
    calls = []

    def factory() -> str | None:
        calls.append(token)
        return token

    with pytest.raises(NegotiationError, match="401") as refused:
        await hubs.connection("/authhub", access_token_factory=factory).start()
    assert refused.value.status == 401
    assert len(calls) == 1


async def test_a_token_wins_over_a_header_of_the_callers(hubs: Hubs) -> None:
    options: dict[str, Any] = {"headers": {"authorization": "Bearer nonsense"}, "access_token_factory": Tokens()}
    async with hubs.connection("/authhub", **options) as connection:
        assert (await connection.invoke("WhoAmI")).startswith("anna")


async def test_a_header_of_the_callers_does_where_there_is_no_factory(hubs: Hubs) -> None:
    async with hubs.connection("/authhub", headers={"Authorization": "Bearer user:bert"}) as connection:
        assert await connection.invoke("WhoAmI") == "bert"


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_what_a_factory_raises_is_what_start_raises(hubs: Hubs, form: str) -> None:
    def factory() -> str:
        raise LookupError("no token today")

    async def later() -> str:
        return factory()

    connection = hubs.connection("/authhub", access_token_factory=factory if form == "sync" else later)
    with pytest.raises(LookupError, match="no token today"):
        await connection.start()
    assert connection.state == "Disconnected"


# redirects: what a service such as Azure SignalR does


@pytest.mark.parametrize("hops", [1, 3])
async def test_a_redirect_leads_to_a_hub_that_demands_its_token(hubs: Hubs, hops: int) -> None:
    asked = []

    def factory() -> str:
        asked.append("own")
        return "user:somebody-else"

    connection = hubs.connection(f"/redirect?hops={hops}", access_token_factory=factory)
    for _ in range(2):
        async with connection:
            assert await connection.invoke("WhoAmI") == "redirected"
            assert connection.url.endswith(f"/redirect?hops={hops}")
    assert len(asked) == 2  # only the first request of each start is the caller's own server's


async def test_a_refused_negotiation_says_why(hubs: Hubs) -> None:
    with pytest.raises(NegotiationError, match="not allowed"):
        await hubs.connection("/refused").start()


# transports that are switched off


@pytest.mark.parametrize(("path", "only"), [("-ws", "ws"), ("-sse", "sse"), ("-lp", "lp")])
async def test_a_hub_with_one_transport(hubs: Hubs, path: str, only: str) -> None:
    """Whoever may use all of them ends there; whoever may not is told all the reasons."""
    works = (only, hubs.protocol_name) != ("sse", "messagepack")
    connection = hubs.connection("/testhub" + path, transports=HttpTransportType.ALL)
    if works:
        async with connection:
            assert await connection.invoke("GetTransport") == TRANSPORTS[only].wire_name
    else:
        with pytest.raises(AggregateTransportError, match="does not support the 'Binary' transfer format"):
            await connection.start()
    if hubs.transport_name != only:
        with pytest.raises(AggregateTransportError) as failed:
            await hubs.connection("/testhub" + path).start()
        name = TRANSPORTS[only].wire_name
        assert str(failed.value) == (
            "Unable to connect to the server with any of the available transports."
            f" ({name} failed: The transport is disabled by the client.)"
        )


async def test_everything_may_be_offered_and_the_first_that_can_is_taken(hubs: Hubs) -> None:
    async with hubs.connection(transports=HttpTransportType.ALL) as connection:
        assert await connection.invoke("GetTransport") == "WebSockets"
    no_sockets = HttpTransportType.SERVER_SENT_EVENTS | HttpTransportType.LONG_POLLING
    async with hubs.connection(transports=no_sockets) as connection:
        wanted = "LongPolling" if hubs.protocol_name == "messagepack" else "ServerSentEvents"
        assert await connection.invoke("GetTransport") == wanted


# sizes


async def test_a_message_that_is_too_large_for_the_server_says_so(hubs: Hubs) -> None:
    """The real server does not tell; the client knows what it sent and what is usual."""
    async with hubs.connection("/stricthub") as connection:
        with pytest.raises(SignalRError) as ended:
            await connection.invoke("Echo", "x" * 40_000)
        assert "Connection closed with an error." in str(ended.value)
        assert re.search(r"The largest message sent had 40,0\d\d bytes; a server accepts 32,768", str(ended.value))


async def test_a_message_that_is_too_large_for_the_client_ends_the_connection(hubs: Hubs) -> None:
    async with hubs.connection(max_message_size=5_000) as connection:
        assert len(await connection.invoke("MakeString", 4_000)) == 4_000
        with pytest.raises(SignalRError, match="5000"):
            await connection.invoke("MakeString", 6_000)

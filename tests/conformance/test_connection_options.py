"""What is sent with every request: headers, cookies, queries and access tokens. See docs/transports.md."""

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


async def test_headers_and_query_are_sent_by_every_transport(hubs: Hubs) -> None:
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
async def test_headers_can_override_the_user_agent(hubs: Hubs, given: str, sent: str) -> None:
    """With an empty value, no User-Agent is sent."""
    async with hubs.connection(headers={"user-agent": given}) as connection:
        assert await connection.invoke("GetHeader", "User-Agent") == sent


async def test_cookies_are_sent_by_every_transport(hubs: Hubs) -> None:
    async with hubs.connection(cookies={"c": "cookie-value"}) as connection:
        assert await connection.invoke("GetCookie", "c") == "cookie-value"


async def test_a_given_session_is_used_and_not_closed(hubs: Hubs) -> None:
    async with aiohttp.ClientSession(headers={"X-Session": "mine"}, cookies={"s": "1"}) as session:
        for _ in range(2):
            async with hubs.connection(session=session) as connection:
                assert await connection.invoke("GetHeader", "X-Session") == "mine"
                assert await connection.invoke("GetCookie", "s") == "1"
            assert not session.closed


# access tokens


class Tokens:
    """An access token factory that returns a new token for /authhub each time, each valid for a limited number of requests."""

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
async def test_the_token_factory_is_called_for_negotiate_and_websocket_requests(hubs: Hubs, form: str) -> None:
    """Polls, POSTs and event streams reuse the known token. A new start calls the factory again."""
    tokens = Tokens()
    factory: Callable[[], str | Awaitable[str]] = tokens if form == "sync" else tokens.later
    connection = hubs.connection("/authhub", access_token_factory=factory)
    expected = 2 if hubs.transport is HttpTransportType.WEB_SOCKETS else 1
    for starts in (1, 2):
        async with connection:
            for _ in range(3):
                assert await connection.invoke("WhoAmI") == tokens.name
        assert tokens.calls == starts * expected


async def test_an_expired_token_is_renewed(hubs: Hubs) -> None:
    """Each token is valid for one request, so every poll and POST first receives a 401 and is then sent again."""
    tokens = Tokens(uses=1)
    async with hubs.connection("/authhub", access_token_factory=tokens) as connection:
        for _ in range(5):
            assert (await connection.invoke("WhoAmI")).startswith(tokens.name)
    assert tokens.calls >= (2 if hubs.transport is HttpTransportType.WEB_SOCKETS else 5)


@pytest.mark.parametrize("token", [None, "", "nonsense"])
async def test_start_fails_without_a_valid_token(hubs: Hubs, token: str | None) -> None:
    """A 401 in response to negotiate is final, because the token was just requested."""
    calls = []

    def factory() -> str | None:
        calls.append(token)
        return token

    with pytest.raises(NegotiationError, match="401") as refused:
        await hubs.connection("/authhub", access_token_factory=factory).start()
    assert refused.value.status == 401
    assert len(calls) == 1


async def test_the_token_factory_takes_precedence_over_an_authorization_header(hubs: Hubs) -> None:
    options: dict[str, Any] = {"headers": {"authorization": "Bearer nonsense"}, "access_token_factory": Tokens()}
    async with hubs.connection("/authhub", **options) as connection:
        assert (await connection.invoke("WhoAmI")).startswith("anna")


async def test_an_authorization_header_is_sent_without_a_token_factory(hubs: Hubs) -> None:
    async with hubs.connection("/authhub", headers={"Authorization": "Bearer user:bert"}) as connection:
        assert await connection.invoke("WhoAmI") == "bert"


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_start_raises_the_exception_of_the_token_factory(hubs: Hubs, form: str) -> None:
    def factory() -> str:
        raise LookupError("no token today")

    async def later() -> str:
        return factory()

    connection = hubs.connection("/authhub", access_token_factory=factory if form == "sync" else later)
    with pytest.raises(LookupError, match="no token today"):
        await connection.start()
    assert connection.state == "Disconnected"


# redirects, as sent by a service such as Azure SignalR


@pytest.mark.parametrize("hops", [1, 3])
async def test_a_redirect_is_followed_with_the_token_of_the_redirect(hubs: Hubs, hops: int) -> None:
    asked = []

    def factory() -> str:
        asked.append("own")
        return "user:somebody-else"

    connection = hubs.connection(f"/redirect?hops={hops}", access_token_factory=factory)
    for _ in range(2):
        async with connection:
            assert await connection.invoke("WhoAmI") == "redirected"
            assert connection.url.endswith(f"/redirect?hops={hops}")
    assert len(asked) == 2  # the factory is called only for the first negotiate request of each start


async def test_a_refused_negotiation_raises_the_error_of_the_server(hubs: Hubs) -> None:
    with pytest.raises(NegotiationError, match="not allowed"):
        await hubs.connection("/refused").start()


# disabled transports


@pytest.mark.parametrize(("path", "only"), [("-ws", "ws"), ("-sse", "sse"), ("-lp", "lp")])
async def test_a_hub_may_support_only_one_transport(hubs: Hubs, path: str, only: str) -> None:
    """A client that allows all transports uses it; other clients get an error with the reason."""
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


async def test_the_first_suitable_transport_is_used(hubs: Hubs) -> None:
    async with hubs.connection(transports=HttpTransportType.ALL) as connection:
        assert await connection.invoke("GetTransport") == "WebSockets"
    no_sockets = HttpTransportType.SERVER_SENT_EVENTS | HttpTransportType.LONG_POLLING
    async with hubs.connection(transports=no_sockets) as connection:
        wanted = "LongPolling" if hubs.protocol_name == "messagepack" else "ServerSentEvents"
        assert await connection.invoke("GetTransport") == wanted


# sizes


async def test_the_error_names_the_size_of_a_message_that_is_too_large_for_the_server(hubs: Hubs) -> None:
    """The real server gives no reason; the client adds the size that it sent and the default limit."""
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

"""Headers, cookies and sessions given by the application, for each request. See docs/transports.md, "Every option"."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from signalr_client import ConnectionClosedError, HubConnectionBuilder, NegotiationError
from signalr_client.transports.http import user_agent
from tests.support.gated_hub import Gate, gated_hub
from tests.support.hubs import TRANSPORTS

each_transport = pytest.mark.parametrize("name", TRANSPORTS)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with gated_hub() as gate:
        yield gate


async def talk(gate: Gate, name: str, **options: object) -> None:
    """Connect, make a call, and stop."""
    builder = HubConnectionBuilder().with_url(gate.url, transports=TRANSPORTS[name], **options)  # type: ignore[arg-type]  # options of with_url
    async with asyncio.timeout(5), builder.build() as connection:
        assert await connection.invoke("Echo", 1) == 1


def values(gate: Gate, header: str, *kinds: str) -> set[tuple[str, ...]]:
    """Return the values of a header in all requests, or in requests of the given kinds."""
    return {tuple(seen.all(header)) for seen in gate.seen if not kinds or seen.kind in kinds}


# headers


@each_transport
async def test_every_request_has_the_standard_headers(gate: Gate, name: str) -> None:
    await talk(gate, name, headers={"X-Tenant": "7", "X-Name": "Jürgen"})
    assert values(gate, "User-Agent") == {(user_agent(),)}
    assert values(gate, "X-Requested-With") == {("XMLHttpRequest",)}
    assert values(gate, "X-Tenant") == {("7",)}
    assert values(gate, "X-Name") == {("Jürgen",)}
    assert values(gate, "Accept", "negotiate", "POST", "DELETE") == {("*/*",)}


def test_the_user_agent_has_the_official_format() -> None:
    assert re.fullmatch(
        r"Microsoft SignalR/\d+\.\d+ \(\d[^;]*; (Linux|macOS|Windows NT); Python; 3\.\d+\.\d+\S*\)", user_agent()
    )


@each_transport
@pytest.mark.parametrize("header", ["User-Agent", "user-agent"])
@pytest.mark.parametrize(("given", "sent"), [("Mine/1", ("Mine/1",)), ("", ())])
async def test_a_given_user_agent_replaces_the_default(
    gate: Gate, name: str, header: str, given: str, sent: tuple[str, ...]
) -> None:
    await talk(gate, name, headers={header: given})
    assert values(gate, "User-Agent") == {sent}


@each_transport
async def test_a_given_x_requested_with_header_replaces_the_default(gate: Gate, name: str) -> None:
    await talk(gate, name, headers={"x-requested-with": "Mine"})
    assert values(gate, "X-Requested-With") == {("Mine",)}


@pytest.mark.parametrize("name", ["sse", "lp"])
@pytest.mark.parametrize("spelling", [str.title, str.lower, str.upper])
async def test_headers_required_by_a_transport_are_sent_once(gate: Gate, name: str, spelling: type[str]) -> None:
    """In any spelling: some servers reject requests with duplicates."""
    await talk(gate, name, headers={spelling("content-type"): "application/json", spelling("accept"): "text/html"})
    assert values(gate, "Content-Type", "POST") == {("text/plain;charset=UTF-8",)}
    assert values(gate, "Accept", "GET") == {("text/event-stream",) if name == "sse" else ("text/html",)}
    assert all(len(given) == 1 for given in values(gate, "Accept") | values(gate, "Content-Type", "POST"))


async def test_an_invalid_header_fails_the_start(gate: Gate) -> None:
    with pytest.raises(NegotiationError, match="control character"):
        await talk(gate, "ws", headers={"X-Tenant": "7\r\nX-Other: 8"})
    assert gate.seen == []


# cookies


@each_transport
async def test_cookies_are_sent_unchanged(gate: Gate, name: str) -> None:
    """Base64 in the cookies of load balancers contains = and /; quotes around it would become part of the value."""
    gate.cookies = ["AWSALB=ab/cd+ef==; Path=/", "ARRAffinity=0a1b2c; Path=/; HttpOnly", "token={a:b}"]
    given = {"mine": "YWI=", "encoded": "a%20b", "json": "[1]"}
    await talk(gate, name, cookies=given)
    first, *later = [dict(pair.strip().split("=", 1) for pair in seen.all("Cookie")[0].split(";")) for seen in gate.seen]
    assert first == given
    for cookies in later:
        assert cookies == given | {"AWSALB": "ab/cd+ef==", "ARRAffinity": "0a1b2c", "token": "{a:b}"}


@each_transport
async def test_a_cookie_header_and_cookies_become_one_header(gate: Gate, name: str) -> None:
    gate.cookies = ["server=7"]
    await talk(gate, name, headers={"Cookie": "own=YWI="}, cookies={"mine": "1"})
    first, *later = [sorted(seen.all("Cookie")[0].split("; ")) for seen in gate.seen]
    assert first == ["mine=1", "own=YWI="]
    assert all(cookies == ["mine=1", "own=YWI=", "server=7"] for cookies in later)


@each_transport
async def test_a_cookie_deleted_by_the_server_is_not_sent(gate: Gate, name: str) -> None:
    gate.cookies = ["mine=; Max-Age=0; Path=/"]
    await talk(gate, name, cookies={"mine": "1"})
    first, *later = [seen.all("Cookie") for seen in gate.seen]
    assert first == ["mine=1"]
    assert all(cookies == [] for cookies in later)


@each_transport
async def test_cookies_for_tls_only_or_another_path_are_not_sent(gate: Gate, name: str) -> None:
    gate.cookies = ["tls=1; Secure; Path=/", "there=1; Path=/elsewhere", "here=1; Path=/hub"]
    await talk(gate, name)
    assert {tuple(seen.all("Cookie")) for seen in gate.seen[1:]} == {("here=1",)}


@pytest.mark.interop
@each_transport
@pytest.mark.parametrize(("given", "read"), [("YWI=", "YWI="), ("a/b", "a/b"), ("a%20b", "a b"), ("{1:2}", "{1:2}")])
async def test_the_real_server_receives_cookies_unchanged(aspnetcore_url: str, name: str, given: str, read: str) -> None:
    builder = HubConnectionBuilder().with_url(f"{aspnetcore_url}/testhub", transports=TRANSPORTS[name], cookies={"c": given})
    async with asyncio.timeout(5), builder.build() as connection:
        assert await connection.invoke("GetCookie", "c") == read


# sessions given by the application


@each_transport
async def test_a_session_with_raise_for_status_can_be_used(gate: Gate, name: str) -> None:
    """The client handles status codes itself; a 401, for example, leads to a new token."""
    calls = 0

    def factory() -> str:
        nonlocal calls
        calls += 1
        return f"t{calls}"

    gate.verdict = lambda seen: 401 if seen.kind in ("GET", "POST", "DELETE") and seen.tokens == ["Bearer t1"] else None
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        await talk(gate, name, session=session, access_token_factory=factory)
        assert calls == 2
        gate.refuse(404, "negotiate")
        with pytest.raises(NegotiationError, match="Either this is not a SignalR endpoint") as caught:
            await talk(gate, name, session=session)
        assert caught.value.status == 404
        assert not session.closed


@each_transport
async def test_headers_of_the_session_are_sent_but_do_not_override_ours(gate: Gate, name: str) -> None:
    given = {"X-Session": "1", "User-Agent": "Session/1", "Authorization": "Basic YTpi"}
    async with aiohttp.ClientSession(headers=given) as session:
        await talk(gate, name, session=session, access_token_factory=lambda: "t")
    assert values(gate, "X-Session") == {("1",)}
    assert values(gate, "User-Agent") == {(user_agent(),)}
    assert values(gate, "Authorization") == {("Bearer t",)}


@each_transport
async def test_the_timeout_of_the_session_does_not_apply_to_the_connection(gate: Gate, name: str) -> None:
    limit = aiohttp.ClientTimeout(total=0.05)
    async with aiohttp.ClientSession(timeout=limit) as session:
        builder = HubConnectionBuilder().with_url(gate.url, transports=TRANSPORTS[name], session=session)
        async with asyncio.timeout(5), builder.build() as connection:
            passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.15, passed.set_result, None)
            await passed
            assert await connection.invoke("Echo", 1) == 1


async def test_a_closed_session_fails_the_start(gate: Gate) -> None:
    async with aiohttp.ClientSession() as session:
        pass
    with pytest.raises(NegotiationError, match=r"^Failed to complete negotiation with the server: Session is closed"):
        await talk(gate, "ws", session=session)


@each_transport
async def test_closing_the_session_ends_the_connection(gate: Gate, name: str) -> None:
    """Pending calls fail and callbacks run."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(5):
        builder = HubConnectionBuilder().with_url(gate.url, transports=TRANSPORTS[name], session=session)
        connection = builder.build()
        closed: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        connection.on_close(closed.set_result)
        await connection.start()
        await session.close()
        if name == "sse":  # the other transports detect the end by themselves
            with pytest.raises(ConnectionClosedError):
                await connection.invoke("Echo", 1)
        assert isinstance(await closed, ConnectionClosedError)
        assert connection.state == "Disconnected"
        await connection.stop()

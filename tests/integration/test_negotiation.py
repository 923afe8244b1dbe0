"""Negotiation, redirects, selection and fallback. Spec: client-behaviour.md, "A5", "B2" to "B7"."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web

from signalr_client import (
    AggregateTransportError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubProtocol,
    InvalidStateError,
    MessagePackHubProtocol,
    NegotiationError,
    SignalRError,
    TransportError,
)
from tests.support.scripted_server import OFFER, Peer, ScriptedServer, scripted_server


def build(url: str, **options: Any) -> HubConnection:
    """Return a connection."""
    return HubConnectionBuilder().with_url(url, **options).build()


async def test_negotiate_asks_for_version_1_beside_the_hubs_own_query() -> None:
    """The path gets its ending, the query is kept, the token goes with the connection."""
    async with scripted_server() as server:
        connection = build(f"{server.url}/?room=7&x=a%20b")
        await connection.start()
        assert connection.connection_id == "public-id"
        await connection.stop()
        negotiate, connect = server.requests
        assert (negotiate.method, negotiate.path_qs) == ("POST", "/hub/negotiate?room=7&x=a%20b&negotiateVersion=1")
        assert connect.path_qs == "/hub/?room=7&x=a%20b&id=secret-token"
        for request in server.requests:
            assert request.headers["X-Requested-With"] == "XMLHttpRequest"
            assert request.headers["User-Agent"].startswith("Microsoft SignalR/")
            assert "; Python; " in request.headers["User-Agent"]


async def test_a_server_of_version_0_has_one_id_for_both() -> None:
    """The connection id is the token."""
    async with scripted_server() as server:
        server.negotiate = {"connectionId": "only-id", "availableTransports": OFFER["availableTransports"], "new": {"x": 1}}
        connection = build(server.url)
        await connection.start()
        assert connection.connection_id == "only-id"
        await connection.stop()
        assert server.requests[1].query["id"] == "only-id"


@pytest.mark.parametrize(
    ("answer", "text", "status"),
    [
        ({"error": "This connection is not allowed."}, r"^This connection is not allowed\.", 200),
        ({"ProtocolVersion": "1.5", "Url": "/signalr"}, "Detected a connection attempt to an ASP.NET SignalR Server", 200),
        ({"connectionId": "x"}, "Missing required property 'availableTransports'", 200),
        ({"availableTransports": []}, "Missing required property 'connectionId'", 200),
        (OFFER | {"connectionToken": ""}, "Missing required property 'connectionToken'", 200),
        (OFFER | {"availableTransports": []}, "None of the transports supported by the client are supported by", 200),
        ([], r"Invalid negotiation response received\.", 200),
        ("text", r"Invalid negotiation response received\.", 200),
    ],
)
async def test_an_answer_that_leads_nowhere_is_a_negotiation_error(answer: object, text: str, status: int) -> None:
    """It says what was wrong, with the address and the status."""
    async with scripted_server() as server:
        server.negotiate = lambda _: web.json_response(answer)
        with pytest.raises(NegotiationError, match=text) as caught:
            await build(f"{server.url}?access_token=hush").start()
        assert caught.value.status == status
        assert caught.value.url.startswith(server.url)
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, r"404 \(Not Found\).* Either this is not a SignalR endpoint or there is a proxy blocking the connection\."),
        (500, r"500 \(Internal Server Error\)"),
        (401, r"401 \(Unauthorized\)"),
        (302, r"302"),
    ],
)
async def test_a_status_that_is_no_success_is_a_negotiation_error(status: int, text: str) -> None:
    """And named."""
    async with scripted_server() as server:
        server.negotiate = lambda _: web.Response(status=status)
        with pytest.raises(NegotiationError, match=f"Failed to complete negotiation with the server: .*{text}") as caught:
            await build(server.url).start()
        assert caught.value.status == status


async def test_an_old_aspnet_server_is_recognised(scripted: ScriptedServer) -> None:
    """In the official words, which say where to read on."""
    scripted.negotiate = {"Url": "/signalr", "ConnectionToken": "x", "ConnectionId": "y", "ProtocolVersion": "1.5"}
    with pytest.raises(NegotiationError) as caught:
        await build(scripted.url).start()
    assert caught.value.message == (
        "Detected a connection attempt to an ASP.NET SignalR Server. This client only supports connecting to an ASP.NET Core"
        " SignalR Server. See https://aka.ms/signalr-core-differences for details."
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"\xff\xfe",
        b'{"connectionId":7,"availableTransports":[]}',
        b'{"connectionId":"x","availableTransports":{}}',
        b'{"connectionId":"x","availableTransports":[{"transferFormats":["Text"]}]}',
        b'{"connectionId":"x","negotiateVersion":"1","availableTransports":[]}',
        b'{"connectionId":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
async def test_a_body_that_is_no_answer_is_a_negotiation_error(body: bytes, scripted: ScriptedServer) -> None:
    """And nothing else, whatever it holds."""
    scripted.negotiate = lambda _: web.Response(body=body, content_type="application/json")
    with pytest.raises(NegotiationError, match=r"Invalid negotiation response received\.") as caught:
        await build(scripted.url).start()
    assert caught.value.status == 200


async def test_members_of_tomorrow_are_passed_over(scripted: ScriptedServer) -> None:
    """In the answer and in its transports."""
    transport = {"transport": "WebSockets", "transferFormats": ["Text", "Hologram"], "speed": "high"}
    scripted.negotiate = OFFER | {"availableTransports": [transport], "tokenLifetimeSeconds": 3600, "news": {"a": [1]}}
    async with build(scripted.url) as connection:
        assert connection.connection_id == "public-id"


async def test_any_success_is_a_success(scripted: ScriptedServer) -> None:
    """The .NET client takes every status from 200 to 299."""
    scripted.negotiate = lambda _: web.json_response(OFFER, status=202)
    async with build(scripted.url) as connection:
        assert connection.connection_id == "public-id"


async def test_a_401_is_final_for_a_negotiation(scripted: ScriptedServer) -> None:
    """Its token was asked for just now: another one would be no better."""
    asked = 0

    def factory() -> str:
        nonlocal asked
        asked += 1
        return "worthless"

    scripted.negotiate = lambda _: web.Response(status=401)
    with pytest.raises(NegotiationError, match="401") as caught:
        await build(scripted.url, access_token_factory=factory).start()
    assert (caught.value.status, asked, len(scripted.requests)) == (401, 1, 1)


async def test_a_server_that_hangs_up_on_the_question() -> None:
    """No answer, no status."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NegotiationError, match="Failed to complete negotiation with the server: ") as caught:
            await build(f"http://127.0.0.1:{port}/hub").start()
        assert caught.value.status is None


@pytest.mark.parametrize(
    ("given", "negotiate", "connect"),
    [
        ("", "/hub/negotiate?negotiateVersion=1", "/hub?id=secret-token"),
        ("/", "/hub/negotiate?negotiateVersion=1", "/hub/?id=secret-token"),
        ("?negotiateVersion=0", "/hub/negotiate?negotiateVersion=0", "/hub?negotiateVersion=0&id=secret-token"),
        ("?a=1&a=2&b=%26%2F", "/hub/negotiate?a=1&a=2&b=%26/&negotiateVersion=1", "/hub?a=1&a=2&b=%26/&id=secret-token"),
        ("/r%C3%B6om#part", "/hub/r%C3%B6om/negotiate?negotiateVersion=1", "/hub/r%C3%B6om?id=secret-token"),
    ],
)
async def test_path_and_query_of_the_url_are_kept(given: str, negotiate: str, connect: str, scripted: ScriptedServer) -> None:
    """Ours are added behind; a fragment is nobody else's business."""
    async with build(scripted.url + given):
        pass
    assert [request.path_qs for request in scripted.requests] == [negotiate, connect]


async def test_cookies_of_the_negotiation_come_along(scripted: ScriptedServer) -> None:
    """To the server that set them; sticky sessions depend on it."""

    def negotiate(_request: web.Request) -> web.Response:
        answer = web.json_response(OFFER)
        answer.set_cookie("affinity", "server-7")
        return answer

    scripted.negotiate = negotiate
    async with build(scripted.url, cookies={"mine": "1"}):
        pass
    asked, connected = scripted.requests
    assert dict(asked.cookies) == {"mine": "1"}
    assert dict(connected.cookies) == {"mine": "1", "affinity": "server-7"}


async def test_a_web_page_is_no_answer() -> None:
    """Some proxies give one."""
    async with scripted_server() as server:
        server.negotiate = lambda _: web.Response(text="<html>Please log in</html>", content_type="text/html")
        with pytest.raises(NegotiationError, match="Either this is not a SignalR endpoint or there is a proxy"):
            await build(server.url).start()


async def test_a_server_that_is_not_there() -> None:
    """The error names the address and the system's own reason."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/hub"
        with pytest.raises(NegotiationError, match=r"Cannot connect to host 127\.0\.0\.1") as caught:
            await build(url).start()
        assert caught.value.status is None
        assert isinstance(caught.value.__cause__, OSError)


async def test_cancelling_start_while_it_negotiates() -> None:
    """The request is given up."""
    asked = asyncio.Event()

    async def never(_request: web.Request) -> web.Response:
        asked.set()
        await asyncio.get_running_loop().create_future()
        return web.Response()

    async with scripted_server() as server:
        server.negotiate = never
        starting = asyncio.create_task(build(server.url).start())
        await asked.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting


# skipping


async def test_negotiation_can_be_skipped_for_websockets_alone() -> None:
    """Then there is no connection id."""
    async with scripted_server() as server:
        connection = build(server.url, skip_negotiation=True, transports=HttpTransportType.WEB_SOCKETS)
        await connection.start()
        assert connection.connection_id is None
        await connection.stop()
        [request] = server.requests
        assert request.path_qs == "/hub"
        with pytest.raises(
            InvalidStateError, match="Negotiation can only be skipped when using the WebSocket transport directly"
        ):
            await build(server.url, skip_negotiation=True).start()


# redirects


async def test_a_redirect_is_followed_with_its_token_for_this_start_only(scripted: ScriptedServer) -> None:
    """As Azure SignalR Service does it; a reconnect begins at the original address with the original token."""
    tokens: list[tuple[str, str | None]] = []

    def negotiate(request: web.Request) -> object:
        tokens.append((request.path_qs, request.headers.get("Authorization")))
        if request.path.startswith("/hub"):
            return {"url": scripted.url.replace("/hub", "/service?asrs=1"), "accessToken": "for-the-service"}
        return OFFER

    scripted.negotiate = negotiate
    connection = build(scripted.url, access_token_factory=lambda: "mine")
    for _ in range(2):
        await connection.start()
        await connection.stop()
    assert (
        tokens
        == [
            ("/hub/negotiate?negotiateVersion=1", "Bearer mine"),
            ("/service/negotiate?asrs=1&negotiateVersion=1", "Bearer for-the-service"),
        ]
        * 2
    )
    connects = [request for request in scripted.requests if request.method == "GET"]
    assert [request.path_qs for request in connects] == ["/service?asrs=1&id=secret-token"] * 2
    assert {request.headers["Authorization"] for request in connects} == {"Bearer for-the-service"}


async def test_a_redirect_without_a_token_keeps_the_callers(scripted: ScriptedServer) -> None:
    """And the last token that a redirect brings is the one that counts."""
    seen: list[str | None] = []
    hops = {
        "/hub/negotiate": {"url": scripted.url.replace("/hub", "/one")},
        "/one/negotiate": {"url": scripted.url.replace("/hub", "/two"), "accessToken": "second"},
        "/two/negotiate": {"url": scripted.url.replace("/hub", "/three"), "accessToken": "third"},
    }

    def negotiate(request: web.Request) -> object:
        seen.append(request.headers.get("Authorization"))
        return hops.get(request.path, OFFER)

    scripted.negotiate = negotiate
    async with build(scripted.url, access_token_factory=lambda: "mine"):
        pass
    assert seen == ["Bearer mine", "Bearer mine", "Bearer second", "Bearer third"]
    assert scripted.requests[-1].headers["Authorization"] == "Bearer third"
    assert scripted.requests[-1].path == "/three"


async def test_a_reconnect_begins_at_the_original_address(scripted: ScriptedServer) -> None:
    """With the caller's token: what a redirect brought is forgotten."""
    seen: list[tuple[str, str | None]] = []

    def negotiate(request: web.Request) -> object:
        seen.append((request.path, request.headers.get("Authorization")))
        if request.path.startswith("/hub"):
            return {"url": scripted.url.replace("/hub", "/service"), "accessToken": "service's"}
        return OFFER

    async def vanish_once(peer: Peer) -> None:
        await peer.shake_hands()
        if len(seen) > 2:
            await peer.until_closed()
        else:
            await peer.receive()

    scripted.negotiate, scripted.script = negotiate, vanish_once
    builder = HubConnectionBuilder().with_url(scripted.url, access_token_factory=lambda: "mine")
    connection, back = builder.with_automatic_reconnect([0]).build(), asyncio.Event()
    connection.on_reconnected(lambda _: back.set())
    async with connection, asyncio.timeout(10):
        await back.wait()
    assert seen == [("/hub/negotiate", "Bearer mine"), ("/service/negotiate", "Bearer service's")] * 2


async def test_a_redirect_may_end_in_a_refusal(scripted: ScriptedServer) -> None:
    """The error is that of the server that refused."""
    service = scripted.url.replace("/hub", "/service")
    scripted.negotiate = lambda request: {"url": service} if request.path.startswith("/hub") else {"error": "quota used up"}
    with pytest.raises(NegotiationError, match="quota used up") as caught:
        await build(scripted.url).start()
    assert caught.value.url.startswith(service)


async def test_a_token_does_not_follow_an_http_redirect_to_another_server(scripted: ScriptedServer) -> None:
    """Only a redirect of the negotiation itself is a reason to trust somebody else."""
    async with scripted_server() as other:
        scripted.negotiate = lambda _: web.Response(status=307, headers={"Location": f"{other.url}/negotiate"})
        other.negotiate = {"error": "who are you?"}
        with pytest.raises(NegotiationError, match="who are you"):
            await build(scripted.url, access_token_factory=lambda: "mine").start()
        assert scripted.requests[0].headers["Authorization"] == "Bearer mine"
        assert "Authorization" not in other.requests[0].headers


@pytest.mark.interop
async def test_the_real_servers_redirects_are_followed_a_hundred_requests_long(aspnetcore_url: str) -> None:
    """The last of them may not be a redirect any more."""
    async with build(f"{aspnetcore_url}/redirect?hops=99") as connection:
        assert await connection.invoke("WhoAmI") == "redirected"
    with pytest.raises(NegotiationError) as caught:
        await build(f"{aspnetcore_url}/redirect?hops=100").start()
    assert caught.value.message == "Negotiate redirection limit exceeded."


async def test_redirects_that_go_in_a_circle_end(scripted: ScriptedServer) -> None:
    """After a hundred requests."""
    scripted.negotiate = {"url": scripted.url}
    with pytest.raises(NegotiationError, match=r"Negotiate redirection limit exceeded\."):
        await build(scripted.url).start()
    assert len(scripted.requests) == 100


@pytest.mark.interop
@pytest.mark.parametrize("hops", [1, 3])
async def test_the_real_servers_redirects_lead_to_the_hub(aspnetcore_url: str, hub_protocol: HubProtocol, hops: int) -> None:
    """With the token that the last of them gave."""
    builder = HubConnectionBuilder().with_url(f"{aspnetcore_url}/redirect?hops={hops}").with_hub_protocol(hub_protocol)
    async with builder.build() as connection:
        assert await connection.invoke("WhoAmI") == "redirected"


@pytest.mark.interop
async def test_the_real_server_refuses_to_negotiate(aspnetcore_url: str) -> None:
    """With its reason."""
    with pytest.raises(NegotiationError, match=r"This connection is not allowed\."):
        await build(f"{aspnetcore_url}/refused").start()


# selection


async def test_the_servers_order_counts_and_what_fails_is_followed_by_the_next(scripted: ScriptedServer) -> None:
    """A transport that failed costs a new negotiation: the connection id is used up."""
    formats = ["Text", "Binary"]
    scripted.negotiate = OFFER | {
        "availableTransports": [
            {"transport": "ServerSentEvents", "transferFormats": ["Text"]},
            {"transport": "WebSockets", "transferFormats": formats},
        ]
    }
    connection = build(scripted.url)
    await connection.start()  # the scripted server has no event stream to give
    await connection.stop()
    assert [request.method for request in scripted.requests] == ["POST", "GET", "POST", "GET"]
    assert scripted.requests[1].headers["Accept"] == "text/event-stream"


async def test_a_negotiation_between_two_transports_may_fail_too(scripted: ScriptedServer) -> None:
    """Its error stands in the list beside those of the transports."""
    offer = OFFER | {
        "availableTransports": [
            {"transport": "ServerSentEvents", "transferFormats": ["Text"]},
            {"transport": "WebSockets", "transferFormats": ["Text"]},
        ]
    }
    scripted.negotiate = lambda _: offer if len(scripted.requests) == 1 else {"error": "once is enough"}
    with pytest.raises(AggregateTransportError) as caught:
        await build(scripted.url).start()
    assert [type(error) for error in caught.value.errors] == [TransportError, NegotiationError]
    assert "once is enough" in str(caught.value)


async def test_every_reason_is_in_the_error_when_no_transport_is_left(scripted: ScriptedServer) -> None:
    """The texts are the .NET client's."""
    scripted.negotiate = OFFER | {
        "availableTransports": [
            {"transport": "WebTransport", "transferFormats": ["Text", "Binary"]},
            {"transport": "ServerSentEvents", "transferFormats": ["Text"]},
            {"transport": "LongPolling", "transferFormats": ["Text", "Binary"]},
        ]
    }
    mask = HttpTransportType.WEB_SOCKETS | HttpTransportType.SERVER_SENT_EVENTS
    connection = (
        HubConnectionBuilder().with_url(scripted.url, transports=mask).with_hub_protocol(MessagePackHubProtocol()).build()
    )
    with pytest.raises(AggregateTransportError) as caught:
        await connection.start()
    assert str(caught.value) == (
        "Unable to connect to the server with any of the available transports."
        " (WebTransport failed: The transport is not supported by the client.)"
        " (ServerSentEvents failed: The transport does not support the 'Binary' transfer format.)"
        " (LongPolling failed: The transport is disabled by the client.)"
    )
    assert all(isinstance(error, TransportError) for error in caught.value.errors)
    assert len(scripted.requests) == 1  # what is only passed over costs nothing


async def test_a_websocket_that_is_refused_says_with_which_status() -> None:
    """And what that may mean."""
    app = web.Application()
    app.router.add_post("/hub/negotiate", _offer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        with pytest.raises(AggregateTransportError, match="status code '404' when status code '101' was expected") as caught:
            await build(f"http://127.0.0.1:{runner.addresses[0][1]}/hub").start()
        assert "sticky sessions" in str(caught.value)
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"url": "chathub"}, "begins with http:// or https://"),
        ({"url": "ftp://host/hub"}, "begins with http:// or https://"),
        ({"url": "http://host", "transports": HttpTransportType.NONE}, "leaves no way to connect"),
        ({"url": "http://host", "max_message_size": 0}, "leaves no room for a message"),
        ({"url": "http://host", "close_timeout": 0}, "above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    """When they are given, not when they are used."""
    with pytest.raises(ValueError, match=text):
        HubConnectionBuilder().with_url(**options)


def test_a_builder_builds_one_connection_to_one_url() -> None:
    """As the official builders do."""
    with pytest.raises(ValueError, match=r"'HubConnectionBuilder\.with_url' method must be called"):
        HubConnectionBuilder().build()
    builder = HubConnectionBuilder().with_url("http://host/hub").with_automatic_reconnect()
    with pytest.raises(ValueError, match="A reconnectPolicy has already been set"):
        builder.with_automatic_reconnect([1])
    connection = builder.build()
    assert connection.url == "http://host/hub"
    with pytest.raises(ValueError, match="allows creation only of a single instance"):
        builder.build()
    with pytest.raises(TypeError, match="takes a protocol object"):
        HubConnectionBuilder().with_hub_protocol("json")  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(TypeError, match="A retry policy must be"):
        HubConnectionBuilder().with_automatic_reconnect("0, 2")  # type: ignore[arg-type]  # that is the mistake
    with pytest.raises(ValueError, match="must be a positive time"):
        HubConnectionBuilder().with_server_timeout(0)


async def _offer(_request: web.Request) -> web.Response:
    return web.json_response(OFFER)


def test_every_error_of_the_start_is_a_signalr_error() -> None:
    """One `except` is enough."""
    assert all(issubclass(kind, SignalRError) for kind in (NegotiationError, AggregateTransportError, TransportError))

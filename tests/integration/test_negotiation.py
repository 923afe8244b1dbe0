"""Negotiation, redirects, and the selection of a transport. See docs/transports.md, "Which transport" and "Redirects"."""

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
from tests.support.served_app import served_app


def build(url: str, **options: Any) -> HubConnection:
    """Return a connection to *url*."""
    return HubConnectionBuilder().with_url(url, **options).build()


async def test_negotiate_requests_version_1_and_keeps_the_query_of_the_url() -> None:
    """The path is extended, and the connection token is sent when connecting."""
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


async def test_a_version_0_server_uses_the_connection_id_as_token() -> None:
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
async def test_an_unusable_response_is_a_negotiation_error(answer: object, text: str, status: int) -> None:
    """The error has the reason, the URL and the status."""
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
async def test_an_unsuccessful_status_is_a_negotiation_error(status: int, text: str) -> None:
    """The error has the status and its reason phrase."""
    async with scripted_server() as server:
        server.negotiate = lambda _: web.Response(status=status)
        with pytest.raises(NegotiationError, match=f"Failed to complete negotiation with the server: .*{text}") as caught:
            await build(server.url).start()
        assert caught.value.status == status


async def test_an_aspnet_signalr_server_is_recognized(scripted: ScriptedServer) -> None:
    """The error has the official text, with a link to more information."""
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
async def test_an_invalid_response_body_is_a_negotiation_error(body: bytes, scripted: ScriptedServer) -> None:
    scripted.negotiate = lambda _: web.Response(body=body, content_type="application/json")
    with pytest.raises(NegotiationError, match=r"Invalid negotiation response received\.") as caught:
        await build(scripted.url).start()
    assert caught.value.status == 200


async def test_unknown_members_are_ignored(scripted: ScriptedServer) -> None:
    """In the response and in its transports."""
    transport = {"transport": "WebSockets", "transferFormats": ["Text", "Hologram"], "speed": "high"}
    scripted.negotiate = OFFER | {"availableTransports": [transport], "tokenLifetimeSeconds": 3600, "news": {"a": [1]}}
    async with build(scripted.url) as connection:
        assert connection.connection_id == "public-id"


async def test_any_successful_status_is_accepted(scripted: ScriptedServer) -> None:
    """Like the .NET client, which accepts 200 to 299."""
    scripted.negotiate = lambda _: web.json_response(OFFER, status=202)
    async with build(scripted.url) as connection:
        assert connection.connection_id == "public-id"


async def test_a_401_to_negotiate_is_final(scripted: ScriptedServer) -> None:
    """The token was just requested, so a new one would not help."""
    asked = 0

    def factory() -> str:
        nonlocal asked
        asked += 1
        return "worthless"

    scripted.negotiate = lambda _: web.Response(status=401)
    with pytest.raises(NegotiationError, match="401") as caught:
        await build(scripted.url, access_token_factory=factory).start()
    assert (caught.value.status, asked, len(scripted.requests)) == (401, 1, 1)


async def test_a_server_that_closes_without_a_response_is_a_negotiation_error() -> None:
    """The error has no status."""

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
    """Our path and parameters are appended; a fragment is not sent."""
    async with build(scripted.url + given):
        pass
    assert [request.path_qs for request in scripted.requests] == [negotiate, connect]


async def test_cookies_set_by_negotiate_are_sent_with_later_requests(scripted: ScriptedServer) -> None:
    """Only to the server that set them; sticky sessions need them."""

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


async def test_a_web_page_is_a_negotiation_error() -> None:
    """Some proxies respond with one."""
    async with scripted_server() as server:
        server.negotiate = lambda _: web.Response(text="<html>Please log in</html>", content_type="text/html")
        with pytest.raises(NegotiationError, match="Either this is not a SignalR endpoint or there is a proxy"):
            await build(server.url).start()


async def test_an_unreachable_server_is_a_negotiation_error() -> None:
    """The error has the address and the reason given by the operating system."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/hub"
        with pytest.raises(NegotiationError, match=r"Cannot connect to host 127\.0\.0\.1") as caught:
            await build(url).start()
        assert caught.value.status is None
        assert isinstance(caught.value.__cause__, OSError)


async def test_cancelling_start_during_negotiation_cancels_the_request() -> None:
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


async def test_negotiation_can_be_skipped_only_for_websockets() -> None:
    """There is no connection id in this case."""
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


async def test_the_token_of_a_redirect_is_used_for_one_start(scripted: ScriptedServer) -> None:
    """As with Azure SignalR Service. A reconnect begins with the original URL and token."""
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


async def test_a_redirect_without_a_token_keeps_the_previous_one(scripted: ScriptedServer) -> None:
    """If several redirects have tokens, the last one is used."""
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


async def test_a_reconnect_begins_with_the_original_url(scripted: ScriptedServer) -> None:
    """With a token from `access_token_factory`; the token of a redirect is not used again."""
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


async def test_a_redirect_may_lead_to_a_server_that_rejects_the_client(scripted: ScriptedServer) -> None:
    """The error is that of the server that rejected the client."""
    service = scripted.url.replace("/hub", "/service")
    scripted.negotiate = lambda request: {"url": service} if request.path.startswith("/hub") else {"error": "quota used up"}
    with pytest.raises(NegotiationError, match="quota used up") as caught:
        await build(scripted.url).start()
    assert caught.value.url.startswith(service)


async def test_a_token_does_not_follow_an_http_redirect_to_another_server(scripted: ScriptedServer) -> None:
    """Tokens are sent to another server only after a redirect in a negotiate response."""
    async with scripted_server() as other:
        scripted.negotiate = lambda _: web.Response(status=307, headers={"Location": f"{other.url}/negotiate"})
        other.negotiate = {"error": "who are you?"}
        with pytest.raises(NegotiationError, match="who are you"):
            await build(scripted.url, access_token_factory=lambda: "mine").start()
        assert scripted.requests[0].headers["Authorization"] == "Bearer mine"
        assert "Authorization" not in other.requests[0].headers


@pytest.mark.interop
async def test_up_to_a_hundred_redirects_of_the_real_server_are_followed(aspnetcore_url: str) -> None:
    """The response to the hundredth request must not be a redirect."""
    async with build(f"{aspnetcore_url}/redirect?hops=99") as connection:
        assert await connection.invoke("WhoAmI") == "redirected"
    with pytest.raises(NegotiationError) as caught:
        await build(f"{aspnetcore_url}/redirect?hops=100").start()
    assert caught.value.message == "Negotiate redirection limit exceeded."


async def test_circular_redirects_are_an_error(scripted: ScriptedServer) -> None:
    """After a hundred requests."""
    scripted.negotiate = {"url": scripted.url}
    with pytest.raises(NegotiationError, match=r"Negotiate redirection limit exceeded\."):
        await build(scripted.url).start()
    assert len(scripted.requests) == 100


@pytest.mark.interop
@pytest.mark.parametrize("hops", [1, 3])
async def test_redirects_of_the_real_server_lead_to_the_hub(aspnetcore_url: str, hub_protocol: HubProtocol, hops: int) -> None:
    """With the token of the last redirect."""
    builder = HubConnectionBuilder().with_url(f"{aspnetcore_url}/redirect?hops={hops}").with_hub_protocol(hub_protocol)
    async with builder.build() as connection:
        assert await connection.invoke("WhoAmI") == "redirected"


@pytest.mark.interop
async def test_a_negotiation_rejected_by_the_real_server_is_an_error(aspnetcore_url: str) -> None:
    """With the reason given by the server."""
    with pytest.raises(NegotiationError, match=r"This connection is not allowed\."):
        await build(f"{aspnetcore_url}/refused").start()


# selection


async def test_transports_are_tried_in_the_order_of_the_server(scripted: ScriptedServer) -> None:
    """A failed transport requires a new negotiation, because it has used the connection id."""
    formats = ["Text", "Binary"]
    scripted.negotiate = OFFER | {
        "availableTransports": [
            {"transport": "ServerSentEvents", "transferFormats": ["Text"]},
            {"transport": "WebSockets", "transferFormats": formats},
        ]
    }
    connection = build(scripted.url)
    await connection.start()  # the scripted server has no event streams
    await connection.stop()
    assert [request.method for request in scripted.requests] == ["POST", "GET", "POST", "GET"]
    assert scripted.requests[1].headers["Accept"] == "text/event-stream"


async def test_a_failed_negotiation_during_a_fallback_is_reported(scripted: ScriptedServer) -> None:
    """Its error is listed with those of the transports."""
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


async def test_the_error_has_a_reason_for_each_transport(scripted: ScriptedServer) -> None:
    """With the texts of the .NET client."""
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
    assert len(scripted.requests) == 1  # skipped transports send no requests


async def test_the_error_of_a_rejected_websocket_has_the_status() -> None:
    """And a hint about its meaning."""
    app = web.Application()
    app.router.add_post("/hub/negotiate", _offer)
    async with served_app(app) as url:
        with pytest.raises(AggregateTransportError, match="status code '404' when status code '101' was expected") as caught:
            await build(url + "/hub").start()
        assert "sticky sessions" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"url": "chathub"}, "begin with http:// or https://"),
        ({"url": "ftp://host/hub"}, "begin with http:// or https://"),
        ({"url": "http://host", "transports": HttpTransportType.NONE}, "at least one transport"),
        ({"url": "http://host", "max_message_size": 0}, "at least 1 byte, not 0"),
        ({"url": "http://host", "close_timeout": 0}, "above 0"),
    ],
)
def test_invalid_options_are_rejected(options: dict[str, Any], text: str) -> None:
    """When they are given, not when they are used."""
    with pytest.raises(ValueError, match=text):
        HubConnectionBuilder().with_url(**options)


def test_a_builder_builds_one_connection_to_one_url() -> None:
    """Like the official builders."""
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
        HubConnectionBuilder().with_hub_protocol("json")  # type: ignore[arg-type]  # the wrong type is intended
    with pytest.raises(TypeError, match="A retry policy must be"):
        HubConnectionBuilder().with_automatic_reconnect("0, 2")  # type: ignore[arg-type]  # the wrong type is intended
    with pytest.raises(ValueError, match="must be a positive time"):
        HubConnectionBuilder().with_server_timeout(0)


async def _offer(_request: web.Request) -> web.Response:
    return web.json_response(OFFER)


def test_every_error_of_the_start_is_a_signalr_error() -> None:
    """One `except` clause is enough."""
    assert all(issubclass(kind, SignalRError) for kind in (NegotiationError, AggregateTransportError, TransportError))

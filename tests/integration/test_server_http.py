"""Requests to a hub that are unusual: signals of the application, addresses, origins, bodies, and versions."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from signalr_client import HttpTransportType, HubConnectionBuilder
from signalr_client.server import Hub, HubOptions, HubServer, User, map_hub
from tests.support.handmade import handmade
from tests.support.hub_server import serving
from tests.support.raw import HANDSHAKE, Raw, raw
from tests.support.served_app import remembered, served_app


class Echo(Hub):
    def echo(self, value: object) -> object:
        return value

    def tenant(self) -> str:
        request = self.context.get_http_request()
        assert request is not None
        return request.match_info["tenant"]


# signals of the application


def is_long_lasting(response: web.StreamResponse) -> bool:
    """Return whether a response is a WebSocket or an event stream."""
    return response.status == 101 or response.headers.get("Content-Type") == "text/event-stream"


async def status_of(hub: Raw, token: str, transport: str) -> int:
    """Ask for a WebSocket or an event stream and return the status."""
    headers = {"Accept": "text/event-stream"}
    if transport == "sse":
        async with hub.session.get(hub.url, params={"id": token}, headers=headers) as response:
            return response.status
    try:
        async with hub.session.ws_connect(hub.url, params={"id": token}):
            return 101
    except aiohttp.WSServerHandshakeError as exc:
        return exc.status


@pytest.mark.parametrize("transport", ["ws", "sse"])
async def test_while_a_signal_waits_one_request_carries_the_connection(transport: str) -> None:
    app, waiting, go_on = web.Application(), asyncio.Semaphore(0), asyncio.Event()

    async def wait(_request: web.Request, response: web.StreamResponse) -> None:
        if response.status != 200 or is_long_lasting(response):  # not the negotiation
            waiting.release()
            await go_on.wait()

    app.on_response_prepare.append(wait)
    map_hub(app, "/hub", Echo)
    async with served_app(app) as url, raw(url + "/hub") as hub, asyncio.timeout(10):
        token = await hub.negotiate()
        requests = [asyncio.create_task(status_of(hub, token, transport)) for _ in range(3)]
        for _ in requests:
            await waiting.acquire()
        go_on.set()
        assert sorted(await asyncio.gather(*requests)) == sorted([101 if transport == "ws" else 200, 409, 409])


@pytest.mark.parametrize("transport", ["ws", "sse"])
async def test_a_signal_that_raises_leaves_no_connection(transport: str) -> None:
    app = web.Application()

    async def fail(_request: web.Request, response: web.StreamResponse) -> None:
        if is_long_lasting(response):
            raise RuntimeError("the signal of the application failed")

    app.on_response_prepare.append(fail)
    map_hub(app, "/hub", Echo)
    async with served_app(app) as url, raw(url + "/hub") as hub:
        token = await hub.negotiate()
        assert remembered(app)["connections"] == 1
        if transport == "ws":
            assert await status_of(hub, token, transport) == 500
        else:  # aiohttp has begun to send the response in chunks, and sends its error in the middle
            with pytest.raises(aiohttp.ClientError):
                await status_of(hub, token, transport)
        assert not any(remembered(app).values())
        assert (await hub.request("POST", body=b"", id=token)).status == 404


async def test_a_sub_protocol_selector_that_raises_leaves_no_connection() -> None:
    """And its error is the one that is logged, even an OSError, which could be taken for a client that is gone."""

    def fail(_offered: object) -> str | None:
        raise OSError("the selector failed")

    app = web.Application()
    map_hub(app, "/hub", Echo, options=HubOptions(sub_protocol_selector=fail))
    async with served_app(app) as url, raw(url + "/hub") as hub:
        assert await status_of(hub, await hub.negotiate(), "ws") == 500
        assert not any(remembered(app).values())


# versions and origins


@pytest.mark.parametrize(
    "version",
    ["9" * 5000, "0" * 5000 + "x", "2147483648", "-2147483649", "+-1", "1_0", "\N{ARABIC-INDIC DIGIT ONE}"],
    ids=lambda version: ascii(version[:12]),
)
async def test_a_version_that_is_no_32_bit_integer_is_refused_with_the_official_text(version: str) -> None:
    async with serving(Echo) as serve, raw(serve.url) as hub:
        answer = await hub.request("POST", "/negotiate", negotiateVersion=version)
        refusal = {"error": "The client requested a non-integer protocol version."}
        assert (answer.status, json.loads(answer.body)) == (200, refusal)


@pytest.mark.parametrize("version", ["2147483647", "+1", " 1 ", "0" * 5000 + "1"], ids=lambda version: version[:12])
async def test_a_version_that_is_a_32_bit_integer_is_taken(version: str) -> None:
    async with serving(Echo) as serve, raw(serve.url) as hub:
        answer = await hub.request("POST", "/negotiate", negotiateVersion=version)
        assert json.loads(answer.body)["negotiateVersion"] == 1


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "null", "http://a]b", "\xe9", "http://[v1.x]:9"])
@pytest.mark.parametrize("origins", [[], ["https://app.example"]], ids=["any origin", "one origin"])
async def test_an_origin_that_is_no_url_is_another_origin(origin: str, origins: list[str]) -> None:
    async with serving(Echo, cors_origins=origins) as serve, raw(serve.url) as hub:
        headers = {"Origin": origin}
        answer = await hub.request("POST", "/negotiate", headers=headers, negotiateVersion="1")
        assert (answer.status, answer.headers.get("Access-Control-Allow-Origin")) == (200, None)
        if origins:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await hub.session.ws_connect(serve.url, headers=headers)
            assert refused.value.status == 403
        else:
            async with hub.session.ws_connect(serve.url, headers=headers):
                pass


# addresses


@pytest.mark.parametrize(
    ("mapped", "asked"),
    [
        ("/chathub", "/chathub"),
        ("/chathub", "/ChatHub"),
        ("/ChatHub", "/CHATHUB/"),
        ("/chathub/", "/chathub"),
        ("/a-b_c.d~e/hub", "/A-B_C.D~E/Hub"),
        ("/über/hub", "/%C3%BCber/HUB"),
        ("/über/hub", "/%c3%bcBER/hub/"),
        ("/my hub", "/My%20Hub"),
        ("/my%20hub", "/My%20Hub"),
        ("/100%", "/100%25/"),
        ("/ΣΑΣ", "/%CF%83%CE%B1%CF%83"),
        ("/", ""),
        ("/", "/"),
    ],
)
async def test_a_hub_is_found_in_any_case_and_with_a_trailing_slash(mapped: str, asked: str) -> None:
    """By every kind of request, as ASP.NET Core's routing does."""
    options = HubOptions(enable_authentication_refresh=True, authenticate=lambda _request: User("anna"))
    below = asked.rstrip("/")
    async with HubServer({mapped: Echo}, options=options) as server, raw(server.url(below)) as hub:
        for suffix in ("/negotiate", "/Negotiate", "/NEGOTIATE/"):
            answer = await hub.request("POST", suffix, negotiateVersion="1")
            assert answer.status == 200
        token = json.loads(answer.body)["connectionToken"]
        at_hub = asked.removeprefix(below)  # the slash, if it was asked with one
        assert (await hub.request("GET", at_hub, id=token)).status == 200
        assert (await hub.request("POST", at_hub, body=HANDSHAKE, id=token)).status == 200
        assert (await hub.request("GET", at_hub, id=token)).text == "{}\x1e"
        for suffix in ("/refresh", "/Refresh/"):
            assert (await hub.request("POST", suffix, id=token)).status == 200
        assert (await hub.request("DELETE", at_hub, id=token)).status == 202
        async with hub.session.ws_connect(server.url(asked)) as socket:
            await socket.send_str(HANDSHAKE)
            assert await socket.receive_str() == "{}\x1e"


async def test_nothing_else_is_found() -> None:
    async with HubServer({"/chathub": Echo}) as server, raw(server.url()) as hub:
        for path in ("/chathub2", "/chathub/negotiate/x", "/chathub//", "/chat%68ub/other", "/"):
            assert (await hub.request("POST", path)).status == 404


@pytest.mark.parametrize("transport", [HttpTransportType.WEB_SOCKETS, HttpTransportType.LONG_POLLING])
async def test_a_path_may_have_variables(transport: HttpTransportType) -> None:
    app = web.Application()
    map_hub(app, r"/Tenants/{tenant:[\w-]+}/chat", Echo)
    async with served_app(app) as url:
        for path in ("/Tenants/Acme-1/chat", "/tenants/Acme-1/CHAT", "/TENANTS/Acme-1/Chat/"):
            builder = HubConnectionBuilder().with_url(url + path, transports=transport)
            async with builder.build() as connection:
                assert await connection.invoke("Tenant") == "Acme-1"


# bodies


async def test_a_hub_server_takes_a_compressed_body_as_it_is() -> None:
    """As the real server, so that nothing is unpacked: what arrives is no handshake."""
    async with serving(Echo) as serve, raw(serve.url) as hub:
        token = await hub.negotiate()
        await hub.request("GET", id=token)
        body, headers = gzip.compress(HANDSHAKE.encode()) + b"\x1e", {"Content-Encoding": "gzip"}
        assert (await hub.request("POST", body=body, headers=headers, id=token)).status == 200
        answer = await hub.request("GET", id=token)
        assert "An unexpected error occurred during connection handshake." in answer.text
        assert (await hub.request("GET", id=token)).status == 204


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "x-unknown"])
async def test_an_application_of_ones_own_refuses_a_compressed_body(encoding: str) -> None:
    """aiohttp would decompress it, and a few kilobytes may become gigabytes."""
    app = web.Application()
    map_hub(app, "/hub", Echo)
    async with served_app(app) as url, raw(url + "/hub") as hub:
        token = await hub.negotiate()
        await hub.request("GET", id=token)
        answer = await hub.request("POST", body=b"", headers={"Content-Encoding": encoding}, id=token)
        assert answer.status == 415
        assert (await hub.request("POST", body=HANDSHAKE, headers={"Content-Encoding": "identity"}, id=token)).status == 200
        assert (await hub.request("GET", id=token)).text == "{}\x1e"
        await hub.request("DELETE", id=token)


# clients that leave early

WEBSOCKET_HEADERS = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
EVENT_STREAM_HEADERS = "Accept: text/event-stream\r\n"


@pytest.mark.parametrize("turns", range(3))
@pytest.mark.parametrize("headers", [WEBSOCKET_HEADERS, EVENT_STREAM_HEADERS], ids=["ws", "sse"])
async def test_a_client_may_leave_before_its_request_is_answered(
    headers: str, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The server reports no error and remembers nothing, however many turns of the event loop have passed since then."""
    answered = asyncio.Event()

    @web.middleware
    async def answer_late(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.method == "GET":
            assert request.transport is not None
            request.transport.abort()  # as after a reset by the client
            for _ in range(turns):
                await asyncio.sleep(0)
        response: web.StreamResponse = await handler(request)
        if request.method == "GET":
            answered.set()
        return response

    app = web.Application(middlewares=[answer_late])
    map_hub(app, "/hub", Echo)
    async with asyncio.timeout(10), served_app(app) as url, raw(url + "/hub") as hub:
        token = await hub.negotiate()
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /hub?id={token} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        await answered.wait()
        writer.transport.abort()
        while any(remembered(app).values()):
            await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


# the end of a WebSocket


@pytest.mark.parametrize("rounds", [1, 2, 3])
async def test_closing_does_not_wait_for_a_client_that_reads_nothing(rounds: int) -> None:
    """Not even when what it has not read is little enough for nobody to have waited for it yet."""

    class Leaving(Hub):
        left = asyncio.Event()

        async def fill_and_leave(self) -> None:
            request = self.context.get_http_request()
            assert request is not None
            assert request.transport is not None
            request.transport.set_write_buffer_limits(high=0)  # aiohttp waits at the end for whatever is left
            await self.clients.caller.send("M", "x" * 20_000 * rounds)
            while not request.transport.get_write_buffer_size():
                await self.clients.caller.send("M", "x" * 30_000)
                await asyncio.sleep(0)
            self.context.abort()

        async def on_disconnected(self, exception: BaseException | None) -> None:
            Leaving.left.set()

    app = web.Application()
    map_hub(app, "/hub", Leaving, options=HubOptions(transport_send_timeout=0.2, close_timeout=0.1))
    async with served_app(app) as url, handmade(url + "/hub", receive_buffer=4096) as client, asyncio.timeout(10):
        await client.shake_hands()
        message = b'{"type":1,"target":"FillAndLeave","arguments":[]}\x1e'
        await client.send(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message)
        await Leaving.left.wait()
        while any(remembered(app).values()):
            await asyncio.sleep(0)


async def test_two_uploads_with_one_id_leave_no_method_waiting() -> None:
    """The later one replaces the earlier one, as in ASP.NET Core, whose method waits for ever."""
    ended: asyncio.Queue[str] = asyncio.Queue()

    class Reading(Hub):
        async def read(self, items: AsyncIterator[Any]) -> None:
            try:
                ended.put_nowait(str([item async for item in items]))
            except Exception as exc:
                ended.put_nowait(str(exc))

    async with serving(Reading) as serve, raw(serve.url) as hub, hub.socket() as socket, asyncio.timeout(10):
        await socket.shake_hands()
        await socket.call("Read", streamIds=["u"])
        await socket.call("Read", streamIds=["u"])
        assert await ended.get() == "Stream ID 'u' is already in use."
        await socket.send({"type": 2, "invocationId": "u", "item": 1}, {"type": 3, "invocationId": "u"})
        assert await ended.get() == "[1]"


# clients that break HTTP, or leave at once


UPGRADE = (
    b"GET /hub HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def test_a_client_that_is_gone_before_its_websocket_opens_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """While the application still finds out who it is, for example."""
    arrived = asyncio.Event()

    async def authenticate(request: web.Request) -> None:
        arrived.set()
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0)

    caplog.set_level(logging.INFO)
    async with serving(Echo, authenticate=authenticate) as server, asyncio.timeout(5):
        address = server.url.removeprefix("http://").partition("/")[0].split(":")
        _reader, writer = await asyncio.open_connection(address[0], int(address[1]))
        writer.write(UPGRADE)
        await arrived.wait()
        writer.transport.abort()
        while any(remembered(server.server.app).values()):
            await asyncio.sleep(0)
        for _ in range(50):  # aiohttp ends the request
            await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("request_line", [b"GET /hub HTTP/x.y", b"POST /hub HTTP/1.1\r\nBad Header: 1"])
async def test_what_is_not_http_is_refused_without_a_traceback_in_the_log(
    request_line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise any client could fill the log."""
    caplog.set_level(logging.DEBUG)
    async with serving(Echo) as server, asyncio.timeout(5):
        address = server.url.removeprefix("http://").partition("/")[0].split(":")
        reader, writer = await asyncio.open_connection(address[0], int(address[1]))
        writer.write(request_line + b"\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    assert b" 400 Bad Request\r\n" in answer
    lines = [record for record in caplog.records if record.name.startswith(("aiohttp", "signalr_client.server.http"))]
    assert [record.levelname for record in lines] == ["DEBUG"]
    assert lines[0].getMessage().startswith("! refused a request that is not valid HTTP: ")
    assert lines[0].exc_info is None


async def test_a_defect_of_the_application_is_still_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def authenticate(_request: web.Request) -> None:
        raise ZeroDivisionError

    async with serving(Echo, authenticate=authenticate) as server, raw(server.url) as hub:
        assert (await hub.request("POST", "/negotiate")).status == 500
    [record] = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("stateful", [False, True], ids=["", "stateful"])
async def test_a_client_that_is_gone_while_its_pings_are_answered_is_no_error(
    stateful: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """aiohttp answers the pings of WebSockets by itself, and then it is the reader that notices."""
    caplog.set_level(logging.INFO)
    options: dict[str, Any] = {"disconnect_timeout": 0.1, "allow_stateful_reconnects": True} if stateful else {}
    async with serving(Echo, **options) as server, raw(server.url) as hub, asyncio.timeout(5):
        answer = await hub.request("POST", "/negotiate", negotiateVersion="1", useStatefulReconnect="true")
        token = json.loads(answer.body)["connectionToken"]
        async with handmade(f"{server.url}?id={token}") as client:
            await client.shake_hands()
            client._sock.send((b"\x89\x80" + bytes(4)) * 200)  # the socket is reset before the server can read this
        while any(remembered(server.server.app).values()):
            await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.parametrize("key", ["", "x", "\udcec", "dGhlIHNhbXBsZSBub25jZQ="])
async def test_a_websocket_key_that_is_not_valid_is_refused(key: str, caplog: pytest.LogCaptureFixture) -> None:
    """And the connection that it named is not kept."""
    async with serving(Echo) as server, asyncio.timeout(5):
        address = server.url.removeprefix("http://").partition("/")[0].split(":")
        reader, writer = await asyncio.open_connection(address[0], int(address[1]))
        writer.write(UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", key.encode(errors="surrogateescape")))
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        assert answer == b"HTTP/1.1 400 Bad Request\r\n"
        assert not any(remembered(server.server.app).values())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []

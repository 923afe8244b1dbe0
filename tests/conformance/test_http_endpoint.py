"""The HTTP side of a hub, request by request, on the real server and on ours."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.support.raw import HANDSHAKE, Raw, raw

PLAIN = "text/plain"
UNKNOWN = "no-such-connection-id"
NO_CACHE = {"Cache-Control": "no-cache, no-store", "Pragma": "no-cache", "Expires": "Thu, 01 Jan 1970 00:00:00 GMT"}
WS = {"transport": "WebSockets", "transferFormats": ["Text", "Binary"]}
SSE = {"transport": "ServerSentEvents", "transferFormats": ["Text"]}
LP = {"transport": "LongPolling", "transferFormats": ["Text", "Binary"]}
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def _watch(no_leaks: None) -> None:
    """Switch the leak check on for every test here."""


# negotiate


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ({}, 0),
        ({"negotiateVersion": "0"}, 0),
        ({"negotiateVersion": "1"}, 1),
        ({"NEGOTIATEVERSION": "1"}, 1),
        ({"negotiateVersion": "7"}, 1),
    ],
)
async def test_negotiate(server_url: str, query: dict[str, str], version: int) -> None:
    async with raw(server_url + "/testhub") as hub:
        answers = [await hub.request("POST", "/negotiate", **query) for _ in range(2)]
    for answer in answers:
        body = json.loads(answer.body)
        members = ["negotiateVersion", "connectionId", *(["connectionToken"] if version else []), "availableTransports"]
        assert (answer.status, answer.type, list(body)) == (200, "application/json", members)
        assert body["negotiateVersion"] == version
        assert body["availableTransports"] == [WS, SSE, LP]
        assert int(answer.headers["Content-Length"]) == len(answer.body)
        ids = {body["connectionId"], body.get("connectionToken", body["connectionId"])}
        assert len(ids) == 1 + version
        assert {len(name) for name in ids} == {22}
    assert answers[0].body != answers[1].body


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("negotiateVersion=-1", "The client requested version '-1', but the server does not support this version."),
        ("negotiateVersion=one", "The client requested a non-integer protocol version."),
        ("negotiateVersion=", "The client requested a non-integer protocol version."),
        ("negotiateVersion=1.0", "The client requested a non-integer protocol version."),
        ("negotiateVersion=1&negotiateVersion=1", "The client requested a non-integer protocol version."),
    ],
)
async def test_negotiate_versions_that_are_refused(server_url: str, query: str, error: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        answer = await hub.request("POST", f"/negotiate?{query}")
        assert (answer.status, answer.type, json.loads(answer.body)) == (200, "application/json", {"error": error})


@pytest.mark.parametrize(("path", "offer"), [("-ws", [WS]), ("-sse", [SSE]), ("-lp", [LP])])
async def test_a_hub_may_offer_one_transport(server_url: str, path: str, offer: list[Any]) -> None:
    async with raw(server_url + "/testhub" + path) as hub:
        answer = await hub.request("POST", "/negotiate", body=b"is not looked at", negotiateVersion="1")
        assert json.loads(answer.body)["availableTransports"] == offer


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_negotiate_is_a_post(server_url: str, method: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        assert (await hub.request(method, "/negotiate")).line == (405, PLAIN, "")


# the table of status codes


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", {}), ("GET", EVENTS), ("POST", {}), ("DELETE", {})],
    ids=["poll", "events", "post", "delete"],
)
async def test_a_request_without_or_with_an_unknown_id(server_url: str, method: str, headers: dict[str, str]) -> None:
    async with raw(server_url + "/testhub") as hub:
        assert (await hub.request(method, headers=headers)).line == (400, PLAIN, "Connection ID required")
        assert (await hub.request(method, headers=headers, id="")).line == (400, PLAIN, "Connection ID required")
        assert (await hub.request(method, headers=headers, id=UNKNOWN)).line == (404, PLAIN, "No Connection with that ID")
        token = await hub.negotiate()
        twice = await hub.request(method, f"?id={token}&id={token}", headers=headers)
        assert twice.line == (404, PLAIN, "No Connection with that ID")


async def test_a_websocket_with_an_unknown_id(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        answer = await hub.request("GET", headers=UPGRADE, id=UNKNOWN)
        assert (answer.status, answer.text) == (404, "No Connection with that ID")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS"])
async def test_other_methods(server_url: str, method: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        assert (await hub.request(method, id=UNKNOWN)).line == (405, PLAIN, "")


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("-ws", {}, "LongPolling"),
        ("-ws", EVENTS, "ServerSentEvents"),
        ("-lp", UPGRADE, "WebSockets"),
        ("-lp", EVENTS, "ServerSentEvents"),
        ("-sse", {}, "LongPolling"),
        ("-sse", UPGRADE, "WebSockets"),
        ("-ws", EVENTS | UPGRADE, "ServerSentEvents"),
    ],
)
async def test_a_transport_that_is_switched_off(server_url: str, path: str, headers: dict[str, str], name: str) -> None:
    """An event stream's Accept wins over an upgrade."""
    async with raw(server_url + "/testhub" + path) as hub:
        answer = await hub.request("GET", headers=headers, id=await hub.negotiate())
        assert (answer.status, answer.text) == (404, f"{name} transport not supported by this end point type")


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream;q=1", "text/html"])
async def test_what_does_not_ask_for_an_event_stream_polls(server_url: str, accept: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        answer = await hub.request("GET", headers={"Accept": accept}, id=token)
        assert answer.line == (200, "application/octet-stream", "")
        assert (await hub.request("DELETE", id=token)).status == 202


async def test_a_connection_keeps_its_transport(server_url: str) -> None:
    text = "Cannot change transports mid-connection"
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        async with hub.socket(token) as socket:
            await socket.shake_hands()
            assert (await hub.request("GET", id=token)).line == (400, PLAIN, text)
            assert (await hub.request("GET", headers=EVENTS, id=token)).line == (400, PLAIN, text)
            post = (405, PLAIN, "POST requests are not allowed for WebSocket connections.")
            assert (await hub.request("POST", body=b"x", id=token)).line == post
            delete = (400, PLAIN, "Cannot terminate this connection using the DELETE endpoint.")
            assert (await hub.request("DELETE", id=token)).line == delete
            await socket.call("Echo", "still here", id="1")
            assert await socket.read() == '{"type":3,"invocationId":"1","result":"still here"}'


async def test_a_second_websocket_or_event_stream_is_refused(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        async with hub.socket(token) as socket:
            await socket.shake_hands()
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with hub.socket(token):
                    pass
            assert refused.value.status == 409
            await socket.call("Echo", "unaffected", id="1")
            assert await socket.read() == '{"type":3,"invocationId":"1","result":"unaffected"}'
        token = await hub.negotiate()
        async with hub.events(token) as stream:
            assert await stream.content.readline() == b":\r\n"
            assert (await hub.request("GET", headers=EVENTS, id=token)).line == (409, PLAIN, "")


async def test_delete_ends_nothing_but_long_polling(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        wrong = (400, PLAIN, "Cannot terminate this connection using the DELETE endpoint.")
        token = await hub.negotiate()
        assert (await hub.request("DELETE", id=token)).line == wrong  # nobody has connected yet
        async with hub.events(token):
            assert (await hub.request("DELETE", id=token)).line == wrong
        token = await hub.long_polling()
        assert (await hub.request("DELETE", id=token)).line == (202, PLAIN, "")
        async with asyncio.timeout(10):
            while (await hub.request("GET", id=token)).status == 204:
                pass
            assert (await hub.request("POST", body=b"x", id=token)).status == 404


# long polling


async def test_the_first_poll_is_answered_at_once(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        answer = await hub.request("GET", id=token)
        assert answer.line == (200, "application/octet-stream", "")
        assert answer.headers["Content-Length"] == "0"
        assert {name: answer.headers.get(name) for name in NO_CACHE} == NO_CACHE
        assert (await hub.request("DELETE", id=token)).status == 202


async def test_a_poll_brings_all_that_waits_and_posts_may_be_cut_anywhere(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        await hub.request("GET", id=token)
        call = '{"type":1,"invocationId":"%s","target":"Echo","arguments":["x"]}\x1e'
        text = HANDSHAKE + call % 1 + call % 2
        for piece in (text[:5], text[5:60], text[60:]):
            assert (await hub.request("POST", body=piece, id=token)).line == (200, PLAIN, "")
        got = ""
        while got.count("\x1e") < 3:
            answer = await hub.request("GET", id=token)
            assert (answer.status, answer.type) == (200, "application/octet-stream")
            got += answer.text
        result = '{"type":3,"invocationId":"%s","result":"x"}\x1e'
        assert sorted(got.split("\x1e")) == sorted(("{}\x1e" + result % 1 + result % 2).split("\x1e"))
        assert (await hub.request("DELETE", id=token)).status == 202


async def test_a_newer_poll_replaces_an_older_one(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.long_polling()
        older = asyncio.create_task(hub.request("GET", id=token))
        replaced = False
        newer = asyncio.create_task(hub.request("GET", id=token))
        async with asyncio.timeout(10):
            done, _ = await asyncio.wait({older, newer}, return_when=asyncio.FIRST_COMPLETED)
            replaced = done.pop().result().line == (204, PLAIN, "")
            assert replaced
            call = '{"type":1,"invocationId":"1","target":"Echo","arguments":["x"]}\x1e'
            await hub.request("POST", body=call, id=token)
            answers = {(await task).text for task in (older, newer)}
        assert answers == {"", '{"type":3,"invocationId":"1","result":"x"}\x1e'}
        assert (await hub.request("DELETE", id=token)).status == 202


async def test_a_poll_that_brings_nothing_in_time_is_empty(server_url: str) -> None:
    """/testhub-lp gives a poll three seconds."""
    async with raw(server_url + "/testhub-lp") as hub:
        token = await hub.long_polling()
        answer = await hub.request("GET", id=token)
        assert answer.line == (200, PLAIN, "")
        assert {name: answer.headers.get(name) for name in NO_CACHE} == NO_CACHE
        assert (await hub.request("DELETE", id=token)).status == 202


async def test_the_last_words_of_a_connection_are_polled(server_url: str) -> None:
    """Close comes with 200, then 204, then nobody knows the connection any more."""
    async with raw(server_url + "/testhub") as hub:
        token = await hub.long_polling()
        await hub.request("POST", body='{"type":7}\x1e', id=token)
        assert (await hub.request("GET", id=token)).line == (200, "application/octet-stream", '{"type":7}\x1e')
        async with asyncio.timeout(10):
            assert (await hub.request("GET", id=token)).status == 204
            while (answer := await hub.request("GET", id=token)).status == 204:
                pass
        assert answer.line == (404, PLAIN, "No Connection with that ID")


async def test_posts_side_by_side_both_count(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.long_polling()
        call = '{"type":1,"invocationId":"%s","target":"Echo","arguments":["x"]}\x1e'
        posts = await asyncio.gather(*(hub.request("POST", body=call % number, id=token) for number in range(4)))
        assert [post.line for post in posts] == [(200, PLAIN, "")] * 4
        got = ""
        while got.count("\x1e") < 4:
            got += (await hub.request("GET", id=token)).text
        assert (await hub.request("DELETE", id=token)).status == 202


# server-sent events


async def test_an_event_stream(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        async with hub.events(token) as stream:
            assert (stream.status, stream.headers["Content-Type"]) == (200, "text/event-stream")
            assert stream.headers["Cache-Control"] == "no-cache,no-store"
            assert stream.headers["Pragma"] == "no-cache"
            assert stream.headers["Content-Encoding"] == "identity"
            assert await stream.content.readline() == b":\r\n"
            assert (await hub.request("POST", body=HANDSHAKE, id=token)).line == (200, PLAIN, "")
            assert [await stream.content.readline() for _ in range(2)] == [b"data: {}\x1e\r\n", b"\r\n"]
            await hub.request("POST", body='{"type":7}\x1e', id=token)
            assert (await stream.content.read()).endswith(b'data: {"type":7}\x1e\r\n\r\n')


async def test_a_post_may_come_before_the_stream(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        assert (await hub.request("POST", body=HANDSHAKE, id=token)).line == (200, PLAIN, "")
        async with hub.events(token) as stream:
            assert [await stream.content.readline() for _ in range(3)] == [b":\r\n", b"data: {}\x1e\r\n", b"\r\n"]


# websockets


async def test_frames_are_pieces_of_a_stream(server_url: str) -> None:
    """Several messages in a frame, one across frames, text or binary as it likes."""
    async with raw(server_url + "/testhub") as hub, hub.socket() as socket:
        call = '{"type":1,"invocationId":"%s","target":"Echo","arguments":["x"]}\x1e'
        result = '{"type":3,"invocationId":"%s","result":"x"}'
        text = HANDSHAKE + call % 1 + call % 2
        await socket.write(text[:10])
        await socket.socket.send_bytes(text[10:100].encode())
        await socket.write(text[100:])
        assert await socket.read() == "{}"
        assert {await socket.read(), await socket.read()} == {result % 1, result % 2}


@pytest.mark.parametrize("farewell", ["frame", "message"])
async def test_an_orderly_end_has_code_1000(server_url: str, farewell: str) -> None:
    async with raw(server_url + "/testhub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        if farewell == "message":
            await socket.write('{"type":7}\x1e')
            assert await socket.read() == '{"type":7}'
            assert await socket.close_code() == 1000
        else:
            await socket.socket.close(code=1000)
            assert socket.socket.close_code == 1000


# authentication


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/negotiate", {}),
        ("GET", "", {}),
        ("GET", "", EVENTS),
        ("GET", "", UPGRADE),
        ("POST", "", {}),
        ("DELETE", "", {}),
    ],
    ids=["negotiate", "poll", "events", "websocket", "post", "delete"],
)
async def test_every_request_says_who_it_is_from(server_url: str, method: str, path: str, headers: dict[str, str]) -> None:
    async with raw(server_url + "/authhub") as hub:
        token = await Raw(hub.session, server_url + "/testhub").negotiate()
        refused = await hub.request(method, path, headers=headers, id=token)
        assert refused.status == 401
        assert "WWW-Authenticate" not in refused.headers or refused.headers["WWW-Authenticate"].startswith("Bearer")


# the handshake


@pytest.mark.parametrize(
    ("request_text", "error"),
    [
        ('{"protocol":"xml","version":1}', "The protocol 'xml' is not supported."),
        ('{"protocol":"json","version":3}', "The server does not support version 3 of the 'json' protocol."),
        ('{"protocol":"messagepack","version":99}', "The server does not support version 99 of the 'messagepack' protocol."),
        ("no json", "An unexpected error occurred during connection handshake."),
        ("[]", "An unexpected error occurred during connection handshake."),
        ("{}", "An unexpected error occurred during connection handshake."),
        ('{"protocol":"json"}', "An unexpected error occurred during connection handshake."),
        ('{"version":1}', "An unexpected error occurred during connection handshake."),
        ('{"protocol":"json","version":"1"}', "An unexpected error occurred during connection handshake."),
        ('{"protocol":null,"version":1}', "An unexpected error occurred during connection handshake."),
    ],
)
async def test_a_handshake_that_is_refused(server_url: str, request_text: str, error: str) -> None:
    """The text, no Close, and an orderly close of the socket."""
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.write(request_text + "\x1e")
        records = await socket.read_all()
        assert [json.loads(record) for record in records] == [{"error": error}]
        assert socket.socket.close_code == 1000


@pytest.mark.parametrize(
    "request_text",
    ['{"protocol":"json","version":0}', '{"protocol":"JSON","version":2}', '{"version":1,"more":[1],"protocol":"json"}'],
)
async def test_a_handshake_that_is_accepted(server_url: str, request_text: str) -> None:
    async with raw(server_url + "/testhub") as hub, hub.socket() as socket:
        await socket.write(request_text + "\x1e")
        assert await socket.read() == "{}"


async def test_messagepack_does_not_go_over_server_sent_events(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub:
        token = await hub.negotiate()
        async with hub.events(token) as stream:
            await hub.request("POST", body='{"protocol":"messagepack","version":1}\x1e', id=token)
            text = (await stream.content.read()).decode()
        error = (
            "Cannot use the 'messagepack' protocol on the current transport."
            " The transport does not support 'Binary' transfer format."
        )
        assert json.loads(text.partition("data: ")[2].partition("\x1e")[0]) == {"error": error}


async def test_a_handshake_that_does_not_come_in_time(server_url: str) -> None:
    """/fasthub gives it one second."""
    async with raw(server_url + "/fasthub") as hub, hub.socket() as socket:
        assert [json.loads(record) for record in await socket.read_all()] == [{"error": "Handshake was canceled."}]
        assert socket.socket.close_code == 1000


async def test_a_handshake_that_is_too_large(server_url: str) -> None:
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.write("x" * 40_000)
        assert [json.loads(record) for record in await socket.read_all()] == [{"error": "Handshake was canceled."}]

"""Falling back from one transport to the next, and the error if none can be used. See docs/transports.md, "Which transport"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from signalr_client import (
    AggregateTransportError,
    ConnectionClosedError,
    HttpTransportType,
    HubConnectionBuilder,
    MessagePackHubProtocol,
    TransportError,
)
from tests.support.gated_hub import Gate, gated_hub
from tests.support.scripted_server import OFFER, ScriptedServer

WS, SSE, LP = HttpTransportType.WEB_SOCKETS, HttpTransportType.SERVER_SENT_EVENTS, HttpTransportType.LONG_POLLING
NO_TRANSPORT = "Unable to connect to the server with any of the available transports."
REFUSED = "Response status code does not indicate success: 403 (Forbidden)."


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    async with gated_hub() as gate:
        yield gate


async def reason(gate: Gate, **options: object) -> str:
    """Return the error message of a failed start."""
    with pytest.raises(AggregateTransportError) as caught:
        await HubConnectionBuilder().with_url(gate.url, **options).build().start()  # type: ignore[arg-type]  # options of with_url
    assert all(isinstance(error, TransportError) for error in caught.value.errors)
    return str(caught.value)


async def test_the_error_lists_all_attempts_in_order(gate: Gate) -> None:
    """Each attempt was preceded by a negotiation and used its connection id."""
    gate.refuse(403, "WebSocket", "GET")
    assert await reason(gate) == (
        f"{NO_TRANSPORT}"
        " (WebSockets failed: The server returned status code '403' when status code '101' was expected.)"
        f" (ServerSentEvents failed: {REFUSED})"
        " (LongPolling failed: The first poll was answered with 403.)"
    )
    assert [seen.kind for seen in gate.seen] == ["negotiate", "WebSocket", "negotiate", "GET", "negotiate", "GET"]
    ids = [seen.path.partition("id=")[2] for seen in gate.seen if seen.kind != "negotiate"]
    assert all(ids)
    assert len(set(ids)) == 3


async def test_the_error_names_the_transport_of_a_broken_connection(gate: Gate) -> None:
    gate.refuse(0, "WebSocket", "GET")
    assert await reason(gate) == (
        f"{NO_TRANSPORT} (WebSockets failed: Server disconnected) (ServerSentEvents failed: Server disconnected)"
        " (LongPolling failed: Server disconnected)"
    )


async def test_the_error_for_a_404_mentions_sticky_sessions(gate: Gate) -> None:
    gate.refuse(404, "WebSocket")
    assert await reason(gate, transports=WS) == (
        f"{NO_TRANSPORT} (WebSockets failed: The server returned status code '404' when status code '101' was expected."
        " Either this is not a SignalR endpoint, or the server does not know the connection id: with several servers behind one"
        " address, check that sticky sessions are enabled.)"
        " (ServerSentEvents failed: The transport is disabled by the client.)"
        " (LongPolling failed: The transport is disabled by the client.)"
    )


@pytest.mark.parametrize(
    ("mask", "tried", "ends"),
    [
        (HttpTransportType.ALL, ["WebSocket", "GET"], "text/event-stream"),
        (WS | LP, ["WebSocket", "GET"], "*/*"),
        (SSE | LP, ["GET"], "text/event-stream"),
        (LP, ["GET"], "*/*"),
    ],
)
async def test_the_next_allowed_transport_is_tried(gate: Gate, mask: HttpTransportType, tried: list[str], ends: str) -> None:
    """Skipped transports do not cause another negotiation."""
    gate.refuse(404, "WebSocket")
    async with asyncio.timeout(5), HubConnectionBuilder().with_url(gate.url, transports=mask).build() as connection:
        assert await connection.invoke("Echo", 1) == 1
    requests = [kind for one in tried for kind in ("negotiate", one)]
    assert [seen.kind for seen in gate.seen[: len(requests)]] == requests
    assert gate.seen[len(requests) - 1].all("Accept") == [ends]


async def test_a_failed_handshake_does_not_cause_a_fallback(gate: Gate) -> None:
    """The transport was connected; the hub would reject the handshake over any other too."""
    gate.refuse(403, "POST")
    with pytest.raises(TransportError, match=r"ServerSentEvents: the server refused a message\..*403"):
        await HubConnectionBuilder().with_url(gate.url, transports=SSE | LP).build().start()
    assert [seen.kind for seen in gate.seen].count("negotiate") == 1


async def test_event_streams_are_never_used_for_binary_protocols(scripted: ScriptedServer) -> None:
    """Even if the server offers the Binary format for them."""
    scripted.negotiate = OFFER | {
        "availableTransports": [{"transport": "ServerSentEvents", "transferFormats": ["Text", "Binary"]}]
    }
    connection = HubConnectionBuilder().with_url(scripted.url).with_hub_protocol(MessagePackHubProtocol()).build()
    with pytest.raises(AggregateTransportError) as caught:
        await connection.start()
    text = "ServerSentEvents failed: The 'Binary' transfer format is not supported by this transport."
    assert str(caught.value) == f"{NO_TRANSPORT} ({text})"
    assert [request.method for request in scripted.requests] == ["POST"]


@pytest.mark.parametrize(
    "formats", [["text"], ["Binary"], []], ids=["wrong case", "another", "none"]
)  # the name is "Text", and case-sensitive
async def test_a_transport_without_the_format_of_the_protocol_is_skipped(scripted: ScriptedServer, formats: list[str]) -> None:
    scripted.negotiate = OFFER | {"availableTransports": [{"transport": "WebSockets", "transferFormats": formats}]}
    with pytest.raises(AggregateTransportError) as caught:
        await HubConnectionBuilder().with_url(scripted.url).build().start()
    text = "WebSockets failed: The transport does not support the 'Text' transfer format."
    assert str(caught.value) == f"{NO_TRANSPORT} ({text})"
    assert len(scripted.requests) == 1


async def test_a_reconnect_tries_all_transports_again(gate: Gate) -> None:
    """Transports that failed at the start may work by now."""
    gate.refuse(404, "WebSocket")
    back = asyncio.Event()
    connection = HubConnectionBuilder().with_url(gate.url).with_automatic_reconnect([0, 0]).build()
    connection.on_reconnected(lambda _id: back.set())
    async with asyncio.timeout(5), connection:
        gate.refuse(0, "POST")
        await connection.send("Echo", 1)
        connection.on_reconnecting(lambda _error: gate.refuse(0))
        await back.wait()
        assert await connection.invoke("Echo", 2) == 2
    assert gate.seen[-1].kind == "WebSocket"


async def test_stop_ends_the_start_during_a_fallback(scripted: ScriptedServer) -> None:
    """While the second negotiate request is in flight."""
    asked, forever = asyncio.Event(), asyncio.get_running_loop().create_future()
    scripted.refusal = 404
    offer = [{"transport": name, "transferFormats": ["Text"]} for name in ("WebSockets", "LongPolling")]

    async def negotiate(_request: web.Request) -> web.Response:
        if len(scripted.requests) > 1:
            asked.set()
            await forever
        return web.json_response(OFFER | {"availableTransports": offer})

    scripted.negotiate = negotiate
    connection = HubConnectionBuilder().with_url(scripted.url).build()
    async with asyncio.timeout(5):
        starting = asyncio.create_task(connection.start())
        await asked.wait()
        await connection.stop()
        with pytest.raises(ConnectionClosedError, match="stopped before the hub handshake could complete"):
            await starting
    assert [request.method for request in scripted.requests] == ["POST", "GET", "POST"]

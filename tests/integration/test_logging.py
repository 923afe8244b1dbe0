"""Log messages, and the secrets that are never shown. See docs/transports.md, "Secrets"."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from signalr_client import (
    HttpTransportType,
    HubConnectionBuilder,
    HubConnectionState,
    HubProtocol,
    SignalRError,
    TransportError,
)
from signalr_client.core.messages import CancelInvocation, Close, Completion, Invocation, StreamInvocation, StreamItem
from tests.support.events import EventRecorder
from tests.support.gated_hub import gated_hub
from tests.support.hubs import TRANSPORTS
from tests.support.scripted_server import OFFER, Peer, ScriptedServer
from tests.support.secrets import shown_by
from tests.support.wire import Wire, WirePeer, echo, stay, vanish

SECRETS = ["secret-token", "hush-hush", "pass-word", "redirect-token"]


async def test_each_message_is_logged_at_debug_level(scripted: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """One line per message, with its direction; sizes and contents are not logged."""

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.send({"type": 1, "target": "Hello", "arguments": ["private words"]})
        while frame := await peer.receive():
            for message in frame:
                if message["type"] == 1:
                    await peer.send({"type": 3, "invocationId": message["invocationId"], "result": "private"})

    scripted.script = script
    caplog.set_level(logging.DEBUG, "signalr_client")
    connection = HubConnectionBuilder().with_url(scripted.url).build()
    connection.on("Hello", lambda _: None)
    await connection.start()
    await connection.invoke("Add", "private words", 2)
    await connection.stop()
    lines = [record.getMessage() for record in caplog.records]
    for wanted in (
        r"> negotiate http://127\.0\.0\.1:\d+/hub/negotiate\?negotiateVersion=1",
        r"= connected over WebSockets",
        r"= connected",
        r"> Invocation id=1 target=Add args=2",
        r"< Invocation id=- target=Hello args=1",
        r"< Completion id=1",
        r"= disconnecting",
        r"= disconnected",
        r"= closed",
    ):
        assert any(re.fullmatch(wanted, line) for line in lines), (wanted, lines)
    assert "private" not in caplog.text
    assert {record.name.partition(".")[0] for record in caplog.records} == {"signalr_client"}


async def test_every_debug_line_begins_with_its_mark(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """One character each for outgoing, incoming, state changes and problems; lines for messages have the invocation id."""

    async def script(peer: WirePeer) -> None:
        await peer.shake_hands()
        await peer.send(Invocation(target="Ask", arguments=["private"], invocation_id="s1"))
        while messages := await peer.receive():
            for message in messages:
                if isinstance(message, StreamInvocation):
                    await peer.send(StreamItem(invocation_id=message.invocation_id, item="private"))
                elif isinstance(message, CancelInvocation):
                    await peer.send(Completion(invocation_id=message.invocation_id))
                    await peer.send(Completion(invocation_id="99", error="private"))
                    await peer.send(Close(error="over", allow_reconnect=True))

    async def upload() -> AsyncIterator[str]:
        yield "private"

    wire.play(script, stay)
    caplog.set_level(logging.DEBUG, "signalr_client")
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    connection.on("Ask", lambda _: "private")
    async with asyncio.timeout(10):
        await connection.start()
        await connection.send("Upload", upload())
        async with connection.stream("Counter", "private", 2) as stream:
            assert await anext(stream) == "private"
        await events.wait("reconnected")
        await connection.stop()
    lines = [record.getMessage() for record in caplog.records]
    assert not [line for line in lines if not re.match(r"[><=%!] ", line)]
    for wanted in (
        r"= connected over WebSockets",
        r"< Invocation id=s1 target=Ask args=1",
        r"> Completion id=s1",
        r"> Invocation id=- target=Upload args=0 streams=1",
        r"> StreamItem id=1",
        r"> Completion id=1",
        r"> StreamInvocation id=2 target=Counter args=2",
        r"< StreamItem id=2",
        r"! dropped unsolicited Completion id=99",
        r"< Completion id=99 error",
        r"< Close allow_reconnect=True error",
        r"! connection lost: The server closed the connection with the following error: over",
        r"= reconnecting",
        r"= attempt 1 in 0 s",
        r"= closed",
    ):
        assert any(re.fullmatch(wanted, line) for line in lines), (wanted, lines)
    assert "private" not in caplog.text
    assert "secret-token" not in caplog.text


async def test_each_state_change_is_logged_once(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    wire.play(vanish, stay)
    caplog.set_level(logging.DEBUG, "signalr_client")
    connection = wire.builder().with_automatic_reconnect([0]).build()
    events = EventRecorder(connection)
    async with asyncio.timeout(10):
        await connection.start()
        await events.wait("reconnected")
        await connection.stop()
    states = {state.value.lower() for state in HubConnectionState}
    lines = [record.getMessage().removeprefix("= ") for record in caplog.records]
    assert [line for line in lines if line in states][-5:] == [
        "connected",
        "reconnecting",
        "connected",
        "disconnecting",
        "disconnected",
    ]


async def test_a_connection_without_problems_logs_one_line_at_info(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """And nothing at higher levels."""
    wire.play(echo)
    caplog.set_level(logging.INFO, "signalr_client")
    async with wire.connection() as connection, asyncio.timeout(10):
        assert await connection.invoke("Echo", 1) == 1
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("INFO", "= closed")]


async def refused(wire: Wire) -> None:
    """Negotiation is rejected."""
    wire.server.negotiate = {"error": "no"}


async def not_there(wire: Wire) -> None:
    """No server is listening on the port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        wire.server.url = f"http://127.0.0.1:{unused.getsockname()[1]}/hub"


async def not_found(wire: Wire) -> None:
    """The server has no such endpoint."""
    wire.server.negotiate = lambda _: web.Response(status=404)


async def no_json(wire: Wire) -> None:
    """The negotiate response is a web page."""
    wire.server.negotiate = lambda _: web.Response(text="<html>")


async def no_upgrade(wire: Wire) -> None:
    """The WebSocket is rejected; the URL of its request contains the connection token."""
    wire.server.refusal = 403


async def redirected_endlessly(wire: Wire) -> None:
    """Each redirect leads to another one."""
    wire.server.negotiate = lambda _: {"url": wire.server.url + "?access_token=hush-hush", "accessToken": "redirect-token"}


async def no_transport(wire: Wire) -> None:
    """The server offers only unknown transports."""
    wire.server.negotiate = OFFER | {"availableTransports": [{"transport": "Carrier Pigeon", "transferFormats": ["Text"]}]}


async def no_handshake(wire: Wire) -> None:
    """The server closes the connection instead of sending a handshake response."""

    async def close(peer: WirePeer) -> None:
        await peer.take_handshake()
        await peer.socket.close(code=1011)

    wire.play(close)


async def wrong_handshake(wire: Wire) -> None:
    """The server sends something other than a handshake response."""

    async def babble(peer: WirePeer) -> None:
        await peer.take_handshake()
        await peer.write(b"<html>\x1e")
        await peer.until_closed()

    wire.play(babble)


@pytest.mark.parametrize(
    "failing",
    [
        refused,
        not_there,
        not_found,
        no_json,
        no_upgrade,
        redirected_endlessly,
        no_transport,
        no_handshake,
        wrong_handshake,
    ],
)
async def test_a_failed_start_shows_no_secret(
    failing: Callable[[Wire], Awaitable[None]], wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in the log nor in the error, its causes and contexts, and their tracebacks."""
    caplog.set_level(logging.DEBUG)
    await failing(wire)
    wire.server.url = wire.server.url.replace("http://", "http://user:pass-word@") + "?access_token=hush-hush"
    connection = wire.connection(
        access_token_factory=lambda: "hush-hush", headers={"X-Key": "hush-hush"}, cookies={"c": "hush-hush"}
    )
    with pytest.raises(SignalRError) as caught:
        await connection.start()
    said = shown_by(caught.value)
    for secret in SECRETS:
        assert secret not in said
        assert secret not in caplog.text, [line for line in caplog.text.splitlines() if secret in line]


async def test_a_rejected_websocket_shows_no_secret(wire: Wire) -> None:
    """Without negotiation, its error is raised directly."""
    wire.server.refusal = 401
    wire.server.url += "?access_token=hush-hush"
    connection = wire.connection(skip_negotiation=True, transports=HttpTransportType.WEB_SOCKETS)
    with pytest.raises(TransportError, match="status code '401'") as caught:
        await connection.start()
    assert "hush-hush" not in shown_by(caught.value)


async def test_no_secret_is_logged_or_raised(scripted: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """During a redirect, a connection, its loss, failed reconnect attempts, and the end."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
    hub = scripted.url.replace("http://", "http://user:pass-word@") + "?access_token=hush-hush"
    offer = scripted.negotiate
    scripted.negotiate = lambda request: (
        {"url": scripted.url.replace("/hub", "/service?access_token=hush-hush"), "accessToken": "redirect-token"}
        if request.path.startswith("/hub")
        else offer
    )

    async def script(peer: Peer) -> None:
        await peer.shake_hands()
        await peer.receive()

    scripted.script = script
    connection = (
        HubConnectionBuilder()
        .with_url(hub, access_token_factory=lambda: "hush-hush", headers={"X-Key": "hush-hush"}, cookies={"c": "hush-hush"})
        .with_automatic_reconnect([0, 0])
        .build()
    )
    errors: list[BaseException] = []
    connection.on_reconnecting(lambda error: error and errors.append(error))  # type: ignore[func-returns-value]  # called for its side effect
    lost = asyncio.Event()
    connection.on_reconnecting(lambda _: lost.set())
    await connection.start()
    scripted.negotiate = {"error": "no"}
    await lost.wait()
    with pytest.raises(SignalRError) as caught:
        await connection.wait_closed()
    await connection.stop()
    errors.append(caught.value)
    shown = caplog.text + repr(connection) + shown_by(*errors)
    assert "id=***" in shown or "connecting" in shown
    for secret in SECRETS:
        assert secret not in shown, [line for line in shown.splitlines() if secret in line]


@pytest.mark.parametrize("name", TRANSPORTS)
@pytest.mark.parametrize("proxied", ["directly", "through an unreachable proxy"])
async def test_a_broken_connection_shows_no_secret(name: str, proxied: str, caplog: pytest.LogCaptureFixture) -> None:
    """During the start and afterwards: aiohttp's errors contain the URLs, headers and proxies of requests."""
    caplog.set_level(logging.DEBUG)
    async with gated_hub() as gate, asyncio.timeout(10):
        hub = gate.url.replace("http://", "http://user:pass-word@") + "?access_token=hush-hush"
        options: dict[str, Any] = {
            "transports": TRANSPORTS[name],
            "access_token_factory": lambda: "hush-hush",
            "headers": {"X-Key": "hush-hush"},
            "cookies": {"c": "hush-hush"},
        }
        if proxied != "directly":
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                options["proxy"] = f"http://user:pass-word@127.0.0.1:{unused.getsockname()[1]}"
        errors: list[BaseException] = []
        for cut in (("negotiate",), ("GET", "WebSocket"), ("POST",)):
            gate.refuse(0, *cut)
            connection = HubConnectionBuilder().with_url(hub, **options).build()
            connection.on_close(lambda error: errors.append(error) if error else None)
            try:
                async with connection:
                    await connection.invoke("Echo", 1)
            except SignalRError as exc:
                errors.append(exc)
    tokens = {seen.path.partition("id=")[2].partition("&")[0] for seen in gate.seen} - {""}
    assert errors
    shown = caplog.text + shown_by(*errors)
    for secret in [*SECRETS, *tokens]:
        assert secret not in shown, [line for line in shown.splitlines() if secret in line]


@pytest.mark.interop
async def test_no_secret_is_logged_against_the_real_server(
    aspnetcore_url: str, hub_protocol: HubProtocol, caplog: pytest.LogCaptureFixture
) -> None:
    """Logged URLs do not contain the connection token, with any transport."""
    caplog.set_level(logging.DEBUG, "signalr_client")
    for transport in (HttpTransportType.WEB_SOCKETS, HttpTransportType.LONG_POLLING):
        connection = (
            HubConnectionBuilder()
            .with_url(f"{aspnetcore_url}/authhub", transports=transport, access_token_factory=lambda: "user:hush-hush")
            .with_hub_protocol(hub_protocol)
            .build()
        )
        async with connection:
            assert await connection.invoke("WhoAmI") == "hush-hush"
    assert "user:hush-hush" not in caplog.text
    assert not re.search(r"[?&]id=(?!\*\*\*)", caplog.text)


def test_logging_can_be_configured_by_level_or_by_logger() -> None:
    """A level applies to the logger of the package; a given logger is used for everything."""
    package = logging.getLogger("signalr_client")
    level, handlers = package.level, package.handlers.copy()
    try:
        HubConnectionBuilder().configure_logging(logging.WARNING)
        assert package.level == logging.WARNING
        HubConnectionBuilder().configure_logging("DEBUG")
        assert package.level == logging.DEBUG
    finally:
        package.setLevel(level)
        package.handlers = handlers


async def test_a_failed_delete_is_logged_to_the_given_logger(caplog: pytest.LogCaptureFixture) -> None:
    """Like all log messages of the transports."""
    caplog.set_level(logging.DEBUG)
    async with gated_hub() as gate:
        builder = HubConnectionBuilder().with_url(gate.url, transports=HttpTransportType.LONG_POLLING)
        connection = builder.configure_logging(logging.getLogger("mine")).build()
        await connection.start()
        gate.refuse(500, "DELETE")
        await connection.stop()
    lines = [(record.name, record.getMessage()) for record in caplog.records if record.name.startswith("mine")]
    assert ("mine.transports", "! the connection was not deleted: status 500") in lines


async def test_a_given_logger_is_used(scripted: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """The log records have its name."""
    caplog.set_level(logging.DEBUG, "mine")
    connection = HubConnectionBuilder().with_url(scripted.url).configure_logging(logging.getLogger("mine")).build()
    await connection.start()
    await connection.stop()
    assert {record.name.partition(".")[0] for record in caplog.records} == {"mine"}

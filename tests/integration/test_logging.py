"""What is logged, and what never is. Spec: client-behaviour.md, "I1"; house style, "Debug log"."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest

from signalr_client import HttpTransportType, HubConnectionBuilder, HubProtocol, SignalRError
from tests.support.scripted_server import Peer, ScriptedServer

SECRETS = ["secret-token", "hush-hush", "pass-word", "redirect-token"]


async def test_a_connections_life_is_told_in_debug_lines(scripted: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """One line a message, with its direction; sizes and contents stay out of it."""

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


async def test_no_secret_is_logged_or_raised(scripted: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """Through a redirect, a connection, its loss, attempts that fail, and the end."""
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
    connection.on_reconnecting(lambda error: error and errors.append(error))  # type: ignore[func-returns-value]  # for its effect
    lost = asyncio.Event()
    connection.on_reconnecting(lambda _: lost.set())
    await connection.start()
    scripted.negotiate = {"error": "no"}
    await lost.wait()
    with pytest.raises(SignalRError) as caught:
        await connection.wait_closed()
    await connection.stop()
    errors.append(caught.value)
    for error in errors:
        cause: BaseException | None = error
        while cause is not None:
            for secret in SECRETS:
                assert secret not in str(cause)
                assert secret not in repr(cause)
            cause = cause.__cause__
    shown = caplog.text + repr(connection)
    assert "id=***" in shown or "connecting" in shown
    for secret in SECRETS:
        assert secret not in shown, [line for line in shown.splitlines() if secret in line]


@pytest.mark.interop
async def test_no_secret_is_logged_against_the_real_server(
    aspnetcore_url: str, hub_protocol: HubProtocol, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does an address show the connection token, over any transport that is left."""
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
    """A level shows what the package says; a logger takes it all."""
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


async def test_a_logger_of_the_callers_gets_the_lines(scripted: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    """Under its own name."""
    caplog.set_level(logging.DEBUG, "mine")
    connection = HubConnectionBuilder().with_url(scripted.url).configure_logging(logging.getLogger("mine")).build()
    await connection.start()
    await connection.stop()
    assert {record.name.partition(".")[0] for record in caplog.records} == {"mine"}

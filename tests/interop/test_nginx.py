"""Clients and servers with nginx in between: {real server, ours} x transports x hub protocols.

There are two configurations. With its default settings nginx sends HTTP/1.0 requests to the server, without upgrade headers, and
buffers responses. With the upgrade headers, which WebSockets need, it sends HTTP/1.1 requests and still buffers responses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from signalr_client import AggregateTransportError, HttpTransportType, HubConnection, HubConnectionState
from tests.interop.checks import check_hubs
from tests.support.events import EventRecorder
from tests.support.hubs import PAIRINGS, Hubs
from tests.support.nginx import nginx, reserved_port

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("no_leaks")]

WAIT = 10.0
LARGE = "x" * 300_000  # more than nginx buffers in memory, less than its limit of 1 MB for requests
NAMES = {"ws": "WebSockets", "sse": "ServerSentEvents", "lp": "LongPolling"}

each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])
each_protocol = pytest.mark.parametrize("protocol", ["json", "messagepack"])


def behind_nginx(*servers: str, upgrade: bool) -> pytest.MarkDecorator:
    """Run a test against each server behind nginx; the base URL of nginx is passed as ``proxied``."""
    return pytest.mark.parametrize("proxied", [(server, upgrade) for server in servers], ids=servers, indirect=True)


@pytest.fixture(scope="module")
def proxied(request: pytest.FixtureRequest) -> Iterator[str]:
    """The base URL of nginx; see `behind_nginx`."""
    server, upgrade = request.param
    upstream = request.getfixturevalue(f"{server}_url")
    with reserved_port() as port, nginx(upstream, port=port, upgrade=upgrade) as url:
        yield url


async def numbers(count: int) -> AsyncIterator[int]:
    """Yield the numbers from 0 to *count* - 1."""
    for number in range(count):
        yield number


async def check(connection: HubConnection, transport: str) -> None:
    """Call, stream, upload and receive over *connection*, and check that it uses *transport*."""
    last = asyncio.get_running_loop().create_future()
    connection.on("Item", lambda number, _payload: last.set_result(number) if number == 99 else None)
    assert await connection.invoke("GetTransport") == NAMES[transport]
    assert await connection.invoke("Echo", LARGE) == LARGE
    assert [item async for item in connection.stream("Counter", 100, 0)] == list(range(100))
    assert await connection.invoke("SumStream", numbers(100)) == sum(range(100))
    assert await connection.invoke("SendMany", "Item", 100, 10) == 100
    assert await last == 99


@behind_nginx("aspnetcore", "python", upgrade=True)
@each_pairing
async def test_every_transport_works_with_the_upgrade_headers(proxied: str, transport: str, protocol: str) -> None:
    """Including event streams: nginx forwards each chunk of a chunked response as it arrives, even with buffering."""
    async with asyncio.timeout(WAIT), Hubs(proxied, transport, protocol).connection() as connection:
        await check(connection, transport)


@behind_nginx("aspnetcore", "python", upgrade=False)
@each_protocol
async def test_long_polling_works_with_the_default_settings(proxied: str, protocol: str) -> None:
    async with asyncio.timeout(WAIT), Hubs(proxied, "lp", protocol).connection() as connection:
        await check(connection, "lp")


@behind_nginx("aspnetcore", "python", upgrade=False)
@each_protocol
async def test_websockets_fail_with_the_default_settings(proxied: str, protocol: str) -> None:
    """The server receives no upgrade headers, so it handles the request as a poll."""
    text = r"WebSockets failed: The server returned status code '200' when status code '101' was expected\."
    async with asyncio.timeout(WAIT):
        with pytest.raises(AggregateTransportError, match=text):
            await Hubs(proxied, "ws", protocol).connection().start()


@behind_nginx("aspnetcore", "python", upgrade=False)
async def test_messagepack_falls_back_to_long_polling_with_the_default_settings(proxied: str) -> None:
    """Event streams cannot carry MessagePack, because it is binary."""
    connection = Hubs(proxied, "ws", "messagepack").connection(transports=HttpTransportType.ALL)
    async with asyncio.timeout(WAIT), connection:
        await check(connection, "lp")


@behind_nginx("python", upgrade=False)
@pytest.mark.parametrize("transports", [HttpTransportType.SERVER_SENT_EVENTS, HttpTransportType.ALL], ids=["sse", "all"])
async def test_event_streams_of_our_server_work_with_the_default_settings(proxied: str, transports: HttpTransportType) -> None:
    """Our server tells nginx not to buffer event streams. The client falls back to them from WebSockets."""
    async with asyncio.timeout(WAIT), Hubs(proxied, "sse", "json").connection(transports=transports) as connection:
        await check(connection, "sse")


@behind_nginx("aspnetcore", upgrade=False)
async def test_the_client_falls_back_to_long_polling_if_nginx_buffers_the_event_stream(
    proxied: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The real server does not disable the buffering of event streams, so nothing arrives until the buffer is full."""
    builder = Hubs(proxied, "lp", "json").builder(transports=HttpTransportType.ALL).with_handshake_timeout(0.5)
    async with asyncio.timeout(WAIT), builder.build() as connection:
        await check(connection, "lp")
    assert "It seems that a proxy buffers responses." in caplog.text


@each_pairing
async def test_the_client_reconnects_when_nginx_is_restarted(python_url: str, transport: str, protocol: str) -> None:
    with reserved_port() as port:
        with nginx(python_url, port=port, upgrade=True) as url:
            connection = Hubs(url, transport, protocol).builder().with_automatic_reconnect([0.05] * 100).build()
            events = EventRecorder(connection)
            await connection.start()
            first = connection.connection_id
        async with asyncio.timeout(WAIT):
            await events.wait("reconnecting")
            with nginx(python_url, port=port, upgrade=True):
                await events.wait("reconnected")
                assert connection.state is HubConnectionState.CONNECTED
                assert connection.connection_id != first
                await check(connection, transport)
                await connection.stop()
    assert events.names == ["reconnecting", "reconnected", "closed"]


@behind_nginx("python", upgrade=True)
@each_pairing
async def test_the_typescript_client_chats_with_the_upgrade_headers(
    proxied: str, typescript_check: list[str], transport: str, protocol: str
) -> None:
    """Two clients: a message from one reaches the other, and the server gets a client result from one of them."""
    async with asyncio.timeout(60):
        await check_hubs(proxied, *typescript_check, hubs=["typedhub"], options=[protocol, transport])

"""Connecting through a real proxy, which runs in a separate process. See docs/transports.md, "Every option"."""

from __future__ import annotations

import asyncio
import ssl
import sys
import traceback
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from signalr_client import AggregateTransportError, HubConnectionBuilder, NegotiationError
from signalr_client.server import Hub, HubServer
from tests.support.hubs import PAIRINGS, PROTOCOLS, TRANSPORTS

each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])

NAME, PASSWORD = "anna", "hush-hush"


class Greeter(Hub):
    def greet(self, name: str) -> str:
        return f"hello {name}"


class Proxy:
    """A running proxy."""

    def __init__(self, port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.with_credentials = f"http://{NAME}:{PASSWORD}@127.0.0.1:{port}"
        self._log = log

    def logged(self) -> str:
        """Return its log: one line for each connection and request that has ended."""
        return self._log.read_text()


@asynccontextmanager
async def proxy(folder: Path, *options: str) -> AsyncIterator[Proxy]:
    """Run a proxy during the block; its log is complete afterwards."""
    port_file, log = folder / "port", folder / "log"
    one = ["--num-acceptors", "1", "--num-workers", "1", "--threaded"]
    listen = ["--hostname", "127.0.0.1", "--port", "0", "--port-file", str(port_file), "--log-file", str(log)]
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "proxy", *listen, *one, *options)
    try:
        async with asyncio.timeout(30):
            while not (port_file.exists() and port_file.read_text().endswith("\n")):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0)
        yield Proxy(int(port_file.read_text()), log)
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def hub(authority: trustme.CA | None) -> AsyncIterator[tuple[str, ssl.SSLContext | bool]]:
    """Serve a hub over http, or over https with a certificate of *authority*; yield its URL and the client's `ssl` option."""
    if authority is None:
        async with HubServer({"/hub": Greeter}) as server:
            yield server.url("/hub"), True
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with HubServer({"/hub": Greeter}, ssl=context) as server:
        yield server.url("/hub"), trusting


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@each_pairing
async def test_every_transport_uses_the_proxy(
    tmp_path: Path, authority: trustme.CA, secure: bool, transport: str, protocol: str
) -> None:
    """Through a tunnel, or as plain proxy requests if there is no TLS."""
    async with proxy(tmp_path, "--basic-auth", f"{NAME}:{PASSWORD}") as way, hub(authority if secure else None) as (url, trust):
        builder = HubConnectionBuilder().with_url(
            url,
            transports=TRANSPORTS[transport],
            ssl=trust,
            proxy=way.url,
            proxy_auth=aiohttp.encode_basic_auth(NAME, PASSWORD),
        )
        async with builder.with_hub_protocol(PROTOCOLS[protocol]()).build() as client:
            assert await client.invoke("Greet", "Anna") == "hello Anna"
    noted = way.logged()
    if secure:
        assert "CONNECT 127.0.0.1:" in noted
        assert "/hub" not in noted
    else:
        assert "/hub/negotiate?negotiateVersion=1 - 200 OK" in noted
        assert ("CONNECT 127.0.0.1:" in noted) is (transport == "ws")


@pytest.mark.parametrize("form", ["in the url", "as a header", "as an object"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_proxy_credentials_can_be_given_in_several_ways(
    tmp_path: Path, authority: trustme.CA, secure: bool, form: str
) -> None:
    async with proxy(tmp_path, "--basic-auth", f"{NAME}:{PASSWORD}") as way, hub(authority if secure else None) as (url, trust):
        options: dict[str, Any] = {"proxy": way.with_credentials if form == "in the url" else way.url}
        if form == "as a header":
            options["proxy_auth"] = aiohttp.encode_basic_auth(NAME, PASSWORD)
        elif form == "as an object":
            with warnings.catch_warnings(action="ignore"):  # deprecated by aiohttp, but still in use
                options["proxy_auth"] = aiohttp.BasicAuth(NAME, PASSWORD)
        async with HubConnectionBuilder().with_url(url, ssl=trust, **options).build() as client:
            assert await client.invoke("Greet", "Anna") == "hello Anna"


@pytest.mark.parametrize("given", [None, ("anna", "wrong-pass-word")])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_a_proxy_that_rejects_the_credentials_is_an_error(
    tmp_path: Path, authority: trustme.CA, secure: bool, given: tuple[str, str] | None
) -> None:
    """The error does not contain the password."""
    async with proxy(tmp_path, "--basic-auth", f"{NAME}:{PASSWORD}") as way, hub(authority if secure else None) as (url, trust):
        auth = None if given is None else aiohttp.encode_basic_auth(*given)
        client = HubConnectionBuilder().with_url(url, ssl=trust, proxy=way.url, proxy_auth=auth).build()
        with pytest.raises(NegotiationError, match="Failed to complete negotiation with the server") as refused:
            await client.start()
        text = "".join(traceback.format_exception(refused.value))
        assert "407" in str(refused.value)
        assert "proxy" in str(refused.value)
        assert "pass-word" not in text


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
async def test_an_unreachable_proxy_is_an_error(authority: trustme.CA, secure: bool) -> None:
    async with hub(authority if secure else None) as (url, trust):
        client = HubConnectionBuilder().with_url(url, ssl=trust, proxy=f"http://{NAME}:{PASSWORD}@127.0.0.1:1").build()
        with pytest.raises(NegotiationError, match="the proxy cannot be reached") as failed:
            await client.start()
        assert PASSWORD not in "".join(traceback.format_exception(failed.value))


async def test_a_rejected_tunnel_is_an_error(tmp_path: Path) -> None:
    """The next transport is tried."""
    async with proxy(tmp_path, "--basic-auth", f"{NAME}:{PASSWORD}") as way, hub(None) as (url, _):
        options: dict[str, Any] = {"proxy": way.url, "skip_negotiation": True, "transports": TRANSPORTS["ws"]}
        client = HubConnectionBuilder().with_url(url, **options).build()
        with pytest.raises(Exception, match=r"the proxy opened no tunnel: 407 Proxy Authentication Required") as failed:
            await client.start()
        assert not isinstance(failed.value, AggregateTransportError)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"proxy": "127.0.0.1:3128"}, "proxy must be an http:// or https:// URL"),
        ({"proxy": "socks5://127.0.0.1:1080"}, "proxy must be an http:// or https:// URL"),
        ({"proxy": "http://127.0.0.1:3128", "proxy_auth": "Bearer x"}, "proxy_auth is what aiohttp.encode_basic_auth"),
    ],
)
def test_an_invalid_proxy_is_rejected_immediately(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        HubConnectionBuilder().with_url("http://127.0.0.1/hub", **options)

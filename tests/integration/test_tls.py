"""TLS: private certificate authorities, client certificates, and error messages. See docs/transports.md, "Every option"."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from signalr_client import HttpTransportType, HubConnectionBuilder, NegotiationError, TransportError
from signalr_client.server import Hub, HubServer
from tests.support.aspnetcore import aspnetcore_server
from tests.support.hubs import PAIRINGS, PROTOCOLS, TRANSPORTS

each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])


class Secure(Hub):
    def same(self, value: str) -> str:
        return value

    def scheme(self) -> str:
        request = self.context.get_http_request()
        return "" if request is None else request.scheme

    def certificate(self) -> str | None:
        request = self.context.get_http_request()
        assert request is not None
        assert request.transport is not None
        peer = request.transport.get_extra_info("peercert")
        return None if not peer else str(peer["subjectAltName"][0][1])


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A private certificate authority."""
    return trustme.CA()


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
async def url(authority: trustme.CA) -> AsyncIterator[str]:
    """The URL of a hub over https."""
    async with HubServer({"/hub": Secure}, ssl=server_context(authority.issue_cert("127.0.0.1", "localhost"))) as server:
        yield server.url("/hub")


@each_pairing
async def test_a_private_certificate_authority_can_be_used(
    url: str, authority: trustme.CA, transport: str, protocol: str
) -> None:
    assert url.startswith("https://")
    builder = HubConnectionBuilder().with_url(url, transports=TRANSPORTS[transport], ssl=trusting(authority))
    async with builder.with_hub_protocol(PROTOCOLS[protocol]()).build() as client:
        assert await client.invoke("Same", "x") == "x"
        assert await client.invoke("Scheme") == "https"


@pytest.mark.interop
@each_pairing
async def test_the_real_server_can_be_reached_over_tls(
    authority: trustme.CA, tmp_path: Path, transport: str, protocol: str
) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    environment = {
        "Kestrel__Certificates__Default__Path": str(chain),
        "Kestrel__Certificates__Default__KeyPath": str(key),
    }
    with aspnetcore_server(environment, url="https://127.0.0.1:0") as base:
        builder = HubConnectionBuilder().with_url(base + "/testhub", transports=TRANSPORTS[transport], ssl=trusting(authority))
        async with builder.with_hub_protocol(PROTOCOLS[protocol]()).build() as client:
            assert await client.invoke("Echo", "x") == "x"


async def test_certificates_are_verified_by_default(url: str) -> None:
    """The error says how to fix the problem."""
    client = HubConnectionBuilder().with_url(url).build()
    with pytest.raises(NegotiationError, match="the server's certificate was not accepted") as refused:
        await client.start()
    assert "ssl=ssl.create_default_context(cafile=...)" in str(refused.value)
    assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)


async def test_certificates_are_verified_without_negotiation(url: str) -> None:
    client = HubConnectionBuilder().with_url(url, skip_negotiation=True, transports=HttpTransportType.WEB_SOCKETS).build()
    with pytest.raises(TransportError, match="the server's certificate was not accepted"):
        await client.start()


async def test_verification_can_be_disabled(url: str) -> None:
    async with HubConnectionBuilder().with_url(url, ssl=False).build() as client:
        assert await client.invoke("Same", "x") == "x"


async def test_a_certificate_for_another_host_is_rejected(authority: trustme.CA) -> None:
    context = server_context(authority.issue_cert("other.example"))
    async with HubServer({"/hub": Secure}, ssl=context) as server:
        client = HubConnectionBuilder().with_url(server.url("/hub"), ssl=trusting(authority)).build()
        with pytest.raises(
            NegotiationError, match=r"certificate was not accepted.*certificate is not valid for '127\.0\.0\.1'"
        ):
            await client.start()


async def test_an_expired_certificate_is_rejected(authority: trustme.CA) -> None:
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    context = server_context(authority.issue_cert("127.0.0.1", not_after=yesterday))
    async with HubServer({"/hub": Secure}, ssl=context) as server:
        client = HubConnectionBuilder().with_url(server.url("/hub"), ssl=trusting(authority)).build()
        with pytest.raises(NegotiationError, match=r"certificate was not accepted.*certificate has expired"):
            await client.start()


@pytest.mark.parametrize(
    ("scheme", "text"), [("https", "speaks no TLS at this address: use http:// there"), ("http", "may speak only https://")]
)
async def test_the_error_mentions_a_wrong_scheme(url: str, authority: trustme.CA, scheme: str, text: str) -> None:
    async with HubServer({"/hub": Secure}) as plain:
        wrong = plain.url("/hub").replace("http:", "https:") if scheme == "https" else url.replace("https:", "http:")
        client = HubConnectionBuilder().with_url(wrong, ssl=trusting(authority)).build()
        with pytest.raises(NegotiationError, match="Failed to complete negotiation with the server") as failed:
            await client.start()
        assert text in str(failed.value)


@each_pairing
async def test_a_client_certificate_is_sent_with_every_request(authority: trustme.CA, transport: str, protocol: str) -> None:
    """If the server requires one and there is none, the error says so."""
    context = server_context(authority.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    async with HubServer({"/hub": Secure}, ssl=context) as server:
        own = trusting(authority)
        authority.issue_cert("anna@example.com").configure_cert(own)
        builder = HubConnectionBuilder().with_url(server.url("/hub"), transports=TRANSPORTS[transport], ssl=own)
        async with builder.with_hub_protocol(PROTOCOLS[protocol]()).build() as client:
            assert await client.invoke("Certificate") == "anna@example.com"
        without = HubConnectionBuilder().with_url(server.url("/hub"), ssl=trusting(authority)).build()
        with pytest.raises(NegotiationError, match="Failed to complete negotiation with the server") as refused:
            await without.start()
        assert "client certificate" in str(refused.value)

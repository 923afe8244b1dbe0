"""Negotiate responses, refresh responses, redirects, and the URLs that are made of them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from yarl import URL

from signalr_client.core import negotiation
from signalr_client.errors import NegotiationError, TransportError
from signalr_client.transports.sessions import request_address
from signalr_client.types import HttpTransportType, TransferFormat
from tests.fuzz.inputs import Choices
from tests.fuzz.properties import check_error
from tests.fuzz.seeds import JSON_WORDS, NEGOTIATE_RESPONSES

CONTROL: Final = 3
SEEDS: Final = [*NEGOTIATE_RESPONSES, b"<html>", b'{"url":"http://[::1]/"}', b'{"url":"?x"}', b"404"]
WORDS: Final = [
    *JSON_WORDS,
    b'"url":"', b'"connectionId":"', b'"connectionToken":"', b'"negotiateVersion":', b'"availableTransports":[', b'"transport":"',
    b'"WebSockets"', b'"ServerSentEvents"', b'"transferFormats":[', b'"accessToken":"', b'"ProtocolVersion":', b"http://[", b"https://",
    b"http+unix://", b"%00", b"@", b"?id=", b"&access_token=", b"\xe2\x84\x80", b":99999",
]  # fmt: skip

_URLS: Final = (
    "http://host/hub",
    "https://host:5001/?id=1&access_token=2",
    "http://user:word@host/a%20b/?negotiateVersion=0#x",
)
_TRANSPORTS: Final = (HttpTransportType.ALL, HttpTransportType.WEB_SOCKETS, HttpTransportType.LONG_POLLING)


def target(data: bytes) -> None:
    """A response is complete, or it is a NegotiationError; the URLs that follow from it can be made, and shown without secrets."""
    choices = Choices(data)
    url, allowed = choices.pick(_URLS), choices.pick(_TRANSPORTS)
    transfer_format, body = choices.pick(tuple(TransferFormat)), choices.rest()
    check_refresh(body)
    try:
        response = negotiation.parse_negotiate_response(body, url)
    except NegotiationError as exc:
        check_error(exc, len(body))
        check_shown(exc.url)
        return
    if response.url:
        check_url(response.url)
        return
    assert response.connection_id
    assert response.token
    for candidate in negotiation.candidates(response, allowed, transfer_format):
        if isinstance(candidate, TransportError):
            check_error(candidate, len(body))
        else:
            assert candidate in allowed
    connect = negotiation.connect_url(url, response.token)
    check_url(connect)
    assert parse_qsl(urlsplit(connect).query, keep_blank_values=True)[-1] == ("id", response.token)


def check_refresh(body: bytes) -> None:
    """What the response to an authentication refresh may be."""
    try:
        refreshed = negotiation.parse_refresh_response(body)
    except TransportError as exc:
        check_error(exc, len(body))
        return
    assert refreshed.token_lifetime_seconds is None or isinstance(refreshed.token_lifetime_seconds, float)


def check_url(url: str) -> None:
    """Every URL that a client makes of *url* can be made; one that no request can go to is a ValueError, which requests expect."""
    check_shown(negotiation.redact_url(url))
    for made in (
        negotiation.negotiate_url(url, stateful_reconnect=True),
        negotiation.refresh_url(url, "token"),
        negotiation.connect_url(url, "token"),
        negotiation.websocket_url(url),
    ):
        try:
            address = request_address(made)
        except ValueError:
            continue
        assert isinstance(address, URL)


def check_shown(url: str) -> None:
    """No secret is left in a URL that is shown."""
    parts = urlsplit(url)
    assert "@" not in parts.netloc
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        assert value == "***" or key.lower() not in {"id", "access_token"}

"""URLs, negotiate responses, and the choice of transports."""

from __future__ import annotations

from typing import Final

import pytest

from signalr_client.core.negotiation import (
    AvailableTransport,
    NegotiateResponse,
    candidates,
    connect_url,
    negotiate_url,
    parse_negotiate_response,
    redact_url,
    websocket_url,
)
from signalr_client.errors import NegotiationError, TransportError
from signalr_client.types import HttpTransportType, TransferFormat

URL: Final = "http://host/hub"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/hub", "http://host/hub/negotiate?negotiateVersion=1"),
        ("http://host/hub/", "http://host/hub/negotiate?negotiateVersion=1"),
        ("https://host:5001/a/b", "https://host:5001/a/b/negotiate?negotiateVersion=1"),
        ("http://host", "http://host/negotiate?negotiateVersion=1"),
        ("http://host/hub?a=b", "http://host/hub/negotiate?a=b&negotiateVersion=1"),
        ("http://host/hub?a=%2F%20+", "http://host/hub/negotiate?a=%2F%20+&negotiateVersion=1"),  # kept unchanged
        ("http://host/h%C3%BCb", "http://host/h%C3%BCb/negotiate?negotiateVersion=1"),
        ("http://host/hub?negotiateVersion=0", "http://host/hub/negotiate?negotiateVersion=0"),
        ("http://host/hub#part", "http://host/hub/negotiate?negotiateVersion=1"),
        ("http://[::1]:5000/hub", "http://[::1]:5000/hub/negotiate?negotiateVersion=1"),
    ],
)
def test_negotiate_url_adds_the_path_and_the_version(url: str, expected: str) -> None:
    assert negotiate_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (URL, "http://host/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true"),
        (f"{URL}?useStatefulReconnect=true", "http://host/hub/negotiate?useStatefulReconnect=true&negotiateVersion=1"),
    ],
)
def test_negotiate_url_requests_stateful_reconnect_once(url: str, expected: str) -> None:
    assert negotiate_url(url, stateful_reconnect=True) == expected


@pytest.mark.parametrize(
    ("url", "token", "expected"),
    [
        (URL, "abc-_1", "http://host/hub?id=abc-_1"),
        (URL, "a+/=&b c", "http://host/hub?id=a%2B%2F%3D%26b%20c"),
        (URL, "", URL),
        ("http://host/hub?a=b#part", "t", "http://host/hub?a=b&id=t"),
        ("http://host/hub/?a=b", "t", "http://host/hub/?a=b&id=t"),
    ],
)
def test_connect_url_adds_the_connection_token(url: str, token: str, expected: str) -> None:
    assert connect_url(url, token) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host/hub?id=1", "ws://host/hub?id=1"),
        ("https://host:5001/hub", "wss://host:5001/hub"),
        ("ws://host/hub", "ws://host/hub"),
        ("HTTPS://host/hub", "wss://host/hub"),
    ],
)
def test_websocket_url_has_the_websocket_scheme(url: str, expected: str) -> None:
    assert websocket_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (URL, URL),
        (f"{URL}?a=b&empty=", f"{URL}?a=b&empty="),
        (f"{URL}?id=SECRET", f"{URL}?id=***"),
        (f"{URL}?a=b&access_token=SECRET&c=d", f"{URL}?a=b&access_token=***&c=d"),
        (f"{URL}?ID=SECRET&Access_Token=SECRET", f"{URL}?ID=***&Access_Token=***"),
        (f"{URL}?i%64=SECRET&id=SECRET", f"{URL}?id=***&id=***"),
        ("http://user:SECRET@host:81/hub", "http://host:81/hub"),
        (f"{URL}#SECRET", URL),
    ],
)
def test_redacted_url_shows_no_secret(url: str, expected: str) -> None:
    assert redact_url(url) == expected


FULL: Final = b"""{
    "negotiateVersion": 1,
    "connectionId": "public",
    "connectionToken": "secret",
    "availableTransports": [
        {"transport": "WebSockets", "transferFormats": ["Text", "Binary"]},
        {"transport": "ServerSentEvents", "transferFormats": ["Text"]},
        {"transport": "LongPolling", "transferFormats": ["Text", "Binary"]}
    ],
    "useStatefulReconnect": true,
    "tokenLifetimeSeconds": 3600,
    "somethingNew": {"a": [1]}
}"""


def test_a_complete_response_is_decoded() -> None:
    response = parse_negotiate_response(FULL, URL)
    assert response == NegotiateResponse(
        negotiate_version=1,
        connection_id="public",
        connection_token="secret",
        available_transports=[
            AvailableTransport("WebSockets", ["Text", "Binary"]),
            AvailableTransport("ServerSentEvents", ["Text"]),
            AvailableTransport("LongPolling", ["Text", "Binary"]),
        ],
        use_stateful_reconnect=True,
        token_lifetime_seconds=3600,
    )
    assert response.token == "secret"


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b'{"connectionId":"1","availableTransports":[]}', "1"),
        (b'{"connectionId":"1","connectionToken":"2","availableTransports":[]}', "1"),
        (b'{"negotiateVersion":0,"connectionId":"1","connectionToken":"2","availableTransports":[]}', "1"),
        (b'{"negotiateVersion":1,"connectionId":"1","connectionToken":"2","availableTransports":[]}', "2"),
    ],
)
def test_the_connection_id_is_the_token_before_version_1(body: bytes, token: str) -> None:
    assert parse_negotiate_response(body, URL).token == token


@pytest.mark.parametrize(
    ("body", "access_token"),
    [
        (b'{"url":"http://other/hub"}', None),
        (b'{"url":"http://other/hub","accessToken":"t"}', "t"),
        (b'{"url":"http://other/hub","availableTransports":[]}', None),
    ],
)
def test_a_redirect_needs_only_a_url(body: bytes, access_token: str | None) -> None:
    response = parse_negotiate_response(body, URL)
    assert (response.url, response.access_token) == ("http://other/hub", access_token)


@pytest.mark.parametrize(
    "redirect",
    [
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/hub",
        "ws://other/hub",
        "file:///etc/passwd",
        "/hub",
        "//other/hub",
        "////@",
        "http://@",
    ],
)
def test_a_redirect_leads_to_a_web_server(redirect: str) -> None:
    """And not to a local socket, whatever the server says."""
    with pytest.raises(NegotiationError) as caught:
        parse_negotiate_response(b'{"url":"%s"}' % redirect.encode(), URL)
    assert caught.value.message == (
        "Invalid negotiation response received. The redirect URL must begin with http:// or https:// and name a host."
    )


MISSING: Final = "Invalid negotiation response received. Missing required property"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"no way"}', "no way"),
        (b'{"error":"no way","url":"http://other"}', "no way"),
        (b'{"ProtocolVersion":"1.4","ConnectionId":"x"}',
         ("Detected a connection attempt to an ASP.NET SignalR Server. This client only supports connecting to an ASP.NET Core"
         " SignalR Server. See https://aka.ms/signalr-core-differences for details.")),
        (b"{}", f"{MISSING} 'connectionId'."),
        (b'{"connectionId":"","availableTransports":[]}', f"{MISSING} 'connectionId'."),
        (b'{"connectionId":"1"}', f"{MISSING} 'availableTransports'."),
        (b'{"connectionId":"1","negotiateVersion":1,"availableTransports":[]}', f"{MISSING} 'connectionToken'."),
        (b'{"connectionId":"1","connectionToken":"","negotiateVersion":1,"availableTransports":[]}',
         f"{MISSING} 'connectionToken'."),
    ],
)  # fmt: skip
def test_an_unusable_response_is_an_error_with_the_reason(body: bytes, text: str) -> None:
    with pytest.raises(NegotiationError) as caught:
        parse_negotiate_response(body, f"{URL}?access_token=SECRET")
    assert caught.value.message == text
    assert (caught.value.url, caught.value.status) == (f"{URL}?access_token=***", 200)
    assert str(caught.value) == f"{text} ({URL}?access_token=***, status 200)"


NO_ENDPOINT: Final = "Either this is not a SignalR endpoint or there is a proxy in between."


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>hello</html>", b"[]", b"null", b'"x"', b"\xff", pytest.param(b"[" * 100_000, id="deep"), b"\n  not found"],
)
def test_the_error_for_a_response_that_is_not_json_suggests_checking_the_url(body: bytes) -> None:
    with pytest.raises(NegotiationError) as caught:
        parse_negotiate_response(body, URL)
    assert caught.value.message.startswith("Invalid negotiation response received. ")
    assert caught.value.message.endswith(NO_ENDPOINT)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b'{"connectionId":1}', "connectionId"),
        (b'{"negotiateVersion":"1"}', "negotiateVersion"),
        (b'{"availableTransports":{}}', "availableTransports"),
        (b'{"availableTransports":[{}]}', "availableTransports"),
        (b'{"availableTransports":[{"transport":"WebSockets","transferFormats":["Text",1]}]}', "transferFormats"),
        (b'{"url":7}', "url"),
        (b'{"error":7}', "error"),
        (b'{"useStatefulReconnect":"yes"}', "useStatefulReconnect"),
    ],
)
def test_the_error_names_a_member_of_the_wrong_type(body: bytes, member: str) -> None:
    with pytest.raises(NegotiationError) as caught:
        parse_negotiate_response(body, URL)
    assert caught.value.message.startswith("Invalid negotiation response received. ")
    assert member in caught.value.message
    assert NO_ENDPOINT not in caught.value.message


WS: Final = HttpTransportType.WEB_SOCKETS
SSE: Final = HttpTransportType.SERVER_SENT_EVENTS
LP: Final = HttpTransportType.LONG_POLLING
NOT_TEXT: Final = "The transport does not support the 'Text' transfer format."
NOT_BINARY: Final = "The transport does not support the 'Binary' transfer format."
DISABLED: Final = "The transport is disabled by the client."


@pytest.mark.parametrize(
    ("allowed", "transfer_format", "expected"),
    [
        (HttpTransportType.ALL, TransferFormat.TEXT, [WS, SSE, LP]),
        (HttpTransportType.ALL, TransferFormat.BINARY, [WS, f"ServerSentEvents failed: {NOT_BINARY}", LP]),
        (LP | SSE, TransferFormat.TEXT, [f"WebSockets failed: {DISABLED}", SSE, LP]),
        (SSE, TransferFormat.BINARY,
         [f"WebSockets failed: {DISABLED}", f"ServerSentEvents failed: {NOT_BINARY}", f"LongPolling failed: {DISABLED}"]),
        (HttpTransportType.NONE, TransferFormat.TEXT,
         [f"{name} failed: {DISABLED}" for name in ("WebSockets", "ServerSentEvents", "LongPolling")]),
    ],
)  # fmt: skip
def test_transports_are_tried_in_the_order_of_the_server(
    allowed: HttpTransportType, transfer_format: TransferFormat, expected: list[HttpTransportType | str]
) -> None:
    found = list(candidates(parse_negotiate_response(FULL, URL), allowed, transfer_format))
    assert [str(offer) if isinstance(offer, TransportError) else offer for offer in found] == expected


def test_skipped_transports_are_reported_with_the_reason() -> None:
    response = NegotiateResponse(
        available_transports=[
            AvailableTransport("Carrier", ["Text"]),
            AvailableTransport("LongPolling"),
            AvailableTransport(""),
        ]
    )
    offers = list(candidates(response, HttpTransportType.ALL, TransferFormat.TEXT))
    assert [(offer.transport, str(offer)) for offer in offers if isinstance(offer, TransportError)] == [
        ("Carrier", "Carrier failed: The transport is not supported by the client."),
        ("LongPolling", f"LongPolling failed: {NOT_TEXT}"),
        ("", " failed: The transport is not supported by the client."),
    ]
    assert len(offers) == 3


def test_usable_transports_keep_the_order_of_the_server() -> None:
    response = NegotiateResponse(
        available_transports=[AvailableTransport(name, ["Text"]) for name in ("LongPolling", "WebSockets")]
    )
    assert list(candidates(response, HttpTransportType.ALL, TransferFormat.TEXT)) == [LP, WS]


def test_a_server_may_offer_no_transports() -> None:
    assert list(candidates(NegotiateResponse(), HttpTransportType.ALL, TransferFormat.TEXT)) == []

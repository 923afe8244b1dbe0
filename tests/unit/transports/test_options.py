"""`HttpOptions`: validation, and a repr without secrets."""

from __future__ import annotations

import functools
import logging
import math
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from signalr_client import HttpTransportType, HubConnectionBuilder
from signalr_client.transports.base import HttpOptions
from signalr_client.transports.connector import Connected
from signalr_client.transports.http import HttpClient, HttpResponse

URL = "http://hub.example/chathub"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("ws://hub.example/chathub", "http://hub.example/chathub"),
        ("wss://hub.example:7/chathub?a=b", "https://hub.example:7/chathub?a=b"),
        ("WSS://hub.example/x", "https://hub.example/x"),
        (URL, URL),
    ],
)
def test_a_websocket_url_is_treated_as_an_http_url(given: str, used: str) -> None:
    assert HttpOptions(url=given).url == used
    assert HubConnectionBuilder().with_url(given).build().url == used


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"url": "hub.example/chathub"}, "must begin with http:// or https:// and name a host"),
        ({"url": "ftp://hub.example"}, "must begin with http:// or https:// and name a host"),
        ({"url": "http:///chathub"}, "must begin with http:// or https:// and name a host"),
        ({"url": "ws:///chathub"}, "must begin with http:// or https:// and name a host"),
        ({"transports": HttpTransportType.NONE}, "at least one transport"),
        ({"url": "http+unix://%2Fhub.sock/chathub", "proxy": "http://proxy:1"}, "A proxy cannot reach a Unix socket"),
        ({"proxy": "socks5://user:hush@proxy"}, r"not 'socks5://proxy'"),
        ({"proxy": "http://proxy", "proxy_auth": "hush"}, "it begins with 'Basic '"),
        ({"max_message_size": 0}, "at least 1 byte, not 0"),
        ({"close_timeout": 0.0}, "a time in seconds above 0; 0 is not"),
        ({"close_timeout": -1.0}, "a time in seconds above 0; -1 is not"),
        ({"close_timeout": math.nan}, "a time in seconds above 0; nan is not"),
        ({"close_timeout": math.inf}, "a time in seconds above 0; inf is not"),
    ],
)
def test_invalid_options_are_rejected_by_the_options_and_the_builder(options: dict[str, Any], text: str) -> None:
    given: dict[str, Any] = {"url": URL} | options
    for refusing in (HttpOptions, HubConnectionBuilder().with_url):
        with pytest.raises(ValueError, match=text) as caught:
            refusing(**given)
        assert "hush" not in str(caught.value)


def test_a_token_instead_of_a_factory_is_rejected_without_showing_the_token() -> None:
    with pytest.raises(TypeError, match="not a str: for a fixed token pass access_token_factory=lambda: token") as caught:
        HubConnectionBuilder().with_url(URL, access_token_factory="hush")  # type: ignore[arg-type]  # the wrong type is intended
    assert "hush" not in str(caught.value)


def test_a_close_timeout_may_be_a_timedelta() -> None:
    builder = HubConnectionBuilder().with_url(URL, close_timeout=timedelta(milliseconds=1500))
    assert builder._http is not None
    assert builder._http.close_timeout == 1.5


async def test_no_repr_contains_a_secret() -> None:
    def factory(token: str) -> str:
        return token

    async with aiohttp.ClientSession(headers={"Authorization": "hush"}) as session:
        options = HttpOptions(
            url="http://user:hush@hub.example/chathub?access_token=hush&id=hush&a=b",
            access_token_factory=functools.partial(factory, "hush"),
            headers={"Authorization": "hush"},
            cookies={"session": "hush"},
            proxy="http://user:hush@proxy:3128",
            proxy_auth="Basic hush",
            session=session,
            max_message_size=7,
        )
        client = HttpClient(options, logging.getLogger("signalr_client"))
        assert repr(options) == str(options)
        assert repr(options) == (
            "HttpOptions(url='http://hub.example/chathub?access_token=***&id=***&a=b', transports=<HttpTransportType.ALL: 7>,"
            " skip_negotiation=False, close_timeout=5.0, max_message_size=7, access_token_factory=***, headers=***, cookies=***,"
            " proxy=***, proxy_auth=***, session=***)"
        )
    for holder in (client, client.tokens, HttpResponse(200, "OK", b"hush")):
        assert "hush" not in repr(holder)


def test_the_repr_of_a_connection_does_not_contain_its_token() -> None:
    assert "hush" not in repr(Connected(object(), "public", "hush"))  # type: ignore[arg-type]  # the transport is not used

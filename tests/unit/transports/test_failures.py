"""The texts of errors about requests and connections."""

from __future__ import annotations

import aiohttp
import pytest

from signalr_client.transports.failures import connect_error, explain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no route to https://user:SECRET@host/hub?id=SECRET", "no route to https://host/hub?id=***"),
        ("ws://[::1?access_token=SECRET is no address", "ws://*** is no address"),  # not a URL, so it cannot be taken apart
        ("http://a\u2100b/SECRET and http://host/", "http://*** and http://host/"),
    ],
)
def test_an_explanation_shows_urls_without_secrets(text: str, shown: str) -> None:
    assert explain(aiohttp.ClientError(text)) == shown
    assert str(connect_error("WebSockets", OSError(text), 1.0)) == f"WebSockets failed: {shown}"

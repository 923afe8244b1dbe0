"""Arguments that the builder rejects, with the remedy in the error message."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from signalr_client import HubConnectionBuilder, MessagePackHubProtocol

URL = "http://127.0.0.1/hub"

DURATIONS: dict[str, Callable[[Any], object]] = {
    "server timeout": lambda value: HubConnectionBuilder().with_server_timeout(value),
    "keep-alive interval": lambda value: HubConnectionBuilder().with_keep_alive_interval(value),
    "handshake timeout": lambda value: HubConnectionBuilder().with_handshake_timeout(value),
    "close_timeout": lambda value: HubConnectionBuilder().with_url(URL, close_timeout=value),
    "time before the expiration": lambda value: HubConnectionBuilder().with_authentication_refresh(before_expiration=value),
}


@pytest.mark.parametrize("value", [math.nan, 0, -1.5])
@pytest.mark.parametrize("name", DURATIONS)
def test_a_time_that_is_not_positive_is_rejected(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        DURATIONS[name](value)


@pytest.mark.parametrize("name", ["close_timeout", "time before the expiration"])
def test_an_infinite_time_is_rejected_where_a_limit_is_required(name: str) -> None:
    """The close timeout limits `stop`, and a refresh must happen at some time."""
    with pytest.raises(ValueError, match=name):
        DURATIONS[name](math.inf)


@pytest.mark.parametrize("name", ["server timeout", "keep-alive interval", "handshake timeout"])
def test_an_infinite_time_disables_a_timer(name: str) -> None:
    DURATIONS[name](math.inf)


@pytest.mark.parametrize("delays", [[0, math.nan], [math.inf]])
def test_reconnect_delays_that_are_not_finite_are_rejected(delays: list[float]) -> None:
    with pytest.raises(ValueError, match="must be a finite number of seconds"):
        HubConnectionBuilder().with_automatic_reconnect(delays)


@pytest.mark.parametrize("protocol", ["messagepack", MessagePackHubProtocol, None, 5])
def test_a_hub_protocol_of_the_wrong_type_is_rejected_with_a_remedy(protocol: Any) -> None:
    with pytest.raises(TypeError, match=r"takes a protocol object: JsonHubProtocol\(\), MessagePackHubProtocol\(\)") as caught:
        HubConnectionBuilder().with_hub_protocol(protocol)
    assert str(caught.value).endswith(f"not {protocol!r}.")


def test_a_token_instead_of_a_factory_is_rejected_without_showing_the_token() -> None:
    with pytest.raises(TypeError, match="lambda: token") as caught:
        HubConnectionBuilder().with_url(URL, access_token_factory="hush-hush")  # type: ignore[arg-type]  # the wrong type is intended
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("ws://127.0.0.1:5000/hub?room=1", "http://127.0.0.1:5000/hub?room=1"),
        ("wss://example.com/hub", "https://example.com/hub"),
        ("WSS://example.com/hub", "https://example.com/hub"),
    ],
)
def test_urls_of_websockets_are_accepted(given: str, used: str) -> None:
    assert HubConnectionBuilder().with_url(given).build().url == used


@pytest.mark.parametrize("limits", [{"bytes": 0}, {"messages": 0}, {"bytes": -1}, {"messages": math.nan}])
def test_a_receive_limit_that_is_not_positive_is_rejected(limits: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"The receive limit {next(iter(limits))}= must be positive, or None"):
        HubConnectionBuilder().with_receive_limit(**limits)

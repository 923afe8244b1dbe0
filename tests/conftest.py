"""Fixtures of all tests: the real server, the two hub protocols, and the check that nothing is left behind."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from signalr_client import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from tests.support.aspnetcore import aspnetcore_server, running
from tests.support.leaks import no_leaks

pytest_plugins = ["pytester"]

__all__ = ["aspnetcore_url", "hub_protocol", "no_leaks", "python_url"]


@pytest.fixture(scope="session")
def aspnetcore_url() -> Iterator[str]:
    """The base URL of a real ASP.NET Core server that all tests share."""
    with aspnetcore_server() as url:
        yield url


@pytest.fixture(scope="session")
def python_url() -> Iterator[str]:
    """The base URL of our own server with the same hubs, in a process of its own."""
    with running([sys.executable, "-m", "tests.interop.server"]) as url:
        yield url


@pytest.fixture(params=["json", "messagepack"])
def hub_protocol(request: pytest.FixtureRequest) -> HubProtocol:
    """Each of the two hub protocols in turn."""
    return JsonHubProtocol() if request.param == "json" else MessagePackHubProtocol()

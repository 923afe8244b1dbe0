"""Fixtures of all tests: the real server, the two hub protocols, and the check that nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from signalr_client import HubConnectionBuilder, HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from tests.support.aspnetcore import aspnetcore_server
from tests.support.leaks import left_behind, open_sockets

pytest_plugins = ["pytester"]

Build = Callable[..., HubConnectionBuilder]


@pytest.fixture
async def no_leaks() -> AsyncIterator[None]:
    """Fail a test that leaves a task or a socket behind. Folders whose tests open any switch it on for all of theirs."""
    tasks, sockets = asyncio.all_tasks(), open_sockets()
    yield
    left = await left_behind(tasks, sockets)
    if left:
        pytest.fail("left behind:\n" + "\n".join(left), pytrace=False)


@pytest.fixture(scope="session")
def aspnetcore_url() -> Iterator[str]:
    """The base URL of a real ASP.NET Core server that all tests share."""
    with aspnetcore_server() as url:
        yield url


@pytest.fixture(params=["json", "messagepack"])
def hub_protocol(request: pytest.FixtureRequest) -> HubProtocol:
    """Each of the two hub protocols in turn."""
    return JsonHubProtocol() if request.param == "json" else MessagePackHubProtocol()

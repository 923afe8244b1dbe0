"""Fixtures and options for all tests: the servers, the hub protocols, the leak check, and the event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import settings

from signalr_client import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from tests.support.aspnetcore import aspnetcore_server, running
from tests.support.leaks import no_leaks
from tests.support.loops import LOOPS

pytest_plugins = ["pytester"]

__all__ = ["aspnetcore_url", "hub_protocol", "no_leaks", "python_url"]

# No deadline, because a slow machine is not a failure. No database, so that a run does not depend on earlier runs.
settings.register_profile("short", max_examples=40, deadline=None, database=None)
settings.register_profile("long", max_examples=4_000, deadline=None, database=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command line options of this project."""
    group = parser.getgroup("signalr_client")
    group.addoption("--loop", choices=sorted(LOOPS), default="asyncio", help="event loop for the tests (eager: Python 3.12)")
    group.addoption("--long", action="store_true", help="run property-based and stress tests for minutes instead of seconds")


def pytest_configure(config: pytest.Config) -> None:
    """Set the number of examples for Hypothesis."""
    settings.load_profile("long" if config.getoption("--long") else "short")


def pytest_report_header(config: pytest.Config) -> str:
    """Show the event loop in the header of the report."""
    return f"event loop: {config.getoption('--loop')}"


def pytest_asyncio_loop_factories(config: pytest.Config) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run asynchronous tests on the event loop given by `--loop`."""
    name: str = config.getoption("--loop")
    return {name: LOOPS[name]}


@pytest.fixture(scope="session")
def aspnetcore_url() -> Iterator[str]:
    """The base URL of a real ASP.NET Core server, shared by all tests."""
    with aspnetcore_server() as url:
        yield url


@pytest.fixture(scope="session")
def python_url() -> Iterator[str]:
    """The base URL of our server with the same hubs, running in a separate process."""
    with running([sys.executable, "-m", "tests.interop.server"]) as url:
        yield url


@pytest.fixture(params=["json", "messagepack"])
def hub_protocol(request: pytest.FixtureRequest) -> HubProtocol:
    """Each of the two hub protocols in turn."""
    return JsonHubProtocol() if request.param == "json" else MessagePackHubProtocol()

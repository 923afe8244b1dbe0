"""Fixtures for integration tests. All of them open sockets, so each test is checked for leaks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from signalr_client import HubProtocol
from tests.support.scripted_server import ScriptedServer, scripted_server
from tests.support.wire import Wire


@pytest.fixture(autouse=True)
def _check_leaks(no_leaks: None) -> None:
    """Enable the leak check for all tests in this folder."""


@pytest.fixture
async def scripted(no_leaks: None) -> AsyncIterator[ScriptedServer]:
    """A scripted server that runs during the test."""
    async with scripted_server() as server:
        yield server


@pytest.fixture
def wire(scripted: ScriptedServer, hub_protocol: HubProtocol) -> Wire:
    """A scripted server for each of the two hub protocols in turn."""
    return Wire(scripted, hub_protocol)

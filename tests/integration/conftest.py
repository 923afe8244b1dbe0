"""Integration tests open real sockets: each is watched for leaks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from signalr_client import HubProtocol
from tests.support.scripted_server import ScriptedServer, scripted_server
from tests.support.wire import Wire


@pytest.fixture(autouse=True)
def _watch(no_leaks: None) -> None:
    """Switch the leak check on for every test here."""


@pytest.fixture
async def scripted(no_leaks: None) -> AsyncIterator[ScriptedServer]:
    """A scripted server that lasts as long as the test."""
    async with scripted_server() as server:
        yield server


@pytest.fixture
def wire(scripted: ScriptedServer, hub_protocol: HubProtocol) -> Wire:
    """A scripted server that speaks each of the two hub protocols in turn."""
    return Wire(scripted, hub_protocol)

"""The pairings: {real server, ours} x transports x hub protocols. Each test is watched for leaks."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.aspnetcore import running
from tests.support.hubs import PAIRINGS, Hubs


@pytest.fixture(scope="session")
def python_url() -> Iterator[str]:
    """The base URL of our own server with the same hubs, in a process of its own."""
    with running([sys.executable, "-m", "tests.interop.server"]) as url:
        yield url


@pytest.fixture(params=[pytest.param("aspnetcore", marks=pytest.mark.interop), "python"])
def server_url(request: pytest.FixtureRequest) -> str:
    """Each of the two servers in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])
def hubs(request: pytest.FixtureRequest, server_url: str, no_leaks: None) -> Hubs:
    """Each way to reach them in turn."""
    return Hubs(server_url, *request.param)

"""Fixtures that run each test for {real server, our server} x transports x hub protocols, with a check for leaks."""

from __future__ import annotations

import pytest

from tests.support.hubs import PAIRINGS, Hubs


@pytest.fixture(params=[pytest.param("aspnetcore", marks=pytest.mark.interop), "python"])
def server_url(request: pytest.FixtureRequest) -> str:
    """URL of each of the two servers in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])
def hubs(request: pytest.FixtureRequest, server_url: str, no_leaks: None) -> Hubs:
    """Each combination of transport and hub protocol in turn."""
    return Hubs(server_url, *request.param)

"""The scenarios of the official clients, run against our server: {.NET, TypeScript} x transports x hub protocols.

tests/conformance tests the same behaviour with our client, against the real server and ours.
"""

from __future__ import annotations

import json

import pytest

from tests.interop.checks import check_hubs, run
from tests.support.aspnetcore import program
from tests.support.hubs import PAIRINGS

pytestmark = pytest.mark.interop

HUBS = ["testhub", "authhub", "typedhub", "rejectinghub", "detailedhub", "stricthub", "fasthub"]

each_pairing = pytest.mark.parametrize(("transport", "protocol"), PAIRINGS, ids=["-".join(pairing) for pairing in PAIRINGS])


@each_pairing
async def test_the_dotnet_client_passes_its_scenarios(python_url: str, transport: str, protocol: str) -> None:
    client = str(program("interop-client"))
    options = ("--transport", transport, "--protocol", protocol)
    await check_hubs(python_url, client, "check", hubs=HUBS, options=options)


@each_pairing
async def test_the_typescript_client_passes_its_scenarios(
    python_url: str, typescript_check: list[str], transport: str, protocol: str
) -> None:
    await check_hubs(python_url, *typescript_check, hubs=HUBS, options=(protocol, transport))


@pytest.mark.parametrize("protocol", ["json", "messagepack"])
async def test_the_dotnet_client_receives_all_items_in_order_under_stress(
    python_url: str, protocol: str, request: pytest.FixtureRequest
) -> None:
    """Items are sent in both directions as fast as possible: for two seconds, or for a minute with ``--long``."""
    seconds = "60" if request.config.getoption("--long") else "2"
    client = str(program("interop-client"))
    code, output = await run(client, "stress", f"{python_url}/orderedhub", "--seconds", seconds, "--protocol", protocol)
    assert code == 0, output
    result = json.loads(output.splitlines()[-1].removeprefix("RESULT "))
    assert result["problems"] == []
    assert result["rounds"] > 0


@pytest.mark.parametrize("protocol", ["json", "messagepack"])
async def test_a_broadcast_reaches_a_thousand_dotnet_clients(python_url: str, protocol: str) -> None:
    client = str(program("interop-client"))
    options = ("--clients", "1000", "--messages", "5", "--protocol", protocol)
    code, output = await run(client, "broadcast", f"{python_url}/testhub", *options)
    assert code == 0, output
    result = json.loads(output.splitlines()[-1].removeprefix("RESULT "))
    assert (result["clients"], result["messages"]) == (1000, 5)

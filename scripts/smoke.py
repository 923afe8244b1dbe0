"""Tries an installed wheel: ``python -I smoke.py``. It needs nothing but the package and its dependencies."""

from __future__ import annotations

import asyncio
import importlib.metadata
import importlib.util
import re
import sysconfig
from collections.abc import AsyncIterator
from pathlib import Path

import signalr_client
from signalr_client import HubConnectionBuilder, MessagePackHubProtocol
from signalr_client.server import Hub, HubServer
from signalr_client.testing import FaultProxy


class Numbers(Hub):
    """The hub for the test."""

    def add(self, x: int, y: int) -> int:
        """Return a sum."""
        return x + y

    async def count(self, end: int) -> AsyncIterator[int]:
        """Yield the numbers below *end*."""
        for number in range(end):
            yield number


async def connect() -> None:
    """Call and stream over both hub protocols, through the proxy for tests."""
    async with HubServer({"/numbers": Numbers}) as server, FaultProxy(server.url("/numbers")) as proxy:
        builder = HubConnectionBuilder().with_url(proxy.url).with_automatic_reconnect()
        async with builder.build() as connection:
            assert await connection.invoke("Add", 1, 2, result_type=int) == 3
        builder = HubConnectionBuilder().with_url(proxy.url).with_hub_protocol(MessagePackHubProtocol())
        async with builder.build() as connection:
            assert [number async for number in connection.stream("Count", 3)] == [0, 1, 2]


def check_installation() -> None:
    """Check where the package is, its metadata, and that it does without its extras."""
    package = Path(signalr_client.__file__).parent
    assert package.is_relative_to(sysconfig.get_path("purelib")), package
    assert (package / "py.typed").exists()
    assert importlib.util.find_spec("aiohttp_socks") is None
    metadata = importlib.metadata.metadata("signalr-sdk")
    assert metadata["Version"] == signalr_client.__version__
    readme = metadata.get_payload() or metadata["Description"]
    assert "pip install" in readme
    relative = re.findall(r"\]\((?!https?:|#)[^)]*\)", readme)
    assert not relative, f"links that do not work on a package index: {relative}"


check_installation()
asyncio.run(asyncio.wait_for(connect(), 60))
print(f"signalr-sdk {signalr_client.__version__} works as installed.")

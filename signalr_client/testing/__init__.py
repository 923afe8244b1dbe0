"""Tools for tests of applications: a TCP proxy whose network misbehaves on demand. See docs/testing.md.

async with FaultProxy(server.url("/hub")) as proxy:
    async with HubConnectionBuilder().with_url(proxy.url).with_automatic_reconnect().build() as connection:
        proxy.cut()

The pytest fixtures are in `signalr_client.testing.fixtures`; nothing else here needs pytest.
"""

from signalr_client.testing.connection import ProxyConnection
from signalr_client.testing.cuts import CutPoint
from signalr_client.testing.events import ProxyEvent
from signalr_client.testing.faults import Direction
from signalr_client.testing.proxy import FaultProxy

__all__ = ["CutPoint", "Direction", "FaultProxy", "ProxyConnection", "ProxyEvent"]

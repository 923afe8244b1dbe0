"""Collect readings of devices: python examples/iot_device/server.py."""

from __future__ import annotations

import argparse
import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from signalr_client.server import Hub, HubOptions, HubServer, ServiceCollection


@dataclass
class Reading:
    """One measurement. Its time identifies it, so that receiving it twice does no harm."""

    time: datetime
    celsius: float


class Store:
    """All readings, by device and time."""

    def __init__(self) -> None:
        self.readings: defaultdict[str, dict[datetime, float]] = defaultdict(dict)

    def add(self, device: str, reading: Reading) -> bool:
        """Keep a reading; return False if it is there already."""
        new = reading.time not in self.readings[device]
        self.readings[device][reading.time] = reading.celsius
        return new


class DeviceHub(Hub):
    """What devices call."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def register(self, device: str) -> None:
        """Join the group by which the device can be called."""
        await self.groups.add(self.context.connection_id, device)

    async def report(self, device: str, readings: list[Reading]) -> None:
        """Take readings; the device forgets them when this has returned."""
        for reading in readings:
            if self.store.add(device, reading):
                print(f"{reading.time:%H:%M:%S} {device} {reading.celsius:.2f} °C", flush=True)

    async def set_interval(self, device: str, interval: float) -> None:
        """Make a device measure every *interval* seconds."""
        await self.clients.group(device).send("SetInterval", interval)


# A short keep-alive, so that devices notice a dead connection soon. Stateful reconnect, so that a short loss loses nothing.
OPTIONS = HubOptions(keep_alive_interval=5, client_timeout_interval=15, allow_stateful_reconnects=True)


async def serve(port: int) -> None:
    """Serve until the program is interrupted."""
    services = ServiceCollection().add_singleton(Store)
    async with HubServer({"/devices": DeviceHub}, options=OPTIONS, services=services, port=port) as server:
        print(f"listening on {server.url('/devices')}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Serve until Ctrl+C, then exit with status 130."""
    parser = argparse.ArgumentParser(description="Collect readings of devices.")
    parser.add_argument("--port", type=int, default=5000, help="port to listen on, 0 for any free port (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        asyncio.run(serve(arguments.port))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

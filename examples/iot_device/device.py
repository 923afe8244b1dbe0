"""A device that measures for ever, whatever the network does: python examples/iot_device/device.py http://127.0.0.1:5000/devices NAME.

Readings wait in memory until the server has confirmed them. A batch whose confirmation was lost is sent again.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from signalr_client import ConnectionClosedError, ExponentialBackoff, HubConnectionBuilder, SignalRError

KEPT = 10_000
"""Readings that are kept while there is no network; after that the oldest are dropped."""

BATCH = 100


@dataclass
class Reading:
    """One measurement; its time identifies it."""

    time: datetime
    celsius: float


class Device:
    """A thermometer and its connection."""

    def __init__(self, url: str, name: str, interval: float) -> None:
        self.name = name
        self.interval = interval
        self._waiting: deque[Reading] = deque(maxlen=KEPT)
        self._measured = asyncio.Event()
        self._connection = connection = (
            HubConnectionBuilder()
            .with_url(url)
            .with_stateful_reconnect()  # after a short loss the connection resumes, and nothing has to be sent again
            .with_automatic_reconnect(ExponentialBackoff(max_delay=30), retry_start=True)  # after a long one: never give up
            .with_calls_while_reconnecting()  # calls wait for the next connection
            .with_keep_alive_interval(5)
            .with_server_timeout(15)  # three times the server's keep-alive: a dead connection is noticed soon
            .build()
        )
        connection.on("SetInterval", self.set_interval)
        connection.on_connected(self.register)
        connection.on_detached(lambda _error: self.log("the network is gone"))
        connection.on_resumed(lambda _id: self.log("resumed"))
        connection.on_reconnecting(lambda _error: self.log("the connection is lost, reconnecting"))

    async def run(self, count: int | None) -> None:
        """Measure and report: *count* readings, or without end."""
        measuring = asyncio.create_task(self.measure(count))
        measuring.add_done_callback(lambda _task: self._measured.set())
        try:
            async with self._connection:
                while not measuring.done() or self._waiting:
                    await self.report()
            await measuring  # raises what ended it
        finally:
            measuring.cancel()
        self.log("all readings are confirmed")

    async def measure(self, count: int | None) -> None:
        """Measure, with and without a connection."""
        while count is None or count > 0:
            celsius = round(random.gauss(21, 0.5), 2)  # this is where a sensor would be read
            self._waiting.append(Reading(datetime.now(UTC), celsius))
            self._measured.set()
            count = None if count is None else count - 1
            await asyncio.sleep(self.interval)

    async def report(self) -> None:
        """Send what waits, if anything does, and forget what the server has confirmed."""
        await self._measured.wait()
        self._measured.clear()
        while batch := list(islice(self._waiting, BATCH)):
            try:
                await self._connection.invoke("Report", self.name, batch)
            except ConnectionClosedError:  # received or not, nobody knows; the server recognizes readings that it has
                self.log(f"sending {len(batch)} readings again")
                continue
            for reading in batch:
                if self._waiting and self._waiting[0] is reading:  # it is not if it was dropped meanwhile, for want of room
                    self._waiting.popleft()

    async def register(self, _connection_id: str | None) -> None:
        """Tell the server who this is, on each new connection."""
        await self._connection.invoke("Register", self.name)
        self.log("connected")

    def set_interval(self, interval: float) -> None:
        """Measure every *interval* seconds from now on; called by the server."""
        self.interval = max(interval, 0.01)
        self.log(f"measuring every {self.interval:g} s")

    def log(self, text: str) -> None:
        """Print a line."""
        print(f"{self.name}: {text}", flush=True)


async def run(url: str, name: str, interval: float, count: int | None) -> None:
    """Run a device."""
    await Device(url, name, interval).run(count)


def main() -> None:
    """Read the arguments; exit with status 1 if the server turns the device away, and with 130 after Ctrl+C."""
    parser = argparse.ArgumentParser(description="Measure and report, whatever the network does.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/devices")
    parser.add_argument("name", help="the name of the device")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two readings (default: %(default)s)")
    parser.add_argument("--count", type=int, help="end after this many readings")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.url, arguments.name, arguments.interval, arguments.count))
    except SignalRError as error:
        sys.exit(f"device: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

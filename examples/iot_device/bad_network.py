"""A bad network in front of a server: python examples/iot_device/bad_network.py http://127.0.0.1:5000/devices.

Devices that connect to the URL that it prints are cut off, stalled and refused every few seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import random

from signalr_client.testing import FaultProxy


async def disturb(proxy: FaultProxy, every: float) -> None:
    """Disturb the network for ever."""
    while True:
        await asyncio.sleep(every)
        fault = random.choice(["cut", "reset", "stall", "refuse"])
        print(f"{fault} ({len(proxy.connections)} connections)", flush=True)
        match fault:
            case "cut":
                proxy.cut()
            case "reset":
                proxy.reset()
            case "stall":
                proxy.stall()
                await asyncio.sleep(every)
                proxy.resume()
            case "refuse":
                with proxy.refusing():
                    proxy.cut()
                    await asyncio.sleep(every)


async def run(url: str, every: float) -> None:
    """Pass everything on to the server at *url*, badly."""
    async with FaultProxy(url) as proxy:
        print(f"listening on {proxy.url}", flush=True)
        await disturb(proxy, every)


def main() -> None:
    """Run until Ctrl+C, then exit with status 130."""
    parser = argparse.ArgumentParser(description="Put a bad network in front of a server.")
    parser.add_argument("url", help="what to connect to, for example http://127.0.0.1:5000/devices")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two faults (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.url, arguments.every))
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()

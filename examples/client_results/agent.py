"""An agent that answers questions about its machine: python examples/client_results/agent.py http://127.0.0.1:5000/fleethub NAME."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Callable

from signalr_client import ExponentialBackoff, HubConnectionBuilder, SignalRError

ANSWERS: dict[str, Callable[[], str]] = {
    "system": platform.platform,
    "python": platform.python_version,
    "processors": lambda: str(os.cpu_count()),
    "disk": lambda: f"{shutil.disk_usage('.').free / 2**30:.1f} GiB free",
}


async def run(url: str, name: str) -> None:
    """Answer until the connection has ended for good."""
    connection = HubConnectionBuilder().with_url(url).with_automatic_reconnect(ExponentialBackoff(), retry_start=True).build()

    @connection.on("Answer")
    def answer(question: str) -> str:  # the server waits for what the handler returns
        if question not in ANSWERS:
            raise ValueError(f"I know about {', '.join(ANSWERS)}, but not about {question!r}.")  # the server gets this text
        return ANSWERS[question]()

    @connection.on_connected  # after a reconnect, too: the server has forgotten the old connection
    async def join(_connection_id: str | None) -> None:
        await connection.invoke("Join", name)

    async with connection:
        print(f"{name} is connected to {url}", flush=True)
        await connection.wait_closed()


def main() -> None:
    """Read the arguments; exit with status 1 if the connection fails, and with 130 after Ctrl+C."""
    parser = argparse.ArgumentParser(description="Answer questions about this machine.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/fleethub")
    parser.add_argument("name", help="the name of this agent")
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.url, arguments.name))
    except SignalRError as error:
        sys.exit(f"agent: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""A service that works for a hub: python examples/background_service/service.py http://127.0.0.1:5000/jobhub.

It waits for the server at the start, reconnects for ever, disconnects in good order on SIGTERM, and exits with a status that tells
a supervisor such as systemd whether to start it again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from dataclasses import dataclass

from signalr_client import ExponentialBackoff, HubConnection, HubConnectionBuilder, SignalRError

log = logging.getLogger("service")


@dataclass
class Job:
    """What the hub sends."""

    id: int
    text: str


def build(url: str) -> HubConnection:
    """Return the connection with its handlers."""
    connection = (
        HubConnectionBuilder()
        .with_url(url)
        .with_automatic_reconnect(ExponentialBackoff(), retry_start=True)
        .with_calls_while_reconnecting()
        .build()
    )

    @connection.on("Work")
    async def work(job: Job) -> None:  # one after another; what arrives meanwhile waits
        words = len(job.text.split())
        log.info("job %d: %d words", job.id, words)
        await connection.invoke("Done", job.id, words)

    @connection.on("Retire")
    async def retire() -> None:
        log.info("retired by the server")
        await connection.stop()  # allowed in a handler; wait_closed() returns

    @connection.on_connected
    async def join(_connection_id: str | None) -> None:
        await connection.invoke("JoinWorkers")
        log.info("connected")

    connection.on_reconnecting(lambda error: log.warning("connection lost: %s", error))
    return connection


async def run(url: str) -> None:
    """Work until SIGTERM cancels this task, or until the connection has ended for good.

    Raises:
        SignalRError: it has ended with an error.
    """
    this_task = asyncio.current_task()
    assert this_task is not None
    with contextlib.suppress(NotImplementedError):  # Windows has no SIGTERM
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this_task.cancel)
    async with build(url) as connection:  # start, and on the way out stop
        await connection.wait_closed()


def main() -> None:
    """Read the arguments; exit with status 0 when the service was told to end, and with 1 when the connection failed."""
    parser = argparse.ArgumentParser(description="Count words for a hub.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/jobhub")
    parser.add_argument("--log", default="INFO", help="level of the log (default: %(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(level=arguments.log.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    try:
        asyncio.run(run(arguments.url))
    except SignalRError as error:
        log.error("%s", error)
        sys.exit(1)
    except asyncio.CancelledError:  # SIGTERM
        pass
    except KeyboardInterrupt:
        sys.exit(130)
    log.info("ended")


if __name__ == "__main__":
    main()

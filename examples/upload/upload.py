"""Upload a file and show the progress: python examples/upload/upload.py http://127.0.0.1:5000/uploadhub FILE.

Needs rich (pip install rich).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.progress import Progress as ProgressBar

from signalr_client import HubConnectionBuilder, MessagePackHubProtocol, SignalRError

CHUNK = 16 * 1024
"""Bytes in one item. By default a hub accepts messages of 32 KiB."""


@dataclass
class Progress:
    """What the hub streams back."""

    received: int
    sha256: str | None = None


async def upload(url: str, path: Path) -> str:
    """Upload the file; return its checksum, which the server has computed too.

    Raises:
        ValueError: the checksums differ.
    """
    checksum = hashlib.sha256()

    async def chunks() -> AsyncIterator[bytes]:
        with path.open("rb") as file:  # reading 16 KiB of a local file takes microseconds
            while chunk := file.read(CHUNK):
                checksum.update(chunk)
                yield chunk

    columns = ("[progress.description]{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    # MessagePack sends bytes as they are; JSON would send them as base64
    connection = HubConnectionBuilder().with_url(url).with_hub_protocol(MessagePackHubProtocol()).build()
    received = None
    with ProgressBar(*columns, TimeRemainingColumn()) as bar:
        task = bar.add_task(path.name, total=path.stat().st_size)
        async with connection:
            # a stream in both directions: what the hub has received, not what was written into a buffer
            async for progress in connection.stream("Upload", chunks(), item_type=Progress):
                bar.update(task, completed=progress.received)
                received = progress.sha256
    if received != checksum.hexdigest():
        raise ValueError(f"the server received something else: {received}, not {checksum.hexdigest()}")
    return checksum.hexdigest()


def main() -> None:
    """Read the arguments; exit with status 1 if the upload fails, and with 130 after Ctrl+C."""
    parser = argparse.ArgumentParser(description="Upload a file and show the progress.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/uploadhub")
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    try:
        print("sha256", asyncio.run(upload(arguments.url, arguments.file)))
    except (SignalRError, OSError, ValueError) as error:
        sys.exit(f"upload: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

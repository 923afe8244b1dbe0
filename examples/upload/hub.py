"""A hub that takes files: python -m signalr_client serve examples.upload.hub:UploadHub."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from signalr_client.server import Hub, HubException

LARGEST = 100 * 2**20


@dataclass
class Progress:
    """How much has arrived; the last one has the checksum."""

    received: int
    sha256: str | None = None


class UploadHub(Hub):
    """Receives files and throws them away."""

    async def upload(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Progress]:
        """Read a file, and report after each chunk how many bytes have arrived."""
        checksum, received = hashlib.sha256(), 0
        async for chunk in chunks:
            received += len(chunk)
            if received > LARGEST:
                raise HubException(f"The file is larger than {LARGEST:,} bytes.")
            checksum.update(chunk)
            yield Progress(received)
        yield Progress(received, checksum.hexdigest())

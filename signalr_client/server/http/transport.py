"""`HttpTransport`: the door to the three transports of this room. Room: server, http."""

from __future__ import annotations

from typing import Protocol

__all__ = ["HttpTransport"]


class HttpTransport(Protocol):
    """One transport's side of a connection; `ServerConnection` says what the methods promise."""

    @property
    def close_error(self) -> BaseException | None:
        """What broke the connection, once `receive` has returned None."""

    @property
    def lost(self) -> bool:
        """Whether the socket broke, rather than being closed by the client, once `receive` has returned None."""

    @property
    def gone(self) -> bool:
        """Whether the client is known to be gone."""

    async def receive(self) -> bytes | None:
        """Return the next bytes, or None when the client's side has ended."""

    async def send(self, data: bytes, *, binary: bool) -> None:
        """Send *data*; raises OSError if the client is gone."""

    async def close(self, *, error: bool) -> None:
        """End the connection after everything sent so far; raises OSError if the client is gone."""

    def abort(self) -> None:
        """Drop the connection at once."""

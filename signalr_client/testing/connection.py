"""One connection through the proxy, as its user sees it. Room: tools."""

from __future__ import annotations

from dataclasses import dataclass

from signalr_client.testing.faults import Direction
from signalr_client.testing.peer import Ending
from signalr_client.testing.relay import Relay
from signalr_client.testing.state import State

__all__ = ["ProxyConnection"]


@dataclass(frozen=True, slots=True, repr=False)
class ProxyConnection:
    """One connection of a client through a `FaultProxy`. Its properties keep their last values when it has ended."""

    _relay: Relay

    @property
    def id(self) -> int:
        """The number of the connection. A proxy numbers the connections that it accepts from 1."""
        return self._relay.id

    @property
    def is_open(self) -> bool:
        """Whether both sides are connected: the connection has not been ended by its peers or by a fault."""
        return self._relay.state is State.OPEN

    @property
    def opened_at(self) -> float:
        """When the proxy accepted the connection, in seconds of the event loop's clock (``loop.time()``)."""
        return self._relay.opened_at

    @property
    def bytes_to_server(self) -> int:
        """Bytes that have passed to the server."""
        return self._relay.lanes[Direction.TO_SERVER].passed

    @property
    def bytes_to_client(self) -> int:
        """Bytes that have passed to the client."""
        return self._relay.lanes[Direction.TO_CLIENT].passed

    def cut(self) -> None:
        """Cut this connection, as `FaultProxy.cut` does with all."""
        self._relay.end("cut", Ending.FIN)

    def reset(self) -> None:
        """Reset this connection, as `FaultProxy.reset` does with all."""
        self._relay.end("reset", Ending.RESET)

    def half_close(self, direction: Direction) -> None:
        """Close one direction of this connection, as `FaultProxy.half_close` does with all."""
        self._relay.half_close(direction)

    def __repr__(self) -> str:
        return (
            f"<ProxyConnection {self.id} {self._relay.state.value}"
            f" to_server={self.bytes_to_server} to_client={self.bytes_to_client}>"
        )

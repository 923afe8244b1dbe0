"""One connection through the proxy: two sockets, and a lane for each direction. Room: tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from signalr_client.testing.boundaries import Exchange, MessageScanner
from signalr_client.testing.cuts import CutPoints
from signalr_client.testing.events import EventKind, EventLog, ProxyEvent
from signalr_client.testing.faults import Cut, Direction, Faults
from signalr_client.testing.lane import End, Lane
from signalr_client.testing.peer import Ending, Peer
from signalr_client.testing.state import State, Trigger, advance

__all__ = ["BUFFER_SIZE", "Relay"]

BUFFER_SIZE: Final = 1_048_576
"""Bytes that each direction may hold; with more the proxy stops reading. One read may exceed it, by 256 KiB."""


class Relay:
    """One connection of a client, from the moment that the proxy accepts it until both sockets are closed.

    Args:
        relay_id: the number of this connection.
        faults: of each direction; shared by all connections.
        cuts: the cuts that are planned; shared by all connections.
        log: where events are noted.
        on_accepted: called when the client's socket is there.
        on_ended: called when no socket and no task is left.
    """

    def __init__(
        self,
        relay_id: int,
        faults: Mapping[Direction, Faults],
        cuts: CutPoints,
        log: EventLog,
        on_accepted: Callable[[Relay], None],
        on_ended: Callable[[Relay], None],
    ) -> None:
        self.id = relay_id
        self.state: State = State.CONNECTING
        self.opened_at: float = asyncio.get_running_loop().time()
        self._log = log
        self._on_ended = on_ended
        exchange = Exchange()
        self.lanes: dict[Direction, Lane] = {
            direction: Lane(
                self,
                direction,
                faults[direction],
                cuts,
                MessageScanner(exchange, requests=direction is Direction.TO_SERVER),
                BUFFER_SIZE,
            )
            for direction in Direction
        }
        to_server, to_client = self.lanes[Direction.TO_SERVER], self.lanes[Direction.TO_CLIENT]
        self.client: Peer = Peer(to_server, to_client, lambda: on_accepted(self), self._peer_lost)
        self._server = Peer(to_client, to_server, self._server_connected, self._peer_lost)
        self._connecting: asyncio.Task[None] | None = None

    def connect(self, host: str, port: int) -> None:
        """Start connecting to the target. What the client sends meanwhile is held."""
        self._connecting = asyncio.create_task(self._connect(host, port), name=f"proxied connection {self.id}")
        self._connecting.add_done_callback(self._connected_or_not)

    def end(self, kind: EventKind, ending: Ending, detail: str = "") -> None:
        """End both sides and drop what is held. A connection that is ending already can only be aborted."""
        if self.state in {State.CONNECTING, State.OPEN}:
            if self.state is State.CONNECTING and self._connecting is not None:
                self._connecting.cancel()
            self.state = advance(self.state, Trigger.END)
            for lane in self.lanes.values():
                lane.close()
            self._note(kind, detail)
        elif ending is not Ending.ABORT:
            return
        self.client.end(ending)
        self._server.end(ending)
        self._check_closed()

    def half_close(self, direction: Direction) -> None:
        """Send end of file to the receiver of a direction; drop what is held for it and what still arrives."""
        if self.state is State.OPEN and not self.lanes[direction].ended:
            self.lanes[direction].half_close()
            self._note("half_closed", direction.value)
            self._check_complete()

    def lane_passed(self) -> None:
        """Wake those who wait for bytes."""
        self._log.changed()

    def lane_cut(self, how: Cut) -> None:
        """Cut the connection: the bytes before the cut have been written."""
        self.end(how, Ending.FIN if how == "cut" else Ending.RESET_WHEN_SENT)

    def lane_ended(self, end: End) -> None:
        """Handle that a peer has stopped sending, after everything it sent has passed."""
        if end is End.RESET:
            self.end("closed", Ending.RESET_WHEN_SENT, "a peer has reset the connection")
        else:
            self._check_complete()

    async def _connect(self, host: str, port: int) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self._server, host, port)
        except (OSError, UnicodeError) as exc:  # UnicodeError: no host can have this name
            self.end("unreachable", Ending.RESET, str(exc))

    def _connected_or_not(self, connecting: asyncio.Task[None]) -> None:
        """Handle the end of the attempt to connect."""
        if connecting.cancelled():
            self._server.forget()
        self._check_closed()

    def _server_connected(self) -> None:
        if self.state is State.CONNECTING:
            self.state = advance(self.state, Trigger.CONNECTED)
            self._note("opened")
        else:  # later, because uvloop does not call connection_lost() for what is closed in connection_made()
            asyncio.get_running_loop().call_soon(self._server.end, Ending.ABORT)

    def _peer_lost(self) -> None:
        if not (self.client.connected or self._server.connected):
            self.end("closed", Ending.ABORT, "a peer has reset the connection")
        self._check_closed()

    def _check_complete(self) -> None:
        """End the connection if both directions have ended."""
        if all(lane.ended for lane in self.lanes.values()):
            self.end("closed", Ending.FIN)

    def _check_closed(self) -> None:
        """Report the end if no socket and no task is left."""
        connecting = self._connecting is not None and not self._connecting.done()
        if self.state is State.ENDING and not (self.client.connected or self._server.connected or connecting):
            self.state = advance(self.state, Trigger.CLOSED)
            self._on_ended(self)

    def _note(self, kind: EventKind, detail: str = "") -> None:
        now = asyncio.get_running_loop().time()
        to_server, to_client = self.lanes[Direction.TO_SERVER], self.lanes[Direction.TO_CLIENT]
        self._log.add(ProxyEvent(kind, self.id, now, to_server.passed, to_client.passed, detail))

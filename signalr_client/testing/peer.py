"""One of the two sockets of a connection, and the ways to close it. Room: tools."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Callable
from enum import Enum
from typing import Final, cast

from signalr_client.testing.lane import End, Lane, shut_down

if sys.platform == "linux":
    import fcntl

__all__ = ["Ending", "Peer"]

LINGER: Final = 1.0
"""Seconds that a peer gets to receive what was passed on and to close its side before its socket is closed anyway."""

POLL: Final = 0.001
"""Seconds between two checks whether the kernel has sent everything; there is no event for it."""

SIOCOUTQNSD: Final = 0x894B
"""Linux: asks a socket how many bytes it has not sent yet; Python has no name for it."""

AT_ONCE: Final = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)
"""SO_LINGER: closing the socket sends a reset and drops what is unsent."""


class Ending(Enum):
    """How a socket is closed."""

    FIN = "fin"  # the peer reads what was passed on, then end of file
    RESET = "reset"  # at once; what the peer's system has not received is lost
    RESET_WHEN_SENT = "reset when sent"  # the peer's system receives what was passed on, then a reset
    ABORT = "abort"  # at once; end of file, or a reset if the peer's own bytes were not read


class Peer(asyncio.Protocol):
    """One of the two sockets of a connection. It moves bytes from the transport to a lane and back, and knows no faults.

    Args:
        inbound: takes what the peer sends.
        outbound: writes to the peer.
        on_connected: called when there is a socket; it must not end the peer before it has returned.
        on_lost: called when the socket is closed.
    """

    def __init__(self, inbound: Lane, outbound: Lane, on_connected: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self._inbound = inbound
        self._outbound = outbound
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._at_eof = False
        self._ending: Ending | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a socket."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to relay, unless the connection has ended meanwhile."""
        transport = cast("asyncio.Transport", transport)  # uvloop's transports have no base class of asyncio's
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # what the socket does not take is held by the lane, where faults apply to it
        self._on_connected()
        if self._ending is None:
            self._inbound.connect_source(transport)
            self._outbound.connect_sink(transport)

    def data_received(self, data: bytes) -> None:
        """Give the lane what the peer has sent."""
        self._inbound.take(data)

    def eof_received(self) -> bool:
        """Tell the lane that the peer has stopped sending. Returns whether the socket stays open: the peer may still receive."""
        self._at_eof = True
        if self._ending is None:
            self._inbound.take_end(End.EOF)
        return self._ending in {None, Ending.RESET_WHEN_SENT}

    def pause_writing(self) -> None:
        """Make the lane wait: the socket takes no more."""
        self._outbound.set_writable(writable=False)

    def resume_writing(self) -> None:
        """Let the lane go on: the socket has taken everything."""
        self._outbound.set_writable(writable=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the argument of asyncio.Protocol
        """Tell the lane that the connection is gone, unless the proxy has ended it."""
        self.forget()
        self._outbound.close()
        if self._ending is None:
            self._inbound.take_end(End.RESET)
        self._on_lost()

    def end(self, ending: Ending) -> None:
        """Close the socket, now or, if there is none yet, as soon as there is one."""
        self._ending = ending
        if self._timer is not None:
            self._timer.cancel()
        transport = self._transport
        if transport is None:
            return
        loop = asyncio.get_running_loop()
        match ending:
            case Ending.FIN:
                self._timer = loop.call_later(LINGER, transport.abort)
                if self._at_eof:
                    transport.close()
                elif not transport.is_closing():
                    shut_down(transport)
                    transport.resume_reading()  # closing a socket with unread bytes would be a reset
            case Ending.RESET_WHEN_SENT:
                transport.resume_reading()
                self._reset_when_sent(transport, loop.time() + LINGER)
            case Ending.RESET:
                self._reset(transport)
            case Ending.ABORT:
                transport.abort()

    def forget(self) -> None:
        """Note that the socket is closed. uvloop does not report it if connecting was cancelled."""
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()

    def _reset_when_sent(self, transport: asyncio.Transport, deadline: float) -> None:
        """Reset as soon as the kernel has sent everything."""
        loop = asyncio.get_running_loop()
        if loop.time() < deadline and not transport.is_closing() and _has_unsent(transport):
            self._timer = loop.call_later(POLL, self._reset_when_sent, transport, deadline)
        else:
            self._reset(transport)

    def _reset(self, transport: asyncio.Transport) -> None:
        """Close the socket with a reset."""
        if not transport.is_closing():
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        transport.abort()


def _has_unsent(transport: asyncio.Transport) -> bool:
    """Return whether the transport holds bytes that were not sent, or the kernel does (Linux only)."""
    if sys.platform == "linux":
        unsent = fcntl.ioctl(transport.get_extra_info("socket").fileno(), SIOCOUTQNSD, bytes(4))
    else:
        unsent = b""
    return transport.get_write_buffer_size() > 0 or any(unsent)

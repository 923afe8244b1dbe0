"""Every exception of the package, in one tree. The branches differ in what a caller can do.

    SignalRError
     +- NegotiationError, TransportError, AggregateTransportError                    could not connect
     +- HandshakeError  +- HandshakeTimeoutError                                     could not connect
     +- ConnectionClosedError  +- ServerTimeoutError                                 was connected; every pending call gets it
     +- HubException                                                                 the hub method failed; the connection is fine
     +- BindingError  +- UnsupportedTypeError                                        a value did not fit its type, or cannot be sent
     +- InvalidStateError                                                            called at the wrong time; nothing was sent
     +- ProtocolError                                                                the peer broke the protocol

Data is in attributes, the text is composed in ``__str__``, and ``args`` is complete, so that all of them can be pickled. No message
contains a token. Texts are those of the official .NET client if it has one. This file imports nothing from the package.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AggregateTransportError",
    "BindingError",
    "ConnectionClosedError",
    "HandshakeError",
    "HandshakeTimeoutError",
    "HubException",
    "InvalidStateError",
    "NegotiationError",
    "ProtocolError",
    "ServerTimeoutError",
    "SignalRError",
    "TransportError",
    "UnsupportedTypeError",
]


class SignalRError(Exception):
    """The base class of every exception that this package raises on purpose."""


class NegotiationError(SignalRError):
    """The negotiate request failed or was refused, or the response did not come from a SignalR server.

    ``url`` is the requested URL without its secrets, ``status`` the HTTP status, or None if there was no response.
    """

    def __init__(self, message: str, url: str = "", status: int | None = None) -> None:
        super().__init__(message, url, status)
        self.message: str = message
        self.url: str = url
        self.status: int | None = status

    def __str__(self) -> str:
        """Return the message, the URL and the status."""
        where = ", ".join(part for part in (self.url, f"status {self.status}" if self.status is not None else "") if part)
        return f"{self.message} ({where})" if where else self.message


class HandshakeError(SignalRError):
    """The server refused the handshake, sent an invalid response, or did not respond in time."""


class HandshakeTimeoutError(HandshakeError):
    """The server did not respond to the handshake in time."""


class TransportError(SignalRError):
    """A transport could not connect, or its connection broke; ``__cause__`` is the original error.

    ``transport`` is the name of the transport in a negotiate response ("WebSockets"), or empty; ``status`` is the HTTP status of a
    refused request, or None.
    """

    def __init__(self, message: str, transport: str = "", status: int | None = None) -> None:
        super().__init__(message, transport, status)
        self.message: str = message
        self.transport: str = transport
        self.status: int | None = status

    def __str__(self) -> str:
        """Return the message, which names the transport already."""
        return self.message


class AggregateTransportError(SignalRError):
    """No transport could be used; ``errors`` has a `TransportError` for each one that was tried or skipped."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        super().__init__(tuple(errors))
        self.errors: tuple[Exception, ...] = tuple(errors)

    def __str__(self) -> str:
        """Return the official text with each reason in parentheses."""
        reasons = "".join(f" ({error})" for error in self.errors)
        return f"Unable to connect to the server with any of the available transports.{reasons}"


class ConnectionClosedError(SignalRError):
    """The connection ended before a call, a stream or `HubConnection.wait_closed` was done.

    ``reason`` says why; ``__cause__`` is the error that ended the connection, if any. The server may or may not have executed the
    call.
    """

    def __init__(self, reason: str = "The underlying connection was closed.") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


class ServerTimeoutError(ConnectionClosedError):
    """The server sent nothing, not even a ping, for ``server_timeout`` seconds (``idle`` seconds when it was noticed)."""

    def __init__(self, server_timeout: float, idle: float) -> None:
        super().__init__(f"Server timeout ({server_timeout * 1000:.2f}ms) elapsed without receiving a message from the server.")
        self.args: tuple[object, ...] = (server_timeout, idle)
        self.server_timeout: float = server_timeout
        self.idle: float = idle

    def __str__(self) -> str:
        """Return the official text, the idle time, and what to do."""
        return (
            f"{self.reason} The last one was received {self.idle:.1f} s ago; set the server timeout to at least twice the server's"
            " KeepAliveInterval, or check the network."
        )


class HubException(SignalRError):
    """The hub method failed; ``message`` is the error that the server sent.

    Raised in a hub method or in a client's handler, it is the only exception whose message is sent to the peer.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class BindingError(SignalRError):
    """A value did not fit the requested type, or cannot be sent. Only the call that it belongs to fails."""


class UnsupportedTypeError(BindingError, TypeError):
    """Values cannot be converted to a type; raised when the type is named, so nothing was sent. See docs/types.md."""


class InvalidStateError(SignalRError):
    """A method was called at the wrong time; nothing was sent. ``action`` is the method, ``state`` the state that refused it."""

    def __init__(self, action: str, state: str, text: str = "") -> None:
        super().__init__(action, state, text)
        self.action: str = action
        self.state: str = state
        self._text = text or f"The '{action}' method cannot be called if the connection is not active."

    def __str__(self) -> str:
        """Return the official text and the state."""
        return f"{self._text} (The connection is {self.state.lower()}.)"


class ProtocolError(SignalRError):
    """The peer violated the hub protocol, which ends the connection."""

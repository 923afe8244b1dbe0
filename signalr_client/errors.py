"""Every exception of the package, in one tree that is split by what the caller can do.

    SignalRError
     +- NegotiationError, HandshakeError, TransportError, AggregateTransportError    could not connect
     +- ConnectionClosedError  +- ServerTimeoutError                                 was connected; every pending call gets it
     +- HubException                                                                 the hub method failed; the connection is fine
     +- BindingError                                                                 a value did not fit its type
     +- InvalidStateError                                                            called at the wrong time; nothing was sent
     +- ProtocolError                                                                the peer broke the protocol

Data is kept in attributes, the text is made in ``__str__``, and ``args`` is complete, so that every one of them can be pickled.
No message holds a token. Texts are those of the official .NET client where it has one. This file imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "AggregateTransportError",
    "BindingError",
    "ConnectionClosedError",
    "HandshakeError",
    "HubException",
    "InvalidStateError",
    "NegotiationError",
    "ProtocolError",
    "ServerTimeoutError",
    "SignalRError",
    "TransportError",
]


class SignalRError(Exception):
    """The parent of every exception that this package raises on purpose."""


class NegotiationError(SignalRError):
    """The negotiate request was refused, failed, or was answered by something that is not a SignalR server.

    ``url`` is the address that was asked, without its secrets; ``status`` the HTTP status, or None when no answer came.
    Spec: client-behaviour.md, "B3. Negotiate response fields".
    """

    def __init__(self, message: str, url: str = "", status: int | None = None) -> None:
        super().__init__(message, url, status)
        self.message, self.url, self.status = message, url, status

    def __str__(self) -> str:
        """Return the message, then where it happened."""
        where = ", ".join(part for part in (self.url, f"status {self.status}" if self.status is not None else "") if part)
        return f"{self.message} ({where})" if where else self.message


class HandshakeError(SignalRError):
    """The server refused the handshake, answered it with something else, or did not answer in time.

    Spec: client-behaviour.md, "B8. Handshake".
    """


class TransportError(SignalRError):
    """A transport could not connect, or its connection broke; the cause (``__cause__``) is the socket's own error.

    ``transport`` is the transport's name as negotiate spells it ("WebSockets"), or empty; ``status`` the HTTP status of a
    refused request, or None.
    """

    def __init__(self, message: str, transport: str = "", status: int | None = None) -> None:
        super().__init__(message, transport, status)
        self.message, self.transport, self.status = message, transport, status

    def __str__(self) -> str:
        """Return the message alone: it already says which transport."""
        return self.message


class AggregateTransportError(SignalRError):
    """No transport could be used; ``errors`` has one `TransportError` for each that was tried or passed over.

    Spec: client-behaviour.md, "B7. Exact failure texts".
    """

    def __init__(self, errors: Sequence[Exception]) -> None:
        super().__init__(tuple(errors))
        self.errors = tuple(errors)

    def __str__(self) -> str:
        """Return the official text, each reason in brackets."""
        reasons = "".join(f" ({error})" for error in self.errors)
        return f"Unable to connect to the server with any of the available transports.{reasons}"


class ConnectionClosedError(SignalRError):
    """The connection ended while something still waited for it: a call, a stream, or `HubConnection.wait_closed`.

    ``reason`` says what ended it; ``__cause__`` is that error where there was one. A call that gets this may have run on the
    server or not.
    """

    def __init__(self, reason: str = "The underlying connection was closed.") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        """Return the reason."""
        return self.reason


class ServerTimeoutError(ConnectionClosedError):
    """The server sent nothing, not even a ping, for ``server_timeout`` seconds (``idle`` seconds when it was noticed).

    Spec: client-behaviour.md, "E9. Keep-alive and server timeout".
    """

    def __init__(self, server_timeout: float, idle: float) -> None:
        super().__init__(f"Server timeout ({server_timeout * 1000:.2f}ms) elapsed without receiving a message from the server.")
        self.args = (server_timeout, idle)
        self.server_timeout, self.idle = server_timeout, idle

    def __str__(self) -> str:
        """Return the official text, what was seen, and what to do."""
        return (
            f"{self.reason} The last one came {self.idle:.1f} s ago; set the server timeout to at least twice the server's"
            " KeepAliveInterval, or check the network."
        )


class HubException(SignalRError):
    """The hub method failed, or the server closed the connection with an error; ``message`` is what the server told.

    Raised by a server method (or by a client's handler), it is the one exception whose message reaches the other side.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class BindingError(SignalRError):
    """A value did not fit the type that was asked for, or cannot be sent; only the call it belongs to fails."""


class InvalidStateError(SignalRError):
    """A method was called at the wrong time; nothing was sent. ``action`` is the method, ``state`` the state it met."""

    def __init__(self, action: str, state: str, text: str = "") -> None:
        super().__init__(action, state, text)
        self.action, self.state = action, state
        self._text = text or f"The '{action}' method cannot be called if the connection is not active."

    def __str__(self) -> str:
        """Return the official text and the state."""
        return f"{self._text} (The connection is {self.state.lower()}.)"


class ProtocolError(SignalRError):
    """The peer sent something that the hub protocol does not allow; the connection ends, the program does not."""

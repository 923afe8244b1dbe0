"""How a link or a life ends, and the exceptions that report it. Room: client.

One exception object must not be raised twice: each raise adds to its traceback. So every waiting call, and every
`HubConnection.wait_closed`, gets an exception of its own.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Final, TypeVar

from signalr_client.core.messages import Close
from signalr_client.errors import ConnectionClosedError, SignalRError, TransportError

__all__ = ["End", "broken", "closed", "closed_error", "fresh_error"]

ErrorT = TypeVar("ErrorT", bound=SignalRError)

_SERVER_LIMIT: Final = 32_768  # ASP.NET Core's default MaximumReceiveMessageSize


@dataclass(frozen=True, slots=True)
class End:
    """How a link ended, or the whole life of a connection.

    Attributes:
        error: why; None for an end that nobody has to worry about, such as `stop()`.
        may_reconnect: whether an automatic reconnect may follow.
    """

    error: Exception | None = None
    may_reconnect: bool = False


def closed(close: Close | None, largest_sent: int) -> End:
    """Return how a link ends that the server has closed, with a Close message or without.

    Args:
        close: the message.
        largest_sent: bytes of the largest message sent, often the reason.
    """
    if close is None:
        return End(None, may_reconnect=True)
    if not close.error:
        return End(None, close.allow_reconnect)
    text = f"The server closed the connection with the following error: {close.error}{_size_hint(largest_sent)}"
    return End(ConnectionClosedError(text), close.allow_reconnect)


def broken(error: Exception, *, was_open: bool, largest_sent: int) -> End:
    """Return how a link ends after *error*, which came from its transport, its session or user code."""
    if was_open and isinstance(error, TransportError):
        error = _closed_by(error, f"{error}{_size_hint(largest_sent)}")
    elif was_open and not isinstance(error, SignalRError):
        error = fresh_error(error)
    return End(error, may_reconnect=True)


def closed_error(error: Exception | None) -> ConnectionClosedError:
    """Return a new exception for a call whose connection ended with *error*."""
    match error:
        case None:
            return ConnectionClosedError("Invocation canceled due to the underlying connection being closed.")
        case ConnectionClosedError():
            return _copy(error)
        case _:
            return _closed_by(error, f"Invocation canceled due to the underlying connection being closed: {error}")


def fresh_error(error: Exception) -> SignalRError:
    """Return a new exception that reports *error*, which ended a connection.

    An exception of another library, or of the application's token factory, becomes the cause of a ConnectionClosedError.
    """
    if isinstance(error, SignalRError):
        return _copy(error)
    return _closed_by(error, f"{type(error).__name__}: {error}")


def _closed_by(cause: Exception, text: str) -> ConnectionClosedError:
    error = ConnectionClosedError(text)
    error.__cause__ = cause
    return error


def _size_hint(largest_sent: int) -> str:
    """Explain the usual reason why a server ends a connection that sent something large."""
    if largest_sent <= _SERVER_LIMIT:
        return ""
    return (
        f" (The largest message sent had {largest_sent:,} bytes; a server accepts 32,768 unless its MaximumReceiveMessageSize says"
        " otherwise.)"
    )


def _copy(error: ErrorT) -> ErrorT:
    new = copy.copy(error)
    new.__cause__ = error.__cause__
    return new

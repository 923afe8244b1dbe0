"""How a link or a life ends, and the exceptions that report it. Room: client.

One exception object must not be raised twice: each raise adds to its traceback. So every waiting call, and every
`HubConnection.wait_closed`, gets an exception of its own.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeVar

from signalr_client.errors import ConnectionClosedError, SignalRError

__all__ = ["End", "closed_error", "fresh_error"]

ErrorT = TypeVar("ErrorT", bound=SignalRError)


@dataclass(frozen=True, slots=True)
class End:
    """How a link ended, or the whole life of a connection.

    Attributes:
        error: why; None for an end that nobody has to worry about, such as `stop()`.
        may_reconnect: whether an automatic reconnect may follow.
    """

    error: Exception | None = None
    may_reconnect: bool = False


def closed_error(error: Exception | None) -> ConnectionClosedError:
    """Return a new exception for a call whose connection ended with *error*."""
    match error:
        case None:
            return ConnectionClosedError("Invocation canceled due to the underlying connection being closed.")
        case ConnectionClosedError():
            return _copy(error)
        case _:
            closed = ConnectionClosedError(f"Invocation canceled due to the underlying connection being closed: {error}")
            closed.__cause__ = error
            return closed


def fresh_error(error: Exception) -> SignalRError:
    """Return a new exception that reports *error*, which ended a connection.

    An exception of another library, or of the application's token factory, becomes the cause of a ConnectionClosedError.
    """
    if isinstance(error, SignalRError):
        return _copy(error)
    closed = ConnectionClosedError(f"{type(error).__name__}: {error}")
    closed.__cause__ = error
    return closed


def _copy(error: ErrorT) -> ErrorT:
    new = copy.copy(error)
    new.__cause__ = error.__cause__
    return new

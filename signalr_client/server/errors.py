"""The exceptions that only a server raises, and how any exception is put into words for a client. Room: server.

Spec: server-behaviour.md, "A" rows 49 to 52, "D", "E".
"""

from __future__ import annotations

from typing import Final

from signalr_client.errors import (
    BindingError,
    ConnectionClosedError,
    HubException,
    InvalidStateError,
    ProtocolError,
    SignalRError,
)

__all__ = ["ClientTimeoutError", "HubDefinitionError", "HubUsageError", "ServiceError", "describe"]


class HubDefinitionError(SignalRError, TypeError, ValueError):
    """A hub class, a typed client, or the options of either cannot be mapped; the server has not started.

    It is a TypeError because the class has the wrong shape, and a ValueError because `map_hub` was given it.
    """


class HubUsageError(InvalidStateError):
    """A hub instance was used at the wrong time: before its call, after it, or for something the call may not do."""

    def __init__(self, action: str, state: str, text: str) -> None:
        super().__init__(action, state, text)

    def __str__(self) -> str:
        """Return the text alone: it already says which hub and when."""
        return self._text


class ServiceError(SignalRError, LookupError):
    """A service is not known to the container, or cannot be made."""


class ClientTimeoutError(ConnectionClosedError):
    """The client sent nothing, not even a ping, for the client timeout."""


_WIRE_NAMES: Final[dict[type[BaseException], str]] = {
    ProtocolError: "InvalidDataException",
    BindingError: "InvalidDataException",
    ClientTimeoutError: "OperationCanceledException",
    ConnectionClosedError: "IOException",
    HubUsageError: "InvalidOperationException",
    InvalidStateError: "InvalidOperationException",
    ServiceError: "InvalidOperationException",
}
"""What ASP.NET Core calls our own exceptions; clients and their tests look for these."""


def describe(text: str, error: BaseException, *, detailed: bool) -> str:
    """Return *text* for a client, followed by what *error* says if clients may know or if it is a `HubException`.

    Spec: server-behaviour.md, "A" rows 50 to 52.
    """
    if not detailed and not isinstance(error, HubException):
        return text
    kind = type(error)
    return f"{text} {_WIRE_NAMES.get(kind, kind.__name__)}: {error}"

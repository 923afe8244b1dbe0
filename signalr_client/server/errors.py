"""Exceptions that only a server raises, and the text of an exception as a client sees it. Room: server."""

from __future__ import annotations

import asyncio
from typing import Final

from signalr_client.errors import (
    BindingError,
    ConnectionClosedError,
    HubException,
    InvalidStateError,
    ProtocolError,
    SignalRError,
)
from signalr_client.user_code import UserCodeError, text_of

__all__ = ["ClientTimeoutError", "HubDefinitionError", "HubUsageError", "ServiceError", "describe", "refusal_by_user"]


class HubDefinitionError(SignalRError, TypeError, ValueError):
    """A hub class, a typed client, or the options of either cannot be mapped; the server has not started.

    It is a TypeError because the class has the wrong shape, and a ValueError because `map_hub` was given it.
    """


class HubUsageError(InvalidStateError):
    """A hub instance was used at the wrong time: before its call, after it, or for something the call may not do."""

    def __init__(self, action: str, state: str, text: str) -> None:
        super().__init__(action, state, text)

    def __str__(self) -> str:
        """Return the text alone: it already names the hub and the state."""
        return self._text


class ServiceError(SignalRError, LookupError):
    """A service is not registered with the container, or cannot be created."""


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
    asyncio.CancelledError: "OperationCanceledException",
}
"""The names that ASP.NET Core uses for our own exceptions; clients and their tests look for these."""


def describe(text: str, error: BaseException, *, detailed: bool) -> str:
    """Return *text* for a client, with the details of *error* appended if they may be shown.

    They are shown for a `HubException`, and for any exception if *detailed* is set (`HubOptions.enable_detailed_errors`).
    """
    if not detailed and not isinstance(error, HubException):
        return text
    shown = error.error if isinstance(error, UserCodeError) else error
    kind = type(shown)
    return f"{text} {_WIRE_NAMES.get(kind, kind.__name__)}: {text_of(shown)}"


def refusal_by_user(error: BindingError) -> HubException | None:
    """Return the `HubException` with which a class of the user refused its values, if that is why they could not be converted."""
    cause = error.__cause__
    if isinstance(cause, BindingError):
        cause = cause.__cause__
    return cause if isinstance(cause, HubException) else None

"""The states of a `HubConnection` and what leads from one to the next. Room: core, row 2.

    DISCONNECTED --START-----> CONNECTING
    CONNECTING --OPENED------> CONNECTED
    CONNECTING --CLOSED------> DISCONNECTED
    CONNECTING --STOP--------> DISCONNECTING
    CONNECTED --LOST---------> RECONNECTING
    CONNECTED --CLOSED-------> DISCONNECTED
    CONNECTED --STOP---------> DISCONNECTING
    RECONNECTING --OPENED----> CONNECTED
    RECONNECTING --CLOSED----> DISCONNECTED
    RECONNECTING --STOP------> DISCONNECTING
    DISCONNECTING --CLOSED---> DISCONNECTED

A test compares this picture with the table below. The states are those of the official clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from signalr_client.errors import InvalidStateError
from signalr_client.types import HubConnectionState as State

__all__ = ["TRANSITIONS", "Trigger", "advance"]


class Trigger(StrEnum):
    """What moves a connection from one state to another."""

    START = "start"  # the user called start()
    OPENED = "opened"  # the handshake succeeded
    LOST = "lost"  # the connection ended, and there is a retry policy to ask
    STOP = "stop"  # the user called stop()
    CLOSED = "closed"  # the connection has ended for good, or could not be opened


TRANSITIONS: Final[Mapping[tuple[State, Trigger], State]] = {
    (State.DISCONNECTED, Trigger.START): State.CONNECTING,
    (State.CONNECTING, Trigger.OPENED): State.CONNECTED,
    (State.CONNECTING, Trigger.CLOSED): State.DISCONNECTED,
    (State.CONNECTING, Trigger.STOP): State.DISCONNECTING,
    (State.CONNECTED, Trigger.LOST): State.RECONNECTING,
    (State.CONNECTED, Trigger.CLOSED): State.DISCONNECTED,
    (State.CONNECTED, Trigger.STOP): State.DISCONNECTING,
    (State.RECONNECTING, Trigger.OPENED): State.CONNECTED,
    (State.RECONNECTING, Trigger.CLOSED): State.DISCONNECTED,
    (State.RECONNECTING, Trigger.STOP): State.DISCONNECTING,
    (State.DISCONNECTING, Trigger.CLOSED): State.DISCONNECTED,
}

_TEXTS: Final = {
    Trigger.START: "The HubConnection cannot be started if it is not in the Disconnected state.",
}


def advance(state: State, trigger: Trigger) -> State:
    """Return the state after *trigger*; no other code may choose a state.

    Raises:
        InvalidStateError: *trigger* is not allowed in *state*.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise InvalidStateError(trigger.value, state.value, _TEXTS.get(trigger, "")) from None

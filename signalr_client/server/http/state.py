"""The states of an HTTP connection, and what leads from one to the next. Room: server, http.

    NEGOTIATED --ATTACH----> ACTIVE
    NEGOTIATED --DISPOSE---> DISPOSED
    ACTIVE --RELEASE-------> INACTIVE
    ACTIVE --DISPOSE-------> DISPOSED
    INACTIVE --ATTACH------> ACTIVE
    INACTIVE --DISPOSE-----> DISPOSED

A connection is ACTIVE while a request carries it: a WebSocket, an event stream, or a poll. It is disposed of if it stays NEGOTIATED or
INACTIVE for the disconnect timeout. A test makes this picture from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

__all__ = ["TRANSITIONS", "State", "Trigger", "advance"]


class State(Enum):
    """Where an HTTP connection is in its life."""

    NEGOTIATED = "negotiated"
    ACTIVE = "active"
    INACTIVE = "inactive"
    DISPOSED = "disposed"


class Trigger(Enum):
    """What moves a connection from one state to another."""

    ATTACH = "attach"  # a request arrived that carries the connection
    RELEASE = "release"  # a poll was answered, or a socket was lost after which the client may come back
    DISPOSE = "dispose"  # the connection is over


TRANSITIONS: Final[Mapping[tuple[State, Trigger], State]] = {
    (State.NEGOTIATED, Trigger.ATTACH): State.ACTIVE,
    (State.NEGOTIATED, Trigger.DISPOSE): State.DISPOSED,
    (State.ACTIVE, Trigger.RELEASE): State.INACTIVE,
    (State.ACTIVE, Trigger.DISPOSE): State.DISPOSED,
    (State.INACTIVE, Trigger.ATTACH): State.ACTIVE,
    (State.INACTIVE, Trigger.DISPOSE): State.DISPOSED,
}


def advance(state: State, trigger: Trigger) -> State:
    """Return the state after *trigger*; nothing else may choose a state.

    Raises:
        RuntimeError: there is no such transition, which is a defect of this package.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise RuntimeError(f"an HTTP connection that is {state.value} cannot handle '{trigger.value}'") from None

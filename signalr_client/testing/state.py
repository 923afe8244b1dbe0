"""The states of a connection through the proxy, and what leads from one to the next. Room: tools.

    CONNECTING --CONNECTED---> OPEN
    CONNECTING --END---------> ENDING
    OPEN --END---------------> ENDING
    ENDING --CLOSED----------> ENDED

A connection is CONNECTING until the target has accepted it, and ENDING from the moment that it is known how it ends until both of its
sockets are closed. A test makes this picture from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

__all__ = ["TRANSITIONS", "State", "Trigger", "advance"]


class State(Enum):
    """Where a connection is in its life."""

    CONNECTING = "connecting"
    OPEN = "open"
    ENDING = "ending"
    ENDED = "ended"


class Trigger(Enum):
    """What moves a connection from one state to another."""

    CONNECTED = "connected"  # the target has accepted
    END = "end"  # by a peer, by a fault, or because the proxy stops
    CLOSED = "closed"  # no socket and no task is left


TRANSITIONS: Final[Mapping[tuple[State, Trigger], State]] = {
    (State.CONNECTING, Trigger.CONNECTED): State.OPEN,
    (State.CONNECTING, Trigger.END): State.ENDING,
    (State.OPEN, Trigger.END): State.ENDING,
    (State.ENDING, Trigger.CLOSED): State.ENDED,
}


def advance(state: State, trigger: Trigger) -> State:
    """Return the state after *trigger*; nothing else may choose a state.

    Raises:
        RuntimeError: there is no such transition, which is a defect of this package.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise RuntimeError(f"a proxied connection that is {state.value} cannot handle '{trigger.value}'") from None

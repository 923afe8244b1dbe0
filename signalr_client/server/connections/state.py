"""The states of a hub connection on the server, and what leads from one to the next. Room: server, connections.

    HANDSHAKE --HANDSHAKE_DONE---> CONNECTING
    HANDSHAKE --END--------------> ENDING
    CONNECTING --ACCEPTED--------> OPEN
    CONNECTING --END-------------> ENDING
    OPEN --END-------------------> ENDING
    ENDING --ENDED---------------> ENDED

Messages are sent to a client while it is CONNECTING (`Hub.on_connected` runs) or OPEN; its calls begin when it is OPEN. A test makes
this picture from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

__all__ = ["TRANSITIONS", "State", "Trigger", "advance"]


class State(Enum):
    """Where a hub connection is in its life."""

    HANDSHAKE = "handshake"
    CONNECTING = "connecting"
    OPEN = "open"
    ENDING = "ending"
    ENDED = "ended"


class Trigger(Enum):
    """What moves a connection from one state to another."""

    HANDSHAKE_DONE = "handshake done"  # the client named a hub protocol that we speak
    ACCEPTED = "accepted"  # Hub.on_connected has returned
    END = "end"  # the first reason to end: a Close, an error, the client is gone, the server stops
    ENDED = "ended"  # Hub.on_disconnected has returned, and the transport is closed


TRANSITIONS: Final[Mapping[tuple[State, Trigger], State]] = {
    (State.HANDSHAKE, Trigger.HANDSHAKE_DONE): State.CONNECTING,
    (State.HANDSHAKE, Trigger.END): State.ENDING,
    (State.CONNECTING, Trigger.ACCEPTED): State.OPEN,
    (State.CONNECTING, Trigger.END): State.ENDING,
    (State.OPEN, Trigger.END): State.ENDING,
    (State.ENDING, Trigger.ENDED): State.ENDED,
}


def advance(state: State, trigger: Trigger) -> State:
    """Return the state after *trigger*; nothing else may choose a state.

    Raises:
        RuntimeError: there is no such transition, which is a defect of this package.
    """
    try:
        return TRANSITIONS[state, trigger]
    except KeyError:
        raise RuntimeError(f"a hub connection that is {state.value} cannot handle '{trigger.value}'") from None

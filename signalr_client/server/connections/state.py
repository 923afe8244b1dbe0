"""The states of a hub connection on the server, and what leads from one to the next. Room: server, connections.

    HANDSHAKE --HANDSHAKE_DONE---> CONNECTING
    HANDSHAKE --END--------------> ENDING
    CONNECTING --ACCEPTED--------> OPEN
    CONNECTING --END-------------> ENDING
    OPEN --DETACH----------------> DETACHED
    OPEN --END-------------------> ENDING
    DETACHED --RESUME------------> OPEN
    DETACHED --END---------------> ENDING
    ENDING --ENDED---------------> ENDED

Messages are accepted for a client while it is CONNECTING (`Hub.on_connected` runs), OPEN or DETACHED (stateful reconnect: it has lost
its socket and may come back); its calls begin when it is OPEN. A test makes this picture from the table.
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
    DETACHED = "detached"
    ENDING = "ending"
    ENDED = "ended"


class Trigger(Enum):
    """What moves a connection from one state to another."""

    HANDSHAKE_DONE = "handshake done"  # the client named a hub protocol that we speak
    ACCEPTED = "accepted"  # Hub.on_connected has returned
    DETACH = "detach"  # stateful reconnect: the socket is lost, and the client may come back
    RESUME = "resume"  # it has come back on a new socket
    END = "end"  # the first reason to end: a Close, an error, the client is gone, the server stops
    ENDED = "ended"  # Hub.on_disconnected has returned, and the transport is closed


TRANSITIONS: Final[Mapping[tuple[State, Trigger], State]] = {
    (State.HANDSHAKE, Trigger.HANDSHAKE_DONE): State.CONNECTING,
    (State.HANDSHAKE, Trigger.END): State.ENDING,
    (State.CONNECTING, Trigger.ACCEPTED): State.OPEN,
    (State.CONNECTING, Trigger.END): State.ENDING,
    (State.OPEN, Trigger.DETACH): State.DETACHED,
    (State.OPEN, Trigger.END): State.ENDING,
    (State.DETACHED, Trigger.RESUME): State.OPEN,
    (State.DETACHED, Trigger.END): State.ENDING,
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

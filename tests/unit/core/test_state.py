"""The transition table of the connection states, and its diagram."""

from __future__ import annotations

import textwrap
from typing import Final

import pytest

from signalr_client.core import state
from signalr_client.core.state import TRANSITIONS, Trigger, advance
from signalr_client.errors import InvalidStateError
from signalr_client.types import HubConnectionState as State
from tests.support.pictures import draw

ILLEGAL: Final = [(here, trigger) for here in State for trigger in Trigger if (here, trigger) not in TRANSITIONS]


def test_the_diagram_shows_the_table() -> None:
    _title, shown, _rest = (state.__doc__ or "").split("\n\n", 2)
    assert shown == textwrap.indent(draw(TRANSITIONS), "    ")


@pytest.mark.parametrize(("here", "trigger"), TRANSITIONS)
def test_transitions_in_the_table_are_allowed(here: State, trigger: Trigger) -> None:
    assert advance(here, trigger) is TRANSITIONS[here, trigger]


@pytest.mark.parametrize(("here", "trigger"), ILLEGAL)
def test_transitions_not_in_the_table_raise_an_error(here: State, trigger: Trigger) -> None:
    with pytest.raises(InvalidStateError) as caught:
        advance(here, trigger)
    assert (caught.value.action, caught.value.state) == (trigger.value, here.value)
    assert str(caught.value).endswith(f"(The connection is {here.value.lower()}.)")
    assert caught.value.__cause__ is None


def test_a_second_start_raises_the_error_of_the_official_client() -> None:
    with pytest.raises(InvalidStateError) as caught:
        advance(State.CONNECTED, Trigger.START)
    assert str(caught.value) == (
        "The HubConnection cannot be started if it is not in the Disconnected state. (The connection is connected.)"
    )


def test_only_a_disconnected_connection_can_be_started() -> None:
    assert [here for here, trigger in TRANSITIONS if trigger is Trigger.START] == [State.DISCONNECTED]


def test_every_state_except_disconnected_can_be_closed() -> None:
    assert {here for here, trigger in TRANSITIONS if trigger is Trigger.CLOSED} == set(State) - {State.DISCONNECTED}


def test_every_state_can_be_reached_and_left() -> None:
    assert {here for here, _ in TRANSITIONS} == set(State)
    assert set(TRANSITIONS.values()) == set(State)


def test_a_connection_that_never_opened_does_not_reconnect() -> None:
    assert (State.CONNECTING, Trigger.LOST) not in TRANSITIONS


def test_a_disconnecting_connection_can_only_be_closed() -> None:
    assert [trigger for here, trigger in TRANSITIONS if here is State.DISCONNECTING] == [Trigger.CLOSED]

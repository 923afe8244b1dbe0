"""The transition tables of the server and of the fault proxy, and their diagrams in docstrings and docs/architecture.md."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from signalr_client.core import state as client_state
from signalr_client.server.connections import state as hub_state
from signalr_client.server.http import state as http_state
from signalr_client.testing import state as proxy_state
from tests.support.pictures import draw

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"
SERVER = {"hub connection": hub_state, "HTTP connection": http_state}
ALL = {**SERVER, "proxied connection": proxy_state}


@pytest.mark.parametrize("module", ALL.values(), ids=ALL)
def test_the_docstring_shows_the_table(module: ModuleType) -> None:
    assert textwrap.indent(draw(module.TRANSITIONS), "    ") in (module.__doc__ or "")


@pytest.mark.parametrize("module", [*SERVER.values(), client_state], ids=[*SERVER, "client"])
def test_the_architecture_page_shows_the_table(module: ModuleType) -> None:
    assert draw(module.TRANSITIONS) in ARCHITECTURE.read_text()


@pytest.mark.parametrize("module", ALL.values(), ids=ALL)
def test_only_transitions_in_the_table_are_allowed(module: ModuleType) -> None:
    transitions: Mapping[tuple[Enum, Enum], Enum] = module.TRANSITIONS
    advance: Callable[[Any, Any], Enum] = module.advance
    for here in module.State:
        for trigger in module.Trigger:
            if (here, trigger) in transitions:
                assert advance(here, trigger) is transitions[here, trigger]
            else:
                with pytest.raises(RuntimeError, match=here.value):
                    advance(here, trigger)


@pytest.mark.parametrize("module", ALL.values(), ids=ALL)
def test_every_state_can_be_reached_and_left_except_first_and_last(module: ModuleType) -> None:
    first, *_, last = module.State
    assert {here for here, _ in module.TRANSITIONS} == set(module.State) - {last}
    assert set(module.TRANSITIONS.values()) == set(module.State) - {first}

"""State diagrams as text, generated from transition tables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

__all__ = ["draw"]


def draw(transitions: Mapping[tuple[Any, Any], Enum]) -> str:
    """Return a transition table in the format used in docstrings and documents."""
    width = max(len(f"{here.name} --{trigger.name}") for here, trigger in transitions) + 3
    return "\n".join(
        f"{f'{here.name} --{trigger.name}'.ljust(width, '-')}> {there.name}" for (here, trigger), there in transitions.items()
    )

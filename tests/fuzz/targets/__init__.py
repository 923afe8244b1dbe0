"""The fuzz targets. Each module checks one family of parsers, in a function ``target(data: bytes) -> None``.

It also has ``CONTROL``, the number of bytes at the front of an input that are decisions of `Choices`; ``SEEDS``, valid input for what
follows them; and ``WORDS``, byte strings that mean something to the parser.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["TARGETS", "Target", "load"]

TARGETS: Final = (
    "framing",
    "handshake",
    "json_protocol",
    "messagepack_protocol",
    "timestamps",
    "values",
    "negotiation",
    "session",
    "stateful_session",
    "replay",
    "event_stream",
    "websocket",
    "failures",
    "client",
    "frames",
    "requests",
    "hub",
    "boundaries",
)
"""The names of all targets: the modules of this folder."""


@dataclass(frozen=True)
class Target:
    """One target: the function, and what a fuzzer has to know of it."""

    name: str
    run: Callable[[bytes], None]
    control: int
    seeds: Sequence[bytes]
    words: Sequence[bytes]


def load(name: str) -> Target:
    """Import a target."""
    module = importlib.import_module(f"{__name__}.{name}")
    return Target(name, module.target, module.CONTROL, module.SEEDS, module.WORDS)

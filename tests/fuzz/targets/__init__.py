"""The fuzz targets. Each module checks one family of parsers, in a function ``target(data: bytes) -> None``.

It also has ``CONTROL``, the number of bytes at the front of an input that are decisions of `Choices`; ``SEEDS``, valid input for what
follows them; and ``WORDS``, byte strings that mean something to the parser.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["TARGETS", "WHOLE_CONNECTIONS", "Target", "load"]

TARGETS: Final = (
    "framing",
    "handshake",
    "json_protocol",
    "messagepack_protocol",
    "timestamps",
    "values",
    "error_header",
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

WHOLE_CONNECTIONS: Final = frozenset({"client", "hub", "requests"})
"""Those for which an input is a whole connection, which takes a millisecond and more; a parser takes some microseconds."""


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

"""Directions, and the faults that can be set for each. Room: tools."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

__all__ = ["Cut", "Direction", "Faults"]

Cut = Literal["cut", "reset"]
"""How a connection is broken: both peers read end of file, or both get a connection reset."""


class Direction(enum.Enum):
    """One of the two directions of a connection."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


@dataclass(slots=True)
class Faults:
    """The faults that are set for one direction of all connections.

    Attributes:
        stalled: whether nothing passes.
        delay: seconds added to the way of each byte.
        rate: bytes a second; None for no limit.
        chunk: bytes delivered at once; None for no limit.
    """

    stalled: bool = False
    delay: float = 0.0
    rate: float | None = None
    chunk: int | None = None

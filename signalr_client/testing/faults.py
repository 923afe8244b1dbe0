"""What can be wrong with the connections of a proxy. Room: tools."""

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
    """What is wrong with one direction of every connection.

    Attributes:
        stalled: whether nothing passes.
        delay: seconds that each byte takes longer.
        rate: bytes that pass in a second; None for no limit.
        chunk: bytes that are delivered at once; None for no limit.
    """

    stalled: bool = False
    delay: float = 0.0
    rate: float | None = None
    chunk: int | None = None

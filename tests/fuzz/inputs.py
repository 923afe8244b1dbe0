"""How a target reads its input: some decisions first, then the bytes for the parser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Final, TypeVar

__all__ = ["PATTERNS", "Choices", "cut"]

T = TypeVar("T")

PATTERNS: Final = ((1,), (2,), (3, 1), (5, 2, 11), (1, 64), (300,))
"""Sizes of pieces, repeated for as long as there is data."""


class Choices:
    """Reads decisions from the front of an input. An input that is too short decides for the first option."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self._data) - self._at

    def number(self, limit: int) -> int:
        """Return a number below *limit*, which is at most 256."""
        value = self.take(1)
        return value[0] % limit if value else 0

    def pick(self, options: Sequence[T]) -> T:
        """Return one of *options*."""
        return options[self.number(len(options))]

    def flag(self) -> bool:
        """Return a decision."""
        return self.number(2) == 1

    def take(self, size: int) -> bytes:
        """Return the next bytes, *size* at most."""
        data = self._data[self._at : self._at + size]
        self._at += len(data)
        return data

    def integer(self) -> int:
        """Return an integer of 64 bits, small ones most of the time."""
        width = self.pick((1, 1, 1, 2, 4, 8))
        return int.from_bytes(self.take(width), signed=True)

    def text(self) -> str:
        """Return a short text."""
        return self.take(self.number(40)).decode("utf-8", "replace")

    def rest(self) -> bytes:
        """Return all bytes that were not read."""
        return self.take(self.left)


def cut(data: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """Yield *data* in pieces of these sizes, repeated as needed."""
    start = 0
    for size in cycle(sizes):
        if start >= len(data):
            return
        yield data[start : start + size]
        start += size

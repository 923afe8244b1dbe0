"""A text that is written line by line, with indentation. Room: generate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile

__all__ = ["Lines"]


class Lines:
    """Collects lines; `block` indents those that are added inside of it."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._level = 0
        self._begun = True  # nothing to separate from: the start of the text or of a block

    def add(self, *lines: str) -> None:
        """Append lines at the current indentation."""
        self._lines += [f"{'    ' * self._level}{line}" if line else "" for line in lines]
        self._begun = False

    def separate(self, count: int = 1) -> None:
        """See to it that *count* empty lines come before the next one, unless that begins the text or a block."""
        if not self._begun:
            blank = sum(1 for _ in takewhile(lambda line: not line, reversed(self._lines)))
            self._lines += [""] * (count - blank)

    @contextmanager
    def block(self, opening: str, closing: str | None = "}") -> Iterator[None]:
        """Indent the lines that are added inside the ``with`` block; a *closing* of None adds no line after them."""
        self.add(opening)
        with self.indented():
            self._begun = True
            yield
        if closing is not None:
            self.add(closing)

    @contextmanager
    def indented(self) -> Iterator[None]:
        """Indent the lines that are added inside the ``with`` block."""
        self._level += 1
        yield
        self._level -= 1
        self._begun = False

    def text(self) -> str:
        """Return the text, which ends with a line break."""
        return "\n".join(self._lines).rstrip("\n") + "\n"

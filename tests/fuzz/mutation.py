"""Changes valid input at random, for tests that need many inputs and not the smallest one that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

__all__ = ["mutations"]


def mutations(random: Random, seeds: Sequence[bytes], words: Sequence[bytes], count: int) -> Iterator[bytes]:
    """Yield *count* inputs: of five one is valid, one is arbitrary, and three are valid ones with a few changes."""
    for number in range(count):
        data = random.choice(seeds)
        match number % 5:
            case 0:
                pass
            case 1:
                data = random.randbytes(random.randrange(100))
            case _:
                for _ in range(random.randint(1, 4)):
                    data = _changed(random, data, seeds, words)
        yield data


def _changed(random: Random, data: bytes, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    start = random.randint(0, len(data))
    end = min(len(data), start + random.randrange(8))
    new = random.choice(
        (b"", data[start:end] * 2, random.randbytes(random.randint(1, 3)), random.choice(words), random.choice(seeds))
    )
    return data[:start] + new + data[end:]

"""What is printed."""

from __future__ import annotations

import resource
from collections import Counter
from typing import Final

from benchmarks.soak.health import resident
from benchmarks.soak.tally import Tally

__all__ = ["progress_line", "table"]

_MESSAGES: Final = ("message to a client", "message to the server")


def progress_line(tally: Tally, *, connected: int, delay: float) -> str:
    """Return one line about the state of the run."""
    operations, messages = totals(tally)
    return (
        f"{tally.elapsed:6.0f} s: {operations:,} operations, {messages:,} messages, {sum(tally.refused.values()):,} refused,"
        f" {sum(tally.faults.values()):,} faults, {tally.events['resumed']:,} resumed, {tally.events['reconnected']:,} reconnected,"
        f" {len(tally.failures)} failures; {connected} connected, {resident() / 1e6:.0f} MB, {delay * 1000:.0f} ms late"
    )


def totals(tally: Tally) -> tuple[int, int]:
    """Return the number of operations and of messages."""
    messages = sum(tally.done[name] for name in _MESSAGES)
    return sum(tally.done.values()) - messages, messages


def table(tally: Tally, *, seconds: float, cpu: float, memory: tuple[float, float], warnings: dict[str, int]) -> str:
    """Return all counts, and the figures of the run."""
    operations, messages = totals(tally)
    first, last = (size / 1e6 for size in memory)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    refused = Counter({f"{operation}: {error}": count for (operation, error), count in tally.refused.items()})
    sections: list[tuple[str, Counter[str]]] = [
        ("done", tally.done),
        ("failed in a documented way", refused),
        ("events", tally.events),
        ("faults", tally.faults),
        ("warnings in the log", Counter(warnings)),
    ]
    lines = []
    for title, counts in sections:
        lines += ["", f"{title}: {sum(counts.values()):,}"]
        lines += [f"  {count:>9,}  {name}" for name, count in counts.most_common()]
    rates = (
        f"{operations / seconds:,.0f} operations and {messages / seconds:,.0f} messages a second, {cpu:.0f} s of processor time"
    )
    sizes = f"memory: {first:.0f} MB in the first third, {last:.0f} MB in the last, {peak:.0f} MB at most"
    return "\n".join([*lines, "", f"{rates}; {sizes}"])

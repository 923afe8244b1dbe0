"""`Gate`: limits in bytes and items, and waiting producers."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from signalr_client.gate import Gate


def is_full(gate: Gate) -> bool:
    """Return the attribute, so that mypy does not narrow its type."""
    return gate.full


def test_a_gate_is_full_above_its_limit_and_opens_at_half_of_it() -> None:
    gate = Gate(100)
    gate.add(100)
    assert not is_full(gate)
    gate.add(1)
    assert is_full(gate)
    gate.remove(50)
    assert is_full(gate)
    gate.remove(1)
    assert not is_full(gate)


def test_a_gate_limits_the_number_of_items() -> None:
    gate = Gate(None, max_items=4)
    gate.add(0, items=5)
    assert is_full(gate)
    gate.remove(0, items=2)
    assert is_full(gate)
    gate.remove(0)
    assert not is_full(gate)


def test_a_gate_without_limits_is_never_full() -> None:
    gate = Gate(None)
    gate.add(10**9, items=10**9)
    assert not is_full(gate)


async def test_producers_wait_until_there_is_room() -> None:
    gate = Gate(10)
    gate.add(11)
    waiting = [asyncio.create_task(gate.wait_room()) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    gate.remove(6)
    await asyncio.gather(*waiting)


async def test_an_interrupt_releases_those_who_wait_and_nobody_else() -> None:
    gate = Gate(10)
    gate.interrupt()  # nobody waits
    gate.add(11)
    first = asyncio.create_task(gate.wait_room())
    await asyncio.sleep(0)
    gate.interrupt()
    await first
    assert is_full(gate)
    second = asyncio.create_task(gate.wait_room())
    await asyncio.sleep(0)
    assert not second.done()
    gate.remove(11)
    await second


async def test_a_closed_gate_releases_all_producers() -> None:
    gate = Gate(10)
    gate.add(11)
    waiting = [asyncio.create_task(gate.wait_room()), asyncio.create_task(gate.wait_empty())]
    await asyncio.sleep(0)
    gate.close()
    await asyncio.gather(*waiting)
    gate.add(1000)
    assert not is_full(gate)
    await gate.wait_empty()


async def test_wait_empty_returns_when_the_gate_is_empty() -> None:
    gate = Gate(None)
    await gate.wait_empty()
    gate.add(5)
    waiting = asyncio.create_task(gate.wait_empty())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.remove(5)
    await waiting


async def test_a_gate_with_only_bytes_is_not_empty() -> None:
    """Writers of whole batches do not count items."""
    gate = Gate(10)
    gate.add(5, 0)
    waiting = asyncio.create_task(gate.wait_empty())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.remove(5, 0)
    await waiting


@given(st.lists(st.integers(min_value=0, max_value=60)))
def test_a_producer_that_waits_when_full_overshoots_by_one_message(sizes: list[int]) -> None:
    gate, waiting = Gate(100), list[int]()
    for size in sizes:
        while gate.full:
            gate.remove(waiting.pop(0))
        gate.add(size)
        waiting.append(size)
        assert gate.size == sum(waiting) <= 100 + 60
        assert gate.items == len(waiting)


def test_a_gate_knows_whether_a_multiple_of_a_limit_is_exceeded() -> None:
    gate = Gate(100, 10)
    gate.add(410, 1)
    assert not gate.exceeds(4, size=10, items=0)
    assert gate.exceeds(4, size=9, items=0)
    gate.remove(410, 1)
    gate.add(0, 41)
    assert gate.exceeds(4, size=0, items=0)
    assert not gate.exceeds(4, size=0, items=1)
    assert not Gate(None).exceeds(1, size=0, items=0)

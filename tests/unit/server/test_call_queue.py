"""The order in which calls begin, and their slots."""

from __future__ import annotations

from typing import Any

from signalr_client.core.messages import Invocation
from signalr_client.gate import Gate
from signalr_client.server import Hub
from signalr_client.server.connections.calls import Call, CallQueue
from tests.unit.server.test_definitions import mapped


class Working(Hub):
    def work(self) -> None: ...


(METHOD,) = mapped(Working).methods


def call(number: int) -> Call:
    return Call(Invocation(invocation_id=str(number), target="Work", arguments=[]), METHOD, (), 10)


async def test_calls_that_end_while_they_are_started_neither_recurse_nor_overtake() -> None:
    """So do calls that never wait, on a loop with eager tasks. There used to be a RecursionError after 100 of them."""
    begun: list[str | None] = []
    gate = Gate(None)

    def start(started: Call) -> None:
        begun.append(started.invocation_id)
        queue.release(started)

    queue = CallQueue(1, gate, start)
    for number in range(5_000):
        queue.put(call(number))
    assert (begun, gate.size) == ([], 50_000)
    queue.open()
    await queue.wait_begun()
    assert begun == [str(number) for number in range(5_000)]
    assert gate.size == 0


async def test_a_call_waits_for_a_slot_and_those_behind_it_wait_too() -> None:
    begun: list[Call] = []
    queue = CallQueue(2, Gate(None), begun.append)
    queue.open()
    calls: list[Any] = [call(number) for number in range(4)]
    for each in calls:
        queue.put(each)
    assert begun == calls[:2]
    queue.release(calls[1])
    queue.release(calls[1])  # a slot is returned once
    assert begun == calls[:3]
    assert queue.close() == calls[3:]
    await queue.wait_begun()

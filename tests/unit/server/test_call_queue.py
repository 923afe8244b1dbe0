"""The order in which calls begin, and their slots."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from signalr_client.core.messages import Invocation, StreamInvocation
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


class Streaming(Hub):
    async def count(self) -> AsyncIterator[int]:
        yield 1


(STREAMING,) = mapped(Streaming).methods


async def test_calls_without_a_slot_have_a_maximum_and_keep_their_order() -> None:
    """A stream too many is refused when its turn comes, not before the calls ahead of it."""
    events: list[tuple[str, str | None]] = []
    queue = CallQueue(
        1,
        Gate(None),
        lambda started: events.append(("begun", started.invocation_id)),
        max_beside=2,
        refuse=lambda refused: events.append(("refused", refused.invocation_id)),
    )
    streams = [Call(StreamInvocation(invocation_id=str(n), target="Count", arguments=[]), STREAMING, (), 10) for n in range(5)]
    plain = [call(n) for n in range(10, 13)]
    queue.open()
    for each in (streams[0], plain[0], streams[1], plain[1], streams[2]):
        queue.put(each)
    assert events == [("begun", "0"), ("begun", "10"), ("begun", "1")]  # call 11 waits for the slot, and the stream behind it
    queue.release(plain[0])
    assert events[3:] == [("begun", "11"), ("refused", "2")]
    assert not queue.leave_slot(plain[1])
    queue.release(streams[0])
    assert queue.leave_slot(plain[1])
    assert queue.leave_slot(plain[1])  # it has left already
    queue.put(plain[2])
    queue.put(streams[3])
    assert events[5:] == [("begun", "12"), ("refused", "3")]
    queue.release(plain[1])
    queue.put(streams[4])
    assert events[7:] == [("begun", "4")]
    await queue.wait_begun()

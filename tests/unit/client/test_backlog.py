"""`StreamBacklog`: unread items are counted exactly, whatever is read when."""

from __future__ import annotations

import gc
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from signalr_client.client.backlog import StreamBacklog
from signalr_client.client.streams import _Buffer
from signalr_client.core.messages import HubMessage, Ping, StreamItem
from signalr_client.gate import Gate

STREAMS = 3

# A step is a frame (the stream of each item, and its size; stream 3 is one that nobody knows), or a read: the stream, how many items.
frames = st.lists(st.tuples(st.integers(0, STREAMS), st.integers(1, 1_000)), min_size=1, max_size=8)
reads = st.tuples(st.integers(0, STREAMS - 1), st.integers(1, 10))


class Model:
    """A backlog as a link uses it, and beside it what each stream has not read, frame by frame."""

    def __init__(self) -> None:
        self.backlog = StreamBacklog(Gate(None))
        self.streams = {str(number): _Buffer() for number in range(STREAMS)}
        self.unread: dict[str, deque[list[int]]] = {key: deque() for key in self.streams}

    def receive(self, items: list[tuple[int, int]]) -> None:
        """Receive one frame."""
        measure = self.backlog.refresh()
        messages: list[HubMessage] = [StreamItem(invocation_id=str(number), item=0) for number, _ in items]
        fed = {}
        for number, size in items:
            stream = self.streams.get(str(number))
            if stream is not None:
                stream.feed(0)
                fed[str(number)] = stream
                self.unread[str(number)].append([1, size])
        if fed:
            sizes = [size for _, size in items]
            total = sum(sizes)
            self.backlog.add(fed, total, [*messages, Ping()], [*sizes, 2] if measure else None)

    def read(self, number: int, count: int) -> None:
        """Read up to *count* items of a stream."""
        items, unread = self.streams[str(number)].items, self.unread[str(number)]
        for _ in range(min(count, len(items))):
            items.popleft()
            unread.popleft()


@given(st.lists(st.one_of(frames, reads), max_size=40))
def test_the_count_covers_what_is_unread_and_ends_at_zero(steps: list[list[tuple[int, int]] | tuple[int, int]]) -> None:
    """A frame counts until all of its items of a stream were read, so the count is never too low once a backlog is known."""
    model = Model()
    for step in steps:
        if isinstance(step, tuple):
            model.read(*step)
        else:
            model.receive(step)
        model.backlog.refresh_all()
        assert model.backlog.gate.items >= sum(len(unread) for unread in model.unread.values())
    for number in range(STREAMS):
        model.read(number, 1_000)
    model.backlog.refresh_all()
    assert (model.backlog.gate.size, model.backlog.gate.items) == (0, 0)


def test_items_of_a_frame_are_measured_while_something_is_unread() -> None:
    model = Model()
    model.receive([(0, 10)])
    model.receive([(1, 900), (2, 1), (2, 1)])
    assert model.backlog.gate.size == 912
    model.read(2, 2)
    model.backlog.refresh_all()
    assert model.backlog.gate.size == 910
    model.read(1, 1)
    model.backlog.refresh_all()
    assert model.backlog.gate.size == 10


def test_a_stream_that_was_garbage_collected_has_nothing_unread() -> None:
    backlog = StreamBacklog(Gate(None))
    stream = _Buffer()
    stream.feed(0)
    backlog.add({"1": stream}, 100, [], None)
    assert backlog.gate.size == 100
    del stream
    gc.collect()
    assert not backlog.refresh()
    assert backlog.gate.size == 0

"""Two sides, a line that loses what is in flight at any byte, and any order of events: each message arrives once, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from signalr_client.core.handshake import encode_request, encode_response
from signalr_client.core.messages import (
    CancelInvocation,
    Completion,
    CountedMessage,
    HubMessage,
    Invocation,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.session import HubSession, Role, SessionOptions
from tests.support.official_peer import OfficialPeer

LIMIT: Final = 1_500
WRITES: Final = [0, 60, 300, 5_000]  # bytes of a frame
OPTIONS: Final = SessionOptions(peer_timeout=None, keep_alive_interval=5.0, replay_limit=LIMIT)
MAKERS: Final[list[Callable[[str, int], CountedMessage]]] = [
    lambda text, size: Invocation(target=text, arguments=["x" * size]),
    lambda text, size: StreamInvocation(invocation_id=text, target="T", arguments=["\x1e" * size]),
    lambda text, size: StreamItem(invocation_id=text, item=[None] * size),
    lambda text, size: Completion(invocation_id=text, result="y" * size),
    lambda text, size: CancelInvocation(invocation_id=text),
]


class Side(Protocol):
    """One side of the connection, ours or an official one."""

    attached: bool

    def send(self, message: CountedMessage) -> None: ...
    def take(self, limit: int) -> bytes: ...
    def receive(self, data: bytes, now: float) -> list[HubMessage]: ...
    def pass_time(self, now: float) -> None: ...
    def detach(self) -> None: ...
    def resume(self, now: float) -> None: ...
    def kept(self) -> int: ...
    def full(self) -> bool: ...


class Ours:
    """A `HubSession`, used as its owners use it, and checked at each step."""

    def __init__(self, session: HubSession) -> None:
        self.session = session
        self.attached = True
        self._now = 0.0
        self._timer = session.next_deadline()

    def send(self, message: CountedMessage) -> None:
        self.session.send(message, self._now)

    def take(self, limit: int) -> bytes:
        queued = self.session.queued
        data = self.session.data_to_send(limit)
        assert self.session.queued == queued - len(data)
        assert bool(data) is (self.attached and queued > 0)
        return data

    def receive(self, data: bytes, now: float) -> list[HubMessage]:
        messages = self.session.receive(data, now)
        self._check()
        return messages

    def pass_time(self, now: float) -> None:
        """Let the one timer fire that an owner has."""
        self._now = now
        while self._timer is not None and self._timer <= now:
            self.session.handle_timeout(now)
            self._timer = self.session.next_deadline()
            self._check()

    def detach(self) -> None:
        self.session.detach()
        self.attached = False
        self._timer = self.session.next_deadline()
        assert self._timer is None

    def resume(self, now: float) -> None:
        self.session.resume(now)
        self.attached = True
        self._check()

    def kept(self) -> int:
        return self.session.unacknowledged

    def full(self) -> bool:
        return self.session.replay_full

    def _check(self) -> None:
        assert self.session.error is None
        if self.session.deadline_moved:
            self._timer = self.session.next_deadline()
        deadline = self.session._deadline()
        # The timer of the owner never fires too late.
        assert deadline is None or (self._timer is not None and self._timer <= deadline)


class Official:
    """An official client or server."""

    def __init__(self, protocol: HubProtocol) -> None:
        self.peer = OfficialPeer(protocol)
        self.attached = True
        self._seconds = 0

    def send(self, message: CountedMessage) -> None:
        self.peer.send(message)

    def take(self, limit: int) -> bytes:
        return self.peer.data_to_send()

    def receive(self, data: bytes, now: float) -> list[HubMessage]:
        return self.peer.receive(data)

    def pass_time(self, now: float) -> None:
        if int(now) > self._seconds:
            self._seconds = int(now)
            self.peer.tick()

    def detach(self) -> None:
        self.peer.detach()
        self.attached = False

    def resume(self, now: float) -> None:
        self.peer.resume()
        self.attached = True

    def kept(self) -> int:
        return self.peer.unacknowledged

    def full(self) -> bool:
        return self.peer.unacknowledged > LIMIT


def open_session(role: Role, protocol: HubProtocol) -> HubSession:
    """Return a stateful session after its handshake."""
    if role is Role.CLIENT:
        session = HubSession.client(protocol, OPTIONS, 0.0)
        session.receive(encode_response(), 0.0)
    else:
        session = HubSession.server([protocol], OPTIONS, 0.0)
        session.receive(encode_request(protocol.name, 2), 0.0)
    assert session.stateful
    session.data_to_send()
    return session


class Connection(RuleBasedStateMachine):
    """Two sides and the line between them. The subclasses say who the sides are."""

    protocol: HubProtocol
    official: Role | None

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.sides: list[Side] = []
        self.lines = [bytearray(), bytearray()]  # in flight to each side
        self.sent: list[deque[CountedMessage]] = [deque(), deque()]  # by each side, and not yet delivered
        self.count = 0

    @initialize()
    def connect(self) -> None:
        for role in Role:
            self.sides.append(Official(self.protocol) if role is self.official else Ours(open_session(role, self.protocol)))

    @rule(side=st.integers(0, 1), kind=st.integers(0, 4), size=st.integers(0, 60))
    def send(self, side: int, kind: int, size: int) -> None:
        if self.sides[side].full():
            return
        self.count += 1
        message = MAKERS[kind](str(self.count), size)
        self.sides[side].send(message)
        self.sent[side].append(message)

    @rule(side=st.integers(0, 1), limit=st.integers(0, 200))
    def write(self, side: int, limit: int) -> None:
        if self.sides[side].attached:
            self.lines[1 - side] += self.sides[side].take(limit)

    @rule(side=st.integers(0, 1), share=st.integers(0, 8))
    def deliver(self, side: int, share: int) -> None:
        if self.sides[0].attached and self.sides[1].attached:
            line = self.lines[side]
            size = len(line) * share // 8
            data = bytes(line[:size])
            del line[:size]
            for message in self.sides[side].receive(data, self.now):
                assert message == self.sent[1 - side].popleft()

    @rule(side=st.integers(0, 1), limit=st.integers(0, 200))
    def transfer(self, side: int, limit: int) -> None:
        """Write and deliver in one step, so that short sequences of steps get far."""
        self.write(side, limit)
        self.deliver(1 - side, 8)

    @precondition(lambda self: any(side.attached for side in self.sides))
    @rule(written=st.booleans())
    def cut(self, written: bool) -> None:
        """Lose the socket, and all that is in flight; with *written*, also what was just about to be sent."""
        for side in self.sides:
            if side.attached:
                if written:
                    side.take(10_000)
                side.detach()
        for line in self.lines:
            line.clear()

    @precondition(lambda self: not all(side.attached for side in self.sides))
    @rule(side=st.integers(0, 1))
    def resume(self, side: int) -> None:
        if not self.sides[side].attached:
            self.sides[side].resume(self.now)

    @rule(written=st.booleans())
    def reconnect(self, written: bool) -> None:
        if any(side.attached for side in self.sides):
            self.cut(written)
        for side in (0, 1):
            self.resume(side)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for side in self.sides:
            side.pass_time(self.now)

    @invariant()
    def everything_in_memory_is_needed(self) -> None:
        for side in self.sides:
            if isinstance(side, Ours):
                assert side.session.queued <= side.kept() + 100  # 100: Sequence, Ack and Ping

    def exchange(self) -> None:
        """Let everything arrive that is on its way, and all Acks after it."""
        for _ in range(4):
            for side in (0, 1):
                while data := self.sides[side].take(70):
                    self.lines[1 - side] += data
                self.deliver(1 - side, 8)
            self.pass_time(1.0)

    def teardown(self) -> None:
        if not self.sides:
            return
        for side in self.sides:
            if not side.attached:
                side.resume(self.now)
        self.exchange()
        assert [len(waiting) for waiting in self.sent] == [0, 0]
        for index, side in enumerate(self.sides):
            assert not side.full()
            self.send(index, 0, 0)  # its Ack releases a replay too
        self.exchange()
        assert [len(waiting) for waiting in self.sent] == [0, 0]
        assert [side.kept() for side in self.sides] == [0, 0]


PAIRS: Final = {
    "ours with ours, json": (JsonHubProtocol(), None),
    "ours with ours, messagepack": (MessagePackHubProtocol(), None),
    "our client with an official server": (MessagePackHubProtocol(), Role.SERVER),
    "our server with an official client": (JsonHubProtocol(), Role.CLIENT),
}


def machine_for(pair: str) -> type[Connection]:
    """Return the machine for a pair of sides."""
    protocol, official = PAIRS[pair]
    return type("Machine", (Connection,), {"protocol": protocol, "official": official})


@pytest.mark.parametrize("pair", PAIRS)
def test_every_message_arrives_once_and_in_order_whatever_happens(pair: str) -> None:
    run_state_machine_as_test(machine_for(pair), settings=settings(max_examples=100, stateful_step_count=50, deadline=None))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("seed", range(4))
def test_every_message_arrives_once_and_in_order_in_a_long_life(pair: str, seed: int) -> None:
    """Hypothesis finds short failures; a long random walk reaches what takes many steps, as a replay that is cut off twice."""
    random = Random(seed)
    machine = machine_for(pair)()
    machine.connect()
    for _ in range(20_000):
        side = random.randrange(2)
        match random.choice("sssssssswwwwwddddddddttttttttpppppcr"):
            case "s":
                machine.send(side, random.randrange(5), random.randrange(60))
            case "w":
                machine.write(side, random.choice(WRITES))
            case "d":
                machine.deliver(side, random.randrange(9))
            case "t":
                machine.transfer(side, random.choice(WRITES))
            case "p":
                machine.pass_time(random.choice([0.1, 0.5, 1.0]))
            case "c" if any(each.attached for each in machine.sides):
                machine.cut(written=random.random() < 0.5)
            case _:
                machine.reconnect(written=random.random() < 0.5)
        machine.everything_in_memory_is_needed()
    machine.teardown()
    assert machine.count > 2_000

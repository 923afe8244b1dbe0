"""A session that outlives its socket: who agrees to it, what leaves when, and what is dropped."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

import pytest

from signalr_client.core.handshake import encode_request, encode_response
from signalr_client.core.messages import (
    Ack,
    CancelInvocation,
    Close,
    Completion,
    CountedMessage,
    HubMessage,
    Invocation,
    Ping,
    Sequence,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.replay import ACK_BYTES, FIRST_ACK_DELAY
from signalr_client.core.session import HubSession, Phase, Role, SessionOptions
from signalr_client.errors import InvalidStateError, ProtocolError, SignalRError

JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()
OPTIONS: Final = SessionOptions(replay_limit=100)

both_protocols = pytest.mark.parametrize("protocol", [JSON, MESSAGEPACK], ids=["json", "messagepack"])
both_roles = pytest.mark.parametrize("role", list(Role), ids=[role.value for role in Role])


class FirstVersionProtocol(JsonHubProtocol):
    """A hub protocol that cannot write Ack and Sequence."""

    version = 1


def open_session(role: Role, protocol: HubProtocol = JSON, options: SessionOptions = OPTIONS) -> HubSession:
    """Return a stateful session after its handshake at 100.0, with nothing to send."""
    if role is Role.CLIENT:
        session = HubSession.client(protocol, options, 100.0)
        session.receive(encode_response(), 100.0)
    else:
        session = HubSession.server([JSON, MESSAGEPACK], options, 100.0)
        session.receive(encode_request(protocol.name, 2), 100.0)
    session.data_to_send()
    session.next_deadline()
    assert session.stateful
    return session


def call(text: str) -> Invocation:
    return Invocation(target=text, arguments=[])


def wire(*messages: HubMessage, protocol: HubProtocol = JSON) -> bytes:
    return b"".join(map(protocol.encode, messages))


def status(session: HubSession) -> tuple[Phase, SignalRError | None]:
    """Return both at once, which also keeps a type checker from taking them for constants."""
    return session.phase, session.error


def moved(session: HubSession) -> bool:
    """Return the flag, which a type checker would otherwise take for a constant."""
    return session.deadline_moved


# the handshake


@pytest.mark.parametrize(
    ("protocol", "limit", "version"),
    [(JSON, 1_000, 2), (MESSAGEPACK, 0, 2), (JSON, None, 1), (FirstVersionProtocol(), 1_000, 1)],
)
def test_a_client_requests_version_2_only_for_stateful_reconnect(
    protocol: HubProtocol, limit: int | None, version: int
) -> None:
    session = HubSession.client(protocol, SessionOptions(replay_limit=limit), 100.0)
    assert json.loads(session.data_to_send()[:-1]) == {"protocol": protocol.name, "version": version}
    assert not session.stateful
    session.receive(encode_response(), 100.0)
    assert session.stateful is (version == 2)


@pytest.mark.parametrize(
    ("limit", "version", "stateful"), [(1_000, 2, True), (1_000, 1, False), (1_000, 0, False), (None, 2, False)]
)
def test_a_server_is_stateful_when_its_options_and_the_client_agree(limit: int | None, version: int, stateful: bool) -> None:
    session = HubSession.server([JSON, MESSAGEPACK], SessionOptions(replay_limit=limit), 100.0)
    session.receive(encode_request("messagepack", version), 100.0)
    assert (session.stateful, session.resumable, session.phase) == (stateful, stateful, Phase.OPEN)
    session.send(call("x" * 2_000), 100.0)
    assert (session.unacknowledged > 2_000, session.replay_full) == (stateful, stateful)


@both_roles
def test_a_session_that_is_not_stateful_keeps_nothing_and_never_acknowledges(role: Role) -> None:
    session = HubSession(role, [JSON], SessionOptions(), 100.0)
    session.receive(encode_response() if role is Role.CLIENT else encode_request("json", 2), 100.0)
    session.data_to_send()
    session.send(call("a"), 100.0)
    session.data_to_send()
    assert session.receive(wire(call("x" * ACK_BYTES), Ack(sequence_id=9), Sequence(sequence_id=9), call("b")), 101.0)[1:] == [
        call("b")
    ]
    session.handle_timeout(103.0)
    assert (session.queued, session.unacknowledged, session.resumable, session.error) == (0, 0, False, None)


# a new socket


@both_roles
@both_protocols
def test_a_resumed_session_sends_its_sequence_then_what_is_unacknowledged_then_what_is_new(
    role: Role, protocol: HubProtocol
) -> None:
    session = open_session(role, protocol)
    sent: list[CountedMessage] = [
        Invocation(target="T", arguments=[1]),
        StreamInvocation(invocation_id="1", target="T", arguments=[]),
        StreamItem(invocation_id="2", item="x"),
        Completion(invocation_id="3", result=None),
        CancelInvocation(invocation_id="4"),
    ]
    for message in sent[:3]:
        session.send(message, 101.0)
    assert session.data_to_send() == wire(*sent[:3], protocol=protocol)
    assert session.receive(wire(Ack(sequence_id=1), protocol=protocol), 101.0) == []
    assert session.unacknowledged == len(wire(*sent[1:3], protocol=protocol))
    session.send_encoded(protocol.encode(sent[3]))  # not taken before the socket is lost
    session.detach()
    assert session.queued == len(protocol.encode(sent[3]))
    session.send(sent[4], 102.0)
    assert session.data_to_send() == session.data_to_send(5) == b""
    session.resume(103.0)
    expected = wire(Sequence(sequence_id=2), *sent[1:], protocol=protocol)
    assert session.queued == len(expected)
    assert session.data_to_send() == expected
    assert (session.queued, session.unacknowledged) == (0, len(wire(*sent[1:], protocol=protocol)))
    session.send(call("new"), 104.0)
    assert session.data_to_send() == wire(call("new"), protocol=protocol)
    assert session.receive(wire(Ack(sequence_id=6), protocol=protocol), 104.0) == []
    assert (session.unacknowledged, session.error) == (0, None)


@both_roles
def test_a_resumed_session_with_nothing_to_replay_announces_its_next_message(role: Role) -> None:
    session = open_session(role)
    for number in (1, 2, 3):
        session.detach()
        session.resume(101.0)
        assert session.data_to_send() == wire(Sequence(sequence_id=number))
        session.send(call("a"), 101.0)
        assert session.data_to_send() == wire(call("a"))
        session.receive(wire(Ack(sequence_id=number)), 101.0)


@both_roles
@both_protocols
def test_duplicates_are_dropped_and_not_measured(role: Role, protocol: HubProtocol) -> None:
    session = open_session(role, protocol, replace(OPTIONS, measure=True))
    assert session.receive(wire(call("a"), call("bb"), protocol=protocol), 101.0) == [call("a"), call("bb")]
    session.detach()
    session.resume(102.0)
    replay = wire(Ping(), Sequence(sequence_id=2), call("bb"), Ping(), call("ccc"), call("d"), protocol=protocol)
    assert session.receive(replay, 102.0) == [call("ccc"), call("d")]
    sizes = [len(protocol.framer().feed(wire(call(text), protocol=protocol))[0]) for text in ("ccc", "d")]
    assert session.sizes == sizes
    assert session.error is None


@both_roles
@both_protocols
def test_a_message_that_was_half_received_is_dropped_with_its_socket(role: Role, protocol: HubProtocol) -> None:
    stream = wire(call("a"), call("b" * 200), protocol=protocol)
    for size in range(len(wire(call("a"), protocol=protocol)), len(stream)):
        session = open_session(role, protocol)
        assert session.receive(stream[:size], 101.0) == [call("a")]
        session.detach()
        assert session.receive(stream[size:], 101.5) == []  # the old socket has nothing more to say
        session.resume(102.0)
        replay = wire(Sequence(sequence_id=2), call("b" * 200), protocol=protocol)
        assert session.receive(replay, 102.0) == [call("b" * 200)]
        assert session.error is None


@both_roles
def test_the_size_limit_holds_on_the_new_socket(role: Role) -> None:
    session = open_session(role, options=replace(OPTIONS, max_message_size=100))
    session.detach()
    session.resume(101.0)
    session.receive(wire(Sequence(sequence_id=1), call("x" * 100)), 101.0)
    assert isinstance(session.error, ProtocolError)


@both_roles
def test_pings_and_acks_of_the_old_socket_are_not_sent_on_the_new_one(role: Role) -> None:
    session = open_session(role)
    session.receive(wire(call("a")), 101.0)
    session.handle_timeout(116.0)
    assert session.queued == len(wire(Ping(), Ack(sequence_id=1)))
    session.detach()
    assert session.queued == 0
    session.resume(117.0)
    assert session.data_to_send() == wire(Sequence(sequence_id=1))


@both_roles
def test_an_ack_during_a_replay_does_not_take_messages_out_of_it(role: Role) -> None:
    """The peer counts from the Sequence on: a message left out would make it drop the next new one."""
    session = open_session(role)
    for text in "abc":
        session.send(call(text), 101.0)
    session.data_to_send()
    session.detach()
    session.resume(102.0)
    assert session.data_to_send(1) == wire(Sequence(sequence_id=1))
    session.receive(wire(Sequence(sequence_id=1), Ack(sequence_id=3)), 102.0)
    assert session.data_to_send() == wire(call("a"), call("b"), call("c"))


@both_roles
def test_a_limit_holds_for_the_messages_of_the_session_too(role: Role) -> None:
    session = open_session(role)
    session.send(call("a"), 101.0)
    session.data_to_send()
    session.detach()
    session.resume(102.0)
    session.send_close(Close())
    sequence, message, close = (wire(each) for each in (Sequence(sequence_id=1), call("a"), Close()))
    assert [session.data_to_send(1) for _ in range(4)] == [sequence, message, close, b""]


@both_roles
def test_senders_wait_while_more_than_the_limit_is_unacknowledged(role: Role) -> None:
    session = open_session(role)
    session.send(call("x" * 100), 101.0)
    assert session.replay_full
    session.data_to_send()
    assert session.replay_full
    session.receive(wire(Ack(sequence_id=1)), 102.0)
    assert (session.replay_full, session.unacknowledged) == (False, 0)
    session.send(call("x" * 100), 103.0)
    session.data_to_send()
    session.detach()
    assert session.replay_full
    session.resume(104.0)
    assert not session.replay_full  # one new message may pass, so that the peer has something to acknowledge


# Acks


@both_roles
@both_protocols
def test_a_message_is_acknowledged_a_second_later(role: Role, protocol: HubProtocol) -> None:
    session = open_session(role, protocol)
    session.receive(wire(Ping(), protocol=protocol), 100.0)
    session.next_deadline()
    session.receive(wire(call("a"), protocol=protocol), 103.0)
    assert moved(session)
    assert session.next_deadline() == 104.0
    session.receive(wire(call("b"), protocol=protocol), 103.5)
    assert not moved(session)
    session.handle_timeout(103.9)
    assert session.queued == 0
    session.handle_timeout(104.0)
    assert session.data_to_send() == wire(Ack(sequence_id=2), protocol=protocol)
    assert session.next_deadline() in {115.0, 119.0}  # a client pings 15 s after what it sent last, a server every 15 s
    session.handle_timeout(114.0)
    assert session.queued == 0


@both_roles
def test_many_bytes_are_acknowledged_at_once(role: Role) -> None:
    session = open_session(role)
    size = ACK_BYTES // 2
    session.receive(wire(call("x" * size)), 101.0)
    assert session.queued == 0
    session.receive(wire(call("x" * size)), 101.5)
    assert session.data_to_send() == wire(Ack(sequence_id=2))
    session.receive(wire(*[call("x" * size)] * 6), 101.6)
    assert session.data_to_send() == wire(Ack(sequence_id=8))


@both_roles
def test_an_early_ack_does_not_move_the_timer_of_the_caller(role: Role) -> None:
    """The timer fires once in vain, which is cheaper than moving it for each Ack."""
    session = open_session(role)
    session.receive(wire(call("a")), 101.0)
    assert session.next_deadline() == 102.0
    session.receive(wire(call("x" * ACK_BYTES)), 101.2)
    session.receive(wire(call("b")), 101.4)
    assert not moved(session)
    session.data_to_send()
    session.handle_timeout(102.0)
    assert session.queued == 0
    assert session.next_deadline() == 102.4


@both_roles
def test_a_newer_ack_replaces_one_that_has_not_left(role: Role) -> None:
    """A peer that does not read cannot make Acks pile up."""
    session = open_session(role)
    for _ in range(1_000):
        session.receive(wire(call("x" * ACK_BYTES)), 101.0)
    assert session.queued < 100
    assert session.data_to_send() == wire(Ack(sequence_id=1_000))


@both_roles
def test_duplicates_are_acknowledged(role: Role) -> None:
    session = open_session(role)
    session.receive(wire(call("a")), 101.0)
    session.detach()
    session.resume(102.0)
    session.data_to_send()
    session.receive(wire(Sequence(sequence_id=1), call("a")), 102.0)
    assert session.next_deadline() == 102.0 + FIRST_ACK_DELAY
    session.handle_timeout(102.0 + FIRST_ACK_DELAY)
    assert session.data_to_send() == wire(Ack(sequence_id=1))


def test_acks_are_sent_on_a_transport_with_inherent_keep_alive() -> None:
    session = open_session(Role.SERVER, options=replace(OPTIONS, inherent_keep_alive=True))
    assert session.next_deadline() is None
    session.receive(wire(call("a")), 101.0)
    assert moved(session)
    assert session.next_deadline() == 102.0
    session.handle_timeout(102.0)
    assert session.data_to_send() == wire(Ack(sequence_id=1))
    session.handle_timeout(1_000.0)
    assert session.data_to_send() == b""


# time


@both_roles
def test_no_time_runs_out_while_detached(role: Role) -> None:
    session = open_session(role)
    session.receive(wire(Ping(), call("a")), 100.0)
    session.detach()
    assert session.next_deadline() is None
    session.handle_timeout(1_000.0)
    assert (session.phase, session.queued) == (Phase.DETACHED, 0)
    session.resume(2_000.0)
    assert moved(session)
    assert session.next_deadline() == 2_015.0
    session.data_to_send()
    session.handle_timeout(2_015.0)
    assert session.data_to_send() == wire(Ping())
    session.handle_timeout(2_029.9)
    assert session.error is None
    session.handle_timeout(2_030.0)
    session.handle_timeout(2_031.0)
    assert session.error is not None  # the peer timeout holds on the new socket too


# errors


@both_roles
@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([Ack(sequence_id=2)], "The peer acknowledged message 2, but only 1 were sent."),
        ([Sequence(sequence_id=3)], "Sequence ID greater than amount of messages we've received."),
        ([Sequence(sequence_id=0)], "Sequence ID 0 is not valid: the first message has the ID 1."),
        ([call("b")], "A message arrived after a reconnect before the Sequence message, so its number is unknown."),
    ],
)
def test_a_peer_that_has_lost_count_ends_the_session(role: Role, messages: list[HubMessage], text: str) -> None:
    session = open_session(role)
    session.receive(wire(call("a")), 101.0)
    session.send(call("x"), 101.0)
    session.data_to_send()
    session.send(call("y"), 101.0)  # never sent
    session.detach()
    session.resume(102.0)
    assert session.receive(wire(Ping(), *messages, call("c")), 102.0) == []
    phase, error = status(session)
    assert (phase, type(error), str(error)) == (Phase.ENDED, ProtocolError, text)
    assert not session.resumable


@both_roles
def test_only_an_open_stateful_session_can_be_detached(role: Role) -> None:
    session = HubSession(role, [JSON], SessionOptions(), 100.0)
    with pytest.raises(InvalidStateError, match=r"^The session cannot outlive its socket\. \(The connection is handshake\.\)$"):
        session.detach()
    session.receive(encode_response() if role is Role.CLIENT else encode_request("json", 2), 100.0)
    with pytest.raises(InvalidStateError):
        session.detach()
    session = open_session(role)
    with pytest.raises(InvalidStateError, match="Only a session that has lost its socket can be resumed"):
        session.resume(101.0)
    session.detach()
    with pytest.raises(InvalidStateError):
        session.detach()
    session.receive_end()
    assert status(session) == (Phase.ENDED, None)
    with pytest.raises(InvalidStateError):
        session.resume(102.0)


# the end


@both_roles
def test_a_close_leaves_after_everything_that_is_queued(role: Role) -> None:
    session = open_session(role)
    session.receive(wire(call("x" * ACK_BYTES)), 101.0)
    session.send(call("a"), 101.0)
    session.send_close(Close(error="bye"))
    session.send_close(Close())  # only the first one counts
    expected = wire(Ack(sequence_id=1), call("a"), Close(error="bye"))
    assert session.queued == len(expected)
    assert session.data_to_send() == expected
    assert (session.queued, session.data_to_send()) == (0, b"")


@both_roles
def test_a_session_with_a_close_is_not_resumable(role: Role) -> None:
    session = open_session(role)
    session.send_close(Close())
    assert not session.resumable
    with pytest.raises(InvalidStateError):
        session.detach()
    session = open_session(role)
    session.receive(wire(Close()), 101.0)
    assert not session.resumable


@both_roles
def test_a_close_that_is_sent_while_detached_leaves_after_the_replay(role: Role) -> None:
    session = open_session(role)
    session.send(call("a"), 101.0)
    session.data_to_send()
    session.detach()
    session.send_close(Close())
    session.resume(102.0)
    assert session.data_to_send() == wire(Sequence(sequence_id=1), call("a"), Close())

"""A session with stateful reconnect, and a peer that says what it likes: a program of sends, losses and received messages."""

from __future__ import annotations

from typing import Final

from signalr_client.core import handshake
from signalr_client.core.messages import (
    COUNTED,
    Ack,
    CancelInvocation,
    Close,
    HubMessage,
    Invocation,
    Ping,
    Sequence,
    StreamItem,
)
from signalr_client.core.session import HubSession, Phase, SessionOptions
from signalr_client.errors import BindingError, InvalidStateError, ProtocolError
from tests.fuzz.inputs import Choices
from tests.fuzz.seeds import PROTOCOLS

CONTROL: Final = 2
SEEDS: Final = [
    bytes([0, 1, 0, 1, 0, 2, 3, 0, 1, 0, 6, 5, 0, 2, 4, 0, 1, 2, 0]),
    bytes([0, 5, 0, 0, 1, 0, 2, 3, 0, 2, 0, 5, 4, 0, 1, 6, 0, 7, 0, 8]),
    bytes([1, 5, 1, 4, 0, 1, 1, 5, 2, 1, 4, 0, 3, 3, 0, 0]),
    bytes([9, 3, 255, 9, 2, 7, 8]),
]
WORDS: Final = [b"\x05\x04\x00\x01", b"\x03\x00\x01", b"\x02\x00", b"\x03\x05" + b"\xff" * 8]

_MESSAGES: Final[tuple[HubMessage, ...]] = (
    Invocation(target="T", arguments=[1]),
    StreamItem(invocation_id="1", item="x" * 200),
    CancelInvocation(invocation_id="1"),
    Ping(),
    Close(allow_reconnect=True),
)


class Reference:
    """What has been received, counted in the simplest way."""

    def __init__(self) -> None:
        self.latest, self.next, self.waits = 0, 1, False

    def delivers(self, message: HubMessage) -> bool:
        """Return whether a message that has arrived is new.

        Raises:
            ProtocolError: it may not arrive now.
        """
        if isinstance(message, Sequence):
            if not 1 <= message.sequence_id <= self.latest + 1:
                raise ProtocolError
            self.next, self.waits = message.sequence_id, False
            return False
        if type(message) not in COUNTED:
            return False
        if self.waits:
            raise ProtocolError
        self.next += 1
        if self.next - 1 <= self.latest:
            return False
        self.latest = self.next - 1
        return True


def target(data: bytes) -> None:
    """Nothing is raised but InvalidStateError where it is documented; each message is delivered once; the bytes add up."""
    choices = Choices(data)
    is_client, protocol = choices.flag(), choices.pick(PROTOCOLS)
    options = SessionOptions(replay_limit=300)
    if is_client:
        session = HubSession.client(protocol, options, 0.0)
        session.receive(handshake.encode_response(), 0.0)
    else:
        session = HubSession.server(PROTOCOLS, options, 0.0)
        session.receive(handshake.encode_request(protocol.name, 2), 0.0)
    assert session.stateful
    reference, now = Reference(), 0.0
    while choices.left and session.error is None and session.phase is not Phase.ENDED:
        now += choices.number(3) / 2
        step(session, choices, reference, now)
        check_bytes(session)
    session.receive_end()
    assert not session.resumable


def step(session: HubSession, choices: Choices, reference: Reference, now: float) -> None:
    """Do one thing that the application, the peer or the network may do."""
    match choices.number(10):
        case 0 | 1:
            session.send(Invocation(target="T", arguments=["x" * choices.number(200)]), now)
        case 2:
            limit = choices.pick((None, 1, 100))
            data = session.data_to_send(limit)
            assert session.phase is not Phase.DETACHED or not data
        case 3:
            receive(session, Ack(sequence_id=choices.integer()), reference, now)
        case 4:
            receive(session, Sequence(sequence_id=choices.integer()), reference, now)
        case 5:
            receive(session, choices.pick(_MESSAGES), reference, now)
        case 6:
            lose(session, reference)
        case 7:
            session.handle_timeout(now)
        case 8:
            session.send_close(Close())
        case _:
            resume(session, now)


def receive(session: HubSession, message: HubMessage, reference: Reference, now: float) -> None:
    """Let one message arrive."""
    try:
        data = session.protocol.encode(message)
    except BindingError:
        return
    if session.phase is not Phase.OPEN:
        assert session.receive(data, now) == []
        return
    try:
        new = reference.delivers(message)
    except ProtocolError:
        assert session.receive(data, now) == []
        assert isinstance(session.error, ProtocolError)
        return
    messages = session.receive(data, now)
    if isinstance(message, Close):
        assert messages == [message]
    elif not (isinstance(message, Ack) and session.error is not None):  # an Ack for what was never sent
        assert session.error is None
        assert messages == ([message] if new else [])


def lose(session: HubSession, reference: Reference) -> None:
    """Lose the socket."""
    resumable = session.resumable and session.phase is Phase.OPEN
    try:
        session.detach()
    except InvalidStateError:
        assert not resumable
    else:
        assert resumable
        reference.waits = True


def resume(session: HubSession, now: float) -> None:
    """Get a new socket."""
    detached = session.phase is Phase.DETACHED
    try:
        session.resume(now)
    except InvalidStateError:
        assert not detached
    else:
        assert detached
        assert session.queued >= session.unacknowledged


def check_bytes(session: HubSession) -> None:
    """What is counted is what is kept."""
    replay = session.replay
    assert replay is not None
    waiting, sent = sum(map(len, replay._waiting)), sum(map(len, replay._sent))
    assert (replay.queued, replay.size) == (waiting, waiting + sent)
    control = sum(map(len, session._outbox._control.values()))
    assert session.queued == waiting + control + len(session._outbox._close)

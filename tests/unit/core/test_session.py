"""`HubSession` in both roles; the tests pass in bytes and times."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from typing import Final

import pytest

from signalr_client.core.messages import Ack, Close, Completion, HubMessage, Invocation, Ping, Sequence, StreamItem
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.session import SECOND_LOOK, HubSession, Phase, Role, SessionOptions
from signalr_client.errors import (
    BindingError,
    ConnectionClosedError,
    HandshakeError,
    ProtocolError,
    ServerTimeoutError,
    SignalRError,
)

JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()
OPTIONS: Final = SessionOptions(peer_timeout=30.0, keep_alive_interval=15.0, handshake_timeout=15.0)

SUCCESS: Final = b"{}\x1e"
PING: Final = b'{"type":6}\x1e'
HELLO: Final = b'{"type":1,"target":"Hello","arguments":[]}\x1e'
HELLO_MESSAGE: Final = Invocation(target="Hello", arguments=[])

both_protocols = pytest.mark.parametrize("protocol", [JSON, MESSAGEPACK], ids=["json", "messagepack"])
both_roles = pytest.mark.parametrize("role", list(Role), ids=[role.value for role in Role])


def open_client(options: SessionOptions = OPTIONS, protocol: HubProtocol = JSON, now: float = 100.0) -> HubSession:
    """Return a client session after the handshake, with nothing to send."""
    session = HubSession.client(protocol, options, now)
    assert session.receive(SUCCESS, now) == []
    session.data_to_send()
    return session


def open_server(options: SessionOptions = OPTIONS, protocol: HubProtocol = JSON, now: float = 100.0) -> HubSession:
    """Return a server session after the handshake, with nothing to send."""
    session = HubSession.server([JSON, MESSAGEPACK], options, now)
    request = json.dumps({"protocol": protocol.name, "version": 1}).encode() + b"\x1e"
    assert session.receive(request, now) == []
    session.data_to_send()
    return session


def open_session(role: Role, options: SessionOptions = OPTIONS, protocol: HubProtocol = JSON) -> HubSession:
    """Return a session of either role after the handshake."""
    return (open_client if role is Role.CLIENT else open_server)(options, protocol)


def status(session: HubSession) -> tuple[Phase, SignalRError | None]:
    """Return phase and error in one call, so that mypy does not narrow their types."""
    return session.phase, session.error


def moved(session: HubSession) -> bool:
    """Return the flag, so that mypy does not narrow its type."""
    return session.deadline_moved


# the client's handshake


@both_protocols
def test_the_client_sends_the_handshake_first(protocol: HubProtocol) -> None:
    session = HubSession.client(protocol, OPTIONS, 100.0)
    assert session.phase is Phase.HANDSHAKE
    request = b'{"protocol":"%s","version":1}\x1e' % protocol.name.encode()
    assert session.queued == len(request)
    assert session.data_to_send() == request
    assert session.queued == 0
    assert session.data_to_send() == b""


@both_protocols
def test_the_client_pings_immediately_after_the_handshake(protocol: HubProtocol) -> None:
    session = HubSession.client(protocol, OPTIONS, 100.0)
    session.data_to_send()
    assert session.receive(SUCCESS, 101.0) == []
    assert status(session) == (Phase.OPEN, None)
    assert session.data_to_send() == protocol.encode(Ping())


def test_the_client_sends_no_ping_on_a_transport_with_inherent_keep_alive() -> None:
    session = HubSession.client(JSON, replace(OPTIONS, inherent_keep_alive=True), 100.0)
    session.data_to_send()
    session.receive(SUCCESS, 101.0)
    assert session.phase is Phase.OPEN
    assert session.data_to_send() == b""


@both_protocols
def test_messages_may_arrive_with_the_handshake_response(protocol: HubProtocol) -> None:
    session = HubSession.client(protocol, OPTIONS, 100.0)
    assert session.receive(SUCCESS + protocol.encode(HELLO_MESSAGE) * 2, 100.0) == [HELLO_MESSAGE, HELLO_MESSAGE]
    assert session.phase is Phase.OPEN


@both_protocols
def test_handshake_response_and_messages_may_arrive_byte_by_byte(protocol: HubProtocol) -> None:
    session = HubSession.client(protocol, OPTIONS, 100.0)
    stream = SUCCESS + protocol.encode(HELLO_MESSAGE) + protocol.encode(Ping()) + protocol.encode(HELLO_MESSAGE)
    assert [message for byte in stream for message in session.receive(bytes([byte]), 100.0)] == [HELLO_MESSAGE] * 2
    assert session.error is None


def test_the_client_gets_the_error_in_the_handshake_response() -> None:
    session = HubSession.client(JSON, OPTIONS, 100.0)
    assert session.receive(b'{"error":"The protocol \'json\' is not supported."}\x1e' + HELLO, 100.0) == []
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, HandshakeError)
    assert str(session.error) == (
        "Unable to complete handshake with the server due to an error: The protocol 'json' is not supported."
    )


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (PING, "Expected a handshake response from the server."),
        (b"<html>\x1e", "The server's handshake response cannot be read: "),
        (b"[]\x1e", "The server's handshake response cannot be read: "),
        (b"\x1e", "The server's handshake response cannot be read: "),
    ],
)
def test_the_client_rejects_an_invalid_handshake_response(answer: bytes, text: str) -> None:
    session = HubSession.client(JSON, OPTIONS, 100.0)
    session.data_to_send()
    assert session.receive(answer, 100.0) == []
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, HandshakeError)
    assert str(session.error).startswith(text)
    assert session.data_to_send() == b""


def test_the_client_times_out_without_a_handshake_response() -> None:
    session = HubSession.client(JSON, replace(OPTIONS, handshake_timeout=2.5), 100.0)
    session.data_to_send()
    assert session.next_deadline() == 102.5
    session.handle_timeout(102.4)
    assert status(session) == (Phase.HANDSHAKE, None)
    session.handle_timeout(102.5)
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, HandshakeError)
    assert str(session.error) == "The handshake timed out after 2.5 seconds."
    assert session.next_deadline() is None
    assert session.data_to_send() == b""


def test_an_incomplete_handshake_does_not_extend_its_deadline() -> None:
    session = HubSession.client(JSON, OPTIONS, 100.0)
    session.receive(b"{", 110.0)
    assert session.next_deadline() == 115.0


@both_roles
def test_handshake_timeout_can_be_disabled(role: Role) -> None:
    options = replace(OPTIONS, handshake_timeout=None)
    session = HubSession.client(JSON, options, 100.0) if role is Role.CLIENT else HubSession.server([JSON], options, 100.0)
    assert session.next_deadline() is None
    session.handle_timeout(1e9)
    assert session.phase is Phase.HANDSHAKE


# the server's handshake


@pytest.mark.parametrize(
    ("request_text", "protocol"),
    [
        (b'{"protocol":"json","version":1}', JSON),
        (b'{"protocol":"messagepack","version":1}', MESSAGEPACK),
        (b'{"protocol":"json","version":0}', JSON),
        (b'{"protocol":"json","version":2}', JSON),
        (b'{"protocol":"MessagePack","version":2}', MESSAGEPACK),
        (b'{"version":1,"minorVersion":3,"protocol":"JSON"}', JSON),
    ],
)
def test_the_server_uses_the_requested_protocol(request_text: bytes, protocol: HubProtocol) -> None:
    session = HubSession.server([JSON, MESSAGEPACK], OPTIONS, 100.0)
    assert session.data_to_send() == b""
    assert session.receive(request_text + b"\x1e", 101.0) == []
    assert session.data_to_send() == SUCCESS
    assert (session.phase, session.error, session.protocol) == (Phase.OPEN, None, protocol)


@both_protocols
def test_handshake_request_and_messages_may_arrive_byte_by_byte(protocol: HubProtocol) -> None:
    session = HubSession.server([JSON, MESSAGEPACK], OPTIONS, 100.0)
    stream = b'{"protocol":"%s","version":1}\x1e' % protocol.name.encode() + protocol.encode(HELLO_MESSAGE)
    assert [message for byte in stream for message in session.receive(bytes([byte]), 100.0)] == [HELLO_MESSAGE]


REFUSED: Final = "An unexpected error occurred during connection handshake."
REFUSALS: Final = [  # responses of ASP.NET Core: request, short text, text added by detailed errors
    (b'{"protocol":"xml","version":1}', "The protocol 'xml' is not supported.", ""),
    (b'{"protocol":"","version":1}', "The protocol '' is not supported.", ""),
    (b'{"protocol":"json","version":3}', "The server does not support version 3 of the 'json' protocol.", ""),
    (b'{"protocol":"JSON","version":99}', "The server does not support version 99 of the 'JSON' protocol.", ""),
    (b"{}", REFUSED, " InvalidDataException: Missing required property 'protocol'. Message content: {}"),
    (b'{"protocol":"json"}', REFUSED,
     " InvalidDataException: Missing required property 'version'. Message content: {\"protocol\":\"json\"}"),
    (b'{"protocol":"json","version":"1"}', REFUSED, " InvalidDataException: Expected 'version' to be of type Number."),
    (b'{"protocol":1,"version":1}', REFUSED, " InvalidDataException: Expected 'protocol' to be of type String."),
    (b"[1]", REFUSED, " InvalidDataException: Unexpected JSON Token Type 'Array'. Expected a JSON Object."),
    (b'{"type":6}', REFUSED, " InvalidDataException: Missing required property 'protocol'. Message content: {\"type\":6}"),
]  # fmt: skip


@pytest.mark.parametrize("detailed", [False, True], ids=["short", "detailed"])
@pytest.mark.parametrize(("request_text", "text", "detail"), REFUSALS)
def test_the_server_sends_the_reason_for_rejecting_a_handshake(
    request_text: bytes, text: str, detail: str, detailed: bool
) -> None:
    session = HubSession.server([JSON], replace(OPTIONS, enable_detailed_errors=detailed), 100.0)
    assert session.receive(request_text + b"\x1e" + HELLO, 100.0) == []
    expected = text + detail * detailed
    assert json.loads(session.data_to_send().removesuffix(b"\x1e")) == {"error": expected}
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, HandshakeError)
    assert str(session.error) == expected
    assert session.next_deadline() is None


@pytest.mark.parametrize("request_text", [b"", b"{", b"\x02\x91\x06", b"GET / HTTP/1.1"])
def test_the_server_rejects_a_handshake_that_is_not_json(request_text: bytes) -> None:
    session = HubSession.server([JSON], replace(OPTIONS, enable_detailed_errors=True), 100.0)
    session.receive(request_text + b"\x1e", 100.0)
    assert str(session.error).startswith(f"{REFUSED} InvalidDataException: Error reading JSON. ")


def test_the_server_rejects_a_binary_protocol_on_a_text_transport() -> None:
    options = replace(OPTIONS, text_only=True)
    session = HubSession.server([JSON, MESSAGEPACK], options, 100.0)
    session.receive(b'{"protocol":"messagepack","version":1}\x1e', 100.0)
    text = (
        "Cannot use the 'messagepack' protocol on the current transport."
        " The transport does not support 'Binary' transfer format."
    )
    assert json.loads(session.data_to_send()[:-1]) == {"error": text}
    assert str(session.error) == text
    assert open_server(options).phase is Phase.OPEN


def test_the_server_cancels_a_handshake_that_takes_too_long() -> None:
    session = HubSession.server([JSON], OPTIONS, 100.0)
    session.receive(b'{"protocol"', 110.0)
    assert session.next_deadline() == 115.0
    session.handle_timeout(114.9)
    assert session.data_to_send() == b""
    session.handle_timeout(115.0)
    assert session.data_to_send() == b'{"error":"Handshake was canceled."}\x1e'
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, HandshakeError)
    assert str(session.error) == "Handshake was canceled."


@pytest.mark.parametrize("chunks", [[b"x" * 41], [b"x" * 20, b"x" * 21], [b"x" * 40 + b"\x1e"], [b"x" * 40, b"\x1e"]])
def test_the_server_cancels_a_handshake_that_is_too_large(chunks: list[bytes]) -> None:
    session = HubSession.server([JSON], replace(OPTIONS, max_message_size=40), 100.0)
    for chunk in chunks:
        assert session.receive(chunk, 100.0) == []
    assert session.data_to_send() == b'{"error":"Handshake was canceled."}\x1e'
    assert session.phase is Phase.ENDED


@both_roles
def test_the_size_of_a_handshake_is_limited_even_without_a_message_limit(role: Role) -> None:
    options = replace(OPTIONS, max_message_size=None)
    session = HubSession.client(JSON, options, 100.0) if role is Role.CLIENT else HubSession.server([JSON], options, 100.0)
    session.data_to_send()
    session.receive(b"x" * 65_536, 100.0)
    assert session.phase is Phase.HANDSHAKE
    session.receive(b"x", 100.0)
    assert isinstance(session.error, HandshakeError)
    if role is Role.CLIENT:
        assert str(session.error) == "The server's handshake response is longer than 65536 bytes."
    else:
        assert session.data_to_send() == b'{"error":"Handshake was canceled."}\x1e'


def test_the_client_error_names_the_option_that_limits_the_handshake() -> None:
    session = HubSession.client(JSON, replace(OPTIONS, max_message_size=40), 100.0)
    session.receive(b"x" * 41, 100.0)
    assert isinstance(session.error, HandshakeError)
    assert str(session.error) == "The server's handshake response is longer than max_message_size, 40 bytes."


def test_the_server_accepts_a_handshake_of_exactly_the_limit() -> None:
    request = b'{"protocol":"json","version":1}\x1e'
    for chunks in ([request], [request[:-1], request[-1:]]):
        session = HubSession.server([JSON], replace(OPTIONS, max_message_size=len(request)), 100.0)
        for chunk in chunks:
            session.receive(chunk, 100.0)
        assert status(session) == (Phase.OPEN, None)


def test_bytes_after_the_handshake_do_not_count_towards_its_size() -> None:
    session = HubSession.server([JSON], replace(OPTIONS, max_message_size=45), 100.0)
    assert session.receive(b'{"protocol":"json","version":1}\x1e' + HELLO, 100.0) == [HELLO_MESSAGE]


@both_roles
def test_a_connection_that_ends_during_the_handshake_has_no_error(role: Role) -> None:
    session = HubSession.client(JSON, OPTIONS, 100.0) if role is Role.CLIENT else HubSession.server([JSON], OPTIONS, 100.0)
    session.data_to_send()
    session.receive(b'{"pro', 100.0)
    session.receive_end()
    assert (session.phase, session.error, session.data_to_send()) == (Phase.ENDED, None, b"")


# messages


@both_roles
@both_protocols
def test_messages_are_returned_in_order_for_any_chunking(role: Role, protocol: HubProtocol) -> None:
    sent: list[HubMessage] = [
        HELLO_MESSAGE,
        StreamItem(invocation_id="1", item=["\x1e", 1, None]),
        Completion(invocation_id="1"),
        Invocation(target="T", arguments=["x" * 300]),
    ]
    stream = b"".join(protocol.encode(message) for message in sent)
    for size in (1, 2, 3, 7, len(stream)):
        session = open_session(role, protocol=protocol)
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [message for chunk in chunks for message in session.receive(chunk, 100.0)] == sent
        assert session.error is None


@both_roles
@both_protocols
def test_ping_ack_and_sequence_never_leave_the_session(role: Role, protocol: HubProtocol) -> None:
    session = open_session(role, protocol=protocol)
    kept: list[HubMessage] = [Ping(), Ack(sequence_id=1), Sequence(sequence_id=1)]
    assert session.receive(b"".join(protocol.encode(message) for message in [*kept, HELLO_MESSAGE]), 100.0) == [HELLO_MESSAGE]
    assert status(session) == (Phase.OPEN, None)


@both_roles
def test_messages_of_unknown_type_are_skipped(role: Role) -> None:
    session = open_session(role)
    assert session.receive(HELLO + b'{"type":99,"a":1}\x1e' + HELLO, 100.0) == [HELLO_MESSAGE, HELLO_MESSAGE]
    assert session.error is None
    session = open_session(role, protocol=MESSAGEPACK)
    hello = MESSAGEPACK.encode(HELLO_MESSAGE)
    assert session.receive(hello + b"\x03\x92\x63\x01" + hello, 100.0) == [HELLO_MESSAGE, HELLO_MESSAGE]
    assert session.error is None
    assert session.skipped == 1


MEASURED: Final = replace(OPTIONS, measure=True)


@both_roles
@both_protocols
def test_sizes_are_those_of_the_returned_messages(role: Role, protocol: HubProtocol) -> None:
    session = open_session(role, MEASURED, protocol)
    large = Invocation(target="T", arguments=["x" * 300])
    wires = [
        protocol.encode(message)
        for message in (HELLO_MESSAGE, Ping(), large, Ack(sequence_id=1), Completion(invocation_id="1"))
    ]
    stream = b"".join(wires)
    assert len(session.receive(stream[:-1], 100.0)) == 2
    framing = {wire: len(wire) - len(protocol.framer().feed(wire)[0]) for wire in wires}
    assert session.sizes == [len(wire) - framing[wire] for wire in (wires[0], wires[2])]
    session.receive(stream[-1:] + protocol.encode(Close()), 100.0)
    assert session.sizes == [len(wires[4]) - framing[wires[4]], len(protocol.encode(Close())) - 1]
    session.receive(b"", 100.0)
    assert session.sizes == []


@both_roles
def test_sizes_are_as_many_as_the_messages_before_an_error(role: Role) -> None:
    session = open_session(role, MEASURED)
    assert session.receive(HELLO + b"[]\x1e" + HELLO, 100.0) == [HELLO_MESSAGE]
    assert isinstance(session.error, ProtocolError)
    assert session.sizes == [len(HELLO) - 1]


def test_sizes_include_messages_received_with_the_handshake() -> None:
    session = HubSession.server([JSON], MEASURED, 100.0)
    assert session.receive(b'{"protocol":"json","version":1}\x1e' + HELLO, 100.0) == [HELLO_MESSAGE]
    assert session.sizes == [len(HELLO) - 1]


def test_sizes_are_recorded_only_if_requested() -> None:
    session = open_server()
    assert session.receive(HELLO, 100.0) == [HELLO_MESSAGE]
    assert session.sizes == []


@both_roles
@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (b"nonsense\x1e", "Error reading JSON. "),
        (b'{"type":3}\x1e', "Missing required property 'invocationId'."),
        (b"\x1e", "Error reading JSON. "),
    ],
)
def test_invalid_data_ends_the_session_after_the_messages_before_it(role: Role, broken: bytes, text: str) -> None:
    session = open_session(role)
    assert session.receive(HELLO + broken + HELLO, 100.0) == [HELLO_MESSAGE]
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, ProtocolError)
    assert str(session.error).startswith(text)
    error = session.error
    assert session.receive(HELLO, 101.0) == []
    session.receive_end()
    assert session.error is error


def test_an_invalid_length_ends_the_session_after_the_messages_before_it() -> None:
    session = open_client(protocol=MESSAGEPACK)
    assert session.receive(MESSAGEPACK.encode(HELLO_MESSAGE) + b"\xff" * 5, 100.0) == [HELLO_MESSAGE]
    assert session.phase is Phase.ENDED
    assert str(session.error) == "Messages over 2GB in size are not supported. (length prefix ff ff ff ff ff)"


TOO_LARGE: Final = {
    Role.CLIENT: "The server sent a message of more than 200 bytes. To receive it, raise the max_message_size of with_url(), or set it"
    " to None for no limit.",
    Role.SERVER: "The maximum message size of 200B was exceeded. The message size can be configured in AddHubOptions.",
}


@both_roles
@both_protocols
def test_a_message_over_the_limit_ends_the_session_after_the_messages_before_it(role: Role, protocol: HubProtocol) -> None:
    session = open_session(role, replace(OPTIONS, max_message_size=200), protocol)
    hello, large = protocol.encode(HELLO_MESSAGE), protocol.encode(Invocation(target="T", arguments=["x" * 200]))
    assert session.receive(hello * 10 + large + hello, 100.0) == [HELLO_MESSAGE] * 10
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, ProtocolError)
    assert str(session.error) == TOO_LARGE[role]


@both_roles
@both_protocols
def test_a_message_of_exactly_the_limit_is_accepted(role: Role, protocol: HubProtocol) -> None:
    message = Invocation(target="T", arguments=["x" * 100])
    wire = protocol.encode(message)
    session = open_session(role, replace(OPTIONS, max_message_size=len(wire)), protocol)
    assert session.receive(wire, 100.0) == [message]
    session = open_session(role, replace(OPTIONS, max_message_size=len(wire) - 1), protocol)
    assert session.receive(wire, 100.0) == []
    assert isinstance(session.error, ProtocolError)


@both_protocols
def test_a_truncated_message_at_the_end_is_an_error(protocol: HubProtocol) -> None:
    session = open_client(protocol=protocol)
    assert session.receive(protocol.encode(HELLO_MESSAGE)[:-1], 100.0) == []
    session.receive_end()
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, ProtocolError)
    assert str(session.error) == "Connection terminated while reading a message."


@both_protocols
def test_the_end_after_a_complete_message_is_not_an_error(protocol: HubProtocol) -> None:
    session = open_client(protocol=protocol)
    assert session.receive(protocol.encode(HELLO_MESSAGE), 100.0) == [HELLO_MESSAGE]
    session.receive_end()
    assert status(session) == (Phase.ENDED, None)
    assert session.next_deadline() is None


@both_roles
@pytest.mark.parametrize("close", [Close(), Close(error="bye"), Close(allow_reconnect=True)])
def test_data_after_a_close_is_ignored(role: Role, close: Close) -> None:
    session = open_session(role)
    assert session.receive(HELLO + JSON.encode(close) + HELLO, 100.0) == [HELLO_MESSAGE, close]
    assert status(session) == (Phase.ENDED, None)
    assert session.receive(HELLO, 101.0) == []
    assert session.next_deadline() is None
    session.receive_end()
    assert session.error is None


# data to send


@both_roles
@both_protocols
def test_queued_messages_are_returned_together(role: Role, protocol: HubProtocol) -> None:
    session = open_session(role, protocol=protocol)
    wire = protocol.encode(HELLO_MESSAGE)
    for count in range(1, 4):
        session.send(HELLO_MESSAGE, 101.0)
        assert session.queued == count * len(wire)
    session.send_encoded(b"already")
    assert session.queued == 3 * len(wire) + 7
    assert session.data_to_send() == wire * 3 + b"already"
    assert (session.queued, session.data_to_send()) == (0, b"")


@both_roles
def test_data_to_send_takes_whole_messages_up_to_the_limit(role: Role) -> None:
    session = open_session(role)
    for data in (b"aaaa", b"bbb", b"cc", b"d"):
        session.send_encoded(data)
    assert session.data_to_send(0) == b"aaaa"  # at least one message, whatever its size
    assert session.queued == 6
    assert session.data_to_send(5) == b"bbbcc"
    session.send_encoded(b"eeeee")
    assert session.queued == 6
    assert session.data_to_send(5) == b"d"
    assert session.data_to_send(5) == b"eeeee"
    assert (session.queued, session.data_to_send(5), session.data_to_send()) == (0, b"", b"")


def test_data_to_send_takes_everything_below_the_limit() -> None:
    session = open_server()
    session.send_encoded(b"aaaa")
    session.send_encoded(b"bb")
    assert session.data_to_send(6) == b"aaaabb"
    session.send_encoded(b"aaaa")
    session.send_encoded(b"bb")
    assert session.data_to_send(5) == b"aaaa"
    assert session.data_to_send() == b"bb"
    assert session.queued == 0


def test_taking_messages_one_by_one_does_not_copy_the_queue() -> None:
    """The cost is linear: the remaining messages are not touched."""
    session = open_server()
    messages = [b"%04d" % number for number in range(1000)]
    for message in messages:
        session.send_encoded(message)
    queue = session._outbox.messages
    assert isinstance(queue, deque)
    taken = []
    while data := session.data_to_send(4):
        taken.append(data)
        assert session._outbox.messages is queue
        assert session.queued == 4 * len(queue)
    assert taken == messages
    assert all(one is other for one, other in zip(taken, messages, strict=True))  # the same objects, not copies


def test_a_value_that_cannot_be_encoded_does_not_change_the_session() -> None:
    session = open_client()
    session.send(HELLO_MESSAGE, 101.0)
    queued, deadline = session.queued, session.next_deadline()
    with pytest.raises(BindingError):
        session.send(Invocation(target="T", arguments=[object()]), 105.0)
    assert (session.queued, session.next_deadline()) == (queued, deadline)
    assert status(session) == (Phase.OPEN, None)


def test_the_size_of_the_largest_message_is_recorded() -> None:
    session = open_client()
    large = Invocation(target="T", arguments=["x" * 100])
    for message in (HELLO_MESSAGE, large, HELLO_MESSAGE):
        session.send(message, 101.0)
    assert session.largest_sent == len(JSON.encode(large))


# timers of the client


def test_the_client_pings_after_an_interval_without_sending() -> None:
    session = open_client(now=100.0)
    assert session.next_deadline() == 115.0
    session.handle_timeout(114.9)
    assert session.data_to_send() == b""
    session.handle_timeout(115.0)
    assert session.data_to_send() == PING
    session.receive(PING, 116.0)
    assert session.next_deadline() == 130.0


def test_sending_a_message_postpones_the_ping_of_the_client() -> None:
    session = open_client(now=100.0)
    session.send(HELLO_MESSAGE, 110.0)
    assert session.next_deadline() == 125.0
    session.data_to_send()
    session.handle_timeout(115.0)
    assert session.data_to_send() == b""


def test_receiving_a_message_does_not_postpone_the_ping_of_the_client() -> None:
    session = open_client(now=100.0)
    session.receive(PING, 114.0)
    assert session.next_deadline() == 115.0


def test_server_silence_closes_the_session() -> None:
    session = open_client(now=100.0)
    session.receive(PING, 110.0)
    for moment in (115.0, 130.0):
        session.handle_timeout(moment)
        assert session.data_to_send() == PING
    assert session.next_deadline() == 140.0
    session.handle_timeout(139.9)
    session.handle_timeout(140.5)
    assert status(session) == (Phase.OPEN, None)  # bytes may have arrived that have not been read yet
    assert session.next_deadline() == 140.5 + SECOND_LOOK
    session.handle_timeout(140.5)
    assert status(session) == (Phase.OPEN, None)
    session.handle_timeout(141.0)
    assert session.phase is Phase.ENDED
    assert isinstance(session.error, ServerTimeoutError)
    assert (session.error.server_timeout, session.error.idle) == (30.0, 31.0)
    assert session.error.reason == ("Server timeout (30000.00ms) elapsed without receiving a message from the server.")
    assert session.next_deadline() is None
    assert session.data_to_send() == b""


@both_roles
@pytest.mark.parametrize("data", [PING, HELLO, b""])
def test_a_peer_is_not_timed_out_after_the_event_loop_was_blocked(role: Role, data: bytes) -> None:
    """After the loop was blocked, the timer fires before the bytes that arrived in the meantime are delivered."""
    session = open_session(role)
    session.receive(PING, 100.0)
    session.handle_timeout(1_000.0)
    session.receive(data, 1_000.0)
    assert session.next_deadline() == 1_015.0
    session.handle_timeout(1_000.0 + SECOND_LOOK)
    assert status(session) == (Phase.OPEN, None)
    session.handle_timeout(1_015.0)
    session.handle_timeout(1_030.0)
    session.handle_timeout(1_030.0 + SECOND_LOOK)
    assert session.phase is Phase.ENDED


def test_the_server_timeout_does_not_run_while_reading_is_paused() -> None:
    """A client that has paused reading cannot tell whether the server is silent; pings are sent anyway."""
    session = open_client(now=100.0)
    session.handle_timeout(200.0)  # the first check finds no data
    session.excuse_silence(200.0)
    session.handle_timeout(200.0 + SECOND_LOOK)
    assert status(session) == (Phase.OPEN, None)
    assert session.data_to_send() == PING
    session.handle_timeout(230.0)
    session.handle_timeout(230.0 + SECOND_LOOK)
    assert isinstance(session.error, ServerTimeoutError)


def test_a_ping_that_is_due_is_sent_at_the_first_check() -> None:
    """After the loop was blocked, the peer has received nothing either and must not have to wait longer."""
    session = open_client(now=100.0)
    session.handle_timeout(1_000.0)
    assert session.data_to_send() == PING
    assert session.next_deadline() == 1_000.0 + SECOND_LOOK
    session.handle_timeout(1_000.0 + SECOND_LOOK)
    assert isinstance(session.error, ServerTimeoutError)
    assert session.data_to_send() == b""


def test_a_ping_that_is_due_before_the_second_check_is_sent() -> None:
    session = open_client(replace(OPTIONS, keep_alive_interval=0.06, peer_timeout=0.1), now=100.0)
    session.handle_timeout(100.1)
    assert session.data_to_send() == PING
    assert session.next_deadline() == pytest.approx(100.16)
    session.handle_timeout(100.17)
    assert session.data_to_send() == PING
    assert session.next_deadline() == pytest.approx(100.2)
    assert status(session) == (Phase.OPEN, None)
    session.handle_timeout(100.21)
    assert session.phase is Phase.ENDED


@pytest.mark.parametrize("data", [PING, HELLO, b'{"type":99}\x1e', b"{"])
def test_any_data_from_the_server_restarts_the_server_timeout(data: bytes) -> None:
    session = open_client(replace(OPTIONS, keep_alive_interval=None), now=100.0)
    assert session.next_deadline() == 130.0
    session.receive(data, 120.0)
    assert session.next_deadline() == 150.0


def test_the_handshake_restarts_the_server_timeout() -> None:
    session = HubSession.client(JSON, replace(OPTIONS, keep_alive_interval=None), 100.0)
    session.receive(SUCCESS, 112.0)
    assert session.next_deadline() == 142.0


@pytest.mark.parametrize(
    ("options", "deadline"),
    [
        (replace(OPTIONS, keep_alive_interval=None), 130.0),
        (replace(OPTIONS, peer_timeout=None), 115.0),
        (replace(OPTIONS, peer_timeout=None, keep_alive_interval=None), None),
        (replace(OPTIONS, peer_timeout=10.0), 110.0),
        (replace(OPTIONS, inherent_keep_alive=True), None),
    ],
)
def test_timers_can_be_disabled(options: SessionOptions, deadline: float | None) -> None:
    session = open_client(options, now=100.0)
    assert session.next_deadline() == deadline
    if deadline is None:
        session.handle_timeout(1e9)
        assert (session.phase, session.error, session.data_to_send()) == (Phase.OPEN, None, b"")


def test_handle_timeout_before_the_deadline_does_nothing() -> None:
    session = open_client(now=100.0)
    for moment in (100.0, 107.5, 114.999):
        session.handle_timeout(moment)
    assert (session.data_to_send(), session.error) == (b"", None)


# timers of the server


def test_the_server_pings_at_a_fixed_interval() -> None:
    session = open_server(now=100.0)
    assert session.next_deadline() == 115.0
    session.send(HELLO_MESSAGE, 110.0)
    session.send_encoded(HELLO)
    assert session.next_deadline() == 115.0
    session.data_to_send()
    session.handle_timeout(115.25)
    assert session.data_to_send() == PING
    assert session.next_deadline() == 130.25


def test_a_client_that_never_pings_is_never_timed_out() -> None:
    session = open_server(replace(OPTIONS, keep_alive_interval=None), now=100.0)
    session.receive(HELLO, 110.0)
    assert session.next_deadline() is None
    session.handle_timeout(1e9)
    assert status(session) == (Phase.OPEN, None)


def test_the_client_timeout_starts_with_the_first_ping() -> None:
    session = open_server(replace(OPTIONS, keep_alive_interval=None), now=100.0)
    session.receive(PING, 110.0)
    assert session.next_deadline() == 140.0
    session.receive(HELLO, 120.0)  # any message restarts it
    assert session.next_deadline() == 150.0
    session.handle_timeout(149.9)
    session.handle_timeout(150.0)
    assert status(session) == (Phase.OPEN, None)
    assert session.next_deadline() == 150.0 + SECOND_LOOK
    session.handle_timeout(150.0 + SECOND_LOOK)
    assert session.phase is Phase.ENDED
    assert type(session.error) is ConnectionClosedError
    assert str(session.error) == "Client hasn't sent a message/ping within the configured ClientTimeoutInterval."


@pytest.mark.parametrize(("keep_alive", "before"), [(15.0, 115.0), (None, None)])
def test_the_first_ping_of_a_client_reports_an_earlier_deadline(keep_alive: float | None, before: float | None) -> None:
    session = open_server(replace(OPTIONS, keep_alive_interval=keep_alive, peer_timeout=2.0), now=100.0)
    assert session.next_deadline() == before
    session.receive(HELLO, 101.0)
    assert not moved(session)
    session.receive(PING, 102.0)
    assert moved(session)
    assert session.next_deadline() == 104.0
    assert not moved(session)
    session.receive(PING, 103.0)  # only moves the deadline to a later time
    assert not moved(session)
    assert session.next_deadline() == 105.0


@both_roles
def test_the_end_of_the_handshake_may_change_the_deadline(role: Role) -> None:
    session = HubSession.client(JSON, OPTIONS, 100.0) if role is Role.CLIENT else HubSession.server([JSON], OPTIONS, 100.0)
    assert session.next_deadline() == 115.0
    session.receive(b"{", 101.0)
    assert not moved(session)
    session.receive(b"}\x1e" if role is Role.CLIENT else b'"protocol":"json","version":1}\x1e', 101.0)
    assert moved(session)
    session.handle_timeout(101.0)
    assert moved(session)  # until the owner has read the new deadline
    session.next_deadline()
    assert not moved(session)


def test_a_ping_does_not_change_the_deadline_on_a_transport_with_inherent_keep_alive() -> None:
    session = open_server(replace(OPTIONS, inherent_keep_alive=True))
    session.next_deadline()
    session.receive(PING, 101.0)
    assert not moved(session)


def test_the_server_has_no_timers_on_a_transport_with_inherent_keep_alive() -> None:
    session = open_server(replace(OPTIONS, inherent_keep_alive=True), now=100.0)
    session.receive(PING, 110.0)
    assert session.next_deadline() is None
    session.handle_timeout(1e9)
    assert (session.phase, session.error, session.data_to_send()) == (Phase.OPEN, None, b"")


def test_defaults_equal_those_of_the_official_implementations() -> None:
    options = SessionOptions()
    assert (options.peer_timeout, options.keep_alive_interval, options.handshake_timeout) == (30.0, 15.0, 15.0)
    assert options.max_message_size is None


@both_protocols
def test_client_and_server_sessions_can_exchange_messages(protocol: HubProtocol) -> None:
    client = HubSession.client(protocol, OPTIONS, 100.0)
    server = HubSession.server([JSON, MESSAGEPACK], OPTIONS, 100.0)
    call = Invocation(invocation_id="1", target="Add", arguments=[1, 2])
    answer = Completion(invocation_id="1", result=3)
    assert server.receive(client.data_to_send(), 100.0) == []
    assert client.receive(server.data_to_send(), 100.1) == []
    client.send(call, 100.2)
    assert server.receive(client.data_to_send(), 100.3) == [call]
    server.send(answer, 100.4)
    server.send_close(Close())
    assert client.receive(server.data_to_send(), 100.5) == [answer, Close()]
    assert (client.phase, client.error, server.error) == (Phase.ENDED, None, None)

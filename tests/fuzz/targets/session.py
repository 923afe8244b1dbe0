"""Whole sessions, of both roles: the handshake, then any frames."""

from __future__ import annotations

from typing import Final

from signalr_client.core import handshake
from signalr_client.core.messages import HubMessage
from signalr_client.core.session import HubSession, Phase, SessionOptions
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.properties import check_error, same
from tests.fuzz.seeds import HANDSHAKES, JSON, JSON_WORDS, MESSAGEPACK, MESSAGEPACK_WORDS, PROTOCOLS, streams

CONTROL: Final = 6
SEEDS: Final = [
    *HANDSHAKES,
    *(start + stream for start in HANDSHAKES[:1] for stream in streams(JSON)),
    *(start + stream for start in HANDSHAKES[1:2] for stream in streams(MESSAGEPACK)),
    *(HANDSHAKES[3] + stream for stream in [*streams(JSON), *streams(MESSAGEPACK)]),
]
WORDS: Final = [*JSON_WORDS, *MESSAGEPACK_WORDS, *HANDSHAKES]

_LIMITS: Final = (None, 32_768, 100, 30)


def target(data: bytes) -> None:
    """Pieces give the same messages, the same error and the same output as the whole, and nothing is raised."""
    choices = Choices(data)
    is_client, protocol = choices.flag(), choices.pick(PROTOCOLS)
    options = SessionOptions(
        max_message_size=choices.pick(_LIMITS),
        replay_limit=choices.pick((None, 1000)),
        text_only=choices.number(8) == 1,
        enable_detailed_errors=True,
        measure=True,
    )
    pattern, open_first = choices.pick(PATTERNS), choices.flag()
    stream = choices.rest()
    if open_first:
        stream = (handshake.encode_response() if is_client else handshake.encode_request(protocol.name, 2)) + stream

    def new_session() -> HubSession:
        return HubSession.client(protocol, options, 0.0) if is_client else HubSession.server(PROTOCOLS, options, 0.0)

    whole, pieces = new_session(), new_session()
    messages = receive(whole, [stream])
    assert same(receive(pieces, cut(stream, pattern)), messages)
    check_equal_ends(whole, pieces)
    assert len(messages) <= len(stream)
    if whole.error is not None:
        check_error(whole.error, len(stream))
    sent = whole.data_to_send()
    assert len(sent) <= 20 * len(stream) + 1000
    assert whole.queued == 0
    assert pieces.data_to_send() == sent
    assert whole.receive(b"{}\x1e" * 3, 0.0) == []
    assert whole.next_deadline() is None


def receive(session: HubSession, pieces: object) -> list[HubMessage]:
    """Receive to the end."""
    messages: list[HubMessage] = []
    for piece in pieces:  # type: ignore[attr-defined]  # bytes objects
        found = session.receive(piece, 0.0)
        assert len(session.sizes) in (len(found), 0) or session.phase is Phase.ENDED
        messages += found
        session.handle_timeout(0.0)
        if session.phase is Phase.ENDED:
            break
    return messages


def check_equal_ends(whole: HubSession, pieces: HubSession) -> None:
    """Both sessions end in the same way."""
    for session in (whole, pieces):
        session.receive_end()
        assert session.phase is Phase.ENDED
    assert (type(pieces.error), str(pieces.error)) == (type(whole.error), str(whole.error))
    assert (pieces.skipped, pieces.stateful, pieces.protocol) == (whole.skipped, whole.stateful, whole.protocol)
    assert pieces.unacknowledged == whole.unacknowledged

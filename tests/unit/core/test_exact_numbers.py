"""Which records are decoded with all digits of their numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from signalr_client.core.exact_numbers import ExactNumbers
from signalr_client.core.messages import Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from signalr_client.core.protocols import HubProtocol, JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.session import HubSession, SessionOptions

JSON: Final = JsonHubProtocol()
NUMBER: Final = "0.12345678901234567890"


def value_of(message: HubMessage | None) -> object:
    """Return the only value of a message."""
    match message:
        case Invocation() | StreamInvocation():
            return message.arguments[0]
        case StreamItem():
            return message.item
        case Completion():
            return message.result
        case _:
            raise AssertionError(message)


def records(key: str) -> list[bytes]:
    """Return a record of each kind with a value, for the target or the id *key*."""
    return [
        b'{"type":1,"target":"%s","arguments":[%s]}' % (key.encode(), NUMBER.encode()),
        b'{"type":4,"invocationId":"9","target":"%s","arguments":[%s]}' % (key.encode(), NUMBER.encode()),
        b'{"type":2,"invocationId":"%s","item":%s}' % (key.encode(), NUMBER.encode()),
        b'{"type":3,"invocationId":"%s","result":%s}' % (key.encode(), NUMBER.encode()),
    ]


def test_nothing_is_done_while_nothing_is_asked_for() -> None:
    exact = ExactNumbers()
    assert exact.decoder(JSON) == JSON.decode
    exact.targets = set()
    assert exact.decoder(JSON) == JSON.decode
    exact.ids.add("1")
    assert exact.decoder(JSON) != JSON.decode
    assert exact.decoder(MessagePackHubProtocol()) != JSON.decode


def test_only_what_was_asked_for_has_all_digits() -> None:
    exact = ExactNumbers()
    exact.targets = {"Known"}
    exact.ids |= {"1", "2"}
    decode = exact.decoder(JSON)
    call, streaming_call, _, _ = records("Known")
    _, _, item, completion = records("1")
    for record in (call, streaming_call, item, item, completion):
        assert value_of(decode(record)) == Decimal(NUMBER)
    for record in [*records("Other"), completion]:  # the completion has removed its id
        assert value_of(decode(record)) == float(NUMBER)
    assert exact.ids == {"2"}


def test_other_messages_are_decoded_as_always() -> None:
    exact = ExactNumbers()
    exact.ids.add("1")
    decode = exact.decoder(JSON)
    assert decode(b'{"type":6}') == JSON.decode(b'{"type":6}')
    assert decode(b'{"type":99}') is None


class OwnProtocol:
    """A protocol that cannot decode digits."""

    def __init__(self) -> None:
        self.name, self.version, self.transfer_format = JSON.name, JSON.version, JSON.transfer_format
        self.framer, self.encode, self.decode = JSON.framer, JSON.encode, JSON.decode


def test_a_protocol_that_knows_nothing_of_digits_is_used_as_it_is() -> None:
    protocol: HubProtocol = OwnProtocol()
    exact = ExactNumbers()
    exact.ids.add("1")
    assert exact.decoder(protocol) == JSON.decode


def test_a_session_asks_for_each_frame() -> None:
    session = HubSession.client(JSON, SessionOptions(), 0.0)
    session.receive(b"{}\x1e", 0.0)
    item = records("1")[2] + b"\x1e"
    assert [value_of(message) for message in session.receive(item, 0.0)] == [float(NUMBER)]
    session.options.exact.ids.add("1")
    assert [value_of(message) for message in session.receive(item + item, 0.0)] == [Decimal(NUMBER)] * 2
    session.options.exact.ids.clear()
    assert [value_of(message) for message in session.receive(item, 0.0)] == [float(NUMBER)]


def test_sessions_do_not_share_what_they_know() -> None:
    first, second = SessionOptions(), SessionOptions()
    first.exact.ids.add("1")
    assert not second.exact.ids

"""How messages are shown in the log."""

from __future__ import annotations

import pytest

from signalr_client.client.describe import describe, shown
from signalr_client.core.messages import (
    CancelInvocation,
    Completion,
    HubMessage,
    Invocation,
    Ping,
    StreamInvocation,
    StreamItem,
)

FORGED = "x\n2026-01-01 ERROR forged"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Send", "Send"),
        ("größe 日本", "größe 日本"),
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\u202eb", "a\\u202eb"),
        ("x" * 100, "x" * 100),
        ("x" * 10_000, "x" * 100 + "..."),
    ],
)
def test_a_name_in_the_log_is_short_and_printable(name: str, text: str) -> None:
    assert shown(name) == text


@pytest.mark.parametrize(
    "message",
    [
        Invocation(invocation_id=FORGED, target=FORGED, arguments=[], stream_ids=[FORGED]),
        StreamInvocation(invocation_id=FORGED, target="T", arguments=[]),
        StreamItem(invocation_id=FORGED, item=None),
        Completion(invocation_id=FORGED),
        CancelInvocation(invocation_id=FORGED),
    ],
    ids=lambda message: type(message).__name__,
)
def test_a_message_cannot_forge_a_line_of_the_log(message: HubMessage) -> None:
    assert describe(message).isprintable()


def test_ordinary_messages_are_shown_with_their_ids() -> None:
    assert describe(Invocation(target="Send", arguments=[1, 2])) == "Invocation id=- target=Send args=2"
    call = StreamInvocation(invocation_id="1", target="Read", arguments=[], stream_ids=["2", "3"])
    assert describe(call) == "StreamInvocation id=1 target=Read args=0 streams=2,3"
    assert describe(Completion(invocation_id="1", error="x")) == "Completion id=1 error"
    assert describe(CancelInvocation(invocation_id="1")) == "CancelInvocation 1"
    assert describe(Ping()) == "Ping"

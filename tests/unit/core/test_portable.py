"""Values that a server may forward from one client to others with any hub protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest

from signalr_client.core.messages import StreamItem
from signalr_client.core.portable import PORTABLE_DEPTH, find_unportable, find_unportable_from_json
from signalr_client.core.protocols import JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.timestamps import PreciseDatetime

JSON: Final = JsonHubProtocol()
MESSAGEPACK: Final = MessagePackHubProtocol()
MOMENT: Final = datetime(2026, 1, 2, tzinfo=UTC)
INTEGER: Final = "an integer of more than 64 bits, which MessagePack cannot carry"


def received(wire: str) -> Any:
    """Return the item in a message from a MessagePack client."""
    message = MESSAGEPACK.decode(bytes.fromhex("94 02 80 a1 31" + wire))
    assert isinstance(message, StreamItem)
    return message.item


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -(2**63), 2**64 - 1, 1.5, float("nan"), float("inf"), "", "é\x00", b"\xff", MOMENT,
        PreciseDatetime.of(MOMENT, 700), [], {}, [[1, "a"], {"a": [None, {"b": b"x"}]}], {1: "a", "1": "b"}, list(range(1000)),
    ],
)  # fmt: skip
def test_values_that_both_protocols_support_are_portable(value: object) -> None:
    assert find_unportable(value) is None
    assert find_unportable([value, {"a": value}]) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (2**64, f"{INTEGER} - at `$`"),
        (-(2**63) - 1, f"{INTEGER} - at `$`"),
        (10**300, f"{INTEGER} - at `$`"),
        ([1, [2, 2**64]], f"{INTEGER} - at `$[1][1]`"),
        ({"a": 1, "b": [{"c": -(2**64)}]}, f"{INTEGER} - at `$.b[0].c`"),
        (received("d4 05 61"), "a MessagePack extension of type 5, which JSON cannot carry - at `$`"),
        (received("92 01 c7 03 f0 01 02 03"), "a MessagePack extension of type -16, which JSON cannot carry - at `$[1]`"),
        (received("81 c0 01"), "a map key of type NoneType, which JSON cannot carry - at `$`"),
        (received("91 81 c3 01"), "a map key of type bool, which JSON cannot carry - at `$[0]`"),
        (received("82 a1 61 01 c4 01 61 01"), "a map key of type bytes, which JSON cannot carry - at `$`"),
        (received("81 a1 61 81 cb 3f f8 00 00 00 00 00 00 01"), "a map key of type float, which JSON cannot carry - at `$.a`"),
        (received("81 d6 ff 00 00 00 01 01"), "a map key of type datetime, which JSON cannot carry - at `$`"),
        (received("81 91 01 01"), "a map key of type tuple, which JSON cannot carry - at `$`"),
    ],
)
def test_values_that_one_protocol_does_not_support_are_reported_with_their_path(value: object, reason: str) -> None:
    assert find_unportable(value) == reason


def test_the_first_value_in_document_order_is_reported() -> None:
    assert find_unportable([{"deep": [[2**64]]}, 2**65, {None: 1}]) == f"{INTEGER} - at `$[0].deep[0][0]`"


def nested(levels: int) -> object:
    value: object = 1
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


def test_a_value_may_be_as_deep_as_an_argument() -> None:
    assert PORTABLE_DEPTH == 62
    assert find_unportable(nested(62)) is None
    assert find_unportable([1, nested(61)]) is None
    for value in (nested(63), [1, nested(62)], nested(100_000)):
        assert find_unportable(value) == "a value nested more than 62 levels deep"


def test_long_paths_are_shortened_and_control_characters_are_escaped() -> None:
    reason = find_unportable({"x" * 10_000: {"line\n\x1b": 2**64}})
    assert reason is not None
    assert reason.endswith(r"xxx.line\n\x1b`")
    assert len(reason) < 400


@pytest.mark.parametrize("value", [Decimal("1.5"), msgspec.UNSET, object()])
def test_values_of_other_types_are_not_checked(value: object) -> None:
    assert find_unportable(value) is None
    assert find_unportable([value]) is None


@pytest.mark.parametrize(
    ("arguments", "refused"),
    [
        ([1, "a", 1.5, None, True, [{"a": [2**64 - 1, -(2**63)]}]], None),
        ([2**64], "an integer of more than 64 bits"),
        ([{"a": [1, {"b": -(2**63) - 1}]}], "an integer of more than 64 bits"),
    ],
)
def test_arguments_from_json_are_judged_like_others(arguments: list[object], refused: str | None) -> None:
    reason = find_unportable_from_json(arguments, PORTABLE_DEPTH + 1)
    assert reason == find_unportable(arguments, PORTABLE_DEPTH + 1)
    assert (reason is None) == (refused is None)
    assert (refused or "") in (reason or "")


def test_the_depth_is_the_callers_choice() -> None:
    value: object = 1
    for _ in range(5):
        value = [value]
    assert find_unportable(value, 5) is None
    assert find_unportable(value, 4) == "a value nested more than 4 levels deep"

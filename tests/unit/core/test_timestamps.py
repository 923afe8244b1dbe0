"""Timestamps with a resolution below one microsecond are received, sent and copied without loss."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta

from signalr_client.core.messages import Invocation, StreamItem
from signalr_client.core.protocols.json import JsonHubProtocol
from signalr_client.core.protocols.messagepack import MessagePackHubProtocol
from signalr_client.core.timestamps import PreciseDatetime

# 2016-04-05 06:07:08.1234567 UTC, encoded by .NET
VECTOR = bytes.fromhex("12960180c0a15491d7ff1d6f32f05703560c90")
MOMENT = datetime(2016, 4, 5, 6, 7, 8, 123456, tzinfo=UTC)


def received() -> PreciseDatetime:
    """Return the vector's timestamp as decoded by the MessagePack protocol."""
    message = MessagePackHubProtocol().decode(VECTOR[1:])
    assert isinstance(message, Invocation)
    [moment] = message.arguments
    assert isinstance(moment, PreciseDatetime)
    return moment


def test_a_dotnet_timestamp_keeps_its_last_digit() -> None:
    """It is a datetime, and it is encoded to the same bytes."""
    moment = received()
    assert moment == MOMENT
    assert moment.nanosecond == 700
    assert MessagePackHubProtocol().encode(Invocation(target="T", arguments=[moment])) == VECTOR


def test_a_precise_timestamp_is_encoded_in_json_like_in_dotnet() -> None:
    """With seven decimals and Z."""
    data = JsonHubProtocol().encode(Invocation(target="T", arguments=[received()]))
    assert data == b'{"type":1,"target":"T","arguments":["2016-04-05T06:07:08.1234567Z"]}\x1e'


def test_copies_and_pickles_keep_the_precision() -> None:
    for twin in (copy.copy(received()), copy.deepcopy(received()), pickle.loads(pickle.dumps(received()))):
        assert (twin, twin.nanosecond) == (MOMENT, 700)


def test_a_timestamp_of_whole_microseconds_is_a_plain_datetime() -> None:
    """The subclass is used only if it is needed."""
    sent = MessagePackHubProtocol().encode(Invocation(target="T", arguments=[{"at": [MOMENT]}, "\u00ff"]))
    message = MessagePackHubProtocol().decode(sent[1:])
    assert isinstance(message, Invocation)
    assert message.arguments == [{"at": [MOMENT]}, "\u00ff"]
    assert type(message.arguments[0]["at"][0]) is datetime  # type: ignore[index]  # the type of the decoded value


def test_the_latest_dotnet_timestamp_is_decoded() -> None:
    """DateTime.MaxValue: 100 ns before the year 10000; the bytes were encoded by .NET."""
    message = MessagePackHubProtocol().decode(bytes.fromhex("960180c0a15491c70cff3b9ac99c0000003afff4417f90"))
    assert isinstance(message, Invocation)
    [moment] = message.arguments
    assert isinstance(moment, PreciseDatetime)
    assert (moment.isoformat(), moment.nanosecond) == ("9999-12-31T23:59:59.9999999Z", 900)


def test_arithmetic_gives_plain_datetimes() -> None:
    """The digits below one microsecond are dropped."""
    later = received() + timedelta(days=1)
    assert later == MOMENT + timedelta(days=1)
    assert "123456" in str(later)
    assert b"08.123456Z" in JsonHubProtocol().encode(Invocation(target="T", arguments=[later]))


def test_bytes_that_only_look_like_a_timestamp_are_decoded_normally() -> None:
    """A map with an array as its key, with the two bytes that start a precise timestamp."""
    message = MessagePackHubProtocol().decode(bytes.fromhex("940280a131829001a161c402d7ff"))
    assert isinstance(message, StreamItem)
    assert message.item == {(): 1, "a": b"\xd7\xff"}

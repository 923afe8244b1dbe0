"""The code and data of a HubException: what is written into the header, and what is accepted from a peer."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Final
from uuid import UUID

import pytest

from signalr_client.core.error_header import ERROR_HEADER, MAX_ERROR_HEADER_SIZE, error_headers, received_error
from signalr_client.core.messages import UNSET, Completion
from signalr_client.core.protocols import JsonHubProtocol, MessagePackHubProtocol
from signalr_client.errors import BindingError, HubException, ProtocolError

LOG: Final = logging.getLogger("signalr_client.test")


class Reason(StrEnum):
    FULL = "room_full"


class MixedReason(str, Enum):  # noqa: UP042  # its str() is not its value
    FULL = "room_full"


class Status(IntEnum):
    CONFLICT = 409


@dataclass
class Room:
    room_name: str
    free_at: datetime | None = None


class RoomFull(HubException):
    """Sets everything itself."""

    code = "room_full"

    def __init__(self, room: str) -> None:
        super().__init__(f"the room {room} is full", data=Room(room))


def header(error: Exception) -> Any:
    """Return the decoded header for *error*, or None if there is none."""
    headers = error_headers(error, LOG)
    if headers is UNSET:
        return None
    assert list(headers) == [ERROR_HEADER]
    return json.loads(headers[ERROR_HEADER])


def received(text: str, *, error: str = "it broke") -> HubException:
    """Return the exception for a Completion with this header."""
    return received_error(Completion(headers={ERROR_HEADER: text}, invocation_id="1", error=error), LOG)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HubException("m"), None),
        (HubException("m", code="a"), {"code": "a"}),
        (HubException("m", code=""), {"code": ""}),
        (HubException("m", code=0), {"code": 0}),
        (HubException("m", code=Reason.FULL), {"code": "room_full"}),
        (HubException("m", code=MixedReason.FULL), {"code": "room_full"}),
        (HubException("m", code=Status.CONFLICT), {"code": 409}),
        (HubException("m", data=[]), {"data": []}),
        (HubException("m", "a", {"b": [1, None, "é"]}), {"code": "a", "data": {"b": [1, None, "é"]}}),
        (RoomFull("lobby"), {"code": "room_full", "data": {"roomName": "lobby", "freeAt": None}}),
        (ValueError("m"), None),
        (BindingError("m"), None),
    ],
)
def test_only_the_code_and_the_data_of_a_hub_exception_are_sent(error: Exception, expected: object) -> None:
    assert header(error) == expected


def test_data_is_written_as_json_whatever_the_hub_protocol() -> None:
    """A header is a text in both, so there is one spelling."""
    values = [UUID(int=1), b"\x01\xff", Decimal("1.50"), datetime(2024, 2, 29, tzinfo=UTC), Status.CONFLICT, {1: "a"}]
    headers = error_headers(HubException("m", data=values), LOG)
    assert headers == {
        ERROR_HEADER: ('{"data":["00000000-0000-0000-0000-000000000001","Af8=",1.50,"2024-02-29T00:00:00Z",409,{"1":"a"}]}')
    }


@pytest.mark.parametrize("protocol", [JsonHubProtocol(), MessagePackHubProtocol()], ids=["json", "messagepack"])
def test_code_and_data_make_the_round_trip(protocol: JsonHubProtocol | MessagePackHubProtocol) -> None:
    headers = error_headers(HubException("m", 7, {"text": 'a "quoted" text\u2028\x1e'}), LOG)
    sent = Completion(headers=headers, invocation_id="1", error="m")
    [record] = protocol.framer().feed(protocol.encode(sent))
    message = protocol.decode(record)
    assert isinstance(message, Completion)
    error = received_error(message, LOG)
    assert (str(error), error.code, error.data) == ("m", 7, {"text": 'a "quoted" text\u2028\x1e'})
    assert error.received


def test_a_received_error_is_not_passed_on_with_its_code_and_data() -> None:
    assert header(received('{"code":"a","data":1}')) is None
    error = received('{"code":"a","data":1}')
    assert header(HubException(error.text, error.code, error.data)) == {"code": "a", "data": 1}


class Hostile(HubException):
    """Its code cannot be had."""

    @property
    def code(self) -> str:  # type: ignore[override]  # on purpose
        raise RuntimeError("no code today")


def incomplete() -> Room:
    """Return an object without one of its fields."""
    room = Room("a")
    del room.room_name
    return room


def nested(levels: int) -> list[Any]:
    """Return lists within lists."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def endless() -> list[Any]:
    """Return a list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (object(), "data: a value of type builtins.object has no JSON form"),
        ({"a": [1, object()]}, "data['a'][1]: a value of type builtins.object has no JSON form"),
        (3 + 4j, "data: a value of type builtins.complex has no JSON form"),
        ("\ud800", "it has no JSON form ("),
        (2**70, "an integer of more than 64 bits, which MessagePack cannot carry - at `$.data`"),
        (Decimal("NaN"), "data: "),
        (nested(62), "a value nested more than 62 levels deep"),
        (endless(), "it is nested more than 62 levels deep"),
        ([Room("a"), endless()], "it is nested more than 62 levels deep"),
        ("x" * MAX_ERROR_HEADER_SIZE, " bytes of JSON, where 8192 are allowed"),
        ("é" * (MAX_ERROR_HEADER_SIZE // 2), " bytes of JSON, where 8192 are allowed"),
        (incomplete(), "data: a Room has no value for its field 'room_name'"),
    ],
)
def test_data_that_cannot_be_sent_is_logged_and_left_out(data: object, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    assert header(HubException("m", code="a", data=data)) == {"code": "a"}
    assert header(HubException("m", data=data)) is None
    for record in caplog.records:
        assert record.levelno == logging.WARNING
        assert record.getMessage().startswith("! the data of a HubException cannot be sent: ")
        assert reason in record.getMessage()
        assert len(record.getMessage()) < 250
    assert len(caplog.records) == 2


@pytest.mark.parametrize("code", [1.5, True, ["a"], b"a", object(), "x" * MAX_ERROR_HEADER_SIZE, 2**64, "\ud800"])
def test_a_code_that_cannot_be_sent_is_logged_and_left_out(code: Any, caplog: pytest.LogCaptureFixture) -> None:
    if code == b"a":
        assert header(HubException("m", code, 1)) == {"code": "YQ==", "data": 1}  # bytes are a text in JSON
        return
    assert header(HubException("m", code, 1)) == {"data": 1}
    [record] = caplog.records
    assert record.getMessage().startswith("! the code of a HubException cannot be sent: ")


def test_code_and_data_that_are_too_large_together_leave_the_code(caplog: pytest.LogCaptureFixture) -> None:
    size = MAX_ERROR_HEADER_SIZE * 2 // 3
    assert header(HubException("m", "c" * size, "d" * size)) == {"code": "c" * size}
    assert "the data of a HubException" in caplog.text


def test_whatever_the_code_of_the_user_raises_does_not_hide_the_error(caplog: pytest.LogCaptureFixture) -> None:
    assert header(Hostile("m", data=1)) == {"data": 1}
    [record] = caplog.records
    assert record.getMessage() == "! the code of a Hostile cannot be sent"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)


def test_data_of_the_largest_size_is_sent() -> None:
    room = MAX_ERROR_HEADER_SIZE - len('{"data":""}')
    assert header(HubException("m", data="x" * room)) == {"data": "x" * room}


def test_a_message_with_the_largest_header_is_small_enough_for_a_server() -> None:
    """A server accepts 32,768 bytes by default; quotes and backslashes double in JSON, once in the header and once around it."""
    room = (MAX_ERROR_HEADER_SIZE - len('{"data":""}')) // 2
    headers = error_headers(HubException("m", data="\\" * room), LOG)
    assert headers is not UNSET
    assert len(headers[ERROR_HEADER]) > MAX_ERROR_HEADER_SIZE - 3
    assert len(JsonHubProtocol().encode(Completion(headers=headers, invocation_id="1", error="m"))) < 32_768 // 2 + 100


@pytest.mark.parametrize(
    ("text", "code", "data"),
    [
        ("{}", None, None),
        ('{"code":null,"data":null}', None, None),
        ('{"code":"a","data":{"b":[1.5,true,null]}}', "a", {"b": [1.5, True, None]}),
        ('{"code":-7}', -7, None),
        ('{"data":0,"more":[]}', None, 0),
        (' { "code" : "a" } ', "a", None),
    ],
)
def test_code_and_data_are_read(text: str, code: object, data: object) -> None:
    error = received(text)
    assert (error.code, error.data, error.message, str(error)) == (code, data, "it broke", "it broke")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "no JSON",
        '"text"',
        "[]",
        "[" * 8000,
        "{" * 8000,
        '{"code":"a"',
        '{"code":"a"}}',
        '{"code":true}',
        '{"code":1.0}',
        '{"code":["a"],"data":1}',
        '{"code":99999999999999999999}',
        '{"code":"a","data":' + "9" * 7000 + "}",
        '{"code":"a","data":' + "[" * 62 + "]" * 62 + "}",
        '{"data":"\\ud800"}',
        '{"data":"\ud800"}',
        '{"data":1e999}',
        '{"data":NaN}',
        '{"data":"' + "x" * MAX_ERROR_HEADER_SIZE + '"}',
        '{"data":"' + "x" * 10_000_000 + '"}',
    ],
    ids=lambda text: text[:20],
)
def test_a_header_that_cannot_be_read_is_ignored(text: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = received(text)
    assert (error.code, error.data, str(error)) == (None, None, "it broke")
    [record] = caplog.records
    assert record.levelno == logging.DEBUG
    assert record.getMessage().startswith("! ignored the header 'signalr-error' of Completion id='1': ")
    assert len(record.getMessage()) < 250


@pytest.mark.parametrize("headers", [UNSET, {}, {"traceparent": "00-1"}, {"Signalr-Error": '{"code":1}'}])
def test_other_headers_mean_nothing(headers: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = received_error(Completion(headers=headers, invocation_id="1", error="it broke"), LOG)
    assert (error.code, error.data) == (None, None)
    assert not caplog.records


@pytest.mark.parametrize(
    "wire", [b'{"type":3,"headers":{"signalr-error":{"code":1}},"invocationId":"1","error":"m"}', b'{"type":3,"headers":[]}']
)
def test_headers_that_are_no_map_of_strings_break_the_protocol_as_before(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        JsonHubProtocol().decode(wire)

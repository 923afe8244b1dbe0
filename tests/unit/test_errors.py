"""All exceptions of the package: their place in the hierarchy, their messages, and pickling."""

from __future__ import annotations

import copy
import pickle
from typing import Final

import pytest

from signalr_client import errors
from signalr_client.errors import (
    AggregateTransportError,
    BindingError,
    ConnectionClosedError,
    HandshakeError,
    HandshakeTimeoutError,
    HubException,
    InvalidStateError,
    NegotiationError,
    ProtocolError,
    ServerTimeoutError,
    SignalRError,
    TransportError,
    UnsupportedTypeError,
)

NOT_ACTIVE: Final = "method cannot be called if the connection is not active."

SAMPLES: Final[list[tuple[SignalRError, str]]] = [
    (SignalRError("it broke"), "it broke"),
    (NegotiationError("it broke"), "it broke"),
    (NegotiationError("it broke", "http://host/hub"), "it broke (http://host/hub)"),
    (NegotiationError("it broke", status=404), "it broke (status 404)"),
    (NegotiationError("it broke", "http://host/hub", 401), "it broke (http://host/hub, status 401)"),
    (HandshakeError("it broke"), "it broke"),
    (HandshakeTimeoutError("it broke"), "it broke"),
    (TransportError("WebSockets failed: it broke", "WebSockets", 404), "WebSockets failed: it broke"),
    (TransportError("it broke"), "it broke"),
    (
        AggregateTransportError([TransportError("WebSockets failed: no", "WebSockets"), OSError("cable")]),
        "Unable to connect to the server with any of the available transports. (WebSockets failed: no) (cable)",
    ),
    (AggregateTransportError([]), "Unable to connect to the server with any of the available transports."),
    (ConnectionClosedError(), "The underlying connection was closed."),
    (ConnectionClosedError("it broke"), "it broke"),
    (
        ServerTimeoutError(30.0, 31.26),
        (
            "Server timeout (30000.00ms) elapsed without receiving a message from the server. The last one was received 31.3 s ago;"
            " set the server timeout to at least twice the server's KeepAliveInterval, or check the network."
        ),
    ),
    (HubException(), ""),
    (HubException("it broke"), "it broke"),
    (HubException("it broke", "a"), "it broke"),
    (HubException("it broke", data={"b": [1]}), "it broke"),
    (HubException("it broke", 409, ["c"]), "it broke"),
    (BindingError("it broke"), "it broke"),
    (UnsupportedTypeError("it broke"), "it broke"),
    (InvalidStateError("invoke", "Disconnected"), f"The 'invoke' {NOT_ACTIVE} (The connection is disconnected.)"),
    (InvalidStateError("start", "Connected", "Not now."), "Not now. (The connection is connected.)"),
    (ProtocolError("it broke"), "it broke"),
]
each_sample = pytest.mark.parametrize(("error", "text"), SAMPLES, ids=[type(error).__name__ for error, _ in SAMPLES])


def shown(error: BaseException) -> object:
    """Return the comparable parts of an error, because exceptions are equal only by identity."""
    data = {name: value for name, value in vars(error).items() if name != "errors"}
    nested = [shown(inner) for inner in getattr(error, "errors", ())]
    return type(error), str(error), data, nested


def test_every_exception_has_a_sample() -> None:
    assert {type(error).__name__ for error, _ in SAMPLES} == set(errors.__all__)


@each_sample
def test_str_is_the_message(error: SignalRError, text: str) -> None:
    assert str(error) == text


@each_sample
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_can_be_pickled(error: SignalRError, text: str, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))
    assert shown(again) == shown(error)
    assert str(again) == text


@each_sample
def test_an_error_can_be_copied(error: SignalRError, text: str) -> None:
    assert shown(copy.copy(error)) == shown(copy.deepcopy(error)) == shown(error)


@each_sample
def test_an_error_can_be_recreated_from_its_args(error: SignalRError, text: str) -> None:
    again = type(error)(*error.args)
    assert shown(again) == shown(error)
    assert repr(again) == repr(error)


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (NegotiationError("m", "u", 404), {"message": "m", "url": "u", "status": 404}),
        (NegotiationError("m"), {"message": "m", "url": "", "status": None}),
        (TransportError("m", "WebSockets", 503), {"message": "m", "transport": "WebSockets", "status": 503}),
        (TransportError("m"), {"message": "m", "transport": "", "status": None}),
        (ConnectionClosedError("r"), {"reason": "r"}),
        (
            ServerTimeoutError(0.25, 1.0),
            {
                "server_timeout": 0.25,
                "idle": 1.0,
                "reason": "Server timeout (250.00ms) elapsed without receiving a message from the server.",
            },
        ),
        (HubException("m"), {"message": "m", "code": None, "data": None, "received": False}),
        (HubException("m", "a"), {"message": "m", "code": "a", "data": None}),
        (HubException("m", 0, False), {"message": "m", "code": 0, "data": False}),
        (InvalidStateError("stop", "Connecting"), {"action": "stop", "state": "Connecting"}),
    ],
)
def test_data_is_kept_in_attributes(error: SignalRError, attributes: dict[str, object]) -> None:
    assert {name: getattr(error, name) for name in attributes} == attributes


def test_an_aggregate_error_keeps_its_errors() -> None:
    reasons = [TransportError("a"), TransportError("b")]
    error = AggregateTransportError(reasons)
    assert error.errors == tuple(reasons)
    reasons.clear()
    assert len(error.errors) == 2


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - {"SignalRError"}))
def test_all_exceptions_derive_from_signalr_error(name: str) -> None:
    assert issubclass(getattr(errors, name), SignalRError)


def test_server_timeout_error_is_a_connection_closed_error() -> None:
    assert issubclass(ServerTimeoutError, ConnectionClosedError)


def test_hub_exception_is_not_a_connection_closed_error() -> None:
    assert not issubclass(HubException, ConnectionClosedError)


@pytest.mark.parametrize("name", errors.__all__)
def test_all_exceptions_have_a_docstring(name: str) -> None:
    assert getattr(errors, name).__doc__


class RoomFull(HubException):
    """Has a code of its own, as a class attribute."""

    code = "room_full"


class Refused(HubException):
    """Does not call the constructor of its base."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def test_a_subclass_has_a_code_of_its_own() -> None:
    assert (RoomFull("m").code, RoomFull("m", data=1).data, RoomFull("m", "other").code) == ("room_full", 1, "other")
    assert str(RoomFull("m", data=1)) == "m"
    again = pickle.loads(pickle.dumps(RoomFull("m", data=[1])))
    assert (type(again), str(again), again.code, again.data) == (RoomFull, "m", "room_full", [1])


def test_a_subclass_that_does_not_initialize_its_base_is_usable() -> None:
    error = Refused("not today")
    assert (str(error), error.text, error.code, error.data) == ("not today", "not today", None, None)


INVOKING: Final = "An unexpected error occurred invoking 'Join' on the server."
FAILED: Final = "Failed to invoke 'Join' due to an error on the server."
STREAMING: Final = "An error occurred on the server while streaming results."


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (f"{INVOKING} HubException: the room is full", "the room is full"),
        (f"{FAILED} HubException: Method does not exist.", "Method does not exist."),
        (f"{STREAMING} HubException: it ran out", "it ran out"),
        (f"{INVOKING} RoomFull: it is full", "it is full"),
        (f"{INVOKING} List`1Exception: of .NET", "of .NET"),
        (f"{INVOKING} Ausnahme_Ö2: not ASCII", "not ASCII"),
        (f"{INVOKING} HubException: ", ""),
        (f"{INVOKING} HubException: two\nlines: and a colon", "two\nlines: and a colon"),
        (f"{INVOKING} HubException: {INVOKING} HubException: of another hub", f"{INVOKING} HubException: of another hub"),
        ("An unexpected error occurred invoking 'it's' on the server. HubException: quotes", "quotes"),
        ("An unexpected error occurred invoking 'a\nb' on the server. HubException: lines", "lines"),
        # the hub said nothing
        (INVOKING, INVOKING),
        (FAILED, FAILED),
        (STREAMING, STREAMING),
        # no official text, or not at the beginning
        ("", ""),
        ("the room is full", "the room is full"),
        ("HubException: the room is full", "HubException: the room is full"),
        (f"Sorry. {INVOKING} HubException: no", f"Sorry. {INVOKING} HubException: no"),
        (f"{INVOKING} HubException", f"{INVOKING} HubException"),
        (f"{INVOKING} two words: no", f"{INVOKING} two words: no"),
        ("Failed to invoke 'Join' because user is unauthorized", "Failed to invoke 'Join' because user is unauthorized"),
    ],
)
def test_text_is_what_the_hub_said(message: str, text: str) -> None:
    error = HubException(message, "code", {"data": 1})
    assert (error.text, str(error)) == (text, message)


@pytest.mark.parametrize(
    "unit", ["' on the server. ", "' on the server. a", "'", "Failed to invoke '", "' on the server. aaaaaaaaaaaaaaaa"]
)
def test_a_hostile_message_has_its_text_in_linear_time(unit: str) -> None:
    """With backtracking of a higher order this would take minutes."""
    message = "An unexpected error occurred invoking '" + unit * (1_000_000 // len(unit))
    assert HubException(message).text == message

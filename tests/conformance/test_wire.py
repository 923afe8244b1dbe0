"""The JSON records that a client may send and receives, on both servers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.raw import Socket, raw

KILLED = {"type": 7, "error": "Connection closed with an error.", "allowReconnect": True}


@pytest.fixture(autouse=True)
def _check_leaks(no_leaks: None) -> None:
    """Enable the leak check for all tests in this module."""


async def echo(socket: Socket, id: str = "alive") -> None:
    """Check that the connection still responds."""
    await socket.call("Echo", "x", id=id)
    assert await socket.read() == f'{{"type":3,"invocationId":"{id}","result":"x"}}'


# messages that end the connection


@pytest.mark.parametrize(
    "record",
    [
        "no json",
        "[]",
        '"text"',
        "{}",
        '{"type":"1"}',
        '{"type":1,"arguments":[]}',
        '{"type":1,"target":"Echo"}',
        '{"type":1,"target":null,"arguments":[]}',
        '{"type":1,"target":7,"arguments":[]}',
        '{"type":1,"target":"Echo","arguments":{}}',
        '{"type":1,"target":"Echo","arguments":null}',
        '{"type":1,"invocationId":null,"target":"Echo","arguments":["x"]}',
        '{"type":1,"invocationId":1,"target":"Echo","arguments":["x"]}',
        '{"type":1,"target":"Echo","arguments":["x"],"streamIds":"1"}',
        '{"type":1,"target":"Echo","arguments":["x"],"headers":null}',
        '{"type":1,"target":"Echo","arguments":["x"],"headers":{"a":1}}',
        '{"type":2,"item":1}',
        '{"type":2,"invocationId":null,"item":1}',
        '{"type":3}',
        '{"type":3,"invocationId":"1","error":null}',
        '{"type":3,"invocationId":"1","error":"e","result":1}',
        '{"type":4,"target":"Counter","arguments":[1,0]}',
        '{"type":4,"invocationId":"","target":"Counter","arguments":[1,0]}',
        '{"type":5}',
        '{"type":5,"invocationId":null}',
        '{"type":8}',
        '{"type":9}',
        pytest.param('{"type":1,"target":"NoSuchMethod","arguments":[' + "[" * 63 + "]" * 63 + "]}", id="65 levels"),
    ],
)
async def test_an_invalid_message_ends_the_connection(server_url: str, record: str) -> None:
    """Earlier messages are processed, and Close allows a reconnect."""
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await echo(socket)
        await socket.write(record + "\x1e")
        assert [json.loads(text) for text in await socket.read_all()] == [KILLED]
        assert socket.socket.close_code == 1000


async def test_a_message_that_is_too_large_ends_the_connection(server_url: str) -> None:
    """The limit applies to messages, not to frames; earlier messages still get a response."""
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        call = '{"type":1,"invocationId":"%d","target":"Echo","arguments":["%s"]}\x1e'
        small = "".join(call % (number, "x" * 1000) for number in range(60))
        await socket.write(small)
        for _ in range(60):
            assert "result" in (await socket.read() or "")
        largest = 32_768 - len(call % (1, ""))
        await socket.write(call % (1, "x" * largest))
        assert len(await socket.read() or "") > largest
        await socket.write(call % (1, "x" * (largest + 1)))
        assert [json.loads(text) for text in await socket.read_all()] == [KILLED]


async def test_an_incomplete_message_over_the_limit_ends_the_connection(server_url: str) -> None:
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.write("x" * 33_000)
        assert [json.loads(text) for text in await socket.read_all()] == [KILLED]


# messages that get no response


@pytest.mark.parametrize(
    "record",
    [
        '{"type":6}',
        '{"type":2,"invocationId":"nobody\'s","item":1}',
        '{"type":3,"invocationId":"nobody\'s"}',
        '{"type":3,"invocationId":"nobody\'s","result":1}',
        '{"type":5,"invocationId":"nobody\'s"}',
        '{"type":8,"sequenceId":1}',
        '{"type":9,"sequenceId":1}',
        '{"type":1,"target":"NoSuchMethod","arguments":[]}',
        pytest.param('{"type":1,"target":"NoSuchMethod","arguments":[' + "[" * 62 + "]" * 62 + "]}", id="64 levels"),
        '{"type":1,"target":"Add","arguments":[1]}',
        '{"type":1,"target":"Add","arguments":["one","two"]}',
        '{"type":1,"target":"ThrowHubException","arguments":["quiet"]}',
        '{"type":1,"invocationId":"","target":"ThrowHubException","arguments":["quiet"]}',
        '{"type":1,"target":"Void","arguments":[],"unknown":{"member":[1]},"streamIds":[]}',
        '{"type":1,"target":"Void","arguments":[],"headers":{"traceparent":"x"}}',
    ],
)
async def test_a_message_that_expects_no_response_gets_none(server_url: str, record: str) -> None:
    """Messages without an invocation id, pings, and messages with an unknown id."""
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.write(record + "\x1e")
        await echo(socket)


async def test_members_may_come_in_any_order(server_url: str) -> None:
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.write('{"arguments":[1,2],"invocationId":"7","target":"aDD","type":1}\x1e')
        assert await socket.read() == '{"type":3,"invocationId":"7","result":3}'


# calls


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ({"target": "Void", "arguments": []}, '"result":null'),
        ({"target": "ReturnNull", "arguments": []}, '"result":null'),
        (
            {"target": "nope", "arguments": []},
            '"error":"Failed to invoke \'nope\' due to an error on the server. HubException: Method does not exist."',
        ),
        ({"target": "add", "arguments": [1]}, '"error":"Failed to invoke \'Add\' due to an error on the server."'),
        (
            {"target": "throwexception", "arguments": ["x"]},
            '"error":"An unexpected error occurred invoking \'ThrowException\' on the server."',
        ),
        (
            {"target": "SumStream", "arguments": []},
            (
                '"error":"An unexpected error occurred invoking \'SumStream\' on the server.'
                ' HubException: Client sent 0 stream(s), Hub method expects 1."'
            ),
        ),
        (
            {"target": "Void", "arguments": [], "streamIds": ["9"]},
            (
                '"error":"An unexpected error occurred invoking \'Void\' on the server.'
                ' HubException: Client sent 1 stream(s), Hub method expects 0."'
            ),
        ),
        (
            {"target": "Counter", "arguments": [1, 0]},
            '"error":"The client attempted to invoke the streaming \'Counter\' method with a non-streaming invocation."',
        ),
    ],
)
async def test_a_call_gets_the_expected_completion(server_url: str, message: dict[str, Any], answer: str) -> None:
    """The exact error text and order of members; the text has the server's spelling of the method's name if the method exists."""
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.send({"type": 1, "invocationId": "a b", **message})
        got = await socket.read() or ""
        assert got.replace("\\u0027", "'") == f'{{"type":3,"invocationId":"a b",{answer}}}'
        await echo(socket)


async def test_a_stream_ends_with_a_completion_without_result(server_url: str) -> None:
    """Also when it is cancelled."""
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.send({"type": 4, "invocationId": "s", "target": "Counter", "arguments": [2, 0]})
        items = [f'{{"type":2,"invocationId":"s","item":{number}}}' for number in range(2)]
        assert [await socket.read() for _ in range(3)] == [*items, '{"type":3,"invocationId":"s"}']
        await socket.send({"type": 4, "invocationId": "t", "target": "Counter", "arguments": [100_000, 1]})
        assert await socket.read() == '{"type":2,"invocationId":"t","item":0}'
        await socket.send({"type": 5, "invocationId": "t"})
        while '"type":2' in (record := await socket.read() or ""):
            pass
        assert record == '{"type":3,"invocationId":"t"}'
        await echo(socket)


async def test_a_stream_with_an_id_in_use_is_rejected(server_url: str) -> None:
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        call = {"type": 4, "invocationId": "s", "target": "Counter", "arguments": [3, 50]}
        await socket.send(call, call)
        got = [json.loads(await socket.read() or "") for _ in range(5)]
        assert {"type": 3, "invocationId": "s", "error": "Invocation ID 's' is already in use."} in got
        assert [message["item"] for message in got if message["type"] == 2] == [0, 1, 2]


async def test_calls_run_one_at_a_time_and_streams_run_concurrently(server_url: str) -> None:
    """Calls keep their order, and a running call does not delay a stream."""
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Delay", 300, id="1")
        await socket.send({"type": 4, "invocationId": "s", "target": "Counter", "arguments": [1, 0]})
        assert await socket.read() == '{"type":2,"invocationId":"s","item":0}'
        assert await socket.read() == '{"type":3,"invocationId":"s"}'
        await socket.call("Echo", "x", id="2")
        assert await socket.read() == '{"type":3,"invocationId":"1","result":"slept 300"}'
        assert await socket.read() == '{"type":3,"invocationId":"2","result":"x"}'


async def test_a_binding_error_is_sent_while_a_call_is_running(server_url: str) -> None:
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Delay", 200, id="1")
        await socket.call("Nope", id="2")
        assert '"invocationId":"2"' in (await socket.read() or "")
        assert '"invocationId":"1"' in (await socket.read() or "")


async def test_a_higher_limit_lets_calls_run_concurrently(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Delay", 300, id="slow")
        await socket.call("Delay", 1, id="fast")
        assert [json.loads(await socket.read() or "")["invocationId"] for _ in range(2)] == ["fast", "slow"]


# uploads


async def test_items_may_follow_their_call_in_the_same_frame(server_url: str) -> None:
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        call = {"type": 1, "invocationId": "1", "target": "SumStream", "arguments": [], "streamIds": ["u"]}
        items = [{"type": 2, "invocationId": "u", "item": number} for number in range(50)]
        await socket.send(call, *items, {"type": 3, "invocationId": "u"})
        assert await socket.read() == '{"type":3,"invocationId":"1","result":1225}'
        await socket.send(
            {"type": 2, "invocationId": "u", "item": 1}, {"type": 3, "invocationId": "u"}
        )  # the upload has ended: ignored
        await echo(socket)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ({"type": 3, "invocationId": "u"}, "completed"),
        ({"type": 3, "invocationId": "u", "error": "client gave up"}, "HubException: client gave up"),
        ({"type": 2, "invocationId": "u", "item": "no number"}, "HubException: Failed to bind Stream message."),
    ],
)
async def test_a_hub_method_sees_how_its_upload_ended(server_url: str, end: dict[str, Any], told: str) -> None:
    async with raw(server_url + "/stricthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.send({"type": 1, "invocationId": "1", "target": "StreamError", "arguments": [], "streamIds": ["u"]})
        await socket.send({"type": 2, "invocationId": "u", "item": 1}, end)
        assert json.loads(await socket.read() or "")["result"] == told
        await echo(socket)


# the end of a connection


@pytest.mark.parametrize(
    ("farewell", "reason"), [({"type": 7}, "gone:"), ({"type": 7, "error": "my error"}, "gone:my error"), (None, "gone:")]
)
async def test_on_disconnected_gets_the_error_of_the_client(
    server_url: str, farewell: dict[str, Any] | None, reason: str
) -> None:
    """None after Close without an error and after a close frame. An error sent by the client is not echoed."""
    async with raw(server_url + "/testhub") as hub, hub.socket() as watcher:
        await watcher.shake_hands()
        async with hub.socket() as socket:
            await socket.shake_hands()
            await socket.call("GetConnectionId", id="1")
            connection_id = json.loads(await socket.read() or "")["result"]
            if farewell is None:
                await socket.socket.close(code=1000)
            else:
                await socket.send(farewell)
                assert await socket.read_all() == ['{"type":7}']
        async with asyncio.timeout(10):
            while True:
                await watcher.call("DisconnectReason", connection_id, id="1")
                if (got := json.loads(await watcher.read() or "")["result"]) != "unknown":
                    break
        assert got == reason


async def test_abort_sends_close_without_error(server_url: str) -> None:
    async with raw(server_url + "/testhub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.call("Abort")
        assert await socket.read_all() == ['{"type":7}']
        assert socket.socket.close_code == 1000


async def test_a_hub_that_rejects_connections_sends_close_without_allow_reconnect(server_url: str) -> None:
    async with raw(server_url + "/rejectinghub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        assert await socket.read_all() == ['{"type":7,"error":"Connection closed with an error. HubException: no entry"}']


async def test_close_includes_details_if_detailed_errors_are_enabled(server_url: str) -> None:
    async with raw(server_url + "/detailedhub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        await socket.write("[]\x1e")
        (record,) = await socket.read_all()
        assert json.loads(record)["error"].startswith("Connection closed with an error. InvalidDataException: ")


# timers: /fasthub sends a ping every half second and has a client timeout of two seconds


async def test_the_server_sends_ping_messages(server_url: str) -> None:
    async with raw(server_url + "/fasthub") as hub, hub.socket() as socket:
        await socket.shake_hands()
        assert [await socket.read() for _ in range(2)] == ['{"type":6}'] * 2


async def test_the_client_timeout_applies_only_after_a_ping(server_url: str) -> None:
    async with raw(server_url + "/fasthub") as hub, hub.socket() as silent, hub.socket() as pinged:
        await silent.shake_hands()
        await pinged.shake_hands()
        await pinged.write('{"type":6}\x1e')
        records = await pinged.read_all()
        assert json.loads(records[-1]) == KILLED
        assert await silent.read() == '{"type":6}'
        await silent.call("Echo", "x", id="1")
        while (record := await silent.read()) == '{"type":6}':
            pass
        assert record == '{"type":3,"invocationId":"1","result":"x"}'

"""The MessagePack messages that a client may send and receives, byte by byte, on both servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgpack
import pytest

from tests.support.raw import WAIT, raw

KILLED = [7, "Connection closed with an error.", True]


@pytest.fixture(autouse=True)
def _check_leaks(no_leaks: None) -> None:
    """Enable the leak check for all tests in this module."""


class Binary:
    """One WebSocket, with methods to send and receive arrays."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self.socket = socket
        self._rest = b""

    async def write(self, body: bytes) -> None:
        """Send a body of less than 128 bytes, prefixed with its length."""
        await self.socket.send_bytes(bytes([len(body)]) + body)

    async def send(self, *items: Any) -> None:
        """Send one array."""
        await self.write(msgpack.packb(items))

    async def read(self) -> Any:
        """Return the next array, or None if the server has closed the connection."""
        async with asyncio.timeout(WAIT):
            while not self._rest or len(self._rest) <= self._rest[0]:
                message = await self.socket.receive()
                if message.type is not aiohttp.WSMsgType.BINARY:
                    return None
                self._rest += message.data
        end = 1 + self._rest[0]
        record, self._rest = self._rest[1:end], self._rest[end:]
        return msgpack.unpackb(record)

    async def echo(self) -> None:
        """Check that the connection still responds."""
        await self.send(1, {}, "alive", "Echo", ["x"], [])
        assert await self.read() == [3, {}, "alive", 3, "x"]


@asynccontextmanager
async def binary(url: str) -> AsyncIterator[Binary]:
    async with raw(url) as hub, hub.session.ws_connect(url) as socket:
        await socket.send_str('{"protocol":"messagepack","version":1}\x1e')
        answer = await socket.receive(timeout=WAIT)
        assert bytes(answer.data if isinstance(answer.data, bytes) else answer.data.encode()) == b"{}\x1e"
        yield Binary(socket)


@pytest.mark.parametrize(
    "body",
    [
        b"\xc1",
        b"\x81\x01\x02",
        b"\x90",
        msgpack.packb(["1"]),
        msgpack.packb([1]),
        msgpack.packb([1, {}, None]),
        msgpack.packb([1, {}, None, ""]),
        msgpack.packb([1, {}, None, None, []]),
        msgpack.packb([1, {}, 1, "Echo", ["x"], []]),
        msgpack.packb([1, {"": "x"}, None, "Echo", ["x"], []]),
        msgpack.packb([1, {"a": ""}, None, "Echo", ["x"], []]),
        msgpack.packb([1, {"a": 1}, None, "Echo", ["x"], []]),
        msgpack.packb([2, {}, "", 1]),
        msgpack.packb([2, {}, None, 1]),
        msgpack.packb([3, {}, "1", 4]),
        msgpack.packb([3, {}, "1", 1]),
        msgpack.packb([3, {}, "", 2]),
        msgpack.packb([4, {}, None, "Counter", [1, 0], []]),
        msgpack.packb([4, {}, "", "Counter", [1, 0], []]),
        msgpack.packb([5, {}, ""]),
        msgpack.packb([5, {}]),
        msgpack.packb([8]),
    ],
)
async def test_an_invalid_message_ends_the_connection(server_url: str, body: bytes) -> None:
    async with binary(server_url + "/stricthub") as socket:
        await socket.echo()
        await socket.write(body)
        assert await socket.read() == KILLED
        assert await socket.read() is None
        assert socket.socket.close_code == 1000


@pytest.mark.parametrize(
    "message",
    [
        [6],
        [2, {}, "nobody's", 1],
        [3, {}, "nobody's", 2],
        [3, {}, "nobody's", 3, 1],
        [5, {}, "nobody's"],
        [8, 1],
        [9, 1],
        [1, {}, None, "NoSuchMethod", [], []],
        [1, {}, None, "Add", [1], []],
        [1, {}, "", "ThrowHubException", ["quiet"], []],
        [1, {}, None, "Void", []],
        [1, {"traceparent": "x"}, None, "Void", [], [], "more"],
    ],
)
async def test_a_message_that_expects_no_response_gets_none(server_url: str, message: list[Any]) -> None:
    async with binary(server_url + "/stricthub") as socket:
        await socket.send(*message)
        await socket.echo()


@pytest.mark.parametrize(
    ("call", "answers"),
    [
        ([1, {}, "1", "add", [1, 2], []], [[3, {}, "1", 3, 3]]),
        ([1, {}, "1", "Void", [], []], [[3, {}, "1", 3, None]]),
        ([4, {}, "1", "Counter", [2, 0], []], [[2, {}, "1", 0], [2, {}, "1", 1], [3, {}, "1", 2]]),
        ([1, {}, "1", "add", [1], []], [[3, {}, "1", 1, "Failed to invoke 'Add' due to an error on the server."]]),
        ([1, {}, "1", "add", ["x", "y"], []], [[3, {}, "1", 1, "Failed to invoke 'Add' due to an error on the server."]]),
        (
            [1, {}, "1", "nope", [], []],
            [[3, {}, "1", 1, "Failed to invoke 'nope' due to an error on the server. HubException: Method does not exist."]],
        ),
    ],
)
async def test_a_call_gets_the_expected_completion(server_url: str, call: list[Any], answers: list[list[Any]]) -> None:
    async with binary(server_url + "/stricthub") as socket:
        await socket.send(*call)
        assert [await socket.read() for _ in answers] == answers
        await socket.echo()


async def test_close_gets_a_close_in_response(server_url: str) -> None:
    async with binary(server_url + "/stricthub") as socket:
        await socket.send(7, None)
        assert await socket.read() == [7, None, False]
        assert await socket.read() is None


async def test_messages_may_be_split_anywhere(server_url: str) -> None:
    async with binary(server_url + "/stricthub") as socket:
        body = msgpack.packb([1, {}, "1", "Echo", ["x"], []])
        record = bytes([len(body)]) + body
        for piece in (record[:1], record[1:4], record[4:] + record[:3], record[3:]):
            await socket.socket.send_bytes(piece)
        assert [await socket.read() for _ in range(2)] == [[3, {}, "1", 3, "x"]] * 2

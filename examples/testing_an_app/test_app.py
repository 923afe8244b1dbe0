"""Tests of the application against a real hub server in the same process. No mocks, no sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from examples.testing_an_app.app import Room
from examples.testing_an_app.conftest import RoomServer
from signalr_client.testing.fixtures import StartFaultProxy

pytestmark = pytest.mark.asyncio


async def until(room: Room, condition: Callable[[], bool]) -> None:
    """Wait until a message of the server has made the condition true."""
    changed = asyncio.Event()
    for target in ("Joined", "Left"):
        room.connection.on(target, lambda _name: changed.set())  # runs after the handler of the application
    async with asyncio.timeout(10):
        while not condition():
            await changed.wait()
            changed.clear()


async def test_the_members_are_known_when_the_application_has_started(server: RoomServer) -> None:
    server.guests.extend(["Anna", "Bob"])
    room = Room(server.url("/rooms"), "lobby")
    assert room.title == "lobby (offline)"
    async with room.connection:
        assert room.title == "lobby: Anna, Bob"


async def test_members_come_and_go(server: RoomServer) -> None:
    room = Room(server.url("/rooms"), "lobby")
    async with room.connection:
        assert room.title == "lobby: nobody"
        await server.tell("lobby", "Joined", "Anna")
        await until(room, lambda: room.title == "lobby: Anna")
        await server.tell("lobby", "Left", "Anna")
        await until(room, lambda: room.title == "lobby: nobody")


async def test_the_room_is_entered_again_after_a_reconnect(server: RoomServer, fault_proxy: StartFaultProxy) -> None:
    """Also what changed while the application was offline is right."""
    server.guests.append("Anna")
    proxy = await fault_proxy(server.url("/rooms"))
    room = Room(proxy.url, "lobby")
    reconnected = asyncio.Event()
    room.connection.on_reconnected(lambda _id: reconnected.set())
    async with room.connection, asyncio.timeout(10):
        assert room.title == "lobby: Anna"
        server.guests[:] = ["Bob"]  # Anna leaves while the network is down
        proxy.cut()
        await reconnected.wait()
        assert room.title == "lobby: Bob"
        await server.tell("lobby", "Joined", "Cleo")
        await until(room, lambda: room.title == "lobby: Bob, Cleo")

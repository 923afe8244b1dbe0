"""Handlers of the server's calls, and client results. Spec: client-behaviour.md, "E6", "E7"."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalr_client import HubConnection, HubConnectionState, HubException
from tests.support.hubs import Hubs


class Log:
    """What handlers saw, and when it is enough."""

    def __init__(self, wanted: int = 1) -> None:
        self.entries: list[object] = []
        self._wanted = wanted
        self.full = asyncio.Event()

    def add(self, entry: object) -> None:
        """Note *entry*."""
        self.entries.append(entry)
        if len(self.entries) >= self._wanted:
            self.full.set()

    async def wait(self) -> list[object]:
        """Return the entries once there are enough."""
        async with asyncio.timeout(10):
            await self.full.wait()
        return self.entries


@asynccontextmanager
async def connected(hubs: Hubs) -> AsyncIterator[HubConnection]:
    """Yield a connection to the hub that runs one call at a time."""
    async with hubs.connection("/orderedhub") as connection:
        yield connection


# handlers


async def test_a_handler_gets_the_arguments_in_order(hubs: Hubs) -> None:
    """A plain function, an async one, and none at all."""
    async with connected(hubs) as connection:
        log = Log(3)

        @connection.on("Item")
        async def item(number: int, text: str) -> None:
            log.add((number, text))

        connection.on("Message", log.add)
        connection.on("Nothing", lambda: log.add("nothing"))
        await connection.invoke("SendMany", "Item", 1, 3)
        await connection.invoke("SendToCaller", "Message", "hi")
        await connection.invoke("SendNoArgs", "Nothing")
        assert await log.wait() == [(0, "xxx"), "hi", "nothing"]


async def test_handlers_run_in_order_one_after_another(hubs: Hubs) -> None:
    """A slow one holds up the next, so that nothing overtakes."""
    async with connected(hubs) as connection:
        log = Log(400)

        @connection.on("Item")
        async def item(number: int, _text: str) -> None:
            log.add(("in", number))
            for _ in range(number % 3):
                await asyncio.sleep(0)
            log.add(("out", number))

        assert await connection.invoke("SendMany", "Item", 200, 10) == 200
        assert await log.wait() == [(what, number) for number in range(200) for what in ("in", "out")]


async def test_a_slow_handler_does_not_hold_up_calls(hubs: Hubs) -> None:
    """The read loop never waits for a handler."""
    async with connected(hubs) as connection:
        release, log = asyncio.Event(), Log()

        @connection.on("Message")
        async def slow(_message: str) -> None:
            log.add("in")
            await release.wait()

        await connection.invoke("SendToCaller", "Message", "")
        await log.wait()
        assert await connection.invoke("Add", 1, 2) == 3
        release.set()


async def test_a_handler_may_invoke(hubs: Hubs) -> None:
    """Without a deadlock."""
    async with connected(hubs) as connection:
        log = Log()

        @connection.on("Message")
        async def message(text: str) -> None:
            log.add(await connection.invoke("Echo", f"{text} back"))

        await connection.invoke("SendToCaller", "Message", "there and")
        assert await log.wait() == ["there and back"]


async def test_a_handler_may_stop_the_connection(hubs: Hubs) -> None:
    """It returns, and the connection is over."""
    connection = hubs.connection()
    stopped = Log()

    @connection.on("Message")
    async def stop(_message: str) -> None:
        await connection.stop()
        stopped.add(connection.state)

    await connection.start()
    await connection.send("SendToCaller", "Message", "")
    assert await stopped.wait() == [HubConnectionState.DISCONNECTED]
    await connection.wait_closed()
    await connection.stop()


async def test_several_handlers_run_in_the_order_of_their_registration(hubs: Hubs) -> None:
    """One that raises keeps neither the others nor the connection."""
    async with connected(hubs) as connection:
        log = Log(2)

        def bad(_message: str) -> None:
            raise RuntimeError("mine")

        connection.on("Message", lambda text: log.add(f"first {text}"))
        connection.on("Message", bad)
        connection.on("Message", lambda text: log.add(f"last {text}"))
        await connection.invoke("SendToCaller", "Message", "m")
        assert await log.wait() == ["first m", "last m"]
        assert await connection.invoke("Add", 1, 1) == 2


async def test_what_a_handler_raises_is_logged(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    """With the target's name and the traceback."""
    async with connected(hubs) as connection:

        @connection.on("Message")
        def bad(_message: str) -> None:
            raise RuntimeError("mine")

        await connection.invoke("SendToCaller", "Message", "m")
        while not caplog.records:
            await connection.invoke("Void")
    [record] = caplog.records
    assert record.getMessage() == "! invoking client side method 'Message' failed"
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


async def test_handlers_can_be_removed(hubs: Hubs) -> None:
    """By their subscription, by function, and all of a target."""
    async with connected(hubs) as connection:
        log, marker = Log(99), Log(99)
        connection.on("Marker", marker.add)

        async def received() -> list[object]:
            log.entries.clear()
            marked = len(marker.entries)
            await connection.invoke("SendToCaller", "Message", "m")
            await connection.invoke("SendToCaller", "Marker", "")  # handlers run in order, so this one is behind the other
            while len(marker.entries) == marked:
                await connection.invoke("Void")
            return log.entries.copy()

        def second(_message: str) -> None:
            log.add(2)

        first = connection.on("Message", lambda _: log.add(1))
        connection.on("Message", second)
        with connection.on("Message", lambda _: log.add(3)):
            assert await received() == [1, 2, 3]
        assert await received() == [1, 2]
        first.unsubscribe()
        first.unsubscribe()
        assert await received() == [2]
        connection.off("Message", second)
        assert await received() == []
        connection.on("Message", second)
        connection.on("Message", second)
        connection.off("Message")
        assert await received() == []
        connection.off("Message")
        connection.off("never heard of")


async def test_targets_are_case_sensitive_and_unhandled_calls_can_be_caught(hubs: Hubs) -> None:
    """A catch-all sees the target and the arguments."""
    async with connected(hubs) as connection:
        log = Log(2)
        connection.on("message", lambda _: log.add("wrong"))

        @connection.on_unhandled
        async def unhandled(target: str, arguments: list[object]) -> None:
            log.add((target, arguments))

        await connection.invoke("SendToCaller", "Message", "hi")
        await connection.invoke("SendNoArgs", "Other")
        assert await log.wait() == [("Message", ["hi"]), ("Other", [])]


async def test_a_call_that_nobody_handles_is_logged(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    """As a warning, with the target's name."""
    async with connected(hubs) as connection:
        await connection.invoke("SendToCaller", "Nobody", "hi")
        while not caplog.records:
            await connection.invoke("Void")
    assert caplog.records[0].getMessage() == "! failed to find handler for 'Nobody' method"
    assert caplog.records[0].levelno == logging.WARNING


async def test_an_object_can_be_registered_as_a_whole(hubs: Hubs) -> None:
    """Each public coroutine method is the handler of its name."""

    class Receiver:
        """What a client of a chat offers."""

        def __init__(self) -> None:
            self.log = Log()

        async def Message(self, text: str) -> None:  # the server's spelling
            """Take a message."""
            self.log.add(text)

        async def _private(self) -> None: ...

    async with connected(hubs) as connection:
        receiver = Receiver()
        subscriptions = connection.register(receiver)
        await connection.invoke("SendToCaller", "Message", "hi")
        assert await receiver.log.wait() == ["hi"]
        assert [subscription.target for subscription in subscriptions] == ["Message"]
        with pytest.raises(TypeError, match="no public coroutine method"):
            connection.register(object())


async def test_messages_go_to_whom_they_are_for(hubs: Hubs) -> None:
    """All, others, one, and the members of a group."""
    log = Log(99)
    async with hubs.connection("/orderedhub") as anna, hubs.connection("/orderedhub") as bob:
        anna.on("M", lambda text: log.add(f"anna {text}"))
        bob.on("M", lambda text: log.add(f"bob {text}"))
        assert anna.connection_id

        async def expect(*entries: str) -> None:
            async with asyncio.timeout(10):
                while sorted(map(str, log.entries)) != sorted(entries):
                    await asyncio.gather(anna.invoke("Void"), bob.invoke("Void"))
            log.entries.clear()

        await anna.invoke("SendToAll", "M", "1")
        await expect("anna 1", "bob 1")
        await anna.invoke("SendToOthers", "M", "2")
        await expect("bob 2")
        await bob.invoke("SendToClient", anna.connection_id, "M", "3")
        await expect("anna 3")
        await bob.invoke("JoinGroup", "g")
        await anna.invoke("SendToGroup", "g", "M", "4")
        await expect("bob 4")
        await anna.invoke("JoinGroup", "g")
        await anna.invoke("SendToOthersInGroup", "g", "M", "5")
        await expect("bob 5")


# client results


async def test_what_a_handler_returns_is_the_servers_result(hubs: Hubs) -> None:
    """From a plain function or an async one; also when another client asks."""
    async with hubs.connection() as anna, hubs.connection() as bob:
        anna.on("Q", lambda question: f"anna says {question}")

        @bob.on("Q")
        async def answer(question: str) -> str:
            await asyncio.sleep(0)
            return f"bob says {question}"

        assert await anna.invoke("AskCaller", "Q", "hi") == "anna says hi"
        assert await anna.invoke("AskClient", bob.connection_id, "Q", "yo") == "bob says yo"


@pytest.mark.parametrize("value", [0, 7, -1])
async def test_a_false_value_is_a_result_like_any_other(hubs: Hubs, value: int) -> None:
    """Zero is not nothing."""
    async with hubs.connection() as connection:
        connection.on("Q", lambda number: number)
        assert await connection.invoke("AskCallerInt", "Q", value) == value


async def test_none_answers_null(hubs: Hubs) -> None:
    """The server gets a result, and it is null."""
    async with hubs.connection() as connection:
        connection.on("Q", lambda: None)
        answer = await connection.invoke("AskCallerError", "Q")
        # .NET takes null as a string; ours refuses it, for None is no str
        assert answer in ("result: ", "HubException: Error trying to deserialize result to str. Expected `str`, got `null`")


async def test_an_error_of_the_handler_is_told_by_its_message_alone(hubs: Hubs) -> None:
    """No type, no traceback."""
    async with hubs.connection() as connection:

        @connection.on("Q")
        def broken() -> str:
            raise RuntimeError("client broke")

        assert await connection.invoke("AskCallerError", "Q") == "HubException: client broke"


async def test_a_question_without_a_handler_is_answered_with_an_error(hubs: Hubs) -> None:
    """The server need not wait for ever."""
    async with hubs.connection() as connection:
        assert await connection.invoke("AskCallerError", "Nobody") == "HubException: Client didn't provide a result."


async def test_arguments_that_do_not_fit_the_handler_are_answered_with_an_error(hubs: Hubs) -> None:
    """The handler was never begun."""
    async with hubs.connection() as connection:
        connection.on("Q", lambda _too, _many: "never")
        answer = await connection.invoke("AskCallerError", "Q")
        assert answer == "HubException: Client failed to parse argument(s)."


async def test_two_results_are_an_error_and_one_beside_none_is_the_result(hubs: Hubs) -> None:
    """As in the TypeScript client."""
    async with hubs.connection() as connection:
        connection.on("Q", lambda: "first")
        connection.on("Q", lambda: None)
        assert await connection.invoke("AskCallerError", "Q") == "result: first"
        connection.on("Q", lambda: "second")
        assert await connection.invoke("AskCallerError", "Q") == "HubException: Client provided multiple results."


async def test_a_result_that_cannot_be_sent_is_answered_with_an_error(hubs: Hubs) -> None:
    """And the connection goes on."""
    async with hubs.connection() as connection:
        connection.on("Q", object)
        assert (await connection.invoke("AskCallerError", "Q")).startswith("HubException: Cannot send Completion")
        assert await connection.invoke("Add", 1, 1) == 2


async def test_a_handler_that_is_asked_may_ask_back(hubs: Hubs) -> None:
    """It runs beside the queue of the others."""
    async with hubs.connection() as connection:
        release = asyncio.Event()

        @connection.on("Block")
        async def block(_message: str) -> None:
            await release.wait()

        @connection.on("Q")
        async def answer(question: str) -> str:
            return await connection.invoke("Echo", f"{question} twice", result_type=str)

        await connection.invoke("SendToCaller", "Block", "")
        assert await connection.invoke("AskCaller", "Q", "once or") == "once or twice"
        release.set()


async def test_a_result_that_nobody_waits_for_is_only_logged(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    """A warning says which target it was."""
    async with connected(hubs) as connection:
        connection.on("M", lambda _: "unasked")
        await connection.invoke("SendToCaller", "M", "")
        while not caplog.records:
            await connection.invoke("Void")
    text = "! result given for 'M' method but server is not expecting a result"
    assert [record.getMessage() for record in caplog.records] == [text]


async def test_a_typed_hub_calls_and_asks_by_its_clients_type(hubs: Hubs) -> None:
    """Over the hub whose clients have a type."""
    async with hubs.connection("/typedhub") as anna, hubs.connection("/typedhub") as bob:
        log = Log(2)
        anna.on("ReceiveMessage", lambda user, text: log.add(f"{user}: {text}"))
        bob.on("ReceiveMessage", lambda user, text: log.add(f"{user}: {text}"))
        bob.on("GetMessage", lambda: "from bob")
        await anna.invoke("SendMessage", "anna", "hello")
        assert await log.wait() == ["anna: hello"] * 2
        assert await anna.invoke("WaitForMessage", bob.connection_id) == "from bob"
        with pytest.raises(HubException, match="does not exist"):
            await anna.invoke("WaitForMessage", "nobody")

"""Handlers of client methods, and client results. See docs/handlers.md."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from signalr_client import HubConnection, HubConnectionState, HubException
from tests.support.hubs import Hubs


class Log:
    """Records what handlers received, until there are enough entries."""

    def __init__(self, wanted: int = 1) -> None:
        self.entries: list[object] = []
        self._wanted = wanted
        self.full = asyncio.Event()

    def add(self, entry: object) -> None:
        """Add an entry."""
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
    """A plain function, a coroutine function, and a handler without parameters."""
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
    """A slow handler delays the next one, so the order is kept."""
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


async def test_a_slow_handler_does_not_delay_calls(hubs: Hubs) -> None:
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
    async with connected(hubs) as connection:
        log = Log()

        @connection.on("Message")
        async def message(text: str) -> None:
            log.add(await connection.invoke("Echo", f"{text} back"))

        await connection.invoke("SendToCaller", "Message", "there and")
        assert await log.wait() == ["there and back"]


async def test_a_handler_may_stop_the_connection(hubs: Hubs) -> None:
    """`stop()` returns in the handler, and the connection is closed."""
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


async def test_several_handlers_run_in_order_of_registration(hubs: Hubs) -> None:
    """If one raises, the others still run and the connection stays open."""
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


async def test_an_exception_in_a_handler_is_logged(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    """With the target and the traceback."""
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
    """With the subscription, by function, and all handlers of a target."""
    async with connected(hubs) as connection:
        log, marker = Log(99), Log(99)
        connection.on("Marker", marker.add)

        async def received() -> list[object]:
            log.entries.clear()
            marked = len(marker.entries)
            await connection.invoke("SendToCaller", "Message", "m")
            await connection.invoke("SendToCaller", "Marker", "")  # handlers run in order, so this message is handled last
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
        connection.off("unknown")


async def test_targets_are_case_sensitive_and_unhandled_calls_can_be_caught(hubs: Hubs) -> None:
    """A handler for unhandled calls gets the target and the arguments."""
    async with connected(hubs) as connection:
        log = Log(2)
        connection.on("message", lambda _: log.add("wrong"))

        @connection.on_unhandled
        async def unhandled(target: str, arguments: list[object]) -> None:
            log.add((target, arguments))

        await connection.invoke("SendToCaller", "Message", "hi")
        await connection.invoke("SendNoArgs", "Other")
        assert await log.wait() == [("Message", ["hi"]), ("Other", [])]


async def test_a_call_without_a_handler_is_logged(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    """As a warning with the target."""
    async with connected(hubs) as connection:
        await connection.invoke("SendToCaller", "Nobody", "hi")
        while not caplog.records:
            await connection.invoke("Void")
    assert caplog.records[0].getMessage() == "! failed to find handler for 'Nobody' method"
    assert caplog.records[0].levelno == logging.WARNING


async def test_register_adds_the_methods_of_an_object(hubs: Hubs) -> None:
    """Each public coroutine method becomes the handler for its name."""

    class Receiver:
        """The client methods of a chat."""

        def __init__(self) -> None:
            self.log = Log()

        async def Message(self, text: str) -> None:  # the name as sent by the server
            """Receive a message."""
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


async def test_messages_reach_only_their_recipients(hubs: Hubs) -> None:
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


async def test_the_return_value_of_a_handler_is_sent_to_the_server(hubs: Hubs) -> None:
    """For plain and coroutine functions; also when another client requests the result."""
    async with hubs.connection() as anna, hubs.connection() as bob:
        anna.on("Q", lambda question: f"anna says {question}")

        @bob.on("Q")
        async def answer(question: str) -> str:
            await asyncio.sleep(0)
            return f"bob says {question}"

        assert await anna.invoke("AskCaller", "Q", "hi") == "anna says hi"
        assert await anna.invoke("AskClient", bob.connection_id, "Q", "yo") == "bob says yo"


@pytest.mark.parametrize("value", [0, 7, -1])
async def test_a_falsy_value_is_a_valid_result(hubs: Hubs, value: int) -> None:
    async with hubs.connection() as connection:
        connection.on("Q", lambda number: number)
        assert await connection.invoke("AskCallerInt", "Q", value) == value


async def test_none_is_sent_as_a_null_result(hubs: Hubs) -> None:
    async with hubs.connection() as connection:
        connection.on("Q", lambda: None)
        answer = await connection.invoke("AskCallerError", "Q")
        # .NET accepts null for a string; our server rejects it, because None is not a str
        assert answer in ("result: ", "HubException: Error trying to deserialize result to str. result: expected str, got None")


async def test_an_error_in_a_handler_is_sent_as_its_message(hubs: Hubs) -> None:
    """Without type and traceback."""
    async with hubs.connection() as connection:

        @connection.on("Q")
        def broken() -> str:
            raise RuntimeError("client broke")

        assert await connection.invoke("AskCallerError", "Q") == "HubException: client broke"


async def test_a_client_result_without_a_handler_is_an_error(hubs: Hubs) -> None:
    """The server gets an error instead of waiting indefinitely."""
    async with hubs.connection() as connection:
        assert await connection.invoke("AskCallerError", "Nobody") == "HubException: Client didn't provide a result."


async def test_arguments_that_do_not_fit_the_handler_are_an_error(hubs: Hubs) -> None:
    """The handler is not called."""
    async with hubs.connection() as connection:
        connection.on("Q", lambda _too, _many: "never")
        answer = await connection.invoke("AskCallerError", "Q")
        assert answer == "HubException: Client failed to parse argument(s)."


async def test_results_of_two_handlers_are_an_error(hubs: Hubs) -> None:
    """If only one of them returns a value, that is the result, as in the TypeScript client."""
    async with hubs.connection() as connection:
        connection.on("Q", lambda: "first")
        connection.on("Q", lambda: None)
        assert await connection.invoke("AskCallerError", "Q") == "result: first"
        connection.on("Q", lambda: "second")
        assert await connection.invoke("AskCallerError", "Q") == "HubException: Client provided multiple results."


async def test_a_result_that_cannot_be_encoded_is_an_error(hubs: Hubs) -> None:
    """The connection stays open."""
    async with hubs.connection() as connection:
        connection.on("Q", object)
        assert (await connection.invoke("AskCallerError", "Q")).startswith("HubException: Cannot send Completion")
        assert await connection.invoke("Add", 1, 1) == 2


async def test_a_handler_with_a_client_result_may_invoke(hubs: Hubs) -> None:
    """It runs concurrently with the queue of the other handlers."""
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


async def test_an_unexpected_result_is_logged(hubs: Hubs, caplog: pytest.LogCaptureFixture) -> None:
    """As a warning with the target."""
    async with connected(hubs) as connection:
        connection.on("M", lambda _: "unasked")
        await connection.invoke("SendToCaller", "M", "")
        while not caplog.records:
            await connection.invoke("Void")
    text = "! result given for 'M' method but server is not expecting a result"
    assert [record.getMessage() for record in caplog.records] == [text]


async def test_a_strongly_typed_hub_can_call_clients_and_get_results(hubs: Hubs) -> None:
    """With the hub whose clients have a declared type."""
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

"""Calls with `invoke` and `send`."""

from __future__ import annotations

import asyncio
import logging

import pytest

from signalr_client import BindingError, ConnectionClosedError, HubException, InvalidStateError
from tests.support.hubs import Hubs


async def test_invoke_returns_what_the_method_returns(hubs: Hubs) -> None:
    """Numbers, strings with any characters, null, and no value."""
    async with hubs.connection() as connection:
        assert await connection.invoke("Add", 3, 4) == 7
        assert await connection.invoke("Echo", "héllo ✓ \u0001 😀") == "héllo ✓ \u0001 😀"
        assert await connection.invoke("Echo", "") == ""
        assert await connection.invoke("EchoLong", -(2**63)) == -(2**63)
        assert await connection.invoke("EchoDouble", 0.1) == 0.1
        assert await connection.invoke("EchoList", ["a", "b"]) == ["a", "b"]
        assert await connection.invoke("EchoDictionary", {"x": 1}) == {"x": 1}
        assert await connection.invoke("ReturnNull") is None
        assert await connection.invoke("Void") is None
        assert await connection.invoke("renamed-method") == "renamed"


@pytest.mark.parametrize(
    ("target", "arguments", "text"),
    [
        ("ThrowException", ["secret"], "An unexpected error occurred invoking 'ThrowException' on the server."),
        (
            "ThrowHubException",
            ["told"],
            "An unexpected error occurred invoking 'ThrowHubException' on the server. HubException: told",
        ),
        ("Nope", [], "Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist."),
        ("Add", [1], "Failed to invoke 'Add' due to an error on the server."),
        ("Add", ["x", 1], "Failed to invoke 'Add' due to an error on the server."),
    ],
)
async def test_invoke_raises_the_error_of_the_method(hubs: Hubs, target: str, arguments: list[object], text: str) -> None:
    """The message of the server is passed on unchanged, and the connection stays open."""
    async with hubs.connection() as connection:
        with pytest.raises(HubException) as caught:
            await connection.invoke(target, *arguments)
        assert caught.value.message == text
        assert await connection.invoke("Add", 1, 1) == 2


async def test_invoke_raises_binding_error_for_an_argument_that_cannot_be_encoded(hubs: Hubs) -> None:
    """The error names the type, and nothing is sent."""
    async with hubs.connection() as connection:
        with pytest.raises(BindingError, match="object"):
            await connection.invoke("Echo", object())
        with pytest.raises(BindingError, match="object"):
            await connection.send("Echo", object())
        assert await connection.invoke("Echo", "still here") == "still here"


async def test_invoke_converts_the_result_to_result_type(hubs: Hubs) -> None:
    """A result that cannot be converted is a binding error."""
    async with hubs.connection() as connection:
        assert await connection.invoke("EchoList", ["a"], result_type=tuple[str, ...]) == ("a",)
        with pytest.raises(BindingError, match=r"Error trying to deserialize result to int\."):
            await connection.invoke("Echo", "text", result_type=int)
        assert await connection.invoke("Add", 1, 1, result_type=int) == 2


async def test_many_invocations_run_concurrently(hubs: Hubs) -> None:
    """Each caller gets its own result."""
    async with hubs.connection() as connection:
        answers = await asyncio.gather(*(connection.invoke("Add", number, 1000) for number in range(256)))
    assert answers == [number + 1000 for number in range(256)]


async def test_sent_messages_arrive_in_order_and_before_later_calls(hubs: Hubs) -> None:
    """`send` does not wait for a response, and the server sends none."""
    async with hubs.connection("/orderedhub") as connection:
        for number in range(300):
            await connection.send("Record", number)
        assert await connection.invoke("Recorded") == "300 in order"


async def test_large_messages_work_in_both_directions(hubs: Hubs) -> None:
    """1 MiB to the server, and 3 MiB back."""
    async with hubs.connection() as connection:
        assert len(await connection.invoke("Echo", "z" * 2**20)) == 2**20
        assert len(await connection.invoke("MakeString", 3 * 2**20)) == 3 * 2**20


async def test_cancelling_invoke_sends_cancel_invocation_and_ignores_a_late_result(
    hubs: Hubs, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller continues immediately, and the connection stays open."""
    caplog.set_level(logging.DEBUG, "signalr_client")
    async with hubs.connection() as connection:
        call = asyncio.create_task(connection.invoke("Delay", 100))
        while "> Invocation" not in caplog.text:
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert "> CancelInvocation" in caplog.text
        assert await connection.invoke("Delay", 200) == "slept 200"
        assert await connection.invoke("Add", 1, 2) == 3


async def test_asyncio_timeout_works_around_a_call(hubs: Hubs) -> None:
    """It only ends the wait; the connection stays open."""
    async with hubs.connection() as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.invoke("Delay", 60_000)
        assert await connection.invoke("Add", 1, 2) == 3


async def test_pending_calls_fail_when_the_connection_is_lost(hubs: Hubs) -> None:
    """Each call gets its own error."""
    connection = hubs.connection()
    await connection.start()
    calls = [asyncio.create_task(connection.invoke("Delay", 60_000)) for _ in range(3)]
    await connection.send("Abort")
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionClosedError] * 3
    assert len({id(result) for result in results}) == 3
    await connection.stop()


async def test_pending_calls_fail_when_the_connection_is_stopped(hubs: Hubs) -> None:
    connection = hubs.connection()
    await connection.start()
    call = asyncio.create_task(connection.invoke("Delay", 60_000))
    assert await connection.invoke("Add", 1, 1) == 2
    await connection.stop()
    with pytest.raises(ConnectionClosedError, match="Invocation canceled due to the underlying connection being closed"):
        await call


async def test_calls_need_a_connection(hubs: Hubs) -> None:
    """Before start() and after stop(), calls raise an error that names the method and the state."""
    connection = hubs.connection()
    text = r"The '{}' method cannot be called if the connection is not active\..* \(The connection is disconnected\.\)"
    for _ in range(2):
        with pytest.raises(InvalidStateError, match=text.format("invoke")):
            await connection.invoke("Add", 1, 2)
        with pytest.raises(InvalidStateError, match=text.format("send")):
            await connection.send("Void")
        with pytest.raises(InvalidStateError, match=text.format("stream")):
            await anext(connection.stream("Counter", 1, 0))
        await connection.start()
        await connection.stop()

"""`invoke` and `send`. Spec: client-behaviour.md, "E2" to "E4", "E12"."""

from __future__ import annotations

import asyncio
import logging

import pytest

from signalr_client import BindingError, ConnectionClosedError, HubException, InvalidStateError
from tests.support.hubs import Hubs


async def test_invoke_returns_what_the_method_returns(hubs: Hubs) -> None:
    """Numbers, texts of any alphabet, null and nothing."""
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
async def test_an_error_of_the_method_is_the_callers_and_the_connection_goes_on(
    hubs: Hubs, target: str, arguments: list[object], text: str
) -> None:
    """The text is the server's, unchanged."""
    async with hubs.connection() as connection:
        with pytest.raises(HubException) as caught:
            await connection.invoke(target, *arguments)
        assert caught.value.message == text
        assert await connection.invoke("Add", 1, 1) == 2


async def test_a_value_that_cannot_be_sent_is_a_binding_error_and_nothing_is_sent(hubs: Hubs) -> None:
    """The caller hears which type it was; the server hears nothing."""
    async with hubs.connection() as connection:
        with pytest.raises(BindingError, match="object"):
            await connection.invoke("Echo", object())
        with pytest.raises(BindingError, match="object"):
            await connection.send("Echo", object())
        assert await connection.invoke("Echo", "still here") == "still here"


async def test_a_result_is_converted_to_the_type_that_was_asked_for(hubs: Hubs) -> None:
    """What does not fit is a binding error that says so."""
    async with hubs.connection() as connection:
        assert await connection.invoke("EchoList", ["a"], result_type=tuple[str, ...]) == ("a",)
        with pytest.raises(BindingError, match=r"Error trying to deserialize result to int\."):
            await connection.invoke("Echo", "text", result_type=int)
        assert await connection.invoke("Add", 1, 1, result_type=int) == 2


async def test_many_invocations_run_side_by_side(hubs: Hubs) -> None:
    """Every caller gets its own answer."""
    async with hubs.connection() as connection:
        answers = await asyncio.gather(*(connection.invoke("Add", number, 1000) for number in range(256)))
    assert answers == [number + 1000 for number in range(256)]


async def test_sent_messages_arrive_in_order_and_before_what_follows(hubs: Hubs) -> None:
    """`send` waits for no answer, and gets none."""
    async with hubs.connection("/orderedhub") as connection:
        for number in range(300):
            await connection.send("Record", number)
        assert await connection.invoke("Recorded") == "300 in order"


async def test_a_large_message_passes_both_ways(hubs: Hubs) -> None:
    """One of 1 MiB there, and one of 3 MiB back."""
    async with hubs.connection() as connection:
        assert len(await connection.invoke("Echo", "z" * 2**20)) == 2**20
        assert len(await connection.invoke("MakeString", 3 * 2**20)) == 3 * 2**20


async def test_cancelling_invoke_tells_the_server_and_drops_the_late_answer(
    hubs: Hubs, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is free at once, the connection goes on."""
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


async def test_a_timeout_around_a_call_is_safe(hubs: Hubs) -> None:
    """`asyncio.timeout` ends the waiting and nothing else."""
    async with hubs.connection() as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.invoke("Delay", 60_000)
        assert await connection.invoke("Add", 1, 2) == 3


async def test_calls_that_wait_fail_when_the_connection_ends(hubs: Hubs) -> None:
    """Every one of them gets an error of its own."""
    connection = hubs.connection()
    await connection.start()
    calls = [asyncio.create_task(connection.invoke("Delay", 60_000)) for _ in range(3)]
    await connection.send("Abort")
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionClosedError] * 3
    assert len({id(result) for result in results}) == 3
    await connection.stop()


async def test_calls_that_wait_fail_when_the_connection_is_stopped(hubs: Hubs) -> None:
    """Also when that was our own wish."""
    connection = hubs.connection()
    await connection.start()
    call = asyncio.create_task(connection.invoke("Delay", 60_000))
    assert await connection.invoke("Add", 1, 1) == 2
    await connection.stop()
    with pytest.raises(ConnectionClosedError, match="Invocation canceled due to the underlying connection being closed"):
        await call


async def test_calls_need_a_connection(hubs: Hubs) -> None:
    """Before the start and after the end there is none; the error says which method and which state."""
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

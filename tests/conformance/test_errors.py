"""Errors of hub methods and handlers, on both servers, in both hub protocols. See docs/errors.md.

Our server sends the code and data of a HubException, which the real one does not have; everything else is the same.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import pytest

from signalr_client import HubException
from tests.interop.hubs import CODE
from tests.support.hubs import Hubs

INVOKING: Final = "An unexpected error occurred invoking '{}' on the server."
STREAMING: Final = "An error occurred on the server while streaming results."


@pytest.fixture
def details(request: pytest.FixtureRequest, server_url: str) -> tuple[object, object]:
    """The code and data of the errors that the hubs of this server raise."""
    if request.node.callspec.params["server_url"] == "python":
        return CODE, {"text": 'a "quoted" é', "points": [{"x": 1, "y": 2}]}
    return None, None


@pytest.mark.parametrize("said", ["told", "", "a: b\nc 'd' é", "HubException: twice"])
async def test_the_text_of_an_error_is_what_the_hub_said(hubs: Hubs, details: object, said: str) -> None:
    async with hubs.connection() as connection:
        with pytest.raises(HubException) as caught:
            await connection.invoke("ThrowHubException", said)
        assert str(caught.value) == f"{INVOKING.format('ThrowHubException')} HubException: {said}"
        assert caught.value.text == said
        assert (caught.value.code, caught.value.data) == details
        assert await connection.invoke("Echo", "alive") == "alive"


async def test_the_text_of_a_stream_that_fails_is_what_the_hub_said(hubs: Hubs, details: object) -> None:
    async with hubs.connection() as connection:
        with pytest.raises(HubException) as caught:
            async for _ in connection.stream("StreamThenThrow", 2, "ran out"):
                pass
    assert str(caught.value) == f"{STREAMING} HubException: ran out"
    assert caught.value.text == "ran out"
    assert (caught.value.code, caught.value.data) == details


@pytest.mark.parametrize(
    ("target", "arguments", "message", "text"),
    [
        ("ThrowException", ["secret"], INVOKING.format("ThrowException"), None),
        ("Add", ["x", 1], "Failed to invoke 'Add' due to an error on the server.", None),
        (
            "Nope",
            [],
            "Failed to invoke 'Nope' due to an error on the server. HubException: Method does not exist.",
            "Method does not exist.",
        ),
        (
            "Counter",
            [1, 0],
            "The client attempted to invoke the streaming 'Counter' method with a non-streaming invocation.",
            None,
        ),
    ],
)
async def test_an_error_that_the_hub_did_not_raise_has_no_code_and_no_data(
    hubs: Hubs, target: str, arguments: list[object], message: str, text: str | None
) -> None:
    async with hubs.connection() as connection:
        with pytest.raises(HubException) as caught:
            await connection.invoke(target, *arguments)
    error = caught.value
    assert (str(error), error.text, error.code, error.data) == (message, text or message, None, None)


async def test_the_text_of_a_detailed_error_is_without_the_type_of_the_exception(hubs: Hubs) -> None:
    async with hubs.connection("/detailedhub") as connection:
        with pytest.raises(HubException) as caught:
            await connection.invoke("ThrowException", "told")
    error = caught.value
    assert str(error) == f"{INVOKING.format('ThrowException')} InvalidOperationException: told"
    assert (error.text, error.code, error.data) == ("told", None, None)


async def test_a_server_takes_the_error_of_a_handler_with_code_and_data(hubs: Hubs) -> None:
    """The header means nothing to the real server."""

    def refuse() -> None:
        raise HubException("not now", "busy", {"seconds": [1, 2], "text": 'a "quoted" é'})

    async with hubs.connection() as connection:
        connection.on("Refuse", refuse)
        assert await connection.invoke("AskCallerError", "Refuse") == "HubException: not now"
        assert await connection.invoke("Echo", "alive") == "alive"


async def test_a_server_takes_the_error_of_an_upload_with_code_and_data(hubs: Hubs) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1
        raise HubException("not more", 7, [1])

    async with hubs.connection() as connection:
        assert await connection.invoke("StreamError", numbers()) == "HubException: not more"
        assert await connection.invoke("Echo", "alive") == "alive"

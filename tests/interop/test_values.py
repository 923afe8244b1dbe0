"""Every type of docs/types.md makes the round trip: {our client, .NET, TypeScript} x {our server, the real one} x {JSON, MessagePack}.

| client | values |
|---|---|
| ours | every row of the table to our server; every method of the real server's hub to both servers (tests/conformance/test_types.py) |
| .NET | its own checks, to both servers; the values that it has no check for to our server, byte by byte as it writes them |
| TypeScript | every row of the table to our server; every row that the real server's hub has a method for to both servers |

The real server's hub has no method for the other rows: `NOT_ON_THE_REAL_SERVER`. How .NET reads and writes those is recorded in
tests/vectors, and tests/vectors/test_values.py compares with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import aiohttp
import pytest

from signalr_client.core.messages import Completion, Invocation
from signalr_client.server import Hub, HubServer
from tests.interop.checks import run
from tests.interop.values import ECHO
from tests.support.aspnetcore import program
from tests.support.hubs import PROTOCOLS, Hubs
from tests.support.raw import raw
from tests.support.type_table import READ_AS, ROWS, value_of
from tests.vectors.test_values import (
    JSON_DIFFERS,
    MESSAGEPACK,
    MESSAGEPACK_DIFFERS,
    MESSAGEPACK_TYPES,
    VALUES,
    json_argument,
    messagepack_argument,
)

NOT_ON_THE_REAL_SERVER: Final = {
    "`date`",
    "`time`",
    "`tuple[int, str]`, `tuple[int, ...]`",
    "`dict[int, str]`",
    "attrs class",  # written as a dataclass is
    "msgspec Struct",
    "pydantic model",
    "NamedTuple",
    "`Any`, `object`",
}
DOTNET_CHECKS: Final = ["echo", "numbers", "values", "complex", "stream-complex", "send-complex", "client-results"]

OTHER_TYPES: Final[tuple[Any, ...]] = (float, bytearray, frozenset[int], datetime)
"""Those that a value is converted to although the example of its row has another one."""

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture(params=["aspnetcore", "python"])
def server_url(request: pytest.FixtureRequest) -> str:
    """URL of each of the two servers in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


# our client


@each_protocol
async def test_our_client_echoes_every_row(python_url: str, protocol: str) -> None:
    """The example of each row of the table, as each of the types that it is read as."""
    assert ECHO.keys() == {cells[0] for cells in ROWS}
    async with Hubs(python_url, "ws", protocol).connection("/valueshub") as connection:
        for row, _, example, *_ in ROWS:
            value = value_of(example)
            for wanted in READ_AS[row]:
                result: object = await connection.invoke(ECHO[row], value, result_type=type(None) if wanted is None else wanted)
                assert result == value, (row, wanted)
                assert type(result) is type(value) or wanted in OTHER_TYPES, (row, wanted)


# the .NET client


@pytest.mark.interop
@each_protocol
@pytest.mark.parametrize("name", DOTNET_CHECKS)
async def test_the_dotnet_client_echoes_its_values(server_url: str, protocol: str, name: str) -> None:
    client = str(program("interop-client"))
    code, output = await run(client, "check", f"{server_url}/testhub", "--protocol", protocol, "--only", name)
    assert (code, output.splitlines()) == (0, [f"ok   {name}", "1 passed, 0 failed"])


def echo_hub() -> type[Hub]:
    """Return a hub with a method for each recorded value, with its type as it is over each of the protocols."""

    def method(wanted: Any) -> Callable[[Any, Any], Any]:
        def echo(_self: Any, value: Any) -> Any:
            return value

        echo.__annotations__ = {"value": wanted, "return": wanted}
        return echo

    methods = {f"json_{number}": method(wanted) for number, (wanted, _) in enumerate(VALUES.values())}
    for number, (name, (wanted, _)) in enumerate(VALUES.items()):
        methods[f"messagepack_{number}"] = method(MESSAGEPACK_TYPES.get(name, wanted))
    return type("RecordedHub", (Hub,), methods)


async def test_what_the_dotnet_client_writes_in_json_comes_back_as_it_writes_it() -> None:
    """The exceptions are those of the test of the vectors: other spellings of the same value."""
    async with HubServer({"/hub": echo_hub()}) as server, raw(server.url("/hub")) as hub, hub.socket() as socket:
        await socket.shake_hands()
        for number, name in enumerate(VALUES):
            argument = json_argument(name)
            await socket.write(f'{{"type":1,"invocationId":"1","target":"json_{number}","arguments":[{argument}]}}\x1e')
            expected = JSON_DIFFERS.get(name, argument)
            assert await socket.read() == f'{{"type":3,"invocationId":"1","result":{expected}}}', name


async def test_what_the_dotnet_client_writes_in_messagepack_comes_back_as_it_writes_it() -> None:
    async with (
        HubServer({"/hub": echo_hub()}) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url("/hub")) as socket,
    ):
        await socket.send_str('{"protocol":"messagepack","version":1}\x1e')
        assert await socket.receive_bytes() == b"{}\x1e"
        for number, name in enumerate(VALUES):
            argument = messagepack_argument(name)
            call = MESSAGEPACK.encode(Invocation(invocation_id="1", target=f"messagepack_{number}", arguments=[None]))
            [record] = MESSAGEPACK.framer().feed(call)
            assert record.endswith(b"\x91\xc0\x90")  # one argument, null; no streams
            await socket.send_bytes(framed(record[:-2] + argument + b"\x90"))
            different = MESSAGEPACK_DIFFERS.get(name)
            written = bytes.fromhex(different) if different else argument
            [answer] = MESSAGEPACK.framer().feed(await socket.receive_bytes())
            [void] = MESSAGEPACK.framer().feed(MESSAGEPACK.encode(Completion(invocation_id="1", result=None)))
            assert answer == void[:-1] + written, name


def framed(record: bytes) -> bytes:
    """Return a message with its length before it."""
    size, prefix = len(record), bytearray()
    while size > 0x7F:
        prefix.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*prefix, size]) + record


# the TypeScript client


async def rows_echoed(command: list[str], url: str, protocol: str) -> set[str]:
    """Run the program; return the rows of the table that it has checked."""
    code, output = await run(*command, url, protocol)
    lines = output.splitlines()
    assert code == 0, [line for line in lines if not line.startswith("ok ")]
    return {line.removeprefix("ok   ") for line in lines}


@pytest.mark.interop
@each_protocol
async def test_the_typescript_client_echoes_the_values_that_both_servers_have(
    server_url: str, typescript_values: list[str], protocol: str
) -> None:
    echoed = await rows_echoed(typescript_values, f"{server_url}/testhub", protocol)
    assert {cells[0] for cells in ROWS} - echoed == NOT_ON_THE_REAL_SERVER
    assert {"a message of the server", "a result of the client"} < echoed


@pytest.mark.interop
@each_protocol
async def test_the_typescript_client_echoes_every_row(python_url: str, typescript_values: list[str], protocol: str) -> None:
    echoed = await rows_echoed(typescript_values, f"{python_url}/valueshub", protocol)
    assert echoed == {cells[0] for cells in ROWS} | {"an integer that loses digits", "a map that loses its entries"}

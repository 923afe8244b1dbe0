"""What `signalr generate` writes is judged by the compilers of its languages, and used against the real server."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import jsonschema
import pytest

from signalr_client import DateTimeOffset, HubConnectionBuilder, HubException, HubProtocol
from signalr_client.cli.main import main
from signalr_client.generate import read_csharp
from signalr_client.generate.description import Enumeration, Interface, Stream
from signalr_client.generate.types import ListOf, MapOf, Nullable, Reference, Scalar, Type, Variable
from tests.interop.checks import run
from tests.support.aspnetcore import missing, program

pytestmark = pytest.mark.interop

HERE: Final = Path(__file__).parent
GENERATED: Final = HERE / "generated"
UNIT: Final = HERE.parent / "unit" / "generate"
SHOP: Final = "tests.unit.generate.shop:ShopHub"
STRICT: Final = ("--strict", "--noUncheckedIndexedAccess", "--erasableSyntaxOnly", "--target", "es2022", "--module", "nodenext")


@pytest.fixture(scope="module")
def server_source() -> Path:
    """The source of the real server, which is beside its program."""
    path = program("interop-server").parents[1] / "src" / "server" / "Program.cs"
    if not path.exists():
        missing(f"the source of interop-server was not found at {path}")
    return path


def generate(*arguments: str) -> None:
    """Run the command."""
    main(["generate", *arguments])


async def check_csharp(*files: Path) -> None:
    """Compile files of C# together."""
    code, output = await run(str(program("interop-csharp")), "check", *map(str, files))
    assert code == 0, output
    assert output.splitlines()[-1] == "0 errors"


# TypeScript


@pytest.fixture(params=["python", "csharp"])
def sources(request: pytest.FixtureRequest, server_source: Path) -> dict[str, str]:
    """Where the types of two hubs come from: our own hubs, or the source of the real server."""
    if request.param == "python":
        return {"testhub": "tests.interop.hubs:TestHub", "typedhub": "tests.interop.hubs:TypedHub"}
    return {"testhub": f"{server_source}:TestHub", "typedhub": f"{server_source}:TypedHub"}


def typescript(
    folder: Path, node_modules: Path, sources: dict[str, str], *files: str, options: Sequence[str] = ()
) -> list[str]:
    """Generate the types of hubs into a folder, and copy files beside them; return the paths of all."""
    (folder / "node_modules").symlink_to(node_modules)
    (folder / "package.json").write_text('{"type": "module"}')
    for name, source in sources.items():
        generate(source, "--to", "typescript", "-o", str(folder / f"{name}.ts"), *options)
    return [str(shutil.copy(GENERATED / name, folder)) for name in files] + [str(folder / f"{name}.ts") for name in sources]


async def test_typescript_compiles_and_calls_both_servers(
    tmp_path: Path, node_modules: Path, tsc: list[str], sources: dict[str, str], python_url: str, aspnetcore_url: str
) -> None:
    """One program, with types from a hub in Python or in C#; nothing but the types is generated."""
    files = typescript(tmp_path, node_modules, sources, "use.ts", "node.d.ts")
    code, output = await run(*tsc, *STRICT, *files)
    assert (code, output) == (0, "")
    for url in (python_url, aspnetcore_url):
        assert await run(tsc[0], str(tmp_path / "use.js"), url) == (0, "ok\n")


async def test_typescript_for_messagepack_compiles_and_calls_both_servers(
    tmp_path: Path, node_modules: Path, tsc: list[str], sources: dict[str, str], python_url: str, aspnetcore_url: str
) -> None:
    options = ("--protocol", "messagepack")
    files = typescript(tmp_path, node_modules, sources, "messagepack.ts", "node.d.ts", options=options)
    code, output = await run(*tsc, *STRICT, *files)
    assert (code, output) == (0, "")
    for url in (python_url, aspnetcore_url):
        assert await run(tsc[0], str(tmp_path / "messagepack.js"), url) == (0, "ok\n")


async def test_typescript_refuses_every_mistake(
    tmp_path: Path, node_modules: Path, tsc: list[str], sources: dict[str, str]
) -> None:
    """A wrong name, a wrong argument, a wrong result and a wrong handler are errors in their lines, and nothing else is."""
    files = typescript(tmp_path, node_modules, sources, "misuse.ts")
    _, output = await run(*tsc, *STRICT, "--noEmit", "--pretty", "false", *files)
    text = (GENERATED / "misuse.ts").read_text()
    expected = [number for number, line in enumerate(text.splitlines(), 1) if line.endswith("// error")]
    found = [line for line in output.splitlines() if not line.startswith(" ")]
    assert sorted({int(line.partition("(")[2].partition(",")[0]) for line in found}) == expected, output
    assert all("misuse.ts(" in line for line in found)


@pytest.mark.parametrize("source", [SHOP, str(UNIT / "Shop.cs")])
@pytest.mark.parametrize("options", [(), ("--enums", "names"), ("--protocol", "messagepack")])
async def test_typescript_of_every_kind_of_type_compiles(
    tmp_path: Path, node_modules: Path, tsc: list[str], source: str, options: tuple[str, ...]
) -> None:
    files = typescript(tmp_path, node_modules, {"shop": source}, options=options)
    assert await run(*tsc, *STRICT, "--noEmit", *files) == (0, "")


async def test_the_typescript_of_the_documentation_compiles(
    tmp_path: Path, node_modules: Path, tsc: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    documented(tmp_path, "python chat.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "chat", raising=False)
    generate("chat:ChatHub", "--to", "typescript", "-o", str(tmp_path / "chat.ts"))
    files = [str(documented(tmp_path, "typescript", "use.ts")), str(tmp_path / "chat.ts")]
    assert await run(*tsc, *STRICT, "--noEmit", *files) == (0, "")


def documented(folder: Path, heading: str, name: str = "") -> Path:
    """Write the first block of docs/generate.md with a heading into a file, and return its path."""
    text = (HERE.parents[1] / "docs" / "generate.md").read_text()
    code = text.partition(f"\n```{heading}\n")[2].partition("\n```")[0]
    assert code
    path = folder / (name or heading.partition(" ")[2])
    path.write_text(f"{code}\n")
    return path


# C#


@pytest.mark.parametrize("options", [(), ("--enums", "names", "--enum-naming", "camelCase")])
async def test_csharp_compiles_together_with_a_hub_that_implements_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    path = tmp_path / "Shop.cs"
    generate(SHOP, "--to", "csharp", "--namespace", "Shop.Api", "-o", str(path), *options)
    await check_csharp(path, GENERATED / "Use.cs")


async def test_csharp_from_csharp_compiles(tmp_path: Path, server_source: Path) -> None:
    for number, source in enumerate([str(UNIT / "Shop.cs"), f"{server_source}:TestHub", f"{server_source}:TypedHub"]):
        path = tmp_path / f"{number}.cs"
        generate(source, "--to", "csharp", "-o", str(path))
        await check_csharp(path)


async def test_the_sources_in_csharp_compile(tmp_path: Path) -> None:
    """The files that the unit tests and the documentation read are ones that people could have written."""
    await check_csharp(UNIT / "Shop.cs")
    await check_csharp(documented(tmp_path, "csharp Orders.cs"))


# What is read from C#, and what the compiler says


def shape(kind: Type | Stream | None) -> Any:
    """Return a type without what the compiler does not tell: which class a list or a dictionary is."""
    match kind:
        case Stream(item=item):
            return "stream", shape(item)
        case ListOf():
            return "set" if kind.unique else "list", shape(kind.item)
        case MapOf():
            return "map", shape(kind.key), shape(kind.value)
        case Nullable():
            return "nullable", shape(kind.inner)
        case Reference():
            return kind.name, [shape(argument) for argument in kind.arguments]
        case Variable():
            return kind.name
        case Scalar():
            return kind.value
        case _:
            return kind


def described(interface: Interface) -> dict[str, Any]:
    """Return what was read: names, wire names, results and arguments."""
    return {
        method.dotnet: (method.wire, shape(method.result), [(each.dotnet, shape(each.type)) for each in method.parameters])
        for method in interface.methods
    }


def understood(compiler: list[dict[str, Any]], folder: Path, types: str) -> dict[str, dict[str, Any]]:
    """Return what the compiler understands of each hub and interface, in the same form.

    It prints types with their namespaces. The text is read as an interface, so that printed types can be compared with those in a file;
    names and wire names are the compiler's own.
    """
    found = {}
    for declared in compiler:
        lines = []
        for method in declared["methods"]:
            supplied = {"FromServicesAttribute", "FromKeyedServicesAttribute"}
            parameters = [
                f"{each['type']} {each['name']}"
                for each in method["parameters"]
                if not supplied & set(each["attributes"]) and not is_service(each["type"])
            ]
            lines.append(
                f'[HubMethodName("{method["wireName"]}")] {method["returns"]} {method["name"]}({", ".join(parameters)});'
            )
        path = folder / "printed.cs"
        path.write_text(f"{types}\ninterface IPrinted {{ {' '.join(lines)} }}")
        (hub,) = read_csharp(path, names=["IPrinted"], nullable=True).hubs
        found[declared["name"]] = described(hub)
    return found


def is_service(kind: str) -> bool:
    """Return whether a printed type is an interface of the test server or of .NET that no client sends."""
    return kind in ("Interop.IClock", "Microsoft.Extensions.Logging.ILogger<Shop.Api.ShopHub>")


TYPES_OF_SERVER: Final = (
    "namespace Interop { enum Color { A } class Point { } class ComplexObject { public Point? P { get; set; } } }"
)
TYPES_OF_SHOP: Final = (
    "namespace Shop.Api { enum State { A } enum Currency { A } enum Rights { A } class Order { } record Page<T>(T Item);"
    " record struct Point(int X); }"
)


async def compiler_says(*files: Path) -> list[dict[str, Any]]:
    """Return the hubs and interfaces in files as the C# compiler understands them."""
    code, output = await run(str(program("interop-csharp")), "hubs", *map(str, files))
    assert code == 0, output
    result: list[dict[str, Any]] = json.loads(output)
    return result


async def test_what_is_read_from_the_real_server_is_what_the_compiler_understands(tmp_path: Path, server_source: Path) -> None:
    """Every hub and client interface of the real server: methods, wire names, results and parameters."""
    compiler = [each for each in await compiler_says(server_source) if each["name"] != "IClock"]
    read = read_csharp(server_source, nullable=True)
    ours = {hub.name: described(hub) for hub in read.hubs} | {f"I{each.name}": described(each) for each in read.clients}
    theirs = understood(compiler, tmp_path, TYPES_OF_SERVER)
    assert set(ours) == set(theirs)
    for name, methods in ours.items():
        # the compiler lists the members that a class declares itself
        assert {method: methods[method] for method in theirs[name]} == theirs[name]
    assert len(theirs["TestHub"]) > 60
    assert ours["StrictHub"] == ours["TestHub"]
    assert {each["name"]: each["client"] for each in compiler}["TypedHub"] == "IChatClient"


async def test_what_is_read_from_the_shop_is_what_the_compiler_understands(tmp_path: Path) -> None:
    """It has inherited names, partial classes, constants, generic types and services."""
    path = UNIT / "Shop.cs"
    theirs = understood(await compiler_says(path), tmp_path, TYPES_OF_SHOP)
    read = read_csharp(path)
    (hub,) = read.hubs
    (client,) = read.clients
    assert described(client) == theirs["IShopClient"]
    assert described(hub) == theirs["HubWithLog"] | theirs["ShopHub"]


async def test_the_compiler_understands_generated_csharp_as_it_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "Shop.cs"
    generate(SHOP, "--to", "csharp", "-o", str(path))
    read = read_csharp(path, names=["IShopHub"], client="IShopClient")
    kinds = [("enum" if isinstance(each, Enumeration) else "class", each) for each in read.declarations]
    names = " ".join(f"{kind} {each.name}{variables(each)} {{ }}" for kind, each in kinds)
    theirs = understood(await compiler_says(path), tmp_path, names)
    (hub,) = read.hubs
    (client,) = read.clients
    assert {"IShopHub": described(hub), "IShopClient": described(client)} == theirs


def variables(declaration: Any) -> str:
    """Return the type parameters of a class as C# writes them."""
    names = getattr(declaration, "variables", ())
    return f"<{', '.join(names)}>" if names else ""


# AsyncAPI


@pytest.mark.parametrize("source", [SHOP, "tests.interop.hubs:TestHub", "tests.interop.hubs:TypedHub", str(UNIT / "Shop.cs")])
@pytest.mark.parametrize("enums", ["numbers", "names"])
def test_asyncapi_documents_are_valid(tmp_path: Path, node_modules: Path, source: str, enums: str) -> None:
    """By the official JSON schema; the payloads are valid schemas too."""
    path = tmp_path / "asyncapi.json"
    generate(source, "--to", "asyncapi", "--enums", enums, "-o", str(path))
    document = json.loads(path.read_text())
    schema = json.loads((node_modules / "@asyncapi" / "specs" / "schemas" / "3.0.0.json").read_text())
    jsonschema.validators.validator_for(schema)(schema).validate(document)
    references = [each["$ref"] for each in nodes(document) if "$ref" in each]
    assert references
    for reference in references:
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]  # a KeyError names what is missing
    for message in document["components"]["messages"].values():
        jsonschema.Draft7Validator.check_schema(message["payload"])


def nodes(value: Any) -> list[dict[str, Any]]:
    """Return every object in a document."""
    if isinstance(value, dict):
        return [value, *(found for part in value.values() for found in nodes(part))]
    return [found for part in value for found in nodes(part)] if isinstance(value, list) else []


# Python, against the real server


@pytest.fixture(scope="module")
def generated(server_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module that is generated from the source of the real server."""
    path = tmp_path_factory.mktemp("generated") / "real_server_api.py"
    generate(f"{server_source}:TestHub", f"{server_source}:TypedHub", "--to", "python", "-o", str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # annotations are looked up there
    spec.loader.exec_module(module)
    return module


async def test_the_real_server_is_called_through_its_generated_protocol(
    generated: Any, aspnetcore_url: str, hub_protocol: HubProtocol
) -> None:
    """Every value type, both ways, with PEP 8 names."""
    async with (
        HubConnectionBuilder().with_url(f"{aspnetcore_url}/testhub").with_hub_protocol(hub_protocol).build() as connection
    ):
        hub = connection.proxy(generated.TestHub)
        moment = datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=UTC)
        for method, value in [
            (hub.echo, "é"),
            (hub.echo, None),
            (hub.echo_long, 1 << 60),
            (hub.echo_double, 1.5),
            (hub.echo_bool, True),
            (hub.echo_decimal, Decimal(79228162514264337593543950335)),
            (hub.echo_guid, UUID(int=1)),
            (hub.echo_date_time, moment),
            (hub.echo_date_time_offset, DateTimeOffset.of(moment)),
            (hub.echo_time_span, timedelta(days=-1, microseconds=5)),
            (hub.echo_bytes, b"\x00\xff"),
            (hub.echo_color, generated.Color.BLUE),
            (hub.echo_nullable_int, None),
            (hub.echo_list, ["a", "b"]),
            (hub.echo_dictionary, {"Some_key": 1}),
        ]:
            answer = await method(value)
            assert (answer, type(answer)) == (value, type(value))
        thing = generated.ComplexObject(
            string="s",
            int_array=[1, 2],
            guid=UUID(int=2),
            date_time=moment,
            color=generated.Color.GREEN,
            point=generated.Point(x=1, y=2),
            points={"a": generated.Point(x=3, y=4)},
        )
        assert await hub.echo_complex(thing) == thing
        assert await hub.add(1, 2) == 3
        assert await hub.hidden_name() == "renamed"
        assert await hub.ping_async() == "async suffix kept"
        assert await hub.from_service("!") == "clock-service!"
        assert await hub.return_null() is None
        assert await hub.void_task() is None
        with pytest.raises(HubException, match="told"):
            await hub.throw_hub_exception("told")


async def test_streams_of_the_real_server_have_types(generated: Any, aspnetcore_url: str, hub_protocol: HubProtocol) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(4):
            yield number

    async with (
        HubConnectionBuilder().with_url(f"{aspnetcore_url}/testhub").with_hub_protocol(hub_protocol).build() as connection
    ):
        hub = connection.proxy(generated.TestHub)
        assert [item async for item in hub.counter(3, 0)] == [0, 1, 2]
        points = [item.point async for item in hub.stream_complex(2)]
        assert points == [generated.Point(x=0, y=0), generated.Point(x=1, y=-1)]
        assert await hub.sum_stream(numbers()) == 6
        assert [item async for item in hub.doubled(numbers())] == [0, 2, 4, 6]


async def test_the_real_server_calls_a_class_that_implements_its_generated_client(
    generated: Any, aspnetcore_url: str, hub_protocol: HubProtocol
) -> None:
    received: list[tuple[str | None, str | None]] = []

    class Client(generated.ChatClient):  # type: ignore[misc]  # a class made at run time
        async def receive_message(self, user: str | None, message: str | None) -> None:
            received.append((user, message))

        async def get_message(self) -> str | None:
            return "from the client"

    async with (
        HubConnectionBuilder().with_url(f"{aspnetcore_url}/typedhub").with_hub_protocol(hub_protocol).build() as connection
    ):
        connection.register(Client())
        hub = connection.proxy(generated.TypedHub)
        await hub.send_message("Anna", "hello")
        assert await hub.wait_for_message(connection.connection_id) == "from the client"
        assert received == [("Anna", "hello")]


def test_type_checkers_know_the_generated_protocol(generated: Any, tmp_path: Path) -> None:
    """A misspelt method and a wrong argument are errors; correct calls are not."""
    folder = Path(generated.__file__).parent
    (tmp_path / "use.py").write_text(
        """
from real_server_api import Color, TestHub
from signalr_client import HubConnection

async def use(connection: HubConnection) -> int:
    hub = connection.proxy(TestHub)
    color: Color = await hub.echo_color(Color.BLUE)
    async for number in hub.counter(3, 0):
        print(number + 1, color)
    await hub.ad(1, 2)  # error
    await hub.add(1, "2")  # error
    text: str = await hub.add(1, 2)  # error
    return await hub.add(1, 2)
"""
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-incremental", str(tmp_path / "use.py")]
    command += ["--config-file", str(HERE.parents[1] / "pyproject.toml")]
    environment = {"MYPYPATH": f"{folder}:{HERE.parents[1]}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    lines = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [int(line.split(":")[1]) for line in lines] == [10, 11, 12], done.stdout + done.stderr

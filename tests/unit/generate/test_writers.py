"""TypeScript, C# and AsyncAPI: what tests/interop cannot see by compiling."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID

import jsonschema
import pytest

from signalr_client import DateTimeOffset, JsonHubProtocol, hub_method
from signalr_client.core.messages import Completion, HubMessage, Invocation, StreamInvocation, StreamItem
from signalr_client.generate import (
    AsyncApiOptions,
    CSharpOptions,
    GenerateError,
    TypeScriptOptions,
    read_csharp,
    read_python,
    to_asyncapi,
    to_csharp,
    to_typescript,
)
from signalr_client.server import Hub
from tests.unit.generate import shop
from tests.unit.generate.plain import plain

SHOP = read_python(shop.ShopHub)


def block(text: str, start: str) -> str:
    """Return the lines from one that begins with *start* to its closing brace."""
    lines = text.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(start))
    last = next(index for index, line in enumerate(lines[first:], first) if line.startswith("}"))
    return "\n".join(lines[first : last + 1])


# TypeScript


def test_typescript_has_the_names_of_json() -> None:
    assert block(to_typescript(SHOP), "export interface Line") == (
        "export interface Line {\n    productName: string;\n    price: number;\n    isOK: boolean;\n    user_id: number;\n}"
    )


def test_typescript_has_the_names_and_types_of_messagepack() -> None:
    text = to_typescript(SHOP, TypeScriptOptions(protocol="messagepack"))
    assert block(text, "export interface Line") == (
        "export interface Line {\n    ProductName: string;\n    Price: string;\n    IsOK: boolean;\n    uid: number;\n}"
    )
    assert "export type Entry = [key: string, value: number];" in text
    assert "Times(a: number, b: number, c: number, d: [Date, number], e: Date): Promise<number>;" in text
    assert '    OnItsWay: "OnItsWay",' in text


def test_typescript_has_numbers_or_names_for_enumerations() -> None:
    assert "export const State = {\n    New: 0,\n    OnItsWay: 4,\n} as const;" in to_typescript(SHOP)
    named = to_typescript(SHOP, TypeScriptOptions(enums="names"))
    assert 'export const State = {\n    New: "New",\n    OnItsWay: "OnItsWay",\n} as const;' in named
    for text in (to_typescript(SHOP), named):
        assert 'export const Size = {\n    Small: "small",\n    VeryLarge: "very large",\n} as const;' in text
        assert 'Promise<Partial<Record<"Euro" | "USD", number[]>>>' in text  # names in keys, always


def test_typescript_may_leave_out_what_has_a_default_only_where_it_is_never_received() -> None:
    """A server sends all members, so those of a class that is received are never undefined."""
    text = to_typescript(SHOP)
    assert "zipCode?: string;" in block(text, "export interface Address")
    assert "?" not in block(text, "export interface Order")


def test_typescript_parameters_may_be_named_like_keywords() -> None:
    class Chat(Protocol):
        async def call(self, default: int, new: str) -> None: ...

    assert "call(default_: number, new_: string): Promise<void>;" in to_typescript(read_python(Chat))


def test_typescript_without_a_client_keeps_on_and_off() -> None:
    class Plain(Hub): ...

    assert 'extends Omit<HubConnection, "invoke" | "send" | "stream"> {' in to_typescript(read_python(Plain))


# C#


def test_csharp_says_the_same_as_the_hub(tmp_path: Path) -> None:
    """What is generated is read back: the same methods, types and names on the wire, except for types that C# does not have."""
    expected = plain(SHOP)
    path = tmp_path / "Shop.cs"
    path.write_text(to_csharp(SHOP, CSharpOptions(namespace="Shop")))
    again = plain(read_csharp(path, names=["IShopHub"], client="IShopClient"))
    texts = expected["hubs"]["ShopHub"][0][1]["Anything"][0]
    again_texts = again["hubs"]["ShopHub"][0][1]["Anything"][0]
    assert [kind for kind, _ in texts] != [kind for kind, _ in again_texts]  # literals
    texts.clear()
    again_texts.clear()
    assert again["hubs"] == expected["hubs"]
    # a Struct's tag is a text in C#, and what may be left out is nullable
    for types in (expected["types"], again["types"]):
        types["Point"][0].pop("type")
        types["Options"][0].clear()
    assert again["types"] == expected["types"]


def test_csharp_warns_of_types_that_it_does_not_have() -> None:
    class Chat(Protocol):
        async def call(self, value: int | str, pair: list[tuple[int, str]]) -> None: ...

    warnings: list[str] = []
    text = to_csharp(read_python(Chat), warn=warnings.append)
    assert "Task Call(object value, List<object?[]> pair);" in text
    assert warnings == [
        "Chat.call: C# has no type for a union; it is written as object.",
        "Chat.call: C# has no type for a tuple with a type for each item; it is written as object?[].",
    ]


@dataclass
class Task:
    """Named like a class of .NET."""

    list: list[int]


@dataclass
class Guid:
    guid: UUID  # a property named like its class is not allowed in C#


def test_csharp_names_classes_of_dotnet_in_full_where_they_are_hidden() -> None:
    class TaskHub(Hub):
        def add(self, task: Task, guid: Guid, event: int) -> Task:
            raise NotImplementedError

    text = to_csharp(read_python(TaskHub))
    assert "global::System.Threading.Tasks.Task<Task> Add(Task task, Guid guid, long @event);" in text
    assert "public required global::System.Guid GuidValue { get; init; }" in text
    assert '[JsonPropertyName("guid")]' in text


def test_csharp_has_defaults_of_parameters_where_they_are_allowed() -> None:
    class Chat(Protocol):
        async def call(self, a: int = 1, *, b: str, c: str | None = None, d: float = 1.5) -> None: ...

    assert "Task Call(long a, string b, string? c = null, double d = 1.5);" in to_csharp(read_python(Chat))


def test_csharp_cannot_have_two_methods_of_one_name() -> None:
    class Chat(Protocol):
        @hub_method("a-b")
        async def first(self) -> None: ...

        @hub_method("a_b")
        async def second(self) -> None: ...

    with pytest.raises(GenerateError, match="Several members of Chat have the name AB in C#"):
        to_csharp(read_python(Chat))


# AsyncAPI


class Color(Enum):
    RED = 0
    BLUE = 1


@dataclass
class Everything:
    """One member of each kind."""

    number: int
    ratio: float
    price: Decimal
    text: str
    data: bytes
    key: UUID
    moment: datetime
    offset: DateTimeOffset
    day: date
    clock: time
    length: timedelta
    color: Color
    named: dict[Color, int]
    pair: tuple[int, str]
    either: int | str
    literal: Literal["a", "b"]
    maybe: list[int] | None = None
    child: Everything | None = None


def everything() -> Everything:
    """Return a value."""
    moment = datetime(2024, 2, 29, 12, 0, 0, 5, tzinfo=UTC)
    return Everything(
        *(1, 1.5, Decimal("1.50"), "é", b"\x01", UUID(int=1), moment.replace(tzinfo=None), DateTimeOffset.of(moment)),
        *(date(2024, 2, 29), time(12, 30), timedelta(days=-1, seconds=1), Color.BLUE, {Color.RED: 1}, (1, "a"), "x", "a"),
    )


class EverythingClient(Protocol):
    async def Tell(self, value: Everything) -> None: ...

    async def Ask(self, question: str) -> Color: ...


class EverythingHub(Hub[EverythingClient]):
    def echo(self, value: Everything) -> Everything:
        raise NotImplementedError

    def nothing(self) -> None: ...

    def stream(self, count: int) -> AsyncIterator[Everything]:
        raise NotImplementedError

    def upload(self, items: AsyncIterator[int], name: str) -> int:
        raise NotImplementedError


DOCUMENT: dict[str, Any] = json.loads(to_asyncapi(read_python(EverythingHub)))

value = everything()
MESSAGES: list[tuple[str, HubMessage]] = [
    ("Echo", Invocation(target="Echo", arguments=[value], invocation_id="1")),
    ("Echo", Invocation(target="Echo", arguments=[value])),
    ("Echo.result", Completion(invocation_id="1", result=value)),
    ("Echo.result", Completion(invocation_id="1", error="it failed")),
    ("Nothing", Invocation(target="Nothing", arguments=[])),
    ("Nothing.result", Completion(invocation_id="1")),
    ("Stream", StreamInvocation(target="Stream", arguments=[3], invocation_id="1")),
    ("Stream.item", StreamItem(invocation_id="1", item=value)),
    ("Stream.result", Completion(invocation_id="1")),
    ("Upload", Invocation(target="Upload", arguments=["x"], invocation_id="1", stream_ids=["2"])),
    ("Upload.items", StreamItem(invocation_id="2", item=5)),
    ("client.Tell", Invocation(target="Tell", arguments=[value])),
    ("client.Ask", Invocation(target="Ask", arguments=["why"], invocation_id="1")),
    ("client.Ask.result", Completion(invocation_id="1", result=Color.RED)),
]


def validator(name: str) -> Any:
    """Return what validates the payload of a message."""
    payload = DOCUMENT["components"]["messages"][f"EverythingHub.{name}"]["payload"]
    schema = {**payload, "components": DOCUMENT["components"]}
    return jsonschema.Draft7Validator(schema, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)


@pytest.mark.parametrize(("name", "message"), MESSAGES, ids=[name for name, _ in MESSAGES])
def test_asyncapi_describes_the_messages_that_are_sent(name: str, message: HubMessage) -> None:
    validator(name).validate(json.loads(JsonHubProtocol().encode(message).rstrip(b"\x1e")))


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("Stream", {"type": 4, "target": "Other", "arguments": [3], "invocationId": "1"}),
    ("Stream", {"type": 4, "target": "Stream", "arguments": ["3"], "invocationId": "1"}),
    ("Stream", {"type": 4, "target": "Stream", "arguments": [], "invocationId": "1"}),
    ("Stream", {"type": 4, "target": "Stream", "arguments": [1, 2], "invocationId": "1"}),
    ("Upload", {"type": 1, "target": "Upload", "arguments": ["x"], "invocationId": "1"}),
    ("Upload.items", {"type": 2, "invocationId": "2", "item": "5"}),
    ("client.Ask.result", {"type": 3, "invocationId": "1", "result": 7}),
    ("client.Ask.result", {"type": 3, "invocationId": "1"}),
    ("client.Ask.result", {"type": 3, "invocationId": "1", "result": 1, "error": "x"}),
]


@pytest.mark.parametrize(("name", "message"), WRONG)
def test_asyncapi_refuses_other_messages(name: str, message: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validator(name).validate(message)


def test_asyncapi_has_an_operation_for_each_method() -> None:
    operations = DOCUMENT["operations"]
    assert {name: (operation["action"], "reply" in operation) for name, operation in operations.items()} == {
        "EverythingHub.Echo": ("receive", True),
        "EverythingHub.Nothing": ("receive", True),
        "EverythingHub.Stream": ("receive", True),
        "EverythingHub.Upload": ("receive", True),
        "EverythingHub.client.Tell": ("send", False),
        "EverythingHub.client.Ask": ("send", True),
    }
    assert DOCUMENT["channels"]["everythingHub"]["address"] == "/everythinghub"


def test_asyncapi_has_a_schema_for_each_use_of_a_generic_class() -> None:
    schemas = json.loads(to_asyncapi(SHOP))["components"]["schemas"]
    assert schemas["PageOfOrder"]["properties"]["items"]["items"] == {"$ref": "#/components/schemas/Order"}
    assert schemas["PageOfOrder"]["properties"]["nextPage"]["anyOf"][0] == {"$ref": "#/components/schemas/PageOfOrder"}
    assert {"PageOfOrder", "PageOfLine"} <= schemas.keys()


def test_asyncapi_has_the_options_that_are_given() -> None:
    options = AsyncApiOptions(title="Shop", version="2.1", paths=(("ShopHub", "/api/shop"),), enums="names")
    document = json.loads(to_asyncapi(SHOP, options))
    assert (document["info"]["title"], document["info"]["version"]) == ("Shop", "2.1")
    assert document["channels"]["shopHub"]["address"] == "/api/shop"
    assert document["components"]["schemas"]["State"]["enum"] == ["New", "OnItsWay"]

"""How names are spelled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntFlag
from typing import Annotated, Any

import pytest

from signalr_client import JsonHubProtocol, MessagePackHubProtocol, PropertyName, member_names
from signalr_client.core.binding import bind, json_binding, messagepack_binding
from signalr_client.core.binding.naming import camel_case, enum_naming_function, naming_function, pascal_case


@pytest.mark.parametrize(
    ("name", "camel", "pascal"),
    [
        ("name", "name", "Name"),
        ("first_name", "firstName", "FirstName"),
        ("x", "x", "X"),
        ("x_y", "xY", "XY"),
        ("http2_url", "http2Url", "Http2Url"),
        ("class_", "class", "Class"),
        ("_private", "private", "Private"),
        ("FirstName", "firstName", "FirstName"),
        ("firstName", "firstName", "FirstName"),
        ("URL", "url", "URL"),
        ("IsOK", "isOK", "IsOK"),
        ("ID", "id", "ID"),
        ("XMLFile", "xmlFile", "XMLFile"),
        ("IO2", "io2", "IO2"),
        ("größe", "größe", "Größe"),
        ("", "", ""),
        ("_", "", ""),
    ],
)
def test_names_are_spelled_in_camel_and_pascal_case(name: str, camel: str, pascal: str) -> None:
    assert camel_case(name) == camel
    assert pascal_case(name) == pascal


@pytest.mark.parametrize(
    ("name", "pascal"), [("RED", "Red"), ("DARK_RED", "DarkRed"), ("DarkRed", "DarkRed"), ("http", "Http")]
)
def test_enum_members_in_capitals_are_spelled_in_pascal_case(name: str, pascal: str) -> None:
    assert enum_naming_function("PascalCase")(name) == pascal
    assert enum_naming_function("camelCase")(name) == pascal[:1].lower() + pascal[1:]
    assert enum_naming_function("unchanged")(name) == name


class Color(Enum):
    DARK_RED = 1


class Access(IntFlag):
    READ = 1
    WRITE_ALL = 2


@dataclass
class Point:
    x_value: int
    color: Color = Color.DARK_RED


def test_a_naming_is_used_in_both_directions() -> None:
    for binding, written in [
        (json_binding("PascalCase"), {"XValue": 1, "Color": 1}),
        (json_binding("unchanged"), {"x_value": 1, "color": 1}),
        (json_binding(str.upper), {"X_VALUE": 1, "COLOR": 1}),
        (json_binding(enum_naming="camelCase"), {"xValue": 1, "color": "darkRed"}),
        (json_binding(enum_naming=lambda name: f"<{name}>"), {"xValue": 1, "color": "<DARK_RED>"}),
        (messagepack_binding("camelCase", None), {"xValue": 1, "color": 1}),
        (messagepack_binding(), {"XValue": 1, "Color": "DarkRed"}),
    ]:
        assert binding.write(Point(1), "value", 5) == written
        if "<DARK_RED>" not in str(written):  # a name like that is not read back
            assert bind(written, Point, binding) == Point(1)


def test_flags_are_written_as_dotnet_writes_them() -> None:
    both = Access.READ | Access.WRITE_ALL
    assert json_binding().write(both, "value", 5) == 3
    assert messagepack_binding().write(both, "value", 5) == "Read, WriteAll"
    assert messagepack_binding().write(Access(0), "value", 5) == "0"
    assert bind("Read, WriteAll", Access, messagepack_binding()) == both
    assert bind("0", Access, messagepack_binding()) == Access(0)


@member_names(USD="USD", A_FLAG="aFlag")
class Given(IntFlag):
    USD = 1
    EURO = 2
    A_FLAG = 4


def test_members_have_the_names_that_they_are_given() -> None:
    """In values and in keys, alone and combined; both spellings are read."""
    binding = messagepack_binding()
    assert [binding.write(member, "value", 5) for member in Given] == ["USD", "Euro", "aFlag"]
    assert binding.write(Given.USD | Given.EURO | Given.A_FLAG, "value", 5) == "USD, Euro, aFlag"
    assert json_binding().write({Given.USD: Given.USD}, "value", 5) == {"USD": 1}
    assert MessagePackHubProtocol(enum_naming="camelCase").binding.write(Given.USD, "value", 5) == "USD"
    for text in ("USD", "usd", "Usd"):
        assert bind(text, Given, binding) is Given.USD
    assert bind("USD, aFlag", Given, binding) == Given.USD | Given.A_FLAG


def test_only_members_can_be_given_names() -> None:
    with pytest.raises(ValueError, match=r"Access has no member MISSING\."):
        member_names(MISSING="missing")(Access)


@dataclass
class Named:
    user_id: Annotated[int, PropertyName("UserId", json="user_id")]
    key: Annotated[int, PropertyName("Key", messagepack="k")]
    both: Annotated[int, PropertyName("Both", json="b-json", messagepack="b-pack")]


def test_a_field_may_have_an_exact_name_in_each_protocol() -> None:
    """The naming of the protocol applies to the .NET name only."""
    for binding, written in [
        (json_binding(), {"user_id": 1, "key": 2, "b-json": 3}),
        (messagepack_binding(), {"UserId": 1, "k": 2, "b-pack": 3}),
        (JsonHubProtocol(naming="PascalCase").binding, {"user_id": 1, "Key": 2, "b-json": 3}),
    ]:
        value = Named(1, 2, 3)
        assert binding.write(value, "value", 5) == written
        assert bind(written, Named, binding) == value


def test_an_unknown_naming_is_refused() -> None:
    bad: Any = "kebab-case"
    for make in (JsonHubProtocol, MessagePackHubProtocol):
        with pytest.raises(ValueError, match=r"A naming is one of 'camelCase', 'PascalCase', 'unchanged'"):
            make(naming=bad)
        with pytest.raises(ValueError, match="kebab-case"):
            make(enum_naming=bad)
    assert naming_function(str.upper)("a") == "A"


def test_protocols_with_the_same_options_share_their_binding() -> None:
    assert JsonHubProtocol().binding is JsonHubProtocol().binding
    assert JsonHubProtocol(naming="PascalCase").binding is not JsonHubProtocol().binding
    assert MessagePackHubProtocol(enum_naming=None).binding is MessagePackHubProtocol(enum_naming=None).binding


def test_the_options_of_a_protocol_are_in_its_repr() -> None:
    assert repr(JsonHubProtocol()) == "JsonHubProtocol()"
    assert repr(JsonHubProtocol(naming="PascalCase")) == "JsonHubProtocol(naming='PascalCase')"
    assert repr(MessagePackHubProtocol()) == "MessagePackHubProtocol()"
    assert repr(MessagePackHubProtocol(enum_naming=None)) == "MessagePackHubProtocol(enum_naming=None)"

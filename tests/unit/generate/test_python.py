"""The Python that is generated can be used as it is, and says what the source said."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import itertools
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from signalr_client.core.binding import json_binding, messagepack_binding
from signalr_client.core.contracts import read_contract
from signalr_client.generate import Description, GenerateError, read_csharp, read_python, to_python
from signalr_client.generate.types import Scalar
from tests.unit.generate import shop
from tests.unit.generate.plain import PYTHON, plain

SHOP = Path(__file__).with_name("Shop.cs")
_numbers = itertools.count()


def load(description: Description, folder: Path) -> ModuleType:
    """Import the module that is generated."""
    name = f"generated_{next(_numbers)}"
    path = folder / f"{name}.py"
    path.write_text(to_python(description), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def description() -> Description:
    """The description of the shop in C#."""
    return read_csharp(SHOP)


@pytest.fixture(scope="module")
def module(description: Description, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module that is generated from it."""
    return load(description, tmp_path_factory.mktemp("generated"))


def test_what_is_generated_from_csharp_says_the_same(description: Description, module: Any) -> None:
    """The generated Protocols are read back: the same methods, types and names on the wire."""
    again = plain(read_python(module.ShopHub, client=module.ShopClient), PYTHON)
    expected = plain(description, PYTHON)
    assert again["hubs"] == expected["hubs"]
    order, fields = again["types"].pop("Order"), expected["types"].pop("Order")[0]
    fields["total"] = ("Total", ("nullable", Scalar.INT64), False)  # only .NET computes it
    assert order[0] == {**expected["types"].pop("Entity")[0], **fields}  # with the fields of the base class
    assert again["types"] == expected["types"]


def test_what_is_generated_from_python_says_the_same(tmp_path: Path) -> None:
    """A client's view of a hub in Python, with the names that clients call."""
    description = read_python(shop.ShopHub)
    generated = load(description, tmp_path)
    again = read_python(generated.ShopHub, client=generated.ShopClient)
    expected = plain(description)
    # optional members of a TypedDict may be None in a dataclass
    options = expected["types"]["Options"][0]
    options["Page_size"] = ("Page_size", ("nullable", options["Page_size"][1]), False)
    assert plain(again) == expected


def test_proxies_can_be_made_of_the_protocols(module: Any) -> None:
    contract = read_contract(module.ShopHub)
    assert {name: method.target for name, method in contract.methods.items()} == {
        "log": "write-log",
        "place_order": "PlaceOrder",
        "cancel_order": "cancel-order",
        "find": "Find",
        "watch": "Watch",
        "later": "Later",
        "upload": "Upload",
        "any": "Any",
    }
    assert contract.methods["find"].arguments((), {"max": 3}) == [None, module.State.NEW, 3, module.Rights.NONE]


def test_classes_are_written_and_read_as_dotnet_spells_them(module: Any) -> None:
    line = module.Line("pencil", 2, module.Size.VERY_LARGE, extra="x")
    assert json_binding().write(line, "line", 60) == {"product": "pencil", "qty": 2, "size": "very large", "extra": "x"}
    assert messagepack_binding().write(line, "line", 60) == {
        "Product": "pencil",
        "Quantity": 2,
        "Size": "very large",
        "Extra": "x",
    }
    for binding in (json_binding(), messagepack_binding()):
        converter = binding.converter(module.Line)
        assert converter.convert(binding.write(line, "line", 60), "line") == line


def test_enumerations_are_written_by_the_names_of_dotnet(module: Any) -> None:
    written = [messagepack_binding().write(member, "member", 60) for member in (*module.State, *module.Currency)]
    assert written == ["New", "OnItsWay", "Delivered", "Euro", "USD"]
    assert messagepack_binding().converter(module.Currency).convert("USD", "member") is module.Currency.USD


def test_members_are_required_where_dotnet_has_no_default(module: Any) -> None:
    required = [
        field.name
        for field in dataclasses.fields(module.Order)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    assert required == ["id", "customer", "user_id", "date"]
    with pytest.raises(TypeError, match="positional"):
        module.Order("id")
    assert module.Point(1.0, 2.0) == module.Point(x=1.0, y=2.0)


def test_docstrings_come_from_doc_comments(module: Any) -> None:
    assert module.ShopHub.__doc__ == "A shop."
    lines = [line.strip() for line in inspect.cleandoc(module.ShopHub.place_order.__doc__).splitlines()]
    assert lines == ["Places an order.", "", "Args:", "order: what is ordered", "", "Returns:", "its id"]


@pytest.mark.parametrize("command", ["mypy --strict", "ruff check --isolated", "ruff format --isolated --diff"])
def test_the_module_passes_the_usual_tools(description: Description, tmp_path: Path, command: str) -> None:
    """Formatting is black's, which ruff's is too, except for annotations that are too long for a line."""
    path = tmp_path / "shop_api.py"
    path.write_text(to_python(description).replace(', json="url_Path", messagepack="Url_Path"', ""), encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", *command.split(), str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_names_that_annotations_need_get_an_underscore(tmp_path: Path) -> None:
    """A member named ``list`` would hide the type in the annotations below it."""
    path = tmp_path / "Chat.cs"
    path.write_text(
        """class ChatHub : Hub { public Thing List(string self, int from) => null!; public List<int> Int() => null!; }
        class Thing {
            public List<int> List { get; set; } = []; public List<int> Field { get; set; } = []; public byte[] Bytes { get; set; }
        }"""
    )
    generated = load(read_csharp(path), tmp_path)
    assert {name: method.target for name, method in read_contract(generated.ChatHub).methods.items()} == {
        "list_": "List",
        "int_": "Int",
    }
    thing = generated.Thing(bytes_=b"")
    assert json_binding().write(thing, "thing", 60) == {"list": [], "field": [], "bytes": b""}


def test_names_that_python_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "Chat.cs"
    path.write_text("class ChatHub : Hub { public void GetUrl() { } public void GetURL() { } }")
    with pytest.raises(GenerateError, match="Several members of ChatHub have the name get_url in Python"):
        to_python(read_csharp(path))


def test_a_class_named_like_the_hub_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Chat.cs"
    path.write_text("class Chat : Hub { public X.Chat Get() => null!; } namespace X { record Chat(int Id); }")
    with pytest.raises(GenerateError, match="Two classes are named Chat"):
        read_csharp(path)

"""Generics, forward references, recursive types, aliases, and what cannot be resolved."""

from __future__ import annotations

import functools
import sys
import textwrap
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, NamedTuple, TypedDict

import attrs
import msgspec
import pytest
from typing_extensions import TypeAliasType, TypeVar

from signalr_client.core.binding import bind, checker, function_types, json_binding
from signalr_client.errors import BindingError, UnsupportedTypeError

if TYPE_CHECKING:
    from decimal import Decimal as Invisible

T = TypeVar("T")
K = TypeVar("K")
Defaulted = TypeVar("Defaulted", default=int)
Bounded = TypeVar("Bounded", bound="Item")
Constrained = TypeVar("Constrained", int, str)


@dataclass
class Item:
    name: str


@dataclass
class Page(Generic[T]):
    items: list[T]
    next: Page[T] | None = None


@dataclass
class Pair(Generic[K, T]):
    key: K
    value: Annotated[T, "metadata"]


@dataclass
class Swapped(Pair[T, K], Generic[K, T]):
    more: dict[str, K]


@dataclass
class Numbers(Page[int]):
    total: int = 0


@attrs.define
class AttrsBox(Generic[T]):
    value: T


class StructBox(msgspec.Struct, Generic[T]):
    value: T


class TupleBox(NamedTuple, Generic[T]):
    value: T


class DictBox(TypedDict, Generic[T]):
    value: T


@dataclass
class WithDefault(Generic[Defaulted]):
    value: Defaulted


@dataclass
class WithBound(Generic[Bounded]):
    value: Bounded


@dataclass
class WithConstraints(Generic[Constrained]):
    value: Constrained


@dataclass
class Named(Generic[K]):
    name: K = field(kw_only=True)


@dataclass
class FlagBox(Generic[T]):
    flag: T


@dataclass
class Flag(FlagBox[bool]):
    pass


@dataclass
class Text(Named[str]):
    pass


@dataclass
class FlagAndText(Flag, Text):
    pass


@dataclass
class Node:
    value: int
    children: list[Node]
    parent: Node | None = None


@dataclass
class Ping:
    pong: Pong | None


@dataclass
class Pong:
    ping: Ping | None
    by_name: dict[str, Ping]


Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | None")
Listed = TypeAliasType("Listed", "list[T]", type_params=(T,))
Point = TypeAliasType("Point", tuple[int, int])


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        (Page[Item], {"items": [{"name": "a"}]}, Page([Item("a")])),
        (Page[Page[int]], {"items": [{"items": [1]}], "next": {"items": []}}, Page([Page([1])], Page([]))),
        (Page[int | None], {"items": [1, None]}, Page([1, None])),
        (Page, {"items": [1, "a"]}, Page([1, "a"])),
        (Numbers, {"items": [1], "next": {"items": [2]}, "total": 3}, Numbers([1], Page([2]), 3)),
        (Pair[str, Item], {"key": "k", "value": {"name": "a"}}, Pair("k", Item("a"))),
        (Swapped[int, str], {"key": "k", "value": 1, "more": {"a": 2}}, Swapped("k", 1, {"a": 2})),
        (FlagAndText, {"flag": True, "name": "a"}, FlagAndText(flag=True, name="a")),
        (AttrsBox[Item], {"value": {"name": "a"}}, AttrsBox(Item("a"))),
        (StructBox[Item], {"value": {"name": "a"}}, StructBox(Item("a"))),
        (TupleBox[Item], {"value": {"name": "a"}}, TupleBox(Item("a"))),
        (DictBox[Item], {"value": {"name": "a"}}, {"value": Item("a")}),
        (WithDefault, {"value": 1}, WithDefault(1)),
        (WithBound, {"value": {"name": "a"}}, WithBound(Item("a"))),
        (WithConstraints, {"value": "a"}, WithConstraints("a")),
        (Node, {"value": 1, "children": [{"value": 2, "children": []}]}, Node(1, [Node(2, [])])),
        (Ping, {"pong": {"ping": None, "byName": {"a": {"pong": None}}}}, Ping(Pong(None, {"a": Ping(None)}))),
        (Json, {"a": [1, "b", None, {"c": []}]}, {"a": [1, "b", None, {"c": []}]}),
        (Listed[int], [1], [1]),
        (list[Listed[Item]], [[{"name": "a"}]], [[Item("a")]]),
        (Point, [1, 2], (1, 2)),
        (Annotated[list[Item], "metadata"], [{"name": "a"}], [Item("a")]),
    ],
)
def test_generic_and_recursive_types_are_resolved(wanted: Any, value: object, expected: object) -> None:
    assert bind(value, wanted) == expected
    check = checker(wanted)
    assert check is not None
    check.require(expected, "value")


@pytest.mark.parametrize(
    ("wanted", "value", "text"),
    [
        (Page[Item], {"items": [{"name": 1}]}, "value.items[0].name: expected str, got int"),
        (Page[int], {"items": [], "next": {"items": ["a"]}}, "value.next.items[0]: expected int, got str"),
        (Swapped[int, str], {"key": 1, "value": 1, "more": {}}, "value.key: expected str, got int"),
        (FlagAndText, {"flag": True, "name": 1}, "value.name: expected str, got int"),
        (AttrsBox[int], {"value": "a"}, "value.value: expected int, got str"),
        (Node, {"value": 1, "children": [{"value": "a", "children": []}]}, "value.children[0].value: expected int, got str"),
        (WithDefault, {"value": "a"}, "value.value: expected int, got str"),
        (WithConstraints, {"value": 1.5}, "value.value: expected int | str, got float"),
        (Json, {"a": [1.5]}, "value['a'][0]: expected dict[str, Json] | list[Json] | str | int | None, got float"),
        (Listed[int], ["a"], "value[0]: expected int, got str"),
    ],
)
def test_errors_in_generic_and_recursive_types_have_a_path(wanted: Any, value: object, text: str) -> None:
    with pytest.raises(BindingError) as caught:
        bind(value, wanted)
    assert str(caught.value) == text


def test_a_local_class_may_refer_to_itself_and_to_classes_around_it() -> None:
    @dataclass
    class Tree:
        children: list[Tree]

    assert bind({"children": [{"children": []}]}, Tree) == Tree([Tree([])])


def test_a_local_class_that_refers_to_another_one_cannot_be_resolved() -> None:
    @dataclass
    class Leaf:
        value: int

    @dataclass
    class Branch:
        leaf: Leaf

    with pytest.raises(UnsupportedTypeError) as caught:
        json_binding().converter(Branch)
    assert str(caught.value).startswith("The annotation 'Leaf' of field 'leaf' of ")
    assert "name 'Leaf' is not defined. Define or import the type at the top level of its module" in str(caught.value)


@dataclass
class Hidden:
    amount: Invisible


def test_a_type_that_is_imported_for_type_checkers_only_cannot_be_resolved() -> None:
    with pytest.raises(UnsupportedTypeError, match=r"'Invisible' of field 'amount' of Hidden.*outside of `if TYPE_CHECKING`"):
        json_binding().converter(Hidden)


@dataclass
class Nonsense:
    value: 1 + 1  # type: ignore[valid-type]  # on purpose


def test_an_annotation_that_is_not_a_type_is_named() -> None:
    with pytest.raises(UnsupportedTypeError, match=r"Values cannot be converted to 2 \(field 'value' of Nonsense\)"):
        json_binding().converter(Nonsense)


def test_an_alias_that_cannot_be_resolved_is_named() -> None:
    alias = TypeAliasType("alias", "list[Nowhere]")  # type: ignore[name-defined]  # noqa: F821  # on purpose
    with pytest.raises(UnsupportedTypeError, match=r"type alias alias cannot be resolved: name 'Nowhere' is not defined"):
        json_binding().converter(alias)


# functions


def handler(item: Item, count: int, *rest: list[Item], flag: bool = False, plain=None) -> str:  # type: ignore[no-untyped-def]
    return ""


class Receiver:
    def method(self, item: Item) -> None: ...

    @classmethod
    def of_class(cls, item: Item) -> None: ...

    @staticmethod
    def static(item: Item) -> None: ...

    def __call__(self, item: Item) -> None: ...


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize(
    "function",
    [
        Receiver().method,
        Receiver().of_class,
        Receiver.static,
        Receiver(),
        decorated(Receiver().method),
        functools.partial(handler, count=1),
        lambda item: item,
    ],
)
def test_the_annotations_of_every_kind_of_function_are_found(function: Callable[..., Any]) -> None:
    types = function_types(function)
    assert types.get("item", Item) is Item
    assert "self" not in types
    assert bool(types) is (getattr(function, "__name__", "") != "<lambda>")


def test_types_of_a_function_are_by_parameter() -> None:
    assert function_types(handler) == {"item": Item, "count": int, "rest": list[Item], "flag": bool}


def test_a_local_class_that_a_handler_uses_is_resolved() -> None:
    """A function refers to the local names that its body uses; its annotations alone are texts."""

    @dataclass
    class Local:
        x: int

    def uses_it(value: Local) -> bool:
        return value == Local(1)

    def does_not(value: Local) -> None: ...

    assert function_types(uses_it) == {"value": Local}
    with pytest.raises(UnsupportedTypeError, match=r"'Local' of parameter 'value' of .*does_not"):
        function_types(does_not)


# the syntax of Python 3.12

NEW_SYNTAX: Final = """
    from dataclasses import dataclass

    type Point = tuple[int, int]
    type Listed[T] = list[T]
    type Json = dict[str, Json] | list[Json] | int

    @dataclass
    class Box[T]:
        value: T
        others: list[Box[T]]
        point: Point = (0, 0)

    def handler[T: int](value: T, boxes: Listed[Box[int]]) -> None: ...
"""


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is new in Python 3.12")
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_type_parameters_and_aliases_of_python_3_12_are_resolved(future: str) -> None:
    module = types.ModuleType("new_syntax")
    sys.modules[module.__name__] = module
    try:
        exec(future + textwrap.dedent(NEW_SYNTAX), vars(module))
        box = module.Box
        value = {"value": 1, "others": [{"value": 2, "others": []}], "point": [1, 2]}
        assert bind(value, box[int]) == box(1, [box(2, [])], (1, 2))
        assert bind([[1, 2]], module.Listed[module.Point]) == [(1, 2)]
        assert bind({"a": [1, {}]}, module.Json) == {"a": [1, {}]}
        with pytest.raises(BindingError, match=r"value\.others\[0\]\.value: expected int, got str"):
            bind({"value": 1, "others": [{"value": "a", "others": []}]}, box[int])
        found = function_types(module.handler)
        assert bind(1, found["value"]) == 1
        assert bind([{"value": 1, "others": []}], found["boxes"]) == [box(1, [])]
    finally:
        del sys.modules[module.__name__]

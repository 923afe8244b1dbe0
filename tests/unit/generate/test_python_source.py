"""Hubs and Protocols in Python are described as the server maps them and the binding writes them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NewType, Protocol, TypeVar
from uuid import UUID

import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from signalr_client import DateTimeOffset, HubStream, UnsupportedTypeError, hub_method
from signalr_client.core.binding import json_binding, messagepack_binding
from signalr_client.generate import GenerateError, Spelling, read_python
from signalr_client.generate.description import (
    REQUIRED,
    UNKNOWN,
    Constant,
    EmptyContainer,
    EnumConstant,
    Method,
    Record,
    Stream,
)
from signalr_client.generate.types import (
    ListOf,
    LiteralOf,
    MapOf,
    Nullable,
    Reference,
    Scalar,
    TupleOf,
    Type,
    UnionOf,
)
from signalr_client.server import Hub, HubDefinitionError
from tests.unit.generate import shop


def methods(*sources: type, **options: Any) -> dict[str, Method]:
    """Return the methods of a source by their names on the wire."""
    return {method.wire: method for hub in read_python(*sources, **options).hubs for method in hub.methods}


def test_methods_have_the_names_that_dotnet_clients_call() -> None:
    """A snake_case name becomes PascalCase; a name that is spelled like that, or given with `hub_method`, is kept."""
    found = methods(shop.ShopHub)
    assert {name: (method.name, method.dotnet) for name, method in found.items()} == {
        "PlaceOrder": ("place_order", "PlaceOrder"),
        "Find": ("find", "Find"),
        "cancel-order": ("cancel_order", "CancelOrder"),
        "Watch": ("watch", "Watch"),
        "ImportLines": ("import_lines", "ImportLines"),
        "CopyLines": ("copy_lines", "CopyLines"),
        "Convert": ("convert", "Convert"),
        "Times": ("times", "Times"),
        "Classes": ("classes", "Classes"),
        "Anything": ("anything", "Anything"),
    }


def test_a_name_that_is_ambiguous_in_pascal_case_is_kept() -> None:
    """Such a form does not reach the method."""

    class Ambiguous(Hub):
        def get_it(self) -> None: ...

        def getit(self) -> None: ...

    assert set(methods(Ambiguous)) == {"get_it", "Getit"}


def test_parameters_are_what_clients_send() -> None:
    """Services and cancellation tokens are left out, and uploads are streams."""
    found = methods(shop.ShopHub)
    assert [parameter.type for parameter in found["PlaceOrder"].parameters] == [Reference("Order")]
    assert [parameter.type for parameter in found["cancel-order"].parameters] == [Scalar.UUID]
    assert [parameter.type for parameter in found["ImportLines"].parameters] == [Stream(Reference("Line")), Scalar.STRING]
    assert [parameter.dotnet for parameter in found["cancel-order"].parameters] == ["orderId"]


def test_results_are_none_values_or_streams() -> None:
    found = methods(shop.ShopHub)
    assert found["cancel-order"].result is None
    assert found["ImportLines"].result is Scalar.INT64
    assert found["Watch"].result == Stream(Reference("Order"))
    assert found["CopyLines"].result == Stream(Reference("Page", (Reference("Line"),)))


def test_docstrings_are_kept_without_those_that_python_makes() -> None:
    description = read_python(shop.ShopHub)
    assert description.hubs[0].doc == "A shop."
    assert methods(shop.ShopHub)["PlaceOrder"].doc == "Place an order.\n\nIt is <sent> & confirmed."
    assert (description.by_name["Line"].doc, description.by_name["Order"].doc) == ("One line of an order.", "")


def test_the_client_of_a_typed_hub_is_described() -> None:
    """Names of clients' methods are not changed, because targets on clients are case-sensitive."""
    client = read_python(shop.ShopHub).hubs[0].client
    assert client is not None
    assert (client.name, [method.wire for method in client.methods]) == ("ShopClient", ["order_changed", "Confirm"])
    assert [method.result for method in client.methods] == [None, Scalar.BOOL]


def test_a_hub_with_two_client_protocols_has_the_methods_of_both() -> None:
    class EveryClient(Protocol):
        async def Tell(self, text: str) -> None: ...

    class SingleClient(EveryClient, Protocol):
        async def Ask(self) -> str: ...

    class TwoHub(Hub[EveryClient, SingleClient]): ...

    client = read_python(TwoHub).hubs[0].client
    assert client is not None
    assert (client.name, {method.wire for method in client.methods}) == ("EveryClient", {"Tell", "Ask"})


def test_a_protocol_is_described_like_a_proxy_calls_it() -> None:
    """Its names are those on the wire, unless `hub_method` renames them; defaults are kept."""

    class Chat(Protocol):
        async def send(self, user: str, count: int = 3, state: shop.State = shop.State.NEW) -> None: ...

        @hub_method("renamed-method")
        def renamed(self) -> Awaitable[str]: ...

        def counter(self) -> HubStream[int]: ...

        def untyped(self) -> AsyncIterator[Any]: ...

    found = methods(Chat)
    assert {name: method.result for name, method in found.items()} == {
        "send": None,
        "renamed-method": Scalar.STRING,
        "counter": Stream(Scalar.INT64),
        "untyped": Stream(Scalar.ANY),
    }
    assert [each.default for each in found["send"].parameters] == [REQUIRED, Constant(3), EnumConstant("State", "NEW")]


def test_the_client_of_a_plain_hub_can_be_given() -> None:
    class Plain(Hub): ...

    client = read_python(Plain, client=shop.ShopClient).hubs[0].client
    assert client is not None
    assert client.name == "ShopClient"


def test_a_class_without_fields_is_taken_for_a_service_with_a_warning() -> None:
    class Implicit(Hub):
        def now(self, clock: shop.Clock, zone: str) -> str:
            raise NotImplementedError

    warnings: list[str] = []
    assert [each.name for each in methods(Implicit, warn=warnings.append)["Now"].parameters] == ["zone"]
    assert len(warnings) == 1
    assert "Implicit: Clock is taken for a service" in warnings[0]


def test_a_result_without_annotation_is_any_value_with_a_warning() -> None:
    class Untyped(Hub):
        def get(self): ...  # type: ignore[no-untyped-def]  # what is tested

    warnings: list[str] = []
    assert methods(Untyped, warn=warnings.append)["Get"].result is Scalar.ANY
    assert warnings == ["the result of Untyped.get has no annotation; it is taken for any value."]


VALUES = [
    shop.Line("pencil", Decimal(1)),
    shop.Order(UUID(int=1)),
    shop.Page([1]),
    shop.Address("Road"),
    shop.Point(1.0),
    shop.Customer(full_name="A", legacyID=1),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_fields_have_the_names_that_the_binding_writes(value: object) -> None:
    found = read_python(shop.ShopHub).by_name[type(value).__name__]
    assert isinstance(found, Record)
    assert [each.json for each in found.fields] == list(json_binding().write(value, "value", 60))
    assert [each.messagepack for each in found.fields] == list(messagepack_binding().write(value, "value", 60))


def test_members_of_enumerations_have_the_names_that_the_binding_writes() -> None:
    description = read_python(shop.ShopHub)
    for kind in (shop.State, shop.Currency, shop.Size):
        written = {name: messagepack_binding().write(member, "value", 60) for name, member in kind.__members__.items()}
        assert {each.name: each.wire for each in description.by_name[kind.__name__].members} == written  # type: ignore[union-attr]  # an enumeration


def test_a_configured_naming_is_applied() -> None:
    description = read_python(shop.ShopHub, spelling=Spelling(json="PascalCase", enums="camelCase"))
    order, state = description.by_name["Order"], description.by_name["State"]
    assert isinstance(order, Record)
    assert [each.json for each in order.fields][:2] == ["OrderId", "Lines"]
    assert [each.wire for each in state.members] == ["new", "onItsWay"]  # type: ignore[union-attr]  # an enumeration


def test_kinds_of_classes_keep_what_makes_them_special() -> None:
    by_name = read_python(shop.ShopHub).by_name
    point, entry, page, customer = (by_name[name] for name in ("Point", "Entry", "Page", "Customer"))
    assert isinstance(point, Record)
    assert point.fields[0].type == LiteralOf(("point",))  # the tag of a Struct
    assert isinstance(entry, Record)
    assert entry.sequence  # an array over MessagePack
    assert isinstance(page, Record)
    assert page.variables == ("T",)
    assert isinstance(customer, Record)
    assert customer.fields[0].doc == "First and last name."


@dataclass
class Defaults:
    required: int
    number: int = 3
    items: list[int] = field(default_factory=list)
    made: int = field(default_factory=lambda: 3)
    listed: list[int] = field(default_factory=lambda: [1])
    derived: int = field(init=False, default=4)
    state: shop.State = shop.State.NEW


def test_defaults_are_known_where_other_languages_can_write_them() -> None:
    class DefaultsHub(Hub):
        def get(self) -> Defaults:
            raise NotImplementedError

    found = read_python(DefaultsHub).by_name["Defaults"]
    assert isinstance(found, Record)
    assert {each.name: each.default for each in found.fields} == {
        "required": REQUIRED,
        "number": Constant(3),
        "items": EmptyContainer(),
        "made": UNKNOWN,
        "listed": UNKNOWN,
        "derived": UNKNOWN,
        "state": EnumConstant("State", "NEW"),
    }


class Row(NamedTuple):
    a: int


class Packed(msgspec.Struct, array_like=True):
    a: int
    b: str


class Names(pydantic.RootModel[list[str]]): ...


Money = NewType("Money", Decimal)
Ids = TypeAliasType("Ids", list[UUID])
X = TypeVar("X", bound=int)

TYPES: list[tuple[Any, Type]] = [
    (bool, Scalar.BOOL),
    (int, Scalar.INT64),
    (float, Scalar.FLOAT64),
    (str, Scalar.STRING),
    (bytes, Scalar.BYTES),
    (bytearray, Scalar.BYTES),
    (Decimal, Scalar.DECIMAL),
    (Money, Scalar.DECIMAL),
    (UUID, Scalar.UUID),
    (datetime, Scalar.DATE_TIME),
    (DateTimeOffset, Scalar.DATE_TIME_OFFSET),
    (date, Scalar.DATE),
    (time, Scalar.TIME),
    (timedelta, Scalar.DURATION),
    (Any, Scalar.ANY),
    (object, Scalar.ANY),
    (list, ListOf(Scalar.ANY)),
    (Sequence[int], ListOf(Scalar.INT64)),
    (deque[int], ListOf(Scalar.INT64)),
    (frozenset[int], ListOf(Scalar.INT64, unique=True)),
    (tuple[int, ...], ListOf(Scalar.INT64)),
    (tuple[int, str], TupleOf((Scalar.INT64, Scalar.STRING))),
    (Mapping[str, int], MapOf(Scalar.STRING, Scalar.INT64)),
    (int | None, Nullable(Scalar.INT64)),
    (int | str, UnionOf((Scalar.INT64, Scalar.STRING))),
    (int | str | None, Nullable(UnionOf((Scalar.INT64, Scalar.STRING)))),
    (Literal["a", 1], LiteralOf(("a", 1))),
    (Literal["a"] | None, Nullable(LiteralOf(("a",)))),
    (Literal[shop.State.NEW], Reference("State")),
    (Annotated[int, "mark"], Scalar.INT64),
    (Ids, ListOf(Scalar.UUID)),
    (Row, Reference("Row")),
    (Packed, TupleOf((Scalar.INT64, Scalar.STRING))),
    (Names, ListOf(Scalar.STRING)),
    (shop.Page, Reference("Page", (Scalar.ANY,))),
    (shop.Page[int], Reference("Page", (Scalar.INT64,))),
]


@pytest.mark.parametrize(("annotation", "expected"), TYPES, ids=[str(annotation) for annotation, _ in TYPES])
def test_each_type_of_python_is_described(annotation: Any, expected: Type) -> None:
    class TypeHub(Hub):
        def get(self, value):  # type: ignore[no-untyped-def]  # annotated below
            raise NotImplementedError

    TypeHub.get.__annotations__ = {"value": annotation, "return": annotation}
    method = methods(TypeHub)["Get"]
    assert (method.parameters[0].type, method.result) == (expected, expected)


Endless = TypeAliasType("Endless", "list[Endless]")


def _duplicate() -> type:
    @dataclass
    class Line:
        number: int

    return Line


def _bad_hub(annotation: Any) -> type:
    class BadHub(Hub):
        def get(self) -> None: ...

    BadHub.get.__annotations__ = {"return": annotation}
    return BadHub


class Mixed(Enum):
    A = 1.5


class Variadic(Protocol):
    async def call(self, *values: int) -> None: ...


class Lambda(Protocol):
    def call(self) -> int: ...


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        (int, GenerateError, "<class 'int'> is neither a class that derives from Hub nor a Protocol."),
        (Variadic, GenerateError, "Variadic.call: parameter 'values' takes any number of arguments"),
        (Lambda, TypeError, "Cannot generate proxy implementation for 'Lambda.call'"),
        (_bad_hub(Endless), GenerateError, "BadHub.get: the type alias Endless refers to itself"),
        (_bad_hub(list[shop.Clock]), GenerateError, "the result of BadHub.get: Clock is not a type that can be sent"),
        (_bad_hub(dict[shop.Line, Any] | _duplicate()), GenerateError, "have the same name"),
        (_bad_hub(Mixed), GenerateError, "Mixed.A is neither a number nor a text"),
        (_bad_hub("Nowhere"), UnsupportedTypeError, "The annotation 'Nowhere' of the result of"),
    ],
)
def test_what_cannot_be_described_is_an_error_that_names_it(source: type, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        read_python(source)
    assert text in str(caught.value)


def test_a_hub_that_cannot_be_mapped_cannot_be_described_either() -> None:
    class Generic(Hub):
        def get(self, value: X) -> X:
            raise NotImplementedError

    with pytest.raises(HubDefinitionError, match="generic method"):
        read_python(Generic)

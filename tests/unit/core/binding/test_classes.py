"""Classes with fields: dataclasses, attrs, Structs, NamedTuples, TypedDicts and pydantic models, read and written in both protocols."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, NamedTuple, NotRequired, Required, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from pydantic.alias_generators import to_camel

from signalr_client.core.binding import Binding, PropertyName, bind, json_binding, messagepack_binding
from signalr_client.errors import BindingError, UnsupportedTypeError

JSON: Final = json_binding()
MESSAGEPACK: Final = messagepack_binding()
LEVELS: Final = 60

T = TypeVar("T")


class Color(Enum):
    RED = 0
    DARK_BLUE = 1


@dataclass
class Item:
    item_name: str
    price: Decimal = Decimal(0)


@dataclass(kw_only=True, frozen=True, slots=True)
class Order:
    order_id: UUID
    items: list[Item]
    taken_at: datetime | None = None
    took: timedelta = timedelta(0)
    color: Color = Color.RED


def strip(text: str) -> str:
    return text.strip()


@attrs.define
class AttrsPoint:
    x_value: int
    _private: int = attrs.field(default=0)
    text: str = attrs.field(default="", converter=strip)
    positive: int = attrs.field(default=1, validator=attrs.validators.gt(0))
    derived: int = attrs.field(init=False, default=5)


class StructPoint(msgspec.Struct):
    x_value: int
    span: timedelta = timedelta(0)


class Renamed(msgspec.Struct, rename="kebab"):
    first_name: str


class Circle(msgspec.Struct, tag="circle"):
    radius: float


class Square(msgspec.Struct, tag="square", forbid_unknown_fields=True):
    side: float


class Row(msgspec.Struct, array_like=True):
    key: str
    when: date | None = None


class Sparse(msgspec.Struct, omit_defaults=True):
    name: str = ""
    tags: list[str] = msgspec.field(default_factory=list)
    extra: int | msgspec.UnsetType = msgspec.UNSET


class Entry(NamedTuple):
    key_name: str
    value: int = 0


class Options(TypedDict):
    size: int
    color_name: NotRequired[str]


class Partial(TypedDict, total=False):
    size: Required[int]
    item: Item


class Model(pydantic.BaseModel):
    item_name: str
    price: Decimal
    count: int = pydantic.Field(default=1, gt=0)
    taken_at: datetime | None = None
    took: timedelta = timedelta(0)
    color: Color = Color.RED
    data: bytes = b""
    points: list[Item] = []


class CamelModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(alias_generator=to_camel)
    first_name: str
    chosen: int = pydantic.Field(default=0, alias="Chosen_Name")


class Serialized(pydantic.BaseModel):
    secret: str = pydantic.Field(exclude=True)
    count: int

    @pydantic.field_serializer("count")
    def _count(self, value: int) -> str:
        return f"{value} pieces"

    @pydantic.computed_field
    def twice_count(self) -> int:
        return self.count * 2


class Lenient(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    number: int


class Names(pydantic.RootModel[list[Item]]):
    pass


class Page(pydantic.BaseModel, Generic[T]):
    total_count: int
    items: list[T]


GUID: Final = UUID("00010203-0405-0607-0706-050403020100")
MOMENT: Final = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
ORDER: Final = Order(order_id=GUID, items=[Item("a", Decimal("1.50"))], taken_at=MOMENT, took=timedelta(seconds=1))

FORMS: Final[list[tuple[Any, object, object, object]]] = [
    (Item, Item("a"), {"itemName": "a", "price": Decimal(0)}, {"ItemName": "a", "Price": "0"}),
    (
        Order,
        ORDER,
        {
            "orderId": str(GUID),
            "items": [{"itemName": "a", "price": Decimal("1.50")}],
            "takenAt": MOMENT,
            "took": "00:00:01",
            "color": 0,
        },
        {
            "OrderId": str(GUID),
            "Items": [{"ItemName": "a", "Price": "1.50"}],
            "TakenAt": MOMENT,
            "Took": 10_000_000,
            "Color": "Red",
        },
    ),
    (
        AttrsPoint,
        AttrsPoint(1, 2),
        {"xValue": 1, "private": 2, "text": "", "positive": 1, "derived": 5},
        {"XValue": 1, "Private": 2, "Text": "", "Positive": 1, "Derived": 5},
    ),
    (StructPoint, StructPoint(1), {"xValue": 1, "span": "00:00:00"}, {"XValue": 1, "Span": 0}),
    (Renamed, Renamed("Ada"), {"first-name": "Ada"}, {"first-name": "Ada"}),
    (Circle, Circle(1.5), {"type": "circle", "radius": 1.5}, {"type": "circle", "Radius": 1.5}),
    (Row, Row("a", date(1, 1, 3)), ["a", "0001-01-03"], ["a", 2]),
    (Sparse, Sparse(), {}, {}),
    (Sparse, Sparse("a", ["b"], 1), {"name": "a", "tags": ["b"], "extra": 1}, {"Name": "a", "Tags": ["b"], "Extra": 1}),
    (Entry, Entry("a", 1), {"keyName": "a", "value": 1}, ["a", 1]),
    (
        Model,
        Model(item_name="a", price=Decimal("1.50"), data=b"\x01", points=[Item("b")]),
        {
            "itemName": "a",
            "price": Decimal("1.50"),
            "count": 1,
            "takenAt": None,
            "took": "00:00:00",
            "color": 0,
            "data": b"\x01",
            "points": [{"itemName": "b", "price": Decimal(0)}],
        },
        {
            "ItemName": "a",
            "Price": "1.50",
            "Count": 1,
            "TakenAt": None,
            "Took": 0,
            "Color": "Red",
            "Data": b"\x01",
            "Points": [{"ItemName": "b", "Price": "0"}],
        },
    ),
    (
        CamelModel,
        CamelModel(firstName="a", Chosen_Name=3),  # type: ignore[call-arg]  # aliases
        {"firstName": "a", "Chosen_Name": 3},
        {"FirstName": "a", "Chosen_Name": 3},
    ),
    (Names, Names([Item("a")]), [{"itemName": "a", "price": Decimal(0)}], [{"ItemName": "a", "Price": "0"}]),
    (
        Page[Item],
        Page[Item](total_count=1, items=[Item("a")]),
        {"totalCount": 1, "items": [{"itemName": "a", "price": Decimal(0)}]},
        {"TotalCount": 1, "Items": [{"ItemName": "a", "Price": "0"}]},
    ),
]


@pytest.mark.parametrize(("wanted", "value", "json", "messagepack"), FORMS)
def test_an_object_is_written_with_the_names_of_the_protocol(
    wanted: Any, value: object, json: object, messagepack: object
) -> None:
    assert JSON.write(value, "value", LEVELS) == json
    assert MESSAGEPACK.write(value, "value", LEVELS) == messagepack
    assert list(JSON.write([value], "value", LEVELS)) == [json]


def through_json(value: object, *, digits: bool) -> Any:
    """Return what a peer decodes of a value that was written for JSON."""
    text = msgspec.json.Encoder(decimal_format="number").encode(JSON.write(value, "value", LEVELS))
    return msgspec.json.Decoder(float_hook=Decimal if digits else None).decode(text)


def through_messagepack(value: object) -> Any:
    """Return what a peer decodes of a value that was written for MessagePack."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(MESSAGEPACK.write(value, "value", LEVELS)))


@pytest.mark.parametrize(("wanted", "value", "json", "messagepack"), FORMS)
def test_an_object_that_was_written_is_read_again(wanted: Any, value: object, json: object, messagepack: object) -> None:
    converter = JSON.converter(wanted)
    assert converter.convert(through_json(value, digits=converter.needs_digits), "value") == value
    assert MESSAGEPACK.converter(wanted).convert(through_messagepack(value), "value") == value


@pytest.mark.parametrize("binding", [JSON, MESSAGEPACK])
@pytest.mark.parametrize("key", ["itemName", "ItemName", "itemname", "ITEMNAME", "item_name"])
@pytest.mark.parametrize("wanted", [Item, Model])
def test_names_are_read_in_any_spelling(binding: Binding, key: str, wanted: Any) -> None:
    value = bind({key: "a", "PRICE": "1.5"}, wanted, binding)
    assert (value.item_name, value.price) == ("a", Decimal("1.5"))


def test_the_exact_name_wins_over_another_spelling() -> None:
    assert bind({"ItemName": "b", "itemName": "a", "itemname": "c"}, Item) == Item("a")
    assert bind({"itemName": "a", "ItemName": "b"}, Item, MESSAGEPACK) == Item("b")


def test_unknown_members_are_ignored_unless_the_class_forbids_them() -> None:
    assert bind({"itemName": "a", "more": 1, "price": 0}, Item) == Item("a")
    assert bind({"type": "square", "side": 1.0}, Square) == Square(1.0)
    with pytest.raises(BindingError, match="value: Square has no member 'more'"):
        bind({"type": "square", "side": 1.0, "more": 1}, Square)


@dataclass
class Absent:
    required: int
    may_be_none: int | None
    has_default: str = "default"
    both: int | None = 7
    made: list[int] = field(default_factory=lambda: [1])


def test_missing_members_have_their_default_or_none() -> None:
    """.NET leaves out members that are null, if it is configured so, and JavaScript those that are undefined."""
    assert bind({"required": 1}, Absent) == Absent(1, None)
    assert bind({"required": 1, "mayBeNone": 2, "both": None}, Absent) == Absent(1, 2, both=None)
    with pytest.raises(BindingError, match="value: member 'required' of Absent is missing"):
        bind({"mayBeNone": 1}, Absent)
    with pytest.raises(BindingError, match=r"value\.has_default: expected str, got None"):
        bind({"required": 1, "hasDefault": None}, Absent)


@dataclass
class Odd:
    """What a dataclass may have beside ordinary fields."""

    kind: ClassVar[str] = "odd"
    first: int
    _: KW_ONLY
    scale: InitVar[int] = 1
    scaled: int = field(init=False, default=0)
    class_: str = ""
    literal: Literal["a", "b"] = "a"

    def __post_init__(self, scale: int) -> None:
        if self.first < 0:
            raise ValueError("first must not be negative")
        self.scaled = self.first * scale


def test_class_variables_and_fields_that_the_class_sets_are_not_read() -> None:
    assert bind({"first": 2, "kind": "x", "scaled": 9, "class": "c"}, Odd) == Odd(2, class_="c")
    assert JSON.write(Odd(2, scale=3), "value", LEVELS) == {"first": 2, "scaled": 6, "class": "", "literal": "a"}


def test_what_a_class_raises_is_a_misfit_with_its_path() -> None:
    with pytest.raises(BindingError) as caught:
        bind([{"first": 1}, {"first": -1}], list[Odd])
    assert str(caught.value) == "value[1]: Odd refused its values: first must not be negative"
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(BindingError, match="AttrsPoint refused its values: 'positive' must be > 0"):
        bind({"xValue": 1, "positive": 0}, AttrsPoint)


def test_converters_of_attrs_are_run() -> None:
    assert bind({"xValue": 1, "text": "  a "}, AttrsPoint).text == "a"
    with pytest.raises(BindingError, match=r"value\.text: expected str, got int"):
        bind({"xValue": 1, "text": 5}, AttrsPoint)


def test_the_tag_of_a_struct_is_checked() -> None:
    assert bind({"type": "circle", "radius": 1}, Circle | Square) == Circle(1.0)
    assert bind({"type": "square", "side": 1}, Circle | Square) == Square(1.0)
    with pytest.raises(BindingError, match="value: expected Circle with type 'circle'"):
        bind({"type": "square", "radius": 1}, Circle)


def test_structs_that_are_arrays_have_defaults_at_their_end() -> None:
    assert bind(["a"], Row) == Row("a")
    for value, text in [
        ([], "member 'key' of Row is missing"),
        ([1], r"value\[0\]: expected str"),
        (["a", None, 1], "2 items"),
    ]:
        with pytest.raises(BindingError, match=text):
            bind(value, Row)
    with pytest.raises(BindingError, match="expected Row, got dict"):
        bind({"key": "a"}, Row)


def test_constraints_of_msgspec_are_checked() -> None:
    positive = Annotated[int, msgspec.Meta(gt=0)]
    assert bind([1], Annotated[list[positive], msgspec.Meta(max_length=1)]) == [1]
    with pytest.raises(BindingError, match=r"value\[0\]: expected `int` >= 1"):
        bind([0], list[positive])
    with pytest.raises(BindingError, match="value: expected `array` of length <= 1"):
        bind([1, 2], Annotated[list[int], msgspec.Meta(max_length=1)])
    with pytest.raises(UnsupportedTypeError, match="constraints of int"):
        JSON.converter(Annotated[int, msgspec.Meta(max_length=1)])
    assert bind("2020-01-02", Annotated[date, "other metadata"]) == date(2020, 1, 2)


def test_named_tuples_are_read_from_arrays_and_objects() -> None:
    for binding in (JSON, MESSAGEPACK):
        assert bind(["a"], Entry, binding) == Entry("a")
        assert bind({"KeyName": "a", "value": 2}, Entry, binding) == Entry("a", 2)


def test_typed_dicts_have_their_own_names() -> None:
    """Their values are written with these names, too, because a dict does not know its type."""
    value = bind({"Size": 1, "ColorName": "red", "more": 5}, Options)
    assert value == {"size": 1, "color_name": "red"}
    assert bind({"size": 1}, Options) == {"size": 1}
    assert bind({"size": 1, "item": {"itemName": "a"}}, Partial) == {"size": 1, "item": Item("a")}
    for wanted in (Options, Partial):
        with pytest.raises(BindingError, match=f"value: member 'size' of {wanted.__name__} is missing"):
            bind({}, wanted)
    assert JSON.write(value, "value", LEVELS) == {"size": 1, "color_name": "red"}


@dataclass
class Named:
    is_ok: Annotated[bool, PropertyName("IsOK")]
    url: Annotated[str | None, PropertyName("URL")] = None


class NamedDict(TypedDict):
    is_ok: Annotated[bool, PropertyName("IsOK")]


def test_a_property_name_is_spelled_as_dotnet_spells_it() -> None:
    for binding, written in ((JSON, {"isOK": True, "url": "x"}), (MESSAGEPACK, {"IsOK": True, "URL": "x"})):
        assert binding.write(Named(True, "x"), "value", LEVELS) == written
        assert bind(written, Named, binding) == Named(True, "x")
        assert bind({"IsOK": True}, NamedDict, binding) == {"is_ok": True}


# pydantic


def test_members_of_a_model_are_read_as_dotnet_spells_them() -> None:
    """pydantic alone would take the ticks for seconds, the name of an enum for a mistake, and base64 for the bytes themselves."""
    spelled = {"ItemName": "a", "Price": "1.50", "Took": 15_000_000, "Color": "DarkBlue", "TakenAt": MOMENT, "Data": b"\xff"}
    model = bind(spelled, Model, MESSAGEPACK)
    expected: dict[str, Any] = {"took": timedelta(seconds=1.5), "color": Color.DARK_BLUE, "taken_at": MOMENT, "data": b"\xff"}
    assert model == Model(item_name="a", price=Decimal("1.50"), **expected)
    spelled = {"itemName": "a", "price": Decimal("1.50"), "took": "1.00:00:00", "color": 1, "data": "/w=="}
    model = JSON.converter(Model).convert(spelled, "value")
    assert (model.took, model.color, model.data, str(model.price)) == (timedelta(days=1), Color.DARK_BLUE, b"\xff", "1.50")
    assert JSON.converter(Model).needs_digits


def test_a_model_validates_itself() -> None:
    for value, text in [
        ({"itemName": "a", "price": 1, "count": 0}, "value.count: input should be greater than 0"),
        ({"itemName": "a"}, "value.price: field required"),
        ({"itemName": 5, "price": 1}, "value.item_name: expected str, got int"),
        ({"itemName": "a", "price": 1, "points": [{"itemName": "b"}, 5]},
         "value.points[1]: expected Item, got int"),
        ([], "value: expected Model, got list"),
    ]:  # fmt: skip
        with pytest.raises(BindingError) as caught:
            bind(value, Model)
        assert str(caught.value) == text
    assert bind({"itemName": "a", "price": 1, "count": "3"}, Model).count == 3  # pydantic's own conversion


def test_serializers_and_computed_fields_of_a_model_are_its_own() -> None:
    model = Serialized(secret="s", count=2)
    assert JSON.write(model, "value", LEVELS) == {"count": "2 pieces", "twiceCount": 4}
    assert MESSAGEPACK.write(model, "value", LEVELS) == {"Count": "2 pieces", "TwiceCount": 4}


def test_a_model_decides_about_unknown_members() -> None:
    model = bind({"number": 1, "more_members": [1]}, Lenient)
    assert model.model_extra == {"more_members": [1]}
    assert JSON.write(model, "value", LEVELS) == {"number": 1, "more_members": [1]}


def test_a_model_with_its_own_serializer_is_written_by_it() -> None:
    class Own(pydantic.BaseModel):
        when: time

        @pydantic.model_serializer
        def _write(self) -> dict[str, object]:
            return {"at": self.when}

    assert MESSAGEPACK.write(Own(when=time(0, 0, 1)), "value", LEVELS) == {"at": 10_000_000}


def test_a_type_that_only_pydantic_knows_is_left_to_pydantic() -> None:
    class Known(pydantic.BaseModel):
        secret: pydantic.SecretStr
        number: pydantic.PositiveInt

    assert bind({"secret": "s", "number": 1}, Known).secret.get_secret_value() == "s"
    with pytest.raises(BindingError, match=r"value\.number: input should be greater than 0"):
        bind({"secret": "s", "number": 0}, Known)


def test_a_dataclass_of_pydantic_validates_itself() -> None:
    @pydantic.dataclasses.dataclass
    class Checked:
        some_number: Annotated[int, pydantic.Field(gt=0)]

    assert bind({"someNumber": 1}, Checked) == Checked(1)
    with pytest.raises(BindingError, match="Checked refused its values: 1 validation error"):
        bind({"someNumber": 0}, Checked)


def test_optional_libraries_are_not_imported() -> None:
    """Neither pydantic nor attrs, unless the user does. (aiohttp imports attrs; the core does not.)"""
    script = (
        "import sys\n"
        "from dataclasses import dataclass\n"
        "from signalr_client.core.binding import bind, json_binding\n"
        "Point = dataclass(type('Point', (), {'__annotations__': {'x': int}}))\n"
        "assert bind({'x': 1}, Point) == Point(1)\n"
        "json_binding().write(Point(1), 'value', 5)\n"
        "print('pydantic' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@dataclass
class Clash:
    user_name: str
    userName: str  # noqa: N815  # on purpose


def test_two_fields_with_one_name_on_the_wire_are_refused() -> None:
    with pytest.raises(UnsupportedTypeError, match="Two fields of Clash have the same name on the wire"):
        JSON.converter(Clash)


@dataclass
class Alike:
    ab_c: int
    a_bc: int


def test_names_that_differ_in_underscores_only_are_told_apart_by_their_exact_name() -> None:
    assert bind({"abC": 1, "aBc": 2}, Alike) == Alike(1, 2)
    with pytest.raises(BindingError, match="member 'ab_c' of Alike is missing"):
        bind({"abc": 1}, Alike)


@dataclass
class Empty:
    pass


def test_a_class_without_fields_of_its_own_is_an_empty_object() -> None:
    assert bind({}, Empty) == bind({"x": 1}, Empty) == Empty()
    assert JSON.write(Empty(), "value", LEVELS) == {}


def test_a_field_without_a_value_is_an_error_with_its_path() -> None:
    item = Item("a")
    del item.item_name
    with pytest.raises(BindingError, match=r"value\[0\]: a Item has no value for its field 'item_name'"):
        JSON.write([item], "value", LEVELS)

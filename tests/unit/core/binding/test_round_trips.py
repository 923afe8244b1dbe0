"""Whatever is sent as a type is received as the same value, in both protocols; anything else is a `BindingError`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntFlag
from typing import Any, Final, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalr_client.core.binding import Converter, checker
from signalr_client.core.messages import Invocation
from signalr_client.core.protocols import JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.timestamps import DateTimeOffset
from signalr_client.errors import BindingError

Protocol = JsonHubProtocol | MessagePackHubProtocol

PROTOCOLS: Final[list[Protocol]] = [
    JsonHubProtocol(),
    MessagePackHubProtocol(),
    JsonHubProtocol(naming="PascalCase", enum_naming="camelCase"),
    MessagePackHubProtocol(naming="unchanged", enum_naming=None),
]
each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=repr)


class Color(Enum):
    RED = 0
    DARK_BLUE = 1


class Access(IntFlag):
    READ = 1
    WRITE = 2
    RUN = 4


class Pair(NamedTuple):
    key: str
    value: int


@dataclass
class Leaf:
    an_int: int
    a_float: float
    some_text: str
    flag: bool
    amount: Decimal
    identity: UUID
    day: date
    clock: time
    span: timedelta
    moment: datetime
    offset: DateTimeOffset
    data: bytes
    color: Color
    access: Access
    pair: Pair
    maybe: int | None
    numbers: list[int]
    counts: dict[str, int]
    by_id: dict[UUID, float]
    words: set[str]


@dataclass
class Tree:
    leaf: Leaf | None
    children: list[Tree]
    named: dict[str, Tree]


integers: Final = st.integers(-(2**63), 2**64 - 1)
texts: Final = st.text(max_size=5)
spans: Final = st.timedeltas(timedelta(days=-10_000_000), timedelta(days=10_000_000))
offsets: Final = st.builds(
    lambda moment, minutes: DateTimeOffset.of(moment.replace(tzinfo=_zone(minutes))),
    st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1)),  # noqa: DTZ001  # the time zone follows
    st.integers(-14 * 60, 14 * 60),
)


def _zone(minutes: int) -> Any:
    from datetime import timezone  # noqa: PLC0415  # used here only

    return timezone(timedelta(minutes=minutes))


leaves: Final = st.builds(
    Leaf,
    an_int=integers,
    a_float=st.floats(allow_nan=False, allow_infinity=False),
    some_text=texts,
    flag=st.booleans(),
    amount=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20),
    identity=st.uuids(),
    day=st.dates(),
    clock=st.times(),
    span=spans,
    moment=st.datetimes(timezones=st.just(UTC)),
    offset=offsets,
    data=st.binary(max_size=5),
    color=st.sampled_from(Color),
    access=st.integers(0, 7).map(Access),
    pair=st.builds(Pair, texts, integers),
    maybe=st.none() | integers,
    numbers=st.lists(integers, max_size=3),
    counts=st.dictionaries(texts, integers, max_size=3),
    by_id=st.dictionaries(st.uuids(), st.floats(allow_nan=False, allow_infinity=False), max_size=2),
    words=st.sets(texts, max_size=3),
)
trees: Final = st.recursive(
    st.builds(Tree, leaf=st.none() | leaves, children=st.just([]), named=st.just({})),
    lambda inner: st.builds(
        Tree, leaf=st.none() | leaves, children=st.lists(inner, max_size=2), named=st.dictionaries(texts, inner, max_size=2)
    ),
    max_leaves=3,
)


def received(protocol: Protocol, value: object, converter: Converter[Any]) -> Any:
    """Return what the peer gets that asks for a type."""
    [record] = protocol.framer().feed(protocol.encode(Invocation(target="T", arguments=[value])))
    message = protocol.decode(record)
    if isinstance(protocol, JsonHubProtocol) and converter.needs_digits:
        message = protocol.decode_digits(record)
    assert isinstance(message, Invocation)
    return converter.convert(message.arguments[0], "value")


@each_protocol
@given(tree=trees)
def test_a_tree_of_every_type_makes_the_round_trip(protocol: Protocol, tree: Tree) -> None:
    check = checker(Tree)
    assert check is not None
    check.require(tree, "tree")
    again = received(protocol, tree, protocol.binding.converter(Tree))
    assert again == tree
    if tree.leaf is not None:
        assert again.leaf.offset.utcoffset() == tree.leaf.offset.utcoffset()
        assert str(again.leaf.amount.normalize()) == str(tree.leaf.amount.normalize())


@each_protocol
@given(amount=st.decimals(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_decimal_is_lost(protocol: Protocol, amount: Decimal) -> None:
    with suppress(BindingError):  # of hundreds of digits, which .NET has not
        again = received(protocol, [amount], protocol.binding.converter(list[Decimal]))
        assert again == [amount]
        assert again[0].as_tuple().digits == amount.as_tuple().digits or amount.as_tuple().exponent > 0  # type: ignore[operator]  # it is finite


plain: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.decimals() | st.binary(max_size=3) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.integers(), inner, max_size=3),
    max_leaves=5,
)
TYPES: Final[list[Any]] = [
    int, float, str, bool, bytes, None, Decimal, UUID, datetime, date, time, timedelta, DateTimeOffset, Color, Access, Pair, Leaf,
    Tree, object, list[int], dict[int, Tree], set[str], tuple[int, ...], tuple[int, str], int | str | None, Leaf | Tree | list[Leaf],
    dict[UUID, Color], dict[bool, float],
]  # fmt: skip


@each_protocol
@given(value=plain, wanted=st.sampled_from(TYPES))
def test_any_value_is_converted_or_is_a_binding_error(protocol: Protocol, value: object, wanted: Any) -> None:
    with suppress(BindingError):
        protocol.binding.converter(wanted).convert(value, "value")

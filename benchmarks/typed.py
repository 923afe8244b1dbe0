"""What types cost: the items of a stream as nested dataclasses. ``python -m benchmarks.typed``; ``--help`` has the options.

Each way of converting gets what `HubConnection.stream` would give it: the item of a StreamItem that a hub protocol has decoded. The
figures are for the conversion alone; the first line says what decoding the message costs.
"""

from __future__ import annotations

import argparse
import functools
import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from statistics import median
from typing import Annotated, Any, Final, cast

import cattrs
from cattrs.gen import make_dict_structure_fn, override
from pydantic import AliasGenerator, BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel, to_pascal

from signalr_client import JsonHubProtocol, MessagePackHubProtocol
from signalr_client.core.messages import StreamItem

__all__ = ["WAYS", "Trade", "TypedProtocol", "converted", "records", "trade"]

TypedProtocol = JsonHubProtocol | MessagePackHubProtocol

_ITEMS: Final = 2_000


class Side(Enum):
    """Whether somebody buys or sells."""

    BUY = 0
    SELL = 1


@dataclass
class Party:
    """One side of a trade."""

    name: str
    account_number: int
    country: str | None = None


@dataclass
class Trade:
    """What is streamed: ten fields, two of which are objects."""

    trade_id: int
    symbol: str
    price: float
    quantity: int
    side: Side
    traded_at: datetime
    tags: list[str]
    buyer: Party
    seller: Party
    note: str | None = None


def _side(value: Any) -> Any:
    return Side[value.upper()] if isinstance(value, str) else value  # .NET writes names over MessagePack


class PartyModel(BaseModel):
    """The same for pydantic."""

    name: str
    account_number: int
    country: str | None = None


class TradeModel(BaseModel):
    """The same for pydantic."""

    trade_id: int
    symbol: str
    price: float
    quantity: int
    side: Annotated[Side, BeforeValidator(_side)]
    traded_at: datetime
    tags: list[str]
    buyer: PartyModel
    seller: PartyModel
    note: str | None = None


def trade(number: int) -> Trade:
    """Return a trade; each has other values."""
    return Trade(
        trade_id=number,
        symbol=f"SYM{number % 100}",
        price=number / 4 + 0.25,
        quantity=number * 10,
        side=Side.SELL if number % 2 else Side.BUY,
        traded_at=datetime(2026, 1, 1, number % 24, number % 60, 30, 125_000 + number, UTC),
        tags=["new", "fast", f"batch {number // 50}"],
        buyer=Party(f"buyer {number}", number, "DE"),
        seller=Party(f"seller {number}", number + 1),
        note=None if number % 3 else f"note {number}",
    )


def records(protocol: TypedProtocol, count: int) -> list[bytes]:
    """Return encoded StreamItems without their framing."""
    framer = protocol.framer()
    data = b"".join(protocol.encode(StreamItem(invocation_id="1", item=trade(number))) for number in range(count))
    return list(framer.feed(data))


# the ways of converting


def ours(protocol: TypedProtocol) -> Callable[[Any], object]:
    """Return the conversion of ``stream(..., item_type=Trade)``."""
    return protocol.binding.converter(Trade).convert_item


def by_pydantic(protocol: TypedProtocol) -> Callable[[Any], object]:
    """Return the conversion to pydantic models by pydantic alone, with the wire names as aliases."""
    spell = to_camel if protocol.name == "json" else to_pascal
    config = ConfigDict(alias_generator=AliasGenerator(validation_alias=spell))
    party = type("PartyModel", (PartyModel,), {"model_config": config, "__module__": __name__})
    members = {"__annotations__": {"buyer": party, "seller": party}, "model_config": config, "__module__": __name__}
    model: Any = type("TradeModel", (TradeModel,), members)
    return cast("Callable[[Any], object]", model.model_validate)


def by_cattrs(protocol: TypedProtocol) -> Callable[[Any], object]:
    """Return the conversion of cattrs, with the wire names as overrides and without its detailed errors, which is faster."""
    spell = to_camel if protocol.name == "json" else to_pascal
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_structure_hook(datetime, lambda value, _: _moment(value))
    converter.register_structure_hook(Side, lambda value, _: Side(_side(value)))
    for kind in (Party, Trade):
        names: dict[str, Any] = {name: override(rename=spell(name)) for name in kind.__dataclass_fields__}
        hook = make_dict_structure_fn(kind, converter, _cattrs_detailed_validation=False, **names)
        converter.register_structure_hook(kind, hook)
    return lambda item: converter.structure(item, Trade)


def by_hand(protocol: TypedProtocol) -> Callable[[Any], object]:
    """Return what a careful programmer writes: each member by its name, without any check."""
    spell = to_camel if protocol.name == "json" else to_pascal
    names = [spell(name) for name in Trade.__dataclass_fields__]
    party_names = [spell(name) for name in Party.__dataclass_fields__]
    a, b, c, d, e, f, g, h, i, j = names
    x, y, z = party_names

    def party(item: Any) -> Party:
        return Party(item[x], item[y], item[z])

    def convert(item: Any) -> Trade:
        side, moment = Side(_side(item[e])), _moment(item[f])
        return Trade(item[a], item[b], item[c], item[d], side, moment, item[g], party(item[h]), party(item[i]), item[j])

    return convert


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


WAYS: Final[dict[str, Callable[[TypedProtocol], Callable[[Any], object]]]] = {
    "signalr_client": ours,
    "pydantic": by_pydantic,
    "cattrs": by_cattrs,
    "by hand, unchecked": by_hand,
}


# measuring


def converted(protocol: TypedProtocol, way: str, encoded: Sequence[bytes]) -> list[object]:
    """Return the items of *encoded* messages, converted in one way."""
    return _convert(WAYS[way](protocol), _items(protocol, encoded))


def _items(protocol: TypedProtocol, encoded: Sequence[bytes]) -> list[Any]:
    messages = [protocol.decode(record) for record in encoded]
    return [message.item for message in messages if isinstance(message, StreamItem)]


def _costs(protocol: TypedProtocol, rounds: int, count: int) -> Iterator[tuple[str, float]]:
    """Yield what is measured, and its cost."""
    encoded = records(protocol, count)
    yield "decoding the message", _cost(lambda: _items(protocol, encoded), rounds, count)
    items = _items(protocol, encoded)
    for name, way in WAYS.items():
        yield name, _cost(functools.partial(_convert, way(protocol), items), rounds, count)


def _convert(convert: Callable[[Any], object], items: Sequence[Any]) -> list[object]:
    return [convert(item) for item in items]


def _cost(work: Callable[[], object], rounds: int, count: int) -> float:
    """Return the CPU time for each item in microseconds, the median of all rounds."""
    times = []
    for _ in range(rounds + 1):  # one to warm up
        gc.collect()
        began = time.process_time()
        work()
        times.append((time.process_time() - began) / count * 1e6)
    return median(times[1:])


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.typed", description="Compare ways to convert items to dataclasses."
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds for each way (default: 15)")
    parser.add_argument("--items", type=int, default=_ITEMS, help=f"items in a round (default: {_ITEMS:,})")
    options = parser.parse_args()
    print(f"CPU microseconds for each item (median of {options.rounds} rounds)\n")
    for protocol in (JsonHubProtocol(), MessagePackHubProtocol()):
        for what, cost in _costs(protocol, options.rounds, options.items):
            print(f"{protocol.name:<12} {what:<24} {cost:6.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A live dashboard of prices in the terminal: python examples/ticker/dashboard.py http://127.0.0.1:5000/tickerhub ACME GLOBEX.

Needs rich (pip install rich). When the output is not a terminal, the last prices are printed at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rich.live import Live
from rich.table import Table

from signalr_client import ConnectionClosedError, ExponentialBackoff, HubConnection, HubConnectionBuilder, SignalRError


@dataclass
class Quote:
    """What the hub streams; the fields are spelled as in .NET on the wire."""

    symbol: str
    price: Decimal
    time: datetime


async def quotes(connection: HubConnection, symbols: list[str], interval: float) -> AsyncIterator[Quote]:
    """Yield quotes for ever: a stream ends when its connection is lost, and is opened again on the next one."""
    while True:
        try:
            async for quote in connection.stream("Quotes", symbols, interval, item_type=Quote):
                yield quote
        except ConnectionClosedError:
            await connection.wait_connected()  # raises if there will be no other connection
        else:
            return


def table(latest: dict[str, Quote], first: dict[str, Quote], status: str) -> Table:
    """Return the dashboard."""
    result = Table("symbol", title=f"Ticker: {status}", caption="Ctrl+C ends the program")
    for header in ("price", "change", "time"):
        result.add_column(header, justify="right")
    for symbol, quote in latest.items():
        change = quote.price - first[symbol].price
        color = "green" if change >= 0 else "red"
        result.add_row(symbol, f"{quote.price:.2f}", f"[{color}]{change:+.2f}[/]", f"{quote.time.astimezone():%H:%M:%S}")
    return result


async def watch(url: str, symbols: list[str], interval: float, count: int | None) -> None:
    """Show the prices until *count* quotes have arrived."""
    builder = HubConnectionBuilder().with_url(url).with_automatic_reconnect(ExponentialBackoff())
    connection = builder.with_calls_while_reconnecting().build()
    first: dict[str, Quote] = {}
    latest: dict[str, Quote] = {}
    received = 0
    with Live(table(latest, first, "connecting"), refresh_per_second=10) as live:
        connection.on_connected(lambda _id: live.update(table(latest, first, "connected")))
        connection.on_reconnecting(lambda _error: live.update(table(latest, first, "reconnecting")))
        async with connection:
            async for quote in quotes(connection, symbols, interval):
                first.setdefault(quote.symbol, quote)
                latest[quote.symbol] = quote
                received += 1
                live.update(table(latest, first, f"{received} quotes"))
                if received == count:
                    return  # leaving the loop ends the stream on the server, too


def main() -> None:
    """Read the arguments; exit with status 1 if the connection or the stream fails, and with 130 after Ctrl+C."""
    parser = argparse.ArgumentParser(description="Show prices in the terminal as they change.")
    parser.add_argument("url", help="the hub, for example http://127.0.0.1:5000/tickerhub")
    parser.add_argument("symbols", nargs="+", metavar="symbol", help="what to watch, for example ACME")
    parser.add_argument("--interval", type=float, default=0.2, help="seconds between two quotes (default: %(default)s)")
    parser.add_argument("--count", type=int, help="end after this many quotes")
    arguments = parser.parse_args()
    try:
        asyncio.run(watch(arguments.url, arguments.symbols, arguments.interval, arguments.count))
    except SignalRError as error:
        sys.exit(f"dashboard: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""A hub that streams prices: python -m signalr_client serve examples.ticker.hub:TickerHub."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from signalr_client.server import Hub, HubException


@dataclass
class Quote:
    """The price of one symbol at one moment."""

    symbol: str
    price: Decimal
    time: datetime


class TickerHub(Hub):
    """Prices of imaginary shares."""

    async def quotes(self, symbols: list[str], interval: float) -> AsyncIterator[Quote]:
        """Stream the prices of *symbols*, one every *interval* seconds, until the client leaves."""
        if not symbols or not 0.001 <= interval <= 60:
            raise HubException("Ask for at least one symbol, and an interval of 0.001 to 60 seconds.")
        prices = dict.fromkeys(symbols, Decimal("100.00"))
        while True:
            for symbol in symbols:
                prices[symbol] = max(prices[symbol] + Decimal(random.randint(-99, 100)) / 100, Decimal("0.01"))
                yield Quote(symbol, prices[symbol], datetime.now(UTC))
                await asyncio.sleep(interval)

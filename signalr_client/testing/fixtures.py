"""Fixtures for pytest with pytest-asyncio, in its auto and strict modes. Room: tools. Only this module needs pytest.

Load it in a ``conftest.py`` at the root of the tests::

    pytest_plugins = ["signalr_client.testing.fixtures"]
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import pytest_asyncio

from signalr_client.testing.proxy import FaultProxy

__all__ = ["StartFaultProxy", "fault_proxy"]

StartFaultProxy: TypeAlias = Callable[..., Awaitable[FaultProxy]]
"""The type of the fixture `fault_proxy`."""


@pytest_asyncio.fixture
async def fault_proxy() -> AsyncIterator[StartFaultProxy]:
    """A function that starts a `FaultProxy`, whose arguments it takes; the proxies are stopped after the test."""
    async with AsyncExitStack() as running:

        async def start(target: str, target_port: int | None = None, *, host: str = "127.0.0.1", port: int = 0) -> FaultProxy:
            return await running.enter_async_context(FaultProxy(target, target_port, host=host, port=port))

        yield start

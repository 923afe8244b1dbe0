"""What must stay healthy while the soak test runs, and what must not be left afterwards: log lines, memory, objects, sockets."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import os
import sys
from collections import Counter
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.soak.client import SoakClient
from benchmarks.soak.tally import Tally

__all__ = ["LogWatch", "Memory", "objects_left", "objects_of_the_package"]

_SECONDS_OF_TIMERS: Final = 5
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class LogWatch(logging.Handler):
    """Turns errors in logs into failures, counts warnings, and shows clients their own lines.

    Also errors that only the event loop or the garbage collector notices: a callback that raised, a task whose exception nobody saw.
    """

    def __init__(self, tally: Tally) -> None:
        super().__init__(logging.INFO)
        self._tally = tally
        self._clients: dict[str, SoakClient] = {}
        self._loggers = [logging.getLogger(name) for name in ("signalr_client", "soak", "asyncio", "aiohttp")]
        self.warnings: Counter[str] = Counter()

    def add(self, client: SoakClient) -> None:
        """Remember log lines of *client* for its reports."""
        self._clients[client.logger.name] = client

    def __enter__(self) -> Self:
        for logger in self._loggers:
            logger.addHandler(self)
            logger.propagate = False  # other handlers might keep the exceptions of log lines, and all that those refer to
        logging.getLogger("soak").setLevel(logging.INFO)
        self._hook = sys.unraisablehook
        sys.unraisablehook = lambda args: self._tally.fail(f"unraisable: {args.exc_value!r} in {args.object!r}")
        asyncio.get_running_loop().set_exception_handler(self._loop_failed)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        asyncio.get_running_loop().set_exception_handler(None)
        sys.unraisablehook = self._hook
        for logger in self._loggers:
            logger.removeHandler(self)
            logger.propagate = True

    def forget_clients(self) -> None:
        """Drop the clients, so that they can be garbage-collected."""
        self._clients.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a log line."""
        client = self._clients.get(".".join(record.name.split(".")[:2]))
        if client is not None:
            client.note(record.getMessage())
        if record.levelno >= logging.ERROR:
            text = f"logged by {record.name}: {logging.Formatter().format(record)}"
            if client is None:
                self._tally.fail(text)
            else:
                client.fail(text)
        elif record.levelno >= logging.WARNING:
            self.warnings[f"{record.name.removeprefix('soak.')}: {record.msg}" if client is None else str(record.msg)] += 1

    def _loop_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._tally.fail(f"the event loop reports: {context}")


class Memory:
    """Resident memory of the process, measured every second.

    The C library keeps what large messages have left; it is given back first, or a leak could not be told from fragmentation.
    """

    def __init__(self) -> None:
        self._measured: list[int] = []
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            if self._trim is not None:
                self._trim(0)
            self._measured.append(resident())
            await asyncio.sleep(1.0)

    def thirds(self) -> tuple[float, float]:
        """Return the median in bytes over the first and the last third of the time."""
        third = max(len(self._measured) // 3, 1)
        return median(self._measured[:third]), median(self._measured[-third:])


def resident() -> int:
    """Return the resident memory of this process in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def objects_of_the_package() -> Counter[str]:
    """Return how many instances of each class of the package there are, except for compiled types, which are kept on purpose."""
    gc.collect()
    counts: Counter[str] = Counter()
    for found in gc.get_objects():
        kind = type(found)
        module = str(kind.__module__)  # some classes have a descriptor of this name
        if module.startswith("signalr_client.") and not module.startswith("signalr_client.core.binding."):
            counts[f"{module}.{kind.__qualname__}"] += 1
    return counts


async def objects_left(before: Counter[str]) -> Counter[str]:
    """Return which objects are there in addition to those *before* and do not disappear; some are kept by timers for some seconds."""
    for _ in range(_SECONDS_OF_TIMERS):
        left = objects_of_the_package() - before
        if not left:
            break
        await asyncio.sleep(1.0)
    return left

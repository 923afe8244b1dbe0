"""From an open link to one that is ready for calls: the callbacks of `on_connected` first, then the calls that waited. Room: client.

A link is *open* once its handshake is over, and *ready* once its callbacks have run and the waiting calls have been sent. `start()`,
`wait_connected()` and the event "reconnected" follow when it is ready. Calls made in the callbacks are sent at once.

The callbacks run beside those of other events: a slow `on_reconnecting` callback, or one that waits for the connection, does not
delay them. They belong to their link: if it is lost, the callback that is running is cancelled and the others are skipped, and all of
them run again for the next link.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from signalr_client.client.events import EventCallback, run_callback
from signalr_client.client.link import HubLink
from signalr_client.client.tasks import TaskSet, counted
from signalr_client.client.waiting import WaitingCalls

__all__ = ["Readiness"]

_PATIENCE: Final = 10.0  # seconds after which the log mentions a callback that start() and others wait for

_links: Final[contextvars.ContextVar[tuple[weakref.ref[HubLink], ...]]] = contextvars.ContextVar("signalr_links", default=())
"""The links in whose `on_connected` callbacks the current code runs; weak, because contexts are copied into tasks of the user."""


class Readiness:
    """Tells when calls can be sent, and on which link. It belongs to a life.

    Attributes:
        link: the link that calls from anywhere can be sent on; None if there is none, or if they have to wait.
        calls_wait: whether calls wait for the connection, rather than fail.
        waiting: those that wait now.

    Args:
        callbacks: of `on_connected`.
        calls_wait: see above.
        tasks: owns the tasks of the callbacks.
        network: owns the tasks that run them.
        context: the context of the callbacks.
    """

    def __init__(
        self,
        callbacks: Sequence[EventCallback],
        *,
        calls_wait: bool,
        tasks: TaskSet,
        network: TaskSet,
        context: contextvars.Context,
        logger: logging.Logger,
    ) -> None:
        self.link: HubLink | None = None
        self.calls_wait = calls_wait
        self.waiting: WaitingCalls = WaitingCalls()
        self._callbacks = callbacks
        self._tasks = tasks
        self._network = network
        self._context = context
        self._log = logger
        self._open: HubLink | None = None
        self._running: asyncio.Task[None] | None = None  # the callback that runs
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()  # replaced when the link is lost

    def begin(self, link: HubLink, on_ready: Callable[[], None]) -> None:
        """Make a link ready whose handshake is over, then call *on_ready*."""
        self._open = link
        if not self.calls_wait:
            self.link = link
        if self._callbacks or self.waiting:
            self._network.start(self._prepare(link, on_ready), name="signalr readiness")
        else:
            self._finish(link, on_ready)

    def end(self) -> None:
        """Accept no more calls: the link was lost, or the connection is being stopped. Idempotent."""
        if self._open is not None and self._open.over and self._running is not None:
            self._running.cancel()  # but not at a stop, which the callback itself may have asked for
        self.link = self._open = None
        if self._ready.done():
            self._ready = self._loop.create_future()

    @property
    def link_inside(self) -> HubLink | None:
        """The open link, if the caller runs in one of its callbacks or in a task that was started there."""
        link = self._open
        return link if link is not None and any(known() is link for known in _links.get()) else None

    async def wait(self, ended: asyncio.Future[Exception | None]) -> None:
        """Return when the connection is ready or has *ended*; in a callback of `on_connected`, at once."""
        while not (ended.done() or self._ready.done() or self.link_inside is not None):
            changes: set[asyncio.Future[Any]] = {self._ready, ended}
            await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)

    async def _prepare(self, link: HubLink, on_ready: Callable[[], None]) -> None:
        for callback in tuple(self._callbacks):
            await self._run(callback, link)
            if link is not self._open:
                return
        await self.waiting.send(link)
        if link is self._open:
            self._finish(link, on_ready)

    def _finish(self, link: HubLink, on_ready: Callable[[], None]) -> None:
        self.link = link
        self._ready.set_result(None)
        on_ready()

    async def _run(self, callback: EventCallback, link: HubLink) -> None:
        """Run one callback until it returns, or until the link has ended."""
        context = self._context.copy()
        context.run(_enter, link)
        work = run_callback(callback, link.connection_id, self._log)
        self._running = task = self._tasks.spawn(work, name="signalr on_connected", context=context)
        changes: set[asyncio.Future[Any]] = {task, link.ended}
        done, _ = await asyncio.wait(changes, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            self._log.warning(
                "! the on_connected callback %s is still running after %g s; start(), wait_connected() and %s wait for it",
                getattr(callback, "__qualname__", callback),
                _PATIENCE,
                counted(len(self.waiting), "call"),
            )
            await asyncio.wait(changes, return_when=asyncio.FIRST_COMPLETED)


def _enter(link: HubLink) -> None:
    """Note in the current context that code in it runs in a callback of *link*; links that have ended are forgotten."""
    links = (known for known in _links.get() if (alive := known()) is not None and not alive.over)
    _links.set((*links, weakref.ref(link)))

"""One life of a connection: from `start()` until it has ended for good. Room: client.

A life has one main task, which connects, waits for the end of each link, reconnects, and at last cleans up. So `start()` and
`stop()` may be called from any task of the event loop. A life is discarded when it ends; the next `start()` creates another.

The main task never awaits user code, and waits for other tasks with a time limit: whatever handlers, callbacks, retry policies and
access token factories do, a life that was stopped ends within the close timeout and a moment for cleanup.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
import weakref
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from signalr_client.client.dispatch import Dispatcher
from signalr_client.client.ends import End, fresh_error
from signalr_client.client.events import EventCallback, EventRunner, Events
from signalr_client.client.handlers import Handlers
from signalr_client.client.intake import Intake
from signalr_client.client.link import HubLink
from signalr_client.client.options import ConnectionOptions
from signalr_client.client.readiness import Readiness
from signalr_client.client.reconnect import retry
from signalr_client.client.refresh import AuthenticationRefresh
from signalr_client.client.tasks import CANCEL_GRACE, TaskSet
from signalr_client.core.state import Trigger, advance
from signalr_client.errors import ConnectionClosedError, InvalidStateError
from signalr_client.transports.connector import Connected, Connector
from signalr_client.types import HubConnectionState
from signalr_client.user_code import call

__all__ = ["Life"]

T = TypeVar("T")

_lives: Final[contextvars.ContextVar[tuple[weakref.ref[Life], ...]]] = contextvars.ContextVar("signalr_lives", default=())
"""The lives in whose handlers or callbacks the current code runs; weak, because contexts are copied into later lives."""


class _Stopped(Exception):
    """`stop()` was called while the main task was waiting for something else."""


class Life:
    """One life of a connection.

    Attributes:
        state: its state; assigned in `_advance` only.
        loop: the event loop that it belongs to.
        link: the current physical connection, once it is open.
        readiness: tells when calls can be sent on it.
        refresh: renews the authentication of that connection.
        started: done when the first connection is ready; has the error if there was none.
        ended: done when the connection has ended for good, with the error that ended it or None.
        task: the main task; done when the cleanup is finished too.
    """

    def __init__(
        self, connector: Connector, options: ConnectionOptions, handlers: Handlers, events: Events, logger: logging.Logger
    ) -> None:
        self.state: HubConnectionState = advance(HubConnectionState.DISCONNECTED, Trigger.START)
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.link: HubLink | None = None
        self.started: asyncio.Future[None] = self.loop.create_future()
        self.ended: asyncio.Future[Exception | None] = self.loop.create_future()
        self._stopped: asyncio.Future[float] = self.loop.create_future()  # the time at which stop() was called
        self._connector = connector
        self._options = options
        self._events = events
        self._logger = logger
        self._log = logger.getChild("connection")
        self._connected: Connected | None = None  # what the connector returned last
        self._newest: HubLink | None = None  # the last link, open or not
        self._was_open = False  # whether a handshake has succeeded
        self._end_error: Exception | None = None  # what ended the connection, or made the start fail
        self._context = contextvars.copy_context()
        self._context.run(self._enter_context)
        self._network = TaskSet("network task", self._log)
        self._handler_tasks = TaskSet("handler", self._log)
        self._callback_tasks = TaskSet("callback", self._log)
        self._callbacks = EventRunner(self._callback_tasks, self._context, self._log)
        self.readiness: Readiness = Readiness(
            events.connected,
            calls_wait=options.calls_wait,
            tasks=self._callback_tasks,
            network=self._network,
            context=self._context,
            logger=self._log,
        )
        limit = options.receive_limit
        gate = limit.gate()
        self._dispatcher = Dispatcher(handlers, gate, limit.requests, self._handler_tasks, self._context, logger)
        self._intake = Intake(limit, gate, self._dispatcher, logger)
        self.refresh: AuthenticationRefresh = AuthenticationRefresh(
            connector,
            options.refresh,
            on_refreshed=lambda lifetime: self._callbacks.fire(events.authentication_refreshed, lifetime),
            on_failed=lambda error: self._callbacks.fire(events.authentication_refresh_failed, error),
            spawn=lambda work: self._network.spawn(work, name="signalr refresh"),
            logger=logger,
        )
        self.task: asyncio.Task[None] = self.loop.create_task(self._live(), name="signalr connection")

    # what the connection asks for

    @property
    def runs_caller(self) -> bool:
        """Whether the caller runs in a handler or a callback of this life."""
        return any(life() is self for life in _lives.get())

    def request_stop(self) -> None:
        """Begin to end this life in good order; idempotent."""
        if self._stopped.done():
            return
        self._stopped.set_result(self.loop.time())
        if self.state is not HubConnectionState.DISCONNECTED:
            self._advance(Trigger.STOP)
            self._fail_waiting_calls(None)

    async def wait_connected(self) -> None:
        """Return when the connection is ready for calls.

        Raises:
            SignalRError: it has ended; a new exception for each caller.
        """
        await self.readiness.wait(self.ended)
        if self.ended.done():
            raise fresh_error(self._end_error or ConnectionClosedError(f"{self._clean_end}."))

    # the main task

    async def _live(self) -> None:
        end = End()
        try:
            end = await self._stay_connected()
        except _Stopped:
            pass
        except Exception as exc:  # it could not connect; the access token factory may have raised this
            end = End(exc)
        finally:
            await self._end(end)

    async def _stay_connected(self) -> End:
        """Connect, and reconnect after each loss; return what ended the connection for good.

        Raises:
            _Stopped: `stop()` was called.
            Exception: the first connection could not be opened.
        """
        link = await self._connect_first()
        while True:
            try:
                end = await self._unless_stopped(link.ended)
            except _Stopped:
                await link.close(self._deadline())
                raise
            level = logging.INFO if end.error else logging.DEBUG
            self._log.log(level, "! connection lost: %s", end.error or "closed by the server")
            if not self._reconnects(end):
                return end
            retrying = self._retry(end.error, self.loop.time(), self._events.reconnecting)
            outcome = await self._work_unless_stopped(retrying)
            if isinstance(outcome, End):
                return outcome
            link = outcome

    async def _connect_first(self) -> HubLink:
        """Return the first link; with ``retry_start``, the retry policy covers it."""
        began = self.loop.time()
        try:
            return await self._work_unless_stopped(call(self._connect))
        except (_Stopped, InvalidStateError):
            raise
        except Exception as exc:  # the access token factory may have raised it
            if self._options.retry_policy is None or not self._options.retry_start:
                raise
            self._log.info("! the first attempt failed: %s", exc)
            retrying = self._retry(exc, began, ())
        outcome = await self._work_unless_stopped(retrying)
        if isinstance(outcome, End):
            raise outcome.error or ConnectionClosedError
        return outcome

    async def _retry(self, reason: Exception | None, began: float, callbacks: Sequence[EventCallback]) -> HubLink | End:
        """Connect as the retry policy says; fire *callbacks* once it has chosen to make an attempt."""
        assert self._options.retry_policy is not None  # checked by the callers
        return await retry(
            self._connect,
            self._options.retry_policy,
            reason,
            began=began,
            on_first_delay=lambda: self._callbacks.fire(callbacks, reason),
            logger=self._log,
        )

    async def _connect(self) -> HubLink:
        """Return a new link whose handshake is over; cancelling leaves nothing open."""
        return await self._connector.connect(self._open, self._options.handshake_timeout)

    async def _open(self, connected: Connected, handshake_timeout: float) -> HubLink:
        """Perform the handshake on a connected transport, for the connector."""
        self._connected = connected
        session = self._options.session(
            self.loop.time(),
            handshake_timeout=handshake_timeout,
            inherent_keep_alive=connected.transport.inherent_keep_alive,
            stateful=connected.stateful,
            counts_all_items=connected.counts_all_items,
            exact_targets=self._dispatcher.handlers.exact_targets,
        )
        self._newest = link = HubLink(
            connected.transport,
            session,
            connected.connection_id,
            functools.partial(self._connector.resume, connected),
            owner=self,
            dispatcher=self._dispatcher,
            intake=self._intake,
            tasks=self._network,
            close_timeout=self._options.close_timeout,
            logger=self._logger,
        )
        await link.open()
        if self._options.stateful_buffer_size is not None and not session.stateful:
            reason = "the hub protocol has version 1" if connected.stateful else "the server does not offer it"
            self._log.info("= stateful reconnect is not used, because %s over %s", reason, connected.transport.name)
        return link

    async def _work_unless_stopped(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what *work* returns, from a task of its own; user code in it cannot hold up a stop.

        Raises:
            _Stopped: `stop()` was called first; the work was cancelled.
        """
        task = self._network.spawn(work, name="signalr connecting")
        try:
            return await self._unless_stopped(task)
        finally:
            task.cancel()
            task.add_done_callback(lambda task: task.cancelled() or task.exception())  # an error on the way out is not news

    async def _unless_stopped(self, future: asyncio.Future[T]) -> T:
        """Return the result of *future*.

        Raises:
            _Stopped: `stop()` was called first.
        """
        waited: set[asyncio.Future[Any]] = {future, self._stopped}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not future.done():
            raise _Stopped
        return future.result()

    # the end

    async def _end(self, end: End) -> None:
        """Report the end of this life, and then clean up within bounds."""
        deadline = self._deadline()
        if self._newest is not None:
            self._newest.abort(deadline)
        self.link = None
        self.refresh.end()
        self._end_error = end.error
        if self.state is not HubConnectionState.DISCONNECTED:
            self._advance(Trigger.CLOSED)
        self._fail_waiting_calls(end.error)
        was_open = self.started.done() and not self.started.cancelled()
        self.ended.set_result(end.error if was_open else None)
        if was_open:
            self._log.info("= closed%s", f": {end.error}" if end.error else "")
            self._callbacks.fire(self._events.close, end.error)
        try:
            await asyncio.gather(
                self._handler_tasks.finish(deadline, drop=self._dispatcher.drop),
                self._finish_network(deadline),
                self._finish_callbacks(patient=was_open),
            )
        finally:
            if not self.started.done():
                self.started.set_exception(end.error or ConnectionClosedError(self._unfinished_start))

    async def _finish_network(self, deadline: float) -> None:
        """Wait for the transports and the HTTP client to close; links have the same deadline and are given a moment more."""
        await self._network.finish(deadline + 2 * CANCEL_GRACE)
        try:
            async with asyncio.timeout(CANCEL_GRACE):
                await self._connector.aclose()
        except TimeoutError:
            self._log.warning("! the HTTP client was not closed in time")

    async def _finish_callbacks(self, *, patient: bool) -> None:
        """Wait for the callbacks, within bounds; if *patient*, as long as they take, until somebody calls `stop()`."""
        if patient:
            waiting: asyncio.Future[Any] = asyncio.create_task(self._callback_tasks.wait(), name="signalr callbacks end")
            try:
                await asyncio.wait([waiting, self._stopped], return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
        await self._callback_tasks.finish(self._deadline(), drop=self._callbacks.drop)

    def _fail_waiting_calls(self, error: Exception | None) -> None:
        """Fail the calls that wait for the connection, which will not come back because of *error*, or was closed without one."""
        if self.readiness.waiting:
            reason = f"{self._clean_end}." if error is None else str(fresh_error(error))
            self.readiness.waiting.fail(self.state.value, reason, error)

    @property
    def _clean_end(self) -> str:
        """How the connection ended without an error."""
        return "The connection was stopped" if self._stopped.done() else "The server closed the connection"

    @property
    def _unfinished_start(self) -> str:
        """How the connection ended without an error before `start()` had returned."""
        begun = "the callbacks of on_connected had finished" if self._was_open else "the hub handshake could complete"
        return f"{self._clean_end} before {begun}."

    def _deadline(self) -> float:
        """Return the time until which this life may wait for others, once it ends."""
        began = self._stopped.result() if self._stopped.done() else self.loop.time()
        return began + self._options.close_timeout

    # what a link reports

    def link_opened(self, link: HubLink) -> None:
        """Take a link whose handshake is over; called before its first message is handed out."""
        before = self.state
        if before not in (HubConnectionState.CONNECTING, HubConnectionState.RECONNECTING):
            return
        self.link = link
        if self._connected is not None:
            self.refresh.begin(self._connected)
        self._was_open = True
        self._advance(Trigger.OPENED)
        self.readiness.begin(link, lambda: self._ready(link, reconnected=before is HubConnectionState.RECONNECTING))

    def _ready(self, link: HubLink, *, reconnected: bool) -> None:
        """Report that *link* is ready for calls."""
        if not self.started.done():
            self.started.set_result(None)
        if reconnected:
            self._callbacks.fire(self._events.reconnected, link.connection_id)

    def link_detached(self, error: Exception) -> None:
        """Report that the link has lost its transport and is opening another one."""
        self._log.info("! the WebSocket was lost, opening another one: %s", error)
        self._callbacks.fire(self._events.detached, error)

    def link_resumed(self, link: HubLink) -> None:
        """Report that a link goes on."""
        self._log.info("= resumed on a new WebSocket")
        self._callbacks.fire(self._events.resumed, link.connection_id)

    def link_ended(self, link: HubLink, end: End) -> None:
        """Leave the connected state before the link's calls fail: a caller that sees one fail may look at the state."""
        if link is not self.link or self.state is not HubConnectionState.CONNECTED:
            return
        self.link = None
        self.refresh.end()
        self._advance(Trigger.LOST if self._reconnects(end) else Trigger.CLOSED)

    # inside

    def _reconnects(self, end: End) -> bool:
        return end.may_reconnect and self._options.retry_policy is not None

    def _advance(self, trigger: Trigger) -> None:
        self.state = advance(self.state, trigger)
        self._log.debug("= %s", self.state.value.lower())
        if self.state is not HubConnectionState.CONNECTED:
            self.readiness.end()

    def _enter_context(self) -> None:
        """Note in the current context that code in it runs in this life; lives that are over are forgotten."""
        lives = (life for life in _lives.get() if (alive := life()) is not None and not alive.task.done())
        _lives.set((*lives, weakref.ref(self)))

"""One life of a connection, from `start()` to its end: connects, reconnects, closes. Room: client.

A life owns one background task with a task group inside, so that `start()` and `stop()` may be called from any task. In it run the
dispatcher, the handlers beside it and the callbacks of the connection's events. A life is thrown away when it ends; the next
`start()` begins another.
Spec: client-behaviour.md, "B9", "E11", "F. Automatic reconnect".
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, retry_if_not_exception_type
from tenacity.wait import wait_base

from signalr_client.client.dispatch import Dispatcher, Handlers
from signalr_client.client.link import HubLink, LinkEnd
from signalr_client.client.refresh import AuthenticationRefresh, RefreshOptions
from signalr_client.core.protocols import HubProtocol
from signalr_client.core.retry import ConnectionLost, RetryPolicy, RetryWait
from signalr_client.core.session import HubSession, SessionOptions
from signalr_client.core.state import Trigger, advance
from signalr_client.errors import ConnectionClosedError, InvalidStateError
from signalr_client.transports.connector import Connected, Connector
from signalr_client.types import HubConnectionState

__all__ = ["EventCallback", "Events", "LifeOptions", "Supervisor"]

T = TypeVar("T")

EventCallback = Callable[..., object] | Callable[..., Awaitable[object]]
"""A callback of an event; sync or async."""

_lives: Final[contextvars.ContextVar[tuple[object, ...]]] = contextvars.ContextVar("signalr_lives", default=())
"""The lives whose handlers or callbacks the current code runs in."""


class Events:
    """The callbacks of a connection's events, in the order of their registration; they outlive restarts."""

    def __init__(self) -> None:
        self.reconnecting: list[EventCallback] = []
        self.reconnected: list[EventCallback] = []
        self.close: list[EventCallback] = []
        self.authentication_refreshed: list[EventCallback] = []
        self.authentication_refresh_failed: list[EventCallback] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeOptions:
    """What does not change from one life of a connection to the next. Times in seconds."""

    protocol: HubProtocol
    server_timeout: float
    keep_alive_interval: float
    handshake_timeout: float
    close_timeout: float
    max_message_size: int | None
    retry_policy: RetryPolicy | wait_base | None
    retry_start: bool
    refresh: RefreshOptions

    def session(self, now: float, *, inherent_keep_alive: bool) -> HubSession:
        """Return the session of a new physical connection."""
        options = SessionOptions(
            peer_timeout=self.server_timeout,
            keep_alive_interval=self.keep_alive_interval,
            handshake_timeout=self.handshake_timeout,
            max_message_size=self.max_message_size,
            inherent_keep_alive=inherent_keep_alive,
        )
        return HubSession.client(self.protocol, options, now)


class _Stopped(Exception):
    """`stop()` was called while something else was waited for."""


class Supervisor:
    """One life of a connection.

    Attributes:
        state: where it is; only `advance` names a new one.
        link: the physical connection that calls go through, if there is one.
        refresh: renews its authentication.
        started: done when the first connection stands, or failed when it could not be made.
        ended: done when the connection is over for good, with what ended it or None.
    """

    def __init__(
        self, connector: Connector, options: LifeOptions, handlers: Handlers, events: Events, logger: logging.Logger
    ) -> None:
        self.state = advance(HubConnectionState.DISCONNECTED, Trigger.START)
        self.link: HubLink | None = None
        self._connector = connector
        self._options = options
        self._events = events
        self._logger = logger
        self._log = logger.getChild("connection")
        self._loop = asyncio.get_running_loop()
        self.started: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[Exception | None] = self._loop.create_future()
        self._stopped: asyncio.Future[None] = self._loop.create_future()
        self._dispatcher = Dispatcher(handlers, self._spawn_handler, logger)
        self._handler_tasks: set[asyncio.Task[None]] = set()
        self._last_event: asyncio.Task[None] | None = None
        self._group = asyncio.TaskGroup()
        self.refresh = AuthenticationRefresh(
            connector,
            options.refresh,
            on_refreshed=lambda lifetime: self._fire(events.authentication_refreshed, lifetime),
            on_failed=lambda error: self._fire(events.authentication_refresh_failed, error),
            spawn=self._group.create_task,
            logger=logger,
        )
        self._context = contextvars.copy_context()
        self._context.run(_lives.set, (*_lives.get(), self))
        self.task = asyncio.create_task(self._live(), name="signalr connection")

    # what the connection asks for

    @property
    def runs_caller(self) -> bool:
        """Whether the code that asks runs in a handler or a callback of this life."""
        return self in _lives.get()

    def request_stop(self) -> None:
        """Begin to end this life in good order; idempotent."""
        if self.state in (HubConnectionState.DISCONNECTED, HubConnectionState.DISCONNECTING):
            return
        self._advance(Trigger.STOP)
        self._stopped.set_result(None)

    # life

    async def _live(self) -> None:
        failure: Exception | None = None
        try:
            async with self._group:
                dispatching = self._spawn_handler(self._dispatcher.run())
                was_connected = False
                error: Exception | None = None
                try:
                    link = await self._first_link()
                    was_connected = True
                    error = await self._keep_up(link)
                except Exception as exc:  # also what the caller's token factory raised
                    if was_connected:
                        raise
                    failure = exc
                finally:
                    self._dispatcher.finish()
                    await self._finish(error, tell=was_connected)
                await self._see_off(dispatching)
        finally:
            await self._connector.aclose()
            if failure is not None and not self.started.done():
                self.started.set_exception(failure)

    async def _first_link(self) -> HubLink:
        """Return the first connection; with ``retry_start``, the retry policy covers it.

        Raises:
            Exception: why there is none.
        """
        policy = self._options.retry_policy
        connect = self._retrying(policy, self._connect) if policy and self._options.retry_start else self._connect()
        try:
            return await self._unless_stopped(connect)
        except _Stopped:
            text = "The connection was stopped before the hub handshake could complete."
            raise ConnectionClosedError(text) from None

    async def _keep_up(self, link: HubLink) -> Exception | None:
        """Stay connected until the end; return what ended it."""
        while True:
            try:
                end = await self._unless_stopped(link.wait_end())
            except _Stopped:
                await link.close()
                return None
            finally:
                if not link.ended and not self._stopped.done():  # this task was cancelled
                    await link.abort()
            self._log.log(
                logging.INFO if end.error else logging.DEBUG, "! connection lost: %s", end.error or "closed by the server"
            )
            if not end.may_reconnect or self._options.retry_policy is None:
                return end.error
            try:
                link = await self._unless_stopped(self._reconnect(end, self._options.retry_policy))
            except _Stopped:
                return None
            except ConnectionLost as lost:  # the policy named no delay
                return lost.error  # type: ignore[return-value]  # it is the error of a LinkEnd
            except Exception as exc:  # the last attempt's error
                return exc

    async def _finish(self, error: Exception | None, *, tell: bool) -> None:
        """Enter the last state and tell those who wait for it."""
        self.refresh.end()
        if self.link is not None:
            await self.link.abort()
            self.link = None
        if self.state is not HubConnectionState.DISCONNECTED:
            self._advance(Trigger.CLOSED)
        self.ended.set_result(error)
        if tell:
            self._log.info("= closed%s", f": {error}" if error else "")
            self._fire(self._events.close, error)

    async def _see_off(self, dispatching: asyncio.Task[None]) -> None:
        """Give handlers that still run, and calls that came before the end, the close timeout; then cancel them."""
        tasks = {dispatching, *self._handler_tasks}
        await asyncio.wait(tasks, timeout=self._options.close_timeout)
        for task in self._handler_tasks | {dispatching}:
            if not task.done():
                self._log.warning(
                    "! a handler was still running %g s after the end and is cancelled", self._options.close_timeout
                )
                task.cancel()

    # connecting

    async def _connect(self) -> HubLink:
        """Return a new connection whose handshake is over; cancelling leaves nothing open."""
        connected = await self._connector.connect()
        keeps_alive = connected.transport.inherent_keep_alive
        link = HubLink(
            connected.transport,
            self._options.session(self._loop.time(), inherent_keep_alive=keeps_alive),
            connected.connection_id,
            on_open=lambda link: self._opened(link, connected),
            on_message=self._dispatcher.put,
            on_end=self._link_ended,
            close_timeout=self._options.close_timeout,
            logger=self._logger,
        )
        await link.open()
        return link

    async def _reconnect(self, end: LinkEnd, policy: RetryPolicy | wait_base) -> HubLink:
        """Return a new connection in place of a lost one.

        Raises:
            ConnectionLost: the policy named no delay at all.
            Exception: the error of the last attempt.
        """
        lost: ConnectionLost | None = ConnectionLost(end.error)

        async def attempt() -> HubLink:
            nonlocal lost
            if lost is not None:  # to tenacity, the loss is the first attempt
                error, lost = lost, None
                raise error
            return await self._connect()

        def before_sleep(retry_state: RetryCallState) -> None:
            if retry_state.attempt_number == 1:
                self._fire(self._events.reconnecting, end.error)
            self._log_delay(retry_state)

        return await self._retrying(policy, attempt, before_sleep)

    async def _retrying(
        self,
        policy: RetryPolicy | wait_base,
        attempt: Callable[[], Awaitable[HubLink]],
        before_sleep: Callable[[RetryCallState], None] | None = None,
    ) -> HubLink:
        """Run *attempt* until it succeeds or *policy* gives up; then raise the last attempt's error."""
        wait = RetryWait(policy)
        retrying = AsyncRetrying(
            wait=wait,
            stop=wait.gave_up,
            retry=retry_if_exception_type(Exception) & retry_if_not_exception_type(InvalidStateError),
            before_sleep=before_sleep or self._log_delay,
            sleep=asyncio.sleep,
            reraise=True,
        )
        return await retrying(attempt)

    def _log_delay(self, retry_state: RetryCallState) -> None:
        error = retry_state.outcome.exception() if retry_state.outcome else None
        self._log.info(
            "= attempt %d in %g s%s",
            retry_state.attempt_number,
            retry_state.upcoming_sleep,
            "" if error is None or isinstance(error, ConnectionLost) else f": {error}",
        )

    async def _unless_stopped(self, work: Coroutine[object, object, T]) -> T:
        """Return what *work* returns.

        Raises:
            _Stopped: `stop()` came first; the work was cancelled.
        """
        task = asyncio.create_task(work)
        waited: set[asyncio.Future[Any]] = {task, self._stopped}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise _Stopped
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    # what a link reports

    def _opened(self, link: HubLink, connected: Connected) -> None:
        """Take a link whose handshake is over; called before its first message is handed out."""
        if self._stopped.done():
            return
        before = self.state
        self.link = link
        self.refresh.begin(connected)
        self._advance(Trigger.OPENED)
        if before is HubConnectionState.RECONNECTING:
            self._fire(self._events.reconnected, link.connection_id)
        elif not self.started.done():
            self.started.set_result(None)

    def _link_ended(self, link: HubLink, end: LinkEnd) -> None:
        """Leave the state in which calls go through before the link's calls fail, so that nobody is told to try again too early."""
        if link is not self.link or self._stopped.done():
            return
        self.link = None
        self.refresh.end()
        reconnects = end.may_reconnect and self._options.retry_policy is not None
        self._advance(Trigger.LOST if reconnects else Trigger.CLOSED)

    # inside

    def _advance(self, trigger: Trigger) -> None:
        self.state = advance(self.state, trigger)
        self._log.debug("= %s", self.state.value.lower())

    def _spawn_handler(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run user code in a task of this life."""
        task = self._group.create_task(work, context=self._context.copy())
        self._handler_tasks.add(task)
        task.add_done_callback(self._handler_tasks.discard)
        return task

    def _fire(self, callbacks: Sequence[EventCallback], argument: object) -> None:
        """Run the callbacks of an event in a task of their own, after those of the event before."""
        work = self._run_callbacks(self._last_event, tuple(callbacks), argument)
        self._last_event = self._group.create_task(work, context=self._context.copy())

    async def _run_callbacks(
        self, previous: asyncio.Task[None] | None, callbacks: Sequence[EventCallback], argument: object
    ) -> None:
        if previous is not None:
            await asyncio.wait({previous})
        for callback in callbacks:
            try:
                result = callback(argument)
                if inspect.isawaitable(result):
                    await result
            except Exception:  # user code: one callback that fails keeps neither the others nor the connection
                self._log.exception("! a callback of the connection raised an error")

"""One physical hub connection: a transport, its session, a reader and a writer. Room: client.

A link is opened once and discarded when it ends. Everything that belongs to one physical connection lives here, so that a reconnect
starts with nothing left over. The read loop never awaits user code. The writer joins what was queued in one iteration of the event
loop into one frame.

With stateful reconnect a link outlives its transport: the reader notices the loss and opens another one, and the writer starts again
on it. Nothing else notices, except that senders wait if more than the buffer takes is not acknowledged.

A link ends in one place, `_finish`, whatever the reason. It first reports the end: the state changes, calls fail, senders that wait
return. Then it closes the transport and the sources of uploads, in a task of its own and within the close timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

from signalr_client.client.describe import describe
from signalr_client.client.dispatch import Dispatcher
from signalr_client.client.ends import End, broken, closed
from signalr_client.client.intake import Intake
from signalr_client.client.invocations import PendingCalls, StreamSink
from signalr_client.client.outgoing import Outgoing
from signalr_client.client.resume import Resumption
from signalr_client.client.tasks import TaskSet
from signalr_client.core.messages import Close, Completion, CountedMessage, HubMessage, Invocation, StreamItem
from signalr_client.core.session import HubSession, Phase
from signalr_client.errors import HandshakeError, SignalRError
from signalr_client.transports.base import SocketLostError, Transport
from signalr_client.user_code import call, failure

__all__ = ["HubLink", "LinkOwner"]

_LAST_WORDS: Final = 1.0  # seconds for reading why the server closed the connection, after a write has failed
_BURST: Final = 64
"""Messages after which handlers get a turn: handling them before a garbage-collection pass costs a third less."""


class LinkOwner(Protocol):
    """What a link reports to, synchronously."""

    def link_opened(self, link: HubLink) -> None:
        """The handshake is over; called before the first message is handed out."""

    def link_detached(self, error: Exception) -> None:
        """The transport of the open link was lost with *error*, and another one is being opened."""

    def link_resumed(self, link: HubLink) -> None:
        """A link has its new transport."""

    def link_ended(self, link: HubLink, end: End) -> None:
        """An open link has ended; called before its calls fail."""


class HubLink:
    """One connection, from its handshake to its end.

    Attributes:
        calls: the calls that wait for a response.
        outgoing: what has still to be sent.
        uploads: the tasks of upload streams.
        over: whether nothing can be sent any more.
        ended: done when the link is over, with how it ended.

    Args:
        transport: a connected transport; the link closes it.
        session: a new session in the client role.
        connection_id: as negotiated, or None.
        reopen: opens a new transport for a stateful session; it is given the seconds that this may take.
        owner: is told of the beginning and the end.
        dispatcher: takes the calls of the server.
        intake: says when to read.
        tasks: owns the link's tasks.
        close_timeout: seconds that closing the transport may take.
    """

    def __init__(
        self,
        transport: Transport,
        session: HubSession,
        connection_id: str | None,
        reopen: Callable[[float], Coroutine[object, object, Transport]],
        *,
        owner: LinkOwner,
        dispatcher: Dispatcher,
        intake: Intake,
        tasks: TaskSet,
        close_timeout: float,
        logger: logging.Logger,
    ) -> None:
        self.connection_id = connection_id
        self.logger = logger
        self.calls: PendingCalls = PendingCalls(logger.getChild("invocations"), session.options.exact.ids)
        self._log = logger.getChild("link")
        self.uploads: TaskSet = TaskSet("upload", self._log)
        self._debug = self._log.isEnabledFor(logging.DEBUG)  # checked once: a check for each message would be felt
        self._transport = transport
        self._session = session
        self._owner = owner
        self._dispatcher = dispatcher
        self._intake = intake
        self._backlog = intake.new_backlog()
        self._tasks = tasks
        self._close_timeout = close_timeout
        self._loop = asyncio.get_running_loop()
        self.over: bool = False
        self.ended: asyncio.Future[End] = self._loop.create_future()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._now = self._loop.time()
        self.outgoing: Outgoing = Outgoing(session)
        self._resumption = Resumption(reopen, tasks=tasks, now=self._loop.time, logger=self._log)
        self._close: Close | None = None  # as received
        self._reading = True  # False while the receive limit holds the reader up
        self._timer: asyncio.TimerHandle | None = None
        self._last_words: asyncio.TimerHandle | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    # life

    async def open(self) -> None:
        """Perform the handshake. Cancelling ends the link.

        Raises:
            HandshakeError: the server refused, or did not respond in time.
            TransportError, ProtocolError: the connection broke first.
        """
        self._start_writer()
        self._reader = self._tasks.spawn(self._read(), name="signalr reader")
        self._set_timer()
        try:
            await self._opened
        except asyncio.CancelledError:
            self.abort()
            raise

    async def close(self, deadline: float) -> None:
        """End the link in good order: what is queued is sent first, until *deadline* at most, then a Close message."""
        if not self.over and self._session.phase is not Phase.DETACHED:  # or nothing could be sent in the near future
            close = Close()
            self._session.send_close(close)
            self.outgoing.wake.set()
            if self._debug:
                self._log.debug("> %s", describe(close))
            with contextlib.suppress(TimeoutError):  # the peer may have stopped reading
                async with asyncio.timeout_at(deadline):
                    await self.outgoing.wait_empty()
        self.abort(deadline)

    def abort(self, deadline: float = math.inf) -> None:
        """End the link without a Close message, and clean up until *deadline* at most; idempotent."""
        self._finish(End(), deadline)

    # out

    def send(self, message: CountedMessage) -> None:
        """Queue *message*; it is sent with everything else that is queued in this iteration of the event loop.

        Raises:
            BindingError: a value cannot be encoded; nothing was queued.
        """
        if self.over:
            return
        session = self._session
        if not session.queued:  # the first message for the next frame: the clock is read once for all of them
            self._now = self._loop.time()
            self.outgoing.wake.set()
        session.send(message, self._now)
        if self._debug:
            self._log.debug("> %s", describe(message))

    @property
    def full(self) -> bool:
        """Whether senders have to wait, with `drain`."""
        session, outgoing = self._session, self.outgoing  # asked for every message, so nothing else is called
        return session.queued > outgoing.room or (session.stateful and outgoing.waits_for_ack)

    async def drain(self) -> None:
        """Return when senders may go on, or the link has ended."""
        await self.outgoing.drain()

    # in

    async def _read(self) -> None:
        """Read until the link ends, and end it."""
        try:
            await self._receive_messages()
        except BaseException as exc:  # user code may have raised it: polls call the access token factory
            self._finish(self._broken(failure(exc)))
        else:
            self._finish(closed(self._close, self._session.largest_sent))

    async def _receive_messages(self) -> None:
        """Read and hand out messages until the server ends the connection. Hop 2 of 4."""
        session, intake, backlog, time = self._session, self._intake, self._backlog, self._loop.time
        while True:
            if intake.limits(backlog) and self._opened.done():
                await self._wait_for_readers()
            try:
                data = await self._transport.receive()
            except SocketLostError as exc:
                if not session.resumable:
                    raise
                await self._resume(exc)
                continue
            if data is None:
                session.receive_end()
                messages = []
            else:
                session.measure, size = backlog.refresh(), len(data) + session.pending
                messages = session.receive(data, time())
                if not self._opened.done():
                    self._note_handshake()
                elif session.stateful:
                    self.outgoing.note_received()
                if session.deadline_moved:
                    self._set_timer()
                if messages:
                    self._hand_out(messages, size - session.pending)
            if session.error is not None:
                raise session.error
            if session.phase is Phase.ENDED:
                return
            if len(messages) >= _BURST:
                await asyncio.sleep(0)

    def _hand_out(self, messages: list[HubMessage], size: int) -> None:
        """Pass on the messages that one frame has completed, of *size* bytes in all. Hop 3 of 4; it never runs user code."""
        calls, streams, debug = self.calls, self.calls.streams, self._debug
        invocations: list[Invocation] = []
        requests: list[Invocation] = []  # the server waits for their result
        fed: dict[str, StreamSink] = {}
        stream: StreamSink | None = None
        for message in messages:
            if debug:
                self._log.debug("< %s", describe(message))
            kind = type(message)
            if kind is Invocation:
                (requests if message.invocation_id else invocations).append(message)  # type: ignore[union-attr, arg-type]
            elif kind is StreamItem:
                before, stream = stream, streams.get(message.invocation_id)  # type: ignore[union-attr, arg-type]
                if stream is not None:
                    stream.feed(message.item)  # type: ignore[union-attr]
                    if stream is not before:
                        fed[message.invocation_id] = stream  # type: ignore[union-attr, index]
                else:
                    calls.refuse_item(message)  # type: ignore[arg-type]
            elif kind is Completion:
                calls.complete(message)  # type: ignore[arg-type]
            elif kind is Close:
                self._close = message  # type: ignore[assignment]
            else:  # the TypeScript client ignores messages that are not meant for clients, too
                self._log.warning("! ignored a %s: servers do not send it", kind.__name__)
        if fed:
            self._backlog.add(fed, size, messages, self._session.sizes if self._session.measure else None)
        if invocations or requests:
            self._dispatcher.put(self, invocations, requests, size)

    async def _wait_for_readers(self) -> None:
        """Let the receive limit hold up the link. The server is not silent in the meantime: nobody listens."""
        self._reading = False
        self.outgoing.note_reading(reading=False)
        try:
            await self._intake.wait(self.calls, self._backlog, self._writer if self._session.stateful else None)
        finally:
            self._reading = True
            self.outgoing.note_reading(reading=True)
            self._session.excuse_silence(self._loop.time())

    def _note_handshake(self) -> None:
        """Act on the end of the handshake, if it is over: the session has queued a first ping."""
        if self._session.phase is Phase.HANDSHAKE or self._session.error is not None:
            return
        self.outgoing.wake.set()
        self._opened.set_result(None)
        self._owner.link_opened(self)

    async def _resume(self, error: SocketLostError) -> None:
        """Continue on a new transport, after the old one was lost with *error*.

        Raises:
            TransportError: no new one could be opened in time, or messages could be lost on it.
        """
        session = self._session
        self.outgoing.check_resumable()
        counter = session.counter
        session.detach()
        if self._writer is not None:
            self._writer.cancel()
        self._set_timer()
        self._tasks.start(self._close_lost(self._transport), name="signalr close")
        self._owner.link_detached(error)
        transport = await self._resumption.open(anew=counter is None or not counter.expects_sequence)
        if self.over:
            self._tasks.start(self._close_lost(transport), name="signalr close")
            raise error
        self._transport = transport
        session.resume(self._loop.time())
        self._start_writer()
        self._set_timer()
        self._owner.link_resumed(self)

    async def _close_lost(self, transport: Transport) -> None:
        """Close a transport that is broken already."""
        with contextlib.suppress(Exception):
            await transport.close()

    # out, the other half

    def _start_writer(self) -> None:
        self._writer = self._tasks.spawn(self._write(self._transport), name="signalr writer")

    async def _write(self, transport: Transport) -> None:
        """Send what is queued until *transport* breaks."""
        try:
            await self.outgoing.run(transport)
        except BaseException as exc:  # user code, as in `_read`
            error = failure(exc)
            if self.over or (isinstance(error, SocketLostError) and self._session.resumable):
                return  # after the end a timer would keep the link in memory; after a loss the reader resumes
            end = self._broken(error)
            # A write fails first when the server has just closed the connection; only the reader can tell why it did.
            self._last_words = self._loop.call_later(_LAST_WORDS, self._finish, end)

    # time

    def _set_timer(self) -> None:
        """Call `_look_at_clock` at the session's next deadline. The timer is moved when it fires, not for each message."""
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._session.next_deadline()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        now = self._loop.time()
        if not self._reading:
            self._session.excuse_silence(now)
        self._session.handle_timeout(now)
        if self._session.error is not None:
            self._finish(self._broken(self._session.error))
            return
        if self._session.queued:
            self._log.debug("%% ping or ack")
            self.outgoing.wake.set()
        self._set_timer()

    # the end

    def _finish(self, end: End, deadline: float = math.inf) -> None:
        """Report the end to everyone who depends on the link, and then clean up in the background. The first end counts."""
        if self.over:
            return
        self.over = True
        self.ended.set_result(end)
        for timer in (self._timer, self._last_words):
            if timer is not None:
                timer.cancel()
        if not self._opened.done():
            self._opened.set_exception(
                end.error or HandshakeError("The server disconnected before sending a handshake response.")
            )
        elif self._is_open:
            self._owner.link_ended(self, end)
        self.outgoing.close()
        self.calls.fail(end.error)
        self.uploads.cancel()
        deadline = min(deadline, self._loop.time() + self._close_timeout)
        self._tasks.start(self._clean_up(deadline), name="signalr close")

    async def _clean_up(self, deadline: float) -> None:
        """Close the transport, and leave nothing of the link behind; bounded."""
        try:
            async with asyncio.timeout_at(deadline):
                await call(self._transport.close)  # the reader still runs: a WebSocket waits for the server's close frame
        except TimeoutError:
            self._log.debug("! the transport was not closed in time")
        except Exception as exc:  # the connection is over anyway
            self._log.debug("! closing the transport failed: %s", exc)
        finally:
            for task in (self._reader, self._writer):
                if task is not None:
                    task.cancel()
        await self.uploads.finish(deadline)

    @property
    def _is_open(self) -> bool:
        """Whether the handshake succeeded."""
        return self._opened.done() and not self._opened.cancelled() and self._opened.exception() is None

    def _broken(self, error: Exception) -> End:
        """Return how the link ends after *error*."""
        if self._is_open and not isinstance(error, SignalRError):
            # User code: polls and POSTs call the access token factory after a 401. A defect of ours would end here too.
            self._log.error("! the connection ends because of an unexpected error", exc_info=error)
        return broken(error, was_open=self._is_open, largest_sent=self._session.largest_sent)

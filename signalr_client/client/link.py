"""One physical hub connection: a transport, its session, a reader and a writer. Room: client.

A link is opened once and discarded when it ends. Everything that belongs to one physical connection lives here, so that a reconnect
starts with nothing left over. The read loop never awaits user code. The writer joins what was queued in one iteration of the event
loop into one frame.

A link ends in one place, `_finish`, whatever the reason. It first reports the end: the state changes, calls fail, senders that wait
return. Then it closes the transport and the sources of uploads, in a task of its own and within the close timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from typing import Final, Protocol

from signalr_client.client.describe import describe
from signalr_client.client.dispatch import Dispatcher
from signalr_client.client.ends import End
from signalr_client.client.intake import Intake
from signalr_client.client.invocations import PendingCalls
from signalr_client.client.tasks import TaskSet
from signalr_client.core.messages import Close, Completion, CountedMessage, HubMessage, Invocation, StreamItem
from signalr_client.core.session import HubSession, Phase
from signalr_client.errors import ConnectionClosedError, HandshakeError, SignalRError, TransportError
from signalr_client.gate import Gate
from signalr_client.transports.base import Transport
from signalr_client.user_code import call, failure

__all__ = ["FRAME_LIMIT", "WRITE_LIMIT", "HubLink", "LinkOwner"]

FRAME_LIMIT: Final = 65_536
"""Bytes of one frame, unless a single message has more."""

WRITE_LIMIT: Final = 49_152
"""Bytes that may be queued or in flight before senders have to wait; below the frame limit, so that what is queued fits a frame."""

_LAST_WORDS: Final = 1.0  # seconds for reading why the server closed the connection, after a write has failed
_BURST: Final = (
    64  # messages after which handlers get a turn: handling them before a garbage-collection pass costs a third less
)
_SERVER_LIMIT: Final = 32_768  # ASP.NET Core's default MaximumReceiveMessageSize


class LinkOwner(Protocol):
    """What a link reports to, synchronously."""

    def link_opened(self, link: HubLink) -> None:
        """The handshake is over; called before the first message is handed out."""

    def link_ended(self, link: HubLink, end: End) -> None:
        """An open link has ended; called before its calls fail."""


class HubLink:
    """One connection, from its handshake to its end.

    Attributes:
        calls: the calls that wait for a response.
        uploads: the tasks of upload streams.
        over: whether nothing can be sent any more.
        ended: done when the link is over, with how it ended.

    Args:
        transport: a connected transport; the link closes it.
        session: a new session in the client role.
        connection_id: as negotiated, or None.
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
        self.calls = PendingCalls(logger.getChild("invocations"))
        self._log = logger.getChild("link")
        self.uploads = TaskSet("upload", self._log)
        self._debug = self._log.isEnabledFor(logging.DEBUG)  # checked once: a check for each message would be felt
        self._transport = transport
        self._session = session
        self._owner = owner
        self._dispatcher = dispatcher
        self._intake = intake
        self._tasks = tasks
        self._close_timeout = close_timeout
        self._loop = asyncio.get_running_loop()
        self.over = False
        self.ended: asyncio.Future[End] = self._loop.create_future()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._now = self._loop.time()
        self._wake = asyncio.Event()  # something is queued for the writer
        self._outgoing = Gate(WRITE_LIMIT)  # counts what is queued or in flight, for those who wait
        self._room = WRITE_LIMIT  # bytes that may be queued before senders have to wait: less while something is in flight
        self._close: Close | None = None  # as received
        self._reading = True  # False while the receive limit holds the reader up
        self._timer: asyncio.TimerHandle | None = None
        self._last_words: asyncio.TimerHandle | None = None
        self._io: list[asyncio.Task[None]] = []

    # life

    async def open(self) -> None:
        """Perform the handshake. Cancelling ends the link.

        Raises:
            HandshakeError: the server refused, or did not respond in time.
            TransportError, ProtocolError: the connection broke first.
        """
        self._io.append(self._tasks.spawn(self._write(), name="signalr writer"))
        self._io.append(self._tasks.spawn(self._read(), name="signalr reader"))
        self._set_timer()
        try:
            await self._opened
        except asyncio.CancelledError:
            self.abort()
            raise

    async def close(self, deadline: float) -> None:
        """End the link in good order: what is queued is sent first, until *deadline* at most, then a Close message."""
        if not self.over:
            close = Close()
            self._session.send_close(close)
            self._wake.set()
            if self._debug:
                self._log.debug("> %s", describe(close))
            self._count_outgoing()
            with contextlib.suppress(TimeoutError):  # the peer may have stopped reading
                async with asyncio.timeout_at(deadline):
                    await self._outgoing.wait_empty()
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
        if not self._wake.is_set():  # the first message of this iteration: reading the clock once is enough for all
            self._now = self._loop.time()
            self._wake.set()
        self._session.send(message, self._now)
        if self._debug:
            self._log.debug("> %s", describe(message))

    @property
    def full(self) -> bool:
        """Whether senders have to wait, with `drain`."""
        return self._session.queued > self._room

    async def drain(self) -> None:
        """Return when there is room below the write limit, or the link has ended."""
        self._count_outgoing()
        await self._outgoing.wait_room()

    def _count_outgoing(self) -> None:
        """Bring the gate up to date. That is done only while somebody waits at it: for each message it would be felt."""
        gate = self._outgoing
        change = self._session.queued + WRITE_LIMIT - self._room - gate.size
        if change > 0:
            gate.add(change, 0)
        else:
            gate.remove(-change, 0)

    # in

    async def _read(self) -> None:
        """Read until the link ends, and end it."""
        try:
            await self._receive_messages()
        except BaseException as exc:  # user code may have raised it: polls call the access token factory
            self._finish(self._broken(failure(exc)))
        else:
            self._finish(self._closed())

    async def _receive_messages(self) -> None:
        """Read and hand out messages until the server ends the connection. Hop 2 of 4."""
        session, transport, intake, time = self._session, self._transport, self._intake, self._loop.time
        while True:
            if intake.limited:
                await self._wait_for_handlers()
            data = await transport.receive()
            if data is None:
                session.receive_end()
                messages = []
            else:
                messages = session.receive(data, time())
                if session.deadline_moved:
                    self._handshake_over()
                if messages:
                    self._hand_out(messages, len(data))
            if session.error is not None:
                raise session.error
            if session.phase is Phase.ENDED:
                return
            if len(messages) >= _BURST:
                await asyncio.sleep(0)

    def _hand_out(self, messages: list[HubMessage], size: int) -> None:
        """Pass on the messages of one frame of *size* bytes. Hop 3 of 4; it never runs user code."""
        calls, streams, debug = self.calls, self.calls.streams, self._debug
        invocations: list[Invocation] = []
        requests: list[Invocation] = []  # the server waits for their result
        for message in messages:
            if debug:
                self._log.debug("< %s", describe(message))
            kind = type(message)
            if kind is Invocation:
                (requests if message.invocation_id else invocations).append(message)  # type: ignore[union-attr, arg-type]
            elif kind is StreamItem:
                stream = streams.get(message.invocation_id)  # type: ignore[union-attr, arg-type]
                if stream is not None:
                    stream.feed(message.item)  # type: ignore[union-attr]
                else:
                    calls.refuse_item(message)  # type: ignore[arg-type]
            elif kind is Completion:
                calls.complete(message)  # type: ignore[arg-type]
            elif kind is Close:
                self._close = message  # type: ignore[assignment]
            else:  # the TypeScript client ignores messages that are not meant for clients, too
                self._log.warning("! ignored a %s: servers do not send it", kind.__name__)
        if invocations or requests:
            self._dispatcher.put(self, invocations, requests, size)

    async def _wait_for_handlers(self) -> None:
        """Let the receive limit hold up the reader. The server is not silent in the meantime: nobody listens."""
        self._reading = False
        try:
            await self._intake.wait(self.calls)
        finally:
            self._reading = True
            self._session.excuse_silence(self._loop.time())

    def _handshake_over(self) -> None:
        """Act on the end of the handshake: the session has queued a first ping, and its keep-alive may be due soon."""
        if self._session.error is not None:
            return
        self._wake.set()
        self._set_timer()
        self._opened.set_result(None)
        self._owner.link_opened(self)

    # out, the other half

    async def _write(self) -> None:
        """Send what is queued, one frame for each iteration of the event loop; a message is never split."""
        session, transport, gate = self._session, self._transport, self._outgoing
        self._wake.set()  # the handshake request is queued already
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while data := session.data_to_send(FRAME_LIMIT):
                    self._room = WRITE_LIMIT - len(data)
                    await transport.send(data)
                    self._room = WRITE_LIMIT
                    if gate.size:
                        self._count_outgoing()
        except BaseException as exc:  # user code, as in `_read`
            end = self._broken(failure(exc))
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
            self._log.debug("%% ping")
            self._wake.set()
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
        self._outgoing.close()
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
            for task in self._io:
                task.cancel()
        await self.uploads.finish(deadline)

    @property
    def _is_open(self) -> bool:
        """Whether the handshake succeeded."""
        return self._opened.done() and not self._opened.cancelled() and self._opened.exception() is None

    def _closed(self) -> End:
        """Return how the link ends that the server has closed, with a Close message or without."""
        close = self._close
        if close is None:
            return End(None, may_reconnect=True)
        if not close.error:
            return End(None, close.allow_reconnect)
        text = f"The server closed the connection with the following error: {close.error}{self._size_hint()}"
        return End(ConnectionClosedError(text), close.allow_reconnect)

    def _broken(self, error: Exception) -> End:
        """Return how the link ends after *error*."""
        match error:
            case TransportError() if self._is_open:
                closed = ConnectionClosedError(f"{error}{self._size_hint()}")
            case SignalRError():
                return End(error, may_reconnect=True)
            case _ if not self._is_open:
                return End(error, may_reconnect=True)
            case _:
                # User code: polls and POSTs call the access token factory after a 401. A defect of ours would end here too.
                self._log.error("! the connection ends because of an unexpected error", exc_info=error)
                closed = ConnectionClosedError(f"{type(error).__name__}: {error}")
        closed.__cause__ = error
        return End(closed, may_reconnect=True)

    def _size_hint(self) -> str:
        """Explain the usual reason why a server ends a connection that sent something large."""
        size = self._session.largest_sent
        if size <= _SERVER_LIMIT:
            return ""
        return (
            f" (The largest message sent had {size:,} bytes; a server accepts 32,768 unless its MaximumReceiveMessageSize says"
            " otherwise.)"
        )

"""One physical hub connection: a transport, its session, and the two tasks between them. Room: client.

A link is opened once and thrown away when it ends; everything that belongs to one physical connection lives here, so that a
reconnect begins with nothing left over. The read loop never awaits user code; the writer joins whatever was queued in one turn
of the event loop into one frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from signalr_client.client.invocations import PendingCalls
from signalr_client.core.messages import (
    Close,
    Completion,
    HubMessage,
    Invocation,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.session import HubSession, Phase
from signalr_client.errors import ConnectionClosedError, HandshakeError, ProtocolError, ServerTimeoutError, TransportError
from signalr_client.transports.base import Transport

__all__ = ["WRITE_LIMIT", "HubLink", "LinkEnd"]

WRITE_LIMIT: Final = 65_536
"""Bytes that may wait for the wire before senders have to wait too."""

_LAST_WORDS: Final = 1.0  # seconds in which what the server said before it closed is still read after a write has failed
_BURST: Final = 64  # messages in one go after which others get their turn: handled while fresh they cost a third less
_SERVER_LIMIT: Final = 32_768  # ASP.NET Core's default MaximumReceiveMessageSize


@dataclass(frozen=True, slots=True)
class LinkEnd:
    """How a link ended: with an error or without, and whether the server would have the client back."""

    error: Exception | None
    may_reconnect: bool


class HubLink:
    """One connection from its handshake to its end.

    Args:
        transport: connected; the link closes it.
        session: of the client role, new.
        connection_id: as negotiated, or None.
        on_open: called once, when the handshake was answered and before any message is handed out.
        on_message: called for each message, in order; must not block.
        on_end: called when the link has ended by itself, before its calls fail.
        close_timeout: seconds that `close` gives what is still queued.
    """

    def __init__(
        self,
        transport: Transport,
        session: HubSession,
        connection_id: str | None,
        *,
        on_open: Callable[[HubLink], None],
        on_message: Callable[[HubLink, HubMessage], None],
        on_end: Callable[[HubLink, LinkEnd], None],
        close_timeout: float,
        logger: logging.Logger,
    ) -> None:
        self.connection_id = connection_id
        self.calls = PendingCalls(logger.getChild("invocations"))
        self._transport = transport
        self._session = session
        self._on_open = on_open
        self._on_message = on_message
        self._on_end = on_end
        self._close_timeout = close_timeout
        self._log = logger.getChild("link")
        self._debug = self._log.isEnabledFor(logging.DEBUG)  # looked at once: a question for each message would be felt
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time()
        self._wake = asyncio.Event()  # something is queued
        self._written = asyncio.Event()  # what was queued is with the transport
        self._written.set()
        self._silent: asyncio.Future[None] = self._loop.create_future()  # fails when a timer ends the session
        self._opened = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._uploads: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[LinkEnd] | None = None
        self._close_received: Close | None = None
        self._ended = False

    # life

    async def open(self) -> None:
        """Shake hands; cancelling ends the connection at once.

        Raises:
            HandshakeError: the server refused, or did not answer in time.
            TransportError, ProtocolError: the connection broke first.
        """
        self._task = asyncio.create_task(self._run(), name="signalr link")
        opened = asyncio.create_task(self._opened.wait(), name="signalr handshake")
        try:
            await asyncio.wait({self._task, opened}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.abort()
            raise
        finally:
            opened.cancel()
        if not self._opened.is_set():
            end = await self._task
            raise end.error or HandshakeError("The server disconnected before sending a handshake response.")

    async def wait_end(self) -> LinkEnd:
        """Return how the link ended, once it has; cancelling stops only the waiting."""
        assert self._task is not None
        return await asyncio.shield(self._task)

    async def close(self) -> None:
        """End the connection in good order: what was sent leaves first, then a Close message, then the transport closes."""
        if not self._ended:
            self._session.send(Close(), self._loop.time())
            self._wake_writer()
            with contextlib.suppress(TimeoutError):  # a peer that reads no more cannot keep us
                async with asyncio.timeout(self._close_timeout):
                    await self._flush()
        await self.abort()

    async def abort(self) -> None:
        """End the connection without a word to the server, and wait until its tasks and its socket are gone."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        if not self._ended:  # its task was cancelled before its first step, so it has cleaned up nothing
            self._ended = True
            await self._transport.close()

    # out

    @property
    def ended(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._ended

    def send(self, message: HubMessage) -> None:
        """Queue *message*; it leaves with everything else of this turn of the event loop.

        Raises:
            BindingError: a value cannot be written; nothing was queued.
        """
        if self._ended:
            return
        if not self._wake.is_set():  # the first of this turn of the event loop: one look at the clock is enough for all
            self._now = self._loop.time()
            self._wake_writer()
        self._session.send(message, self._now)
        if self._debug:
            self._log.debug("> %s", describe(message))

    def _wake_writer(self) -> None:
        self._wake.set()
        self._written.clear()

    @property
    def full(self) -> bool:
        """Whether more is queued than the write limit."""
        return self._session.queued > WRITE_LIMIT

    async def drain(self) -> None:
        """Wait while more is queued than the write limit; returns at once when the link has ended."""
        while self.full and not self._ended:
            await self._written.wait()

    async def _flush(self) -> None:
        """Wait until everything queued is with the transport; returns at once when the link has ended."""
        while not (self._written.is_set() or self._ended):
            await self._written.wait()

    def start_upload(self, upload: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run an upload stream for as long as the link lives."""
        task = asyncio.create_task(upload, name="signalr upload")
        self._uploads.add(task)
        task.add_done_callback(self._uploads.discard)
        return task

    # inside

    async def _run(self) -> LinkEnd:
        """Read and write until one of them ends; then fail the calls and close the transport."""
        reader = asyncio.create_task(self._read(), name="signalr read")
        writer = asyncio.create_task(self._write(), name="signalr write")
        end: LinkEnd | None = None
        self._set_timer()
        try:
            await asyncio.wait({reader, writer, self._silent}, return_when=asyncio.FIRST_COMPLETED)
            if writer.done() and not reader.done():
                # A write fails first when the server has just closed; why it did, only the reader can tell.
                await asyncio.wait({reader}, timeout=_LAST_WORDS)
            end = self._reason(reader, writer)
            return end
        finally:
            await self._clean_up(reader, writer, end)

    async def _clean_up(self, reader: asyncio.Task[None], writer: asyncio.Task[None], end: LinkEnd | None) -> None:
        """Leave nothing behind; *end* is None when the link was aborted."""
        self._ended = True
        self._written.set()
        if self._timer is not None:
            self._timer.cancel()
        tasks = {reader, writer, *self._uploads}
        for task in tasks:
            task.cancel()
        if not self._silent.done():
            self._silent.cancel()
        try:
            try:
                await asyncio.gather(*tasks, return_exceptions=True)
            finally:  # whoever ends the link a second time must not leave the transport open
                await self._transport.close()
        finally:
            if end is not None and self._opened.is_set():
                self._on_end(self, end)
            self.calls.fail(end.error if end is not None else None)

    def _reason(self, reader: asyncio.Task[None], writer: asyncio.Task[None]) -> LinkEnd:
        """Return why the first of the tasks ended; the reader knows best."""
        for ended in (reader, self._silent) if reader.done() else (self._silent, writer):
            if ended.done() and (error := ended.exception()) is not None:
                return self._broken(error)
        close = self._close_received
        if close is None:
            return LinkEnd(None, may_reconnect=True)
        if not close.error:
            return LinkEnd(None, close.allow_reconnect)
        reason = f"The server closed the connection with the following error: {close.error}{self._size_hint()}"
        return LinkEnd(ConnectionClosedError(reason), close.allow_reconnect)

    def _broken(self, error: BaseException) -> LinkEnd:
        match error:
            case TransportError() if self._opened.is_set():
                closed = ConnectionClosedError(f"{error}{self._size_hint()}")
                closed.__cause__ = error
                return LinkEnd(closed, may_reconnect=True)
            case TransportError() | ProtocolError() | HandshakeError() | ServerTimeoutError():
                return LinkEnd(error, may_reconnect=True)
            case Exception() if self._opened.is_set():
                # Code of the user: polls and POSTs ask its token factory, after a 401. A defect of ours would end here too.
                self._log.error("! the connection ends by an unexpected error", exc_info=error)
                closed = ConnectionClosedError(f"{type(error).__name__}: {error}")
                closed.__cause__ = error
                return LinkEnd(closed, may_reconnect=True)
            case _:
                raise error

    def _size_hint(self) -> str:
        """Explain the usual reason for which a server ends a connection that sent something large."""
        size = self._session.largest_sent
        if size <= _SERVER_LIMIT:
            return ""
        return (
            f" (The largest message sent had {size:,} bytes; a server accepts 32,768 unless its MaximumReceiveMessageSize says"
            " otherwise.)"
        )

    async def _read(self) -> None:
        """Hop 2 of 4 on the way in. Never awaits user code."""
        session, transport, on_message, time = self._session, self._transport, self._on_message, self._loop.time
        calls, streams, debug = self.calls, self.calls.streams, self._debug
        while (data := await transport.receive()) is not None:
            messages = session.receive(data, time())
            if not self._opened.is_set() and session.error is None and session.phase is not Phase.HANDSHAKE:
                self._open()
            for message in messages:
                if debug:
                    self._log.debug("< %s", describe(message))
                kind = type(message)
                if kind is Invocation:
                    on_message(self, message)
                elif kind is Completion:
                    calls.complete(message)  # type: ignore[arg-type]  # its type was looked at
                elif kind is StreamItem:
                    stream = streams.get(message.invocation_id)  # type: ignore[union-attr, arg-type]  # the same
                    if stream is not None:
                        stream.feed(message.item)  # type: ignore[union-attr]  # the same
                    else:
                        calls.refuse_item(message)  # type: ignore[arg-type]  # the same
                elif kind is Close:
                    self._close_received = message  # type: ignore[assignment]  # the same
                else:
                    on_message(self, message)
            if session.error is not None:
                raise session.error
            if session.phase is Phase.ENDED:
                return
            if len(messages) >= _BURST:
                await asyncio.sleep(0)
        session.receive_end()
        if session.error is not None:
            raise session.error

    async def _write(self) -> None:
        session, transport = self._session, self._transport
        self._wake_writer()  # the handshake is queued already
        while True:
            await self._wake.wait()
            self._wake.clear()
            while data := session.data_to_send():
                await transport.send(data)
            self._written.set()

    def _open(self) -> None:
        """Note that the handshake is over."""
        self._wake_writer()  # the first ping is queued
        self._set_timer()  # the keep-alive may be due before the handshake would have been
        self._opened.set()
        self._on_open(self)

    def _set_timer(self) -> None:
        """Look at the session again at its next deadline. One timer: it is moved when it fires, not when a message passes."""
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._session.next_deadline()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        if self._ended:
            return
        self._session.handle_timeout(self._loop.time())
        if self._session.error is not None:
            if not self._silent.done():
                self._silent.set_exception(self._session.error)
            return
        if self._session.queued:
            self._log.debug("%% ping")
            self._wake_writer()
        self._set_timer()


def describe(message: HubMessage) -> str:
    """Return *message* as a log line shows it: what it is, never what it says."""
    match message:
        case Invocation() | StreamInvocation():
            text = f"{type(message).__name__} id={message.invocation_id or '-'} target={message.target} args={len(message.arguments)}"
            return f"{text} streams={','.join(message.stream_ids)}" if message.stream_ids else text
        case Completion():
            return f"Completion id={message.invocation_id}{' error' * bool(message.error)}"
        case StreamItem():
            return f"StreamItem id={message.invocation_id}"
        case Close():
            return f"Close allow_reconnect={message.allow_reconnect}{' error' * bool(message.error)}"
        case _:
            return f"{type(message).__name__} {getattr(message, 'invocation_id', '')}".rstrip()

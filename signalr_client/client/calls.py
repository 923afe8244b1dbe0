"""Outgoing calls: the message, its upload streams, and how a caller gives a call up. Room: client.

An argument that is an async iterable is an upload stream: it is taken out of the arguments, gets an id of its own, and its items
follow the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Sequence

from signalr_client.client.invocations import StreamSink
from signalr_client.client.link import HubLink
from signalr_client.core.messages import (
    UNSET,
    CancelInvocation,
    Completion,
    Invocation,
    StreamInvocation,
    StreamItem,
)
from signalr_client.errors import SignalRError
from signalr_client.user_code import call, failure, text_of

__all__ = ["OutgoingCall"]


class OutgoingCall:
    """A call that was sent, from the point of view of its caller."""

    __slots__ = ("_invocation_id", "_link")

    def __init__(self, link: HubLink, invocation_id: str) -> None:
        self._link = link
        self._invocation_id = invocation_id

    @classmethod
    def begin(
        cls,
        link: HubLink,
        target: str,
        args: Sequence[object],
        waiter: asyncio.Future[object] | StreamSink | None,
        *,
        streaming: bool = False,
        digits: bool = False,
    ) -> OutgoingCall:
        """Queue the message of a call and start its uploads.

        Args:
            link: the connection to send it on.
            target: name of the hub method.
            args: its arguments, upload streams among them.
            waiter: gets the response; None sends a call that has no response.
            streaming: the response is a stream.
            digits: the response needs all digits of its numbers.

        Raises:
            BindingError: an argument cannot be encoded; nothing was sent.
        """
        arguments = list(args)
        sources = [arg for arg in args if isinstance(arg, AsyncIterable)]
        stream_ids: list[str] = []
        if sources:
            arguments = [arg for arg in args if not isinstance(arg, AsyncIterable)]
            stream_ids = [link.calls.next_id() for _ in sources]
        invocation_id = link.calls.next_id() if waiter is not None else ""
        kind = StreamInvocation if streaming else Invocation
        link.send(
            kind(
                invocation_id=invocation_id or UNSET,  # type: ignore[arg-type]  # a streaming call always has a waiter
                target=target,
                arguments=arguments,
                stream_ids=stream_ids or UNSET,
            )
        )
        uploads = [UploadStream(link, *pair) for pair in zip(stream_ids, sources, strict=True)] if sources else ()
        if waiter is not None:
            link.calls.add(invocation_id, waiter, uploads)
            if digits:
                link.calls.exact.add(invocation_id)
        return cls(link, invocation_id)

    def cancel(self) -> None:
        """Give the call up; the server is told unless it has responded already. Idempotent."""
        if self._link.calls.drop(self._invocation_id):
            self._link.send(CancelInvocation(invocation_id=self._invocation_id))


class UploadStream:
    """Sends the items of *source*, and then the end of the stream, in a task of the link.

    An error of the source reaches the server as its message alone. The source is closed last, after the server was told of the end:
    its cleanup may take long, and nobody else has to wait for it.
    """

    def __init__(self, link: HubLink, stream_id: str, source: AsyncIterable[object]) -> None:
        self._link = link
        self._stream_id = stream_id
        self._log: logging.Logger = link.logger.getChild("calls")
        self._over = False  # the server knows that no more items follow, or does not care any more
        self._task = link.uploads.spawn(self._run(source), name="signalr upload")

    def stop(self, *, tell_server: bool) -> None:
        """Stop sending; *tell_server* unless the server has ended the call."""
        if tell_server:
            self._end("Stream canceled by client.")
        self._over = True
        self._task.cancel()

    async def _run(self, source: AsyncIterable[object]) -> None:
        try:
            await asyncio.sleep(0)  # an eager task would fill the link before `send` checks whether there is room for the call
            self._end(await self._send_items(source))
        finally:
            await self._close(source)

    def _end(self, error: str) -> None:
        """Tell the server that no more items follow."""
        if not self._over:
            self._over = True
            self._link.send(Completion(invocation_id=self._stream_id, error=error or UNSET))

    async def _send_items(self, source: AsyncIterable[object]) -> str:
        """Send the items; return the message of the source's error, if it raised one."""
        link, stream_id = self._link, self._stream_id
        try:
            async for item in source:
                link.send(StreamItem(invocation_id=stream_id, item=item))
                if link.full:
                    await link.drain()
        except BaseException as exc:  # user code, or an item that cannot be encoded
            error = failure(exc)
            level = logging.DEBUG if isinstance(error, SignalRError) else logging.ERROR
            self._log.log(level, "! upload %s failed", stream_id, exc_info=error)
            return text_of(error) or type(error).__name__
        return ""

    async def _close(self, source: AsyncIterable[object]) -> None:
        """Close the source, so that the ``finally`` blocks of a generator run now and not when it is garbage-collected."""
        close = getattr(source, "aclose", None)
        if close is None:
            return
        try:
            await call(close)
        except Exception:  # the stream has ended; there is nobody else to report it to
            self._log.exception("! the source of upload %s could not be closed", self._stream_id)

"""An outgoing call: its message, its upload streams, and how to leave it. Room: client.

An argument that is an async iterable is an upload stream: it is taken out of the arguments, gets an id of its own, and its items
follow the call. Spec: client-behaviour.md, "E4", "E5".
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

__all__ = ["OutgoingCall"]

logger = logging.getLogger("signalr_client.calls")


class OutgoingCall:
    """A call on its way: made by `begin`, ended by the server's answer (`end`) or by its caller (`leave`)."""

    __slots__ = ("_completed", "_link", "_uploads", "invocation_id")

    def __init__(self, link: HubLink, invocation_id: str | None) -> None:
        self.invocation_id = invocation_id
        self._link = link
        self._uploads: list[asyncio.Task[None]] | None = None
        self._completed = False

    @classmethod
    def begin(
        cls,
        link: HubLink,
        target: str,
        args: Sequence[object],
        waiter: asyncio.Future[object] | StreamSink | None = None,
        *,
        streaming: bool = False,
    ) -> OutgoingCall:
        """Queue the call and start its uploads; *waiter* takes the answer, None wants none.

        Raises:
            BindingError: an argument cannot be written; nothing was sent.
        """
        arguments = list(args)
        sources = [arg for arg in args if isinstance(arg, AsyncIterable)]
        stream_ids: list[str] = []
        if sources:
            arguments = [arg for arg in args if not isinstance(arg, AsyncIterable)]
            stream_ids = [link.calls.next_id() for _ in sources]
        invocation_id = link.calls.next_id() if waiter is not None else None
        kind = StreamInvocation if streaming else Invocation
        link.send(
            kind(
                invocation_id=invocation_id or UNSET,  # type: ignore[arg-type]  # a streaming call always has a waiter
                target=target,
                arguments=arguments,
                stream_ids=stream_ids or UNSET,
            )
        )
        call = cls(link, invocation_id)
        if waiter is not None and invocation_id is not None:
            link.calls.add(invocation_id, waiter)
        if sources:
            pairs = zip(stream_ids, sources, strict=True)
            call._uploads = [link.start_upload(call._upload(stream_id, source)) for stream_id, source in pairs]
        return call

    def end(self) -> None:
        """Note that the server has answered: uploads that still run have nobody to read them."""
        self._completed = True
        self._stop_uploads()

    def leave(self) -> None:
        """Drop the call, and tell the server unless it has answered already."""
        if self.invocation_id is not None and self._link.calls.drop(self.invocation_id):
            self._stop_uploads()
            self._link.send(CancelInvocation(invocation_id=self.invocation_id))

    def _stop_uploads(self) -> None:
        for task in self._uploads or ():
            task.cancel()

    async def _upload(self, stream_id: str, source: AsyncIterable[object]) -> None:
        """Send the items of *source*, then its end; an error of the source is told to the server by its message alone."""
        link = self._link
        error = ""
        try:
            async for item in source:
                link.send(StreamItem(invocation_id=stream_id, item=item))
                if link.full:
                    await link.drain()
        except asyncio.CancelledError:
            if not self._completed:
                link.send(Completion(invocation_id=stream_id, error="Stream canceled by client."))
            raise
        except Exception as exc:  # user code, or a value of it that cannot be sent
            logger.log(
                logging.DEBUG if isinstance(exc, SignalRError) else logging.ERROR, "! upload %s failed", stream_id, exc_info=exc
            )
            error = str(exc) or type(exc).__name__
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:  # a generator that was left early runs its own finally blocks now, not some day
                await close()
        link.send(Completion(invocation_id=stream_id, error=error or UNSET))

"""Outgoing calls: the message, its upload streams, and how a caller gives a call up. Room: client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence

from signalr_client.client.invocations import StreamSink
from signalr_client.client.link import HubLink
from signalr_client.client.uploads import UploadStream
from signalr_client.core.binding import PLAIN
from signalr_client.core.messages import UNSET, CancelInvocation, Invocation, StreamInvocation

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
        # Checked first for what most arguments are, because the other check takes several times as long.
        sources = [arg for arg in args if type(arg) not in PLAIN and isinstance(arg, AsyncIterable)]
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

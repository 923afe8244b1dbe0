"""Upload streams: an argument that is an async iterable. Room: client.

It is taken out of the arguments of its call and gets an id of its own. Its items follow the call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable

from signalr_client.client.link import HubLink
from signalr_client.core.error_header import error_headers
from signalr_client.core.messages import Completion, StreamItem
from signalr_client.errors import SignalRError
from signalr_client.user_code import call, failure, text_of

__all__ = ["UploadStream"]


class UploadStream:
    """Sends the items of *source*, and then the end of the stream, in a task of the link.

    The server gets the message of an error of the source, and the code and data of a HubException. The source is closed last, after
    the server was told of the end: its cleanup may take long, and nobody else has to wait for it.

    Args:
        link: the connection that the call was sent on.
        stream_id: as announced in the call.
        source: the items.
    """

    def __init__(self, link: HubLink, stream_id: str, source: AsyncIterable[object]) -> None:
        self._link = link
        self._stream_id = stream_id
        self._log: logging.Logger = link.logger.getChild("calls")
        self._over = False  # the server knows that no more items follow, or does not care any more
        self._task = link.uploads.spawn(self._run(source), name="signalr upload")

    def stop(self, *, tell_server: bool) -> None:
        """Stop sending; *tell_server* unless the server has ended the call."""
        if not self._over:
            self._link.outgoing.abandon_items()
        if tell_server:
            self._end(Completion(invocation_id=self._stream_id, error="Stream canceled by client."))
        self._over = True
        self._task.cancel()

    async def _run(self, source: AsyncIterable[object]) -> None:
        try:
            await asyncio.sleep(0)  # an eager task would fill the link before `send` checks whether there is room for the call
            self._end(await self._send_items(source))
        finally:
            await self._close(source)

    def _end(self, completion: Completion) -> None:
        """Tell the server that no more items follow."""
        if not self._over:
            self._over = True
            self._link.send(completion)

    async def _send_items(self, source: AsyncIterable[object]) -> Completion:
        """Send the items; return the end of the stream, with the error of the source if it raised one."""
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
            text = text_of(error) or type(error).__name__
            return Completion(headers=error_headers(error, self._log), invocation_id=stream_id, error=text)
        return Completion(invocation_id=stream_id)

    async def _close(self, source: AsyncIterable[object]) -> None:
        """Close the source, so that the ``finally`` blocks of a generator run now and not when it is garbage-collected."""
        close = getattr(source, "aclose", None)
        if close is None:
            return
        try:
            await call(close)
        except Exception:  # the stream has ended; there is nobody else to report it to
            self._log.exception("! the source of upload %s could not be closed", self._stream_id)

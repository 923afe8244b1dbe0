"""From a client's message to a hub method, and its answer back. Room: server.

A message is looked at as soon as it comes: the method is found and the arguments are bound, so what is wrong with a call is answered
at once. The call itself runs in a task of its own, with a scope of services and a hub instance made for it.
Spec: server-behaviour.md, "D. Dispatch".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from signalr_client.core.messages import (
    UNSET,
    CancelInvocation,
    Completion,
    HubMessage,
    Invocation,
    StreamInvocation,
    StreamItem,
)
from signalr_client.errors import BindingError, HubException
from signalr_client.server.authorization import is_authorized
from signalr_client.server.caller import Caller
from signalr_client.server.calls import Call, CallQueue
from signalr_client.server.errors import describe
from signalr_client.server.uploads import UploadStream

if TYPE_CHECKING:
    from signalr_client.server.hub import HubCallerContext
    from signalr_client.server.mapped_hub import MappedHub
    from signalr_client.server.services import ServiceScope

__all__ = ["Dispatcher"]

logger = logging.getLogger("signalr_client.server.dispatcher")

_NO_METHOD: Final = "HubException: Method does not exist."


class Dispatcher:
    """The calls of one connection.

    Args:
        hub: what is called.
        caller: who calls.
        context: the same, as the hub methods see it that begin from now on.
        spawn: starts a task that its owner will wait for, also when the connection is long gone.
    """

    def __init__(
        self,
        hub: MappedHub,
        caller: Caller,
        context: HubCallerContext,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._hub = hub
        self._caller = caller
        self.context = context
        self._spawn = spawn
        self._detailed = hub.options.enable_detailed_errors
        self._queue = CallQueue(hub.options.maximum_parallel_invocations_per_client, self._start)
        self._active: dict[str, Call] = {}
        self._uploads: dict[str, UploadStream] = {}
        self._waits_for: UploadStream | CallQueue | None = None

    def open(self) -> None:
        """Let calls begin."""
        self._queue.open()

    def close(self) -> None:
        """Let no further call begin, and end the streams to the client. Methods that run go on: only they know what they do."""
        for call in self._queue.close():
            self._forget(call)
        for call in list(self._active.values()):
            if call.method.streaming:
                call.cancel()

    def close_uploads(self) -> None:
        """Tell the methods that still read an upload that the connection has ended."""
        for upload in list(self._uploads.values()):
            upload.close()

    # in

    def receive(self, message: HubMessage) -> None:
        """Act on a message; look at `must_wait` before the next."""
        match message:
            case Invocation() | StreamInvocation():
                self._receive_call(message)
            case StreamItem():
                upload = self._uploads.get(message.invocation_id)
                if upload is None:
                    logger.debug("! dropped StreamItem id=%s: no such stream", message.invocation_id)
                    return
                upload.feed(message.item)
                if not upload.has_room:
                    self._waits_for = upload
            case Completion():
                self._receive_completion(message)
            case CancelInvocation():
                call = self._active.get(message.invocation_id)
                if call is not None:
                    call.cancel()
            case _:  # Close is the endpoint's; Ping, Ack and Sequence never leave the session
                logger.debug("! ignored a %s", type(message).__name__)

    @property
    def must_wait(self) -> bool:
        """Whether the client may not be read any further for now."""
        return self._waits_for is not None

    async def wait_room(self) -> None:
        """Return when the client may be read again."""
        waits_for, self._waits_for = self._waits_for, None
        if waits_for is not None:
            await waits_for.wait_room()

    async def wait_begun(self) -> None:
        """Return when every call that came has begun."""
        await self._queue.wait_begun()

    def _receive_completion(self, completion: Completion) -> None:
        if self._hub.lifetime.take_answer(self._caller, completion):
            return
        upload = self._uploads.pop(completion.invocation_id, None)
        if upload is None:
            logger.debug("! dropped Completion id=%s: nobody waits for it", completion.invocation_id)
        else:
            upload.end(HubException(completion.error) if completion.error else None)

    def _receive_call(self, message: Invocation | StreamInvocation) -> None:
        method = self._hub.methods.find(message.target)
        if method is None:
            logger.info("! unknown hub method '%s' called", message.target)
            self._answer(message, f"Failed to invoke '{message.target}' due to an error on the server. {_NO_METHOD}")
            return
        try:
            arguments = method.bind(message.arguments, count_first=self._caller.protocol.name == "messagepack")
        except BindingError as exc:
            logger.info("! a call of '%s' does not fit: %s", method.name, exc)
            text = describe(f"Failed to invoke '{method.name}' due to an error on the server.", exc, detailed=self._detailed)
            self._answer(message, text)
            return
        call = Call(message, method, arguments)
        if call.invocation_id is not None:
            if call.streaming and call.invocation_id in self._active:
                self._answer(message, f"Invocation ID '{call.invocation_id}' is already in use.")
                return
            self._active.setdefault(call.invocation_id, call)
        # Registered now, not when the call begins: the first items may be in the same frame.
        options = self._hub.options
        for stream_id, item_type in zip(call.stream_ids, method.stream_types, strict=False):
            upload = UploadStream(item_type, options.stream_buffer_capacity, detailed_errors=self._detailed)
            self._uploads[stream_id] = upload
            call.uploads.append(upload)
        self._queue.put(call)
        if self._queue.full:
            self._waits_for = self._queue

    # one call

    def _start(self, call: Call) -> None:
        call.task = self._spawn(self._run(call))

    async def _run(self, call: Call) -> None:
        call.begun = True
        name = call.method.name
        try:
            if call.cancelled:  # before it could begin
                raise asyncio.CancelledError
            async with contextlib.aclosing(self._hub.container.create_scope()) as scope:
                await self._invoke(call, scope)
        except asyncio.CancelledError:
            if not call.cancelled:
                raise  # the server ends, and everything with it
            if not call.answered:
                error = None if call.streaming else f"An unexpected error occurred invoking '{name}' on the server."
                self._complete(call, error)
        except Exception as exc:  # code of the hub, its filters and its services: the connection goes on
            logger.log(logging.INFO if isinstance(exc, HubException) else logging.ERROR, "! '%s' failed", name, exc_info=exc)
            if not call.answered:
                text = f"An unexpected error occurred invoking '{name}' on the server."
                self._complete(call, describe(text, exc, detailed=self._detailed))
        finally:
            self._forget(call)
            try:
                if self._caller.full:  # the next call may begin when the answer to this one has left
                    await self._caller.wait_written()
            finally:
                self._queue.release(call)

    async def _invoke(self, call: Call, scope: ServiceScope) -> None:
        """Make the hub, look whether the call may and can be, run it and answer."""
        method, context = call.method, self.context
        async with self._hub.instance(context, scope, lambda: self._queue.release(call)) as hub:
            if method.requirements and not await is_authorized(context.user, method.requirements):
                self._complete(call, f"Failed to invoke '{method.name}' because user is unauthorized")
                return
            if call.streaming is not method.streaming:
                self._complete(call, _wrong_mode(call))
                return
            sent, wanted = len(call.stream_ids), len(method.stream_types)
            if sent != wanted:
                raise HubException(f"Client sent {sent} stream(s), Hub method expects {wanted}.")
            values = method.place(call.arguments, call.uploads, scope)
            result = await self._hub.run_method(method, hub, context, scope, values)
            if not method.streaming:
                self._complete(call, result=result)
            elif isinstance(result, AsyncIterable):
                await self._send_stream(call, result)
            else:
                text = f"The value returned by the streaming method '{method.name}' is not a ChannelReader<> or IAsyncEnumerable<>."
                self._complete(call, text)

    async def _send_stream(self, call: Call, items: AsyncIterable[object]) -> None:
        """Send the items of a stream and its end."""
        caller = self._caller
        invocation_id = call.invocation_id or ""
        error: str | None = None
        try:
            async for item in items:
                caller.send(StreamItem(invocation_id=invocation_id, item=item))
                if caller.full:
                    await caller.drain()
                if caller.ended:
                    break
        except Exception as exc:  # code of the hub
            logger.log(
                logging.INFO if isinstance(exc, HubException) else logging.ERROR,
                "! '%s' failed",
                call.method.name,
                exc_info=exc,
            )
            error = describe("An error occurred on the server while streaming results.", exc, detailed=self._detailed)
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()
        self._complete(call, error)

    def _complete(self, call: Call, error: str | None = None, result: object = UNSET) -> None:
        call.answered = True
        self._answer(call.message, error, result)

    def _answer(self, message: Invocation | StreamInvocation, error: str | None = None, result: object = UNSET) -> None:
        """Send the Completion of a call, if its client wants one."""
        if message.invocation_id:
            answer = Completion(invocation_id=message.invocation_id, error=UNSET if error is None else error, result=result)
            self._caller.send(answer)

    def _forget(self, call: Call) -> None:
        """Take a call that has ended, or never begins, off the tables."""
        if call.invocation_id is not None and self._active.get(call.invocation_id) is call:
            del self._active[call.invocation_id]
        for stream_id, upload in zip(call.stream_ids, call.uploads, strict=False):
            upload.release()
            if self._uploads.get(stream_id) is upload:
                del self._uploads[stream_id]


def _wrong_mode(call: Call) -> str:
    if call.method.streaming:
        return f"The client attempted to invoke the streaming '{call.method.name}' method with a non-streaming invocation."
    return f"The client attempted to invoke the non-streaming '{call.method.name}' method with a streaming invocation."

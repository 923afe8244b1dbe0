"""`HubDispatcher`: from a client's message to a hub method, and its answer back. Room: server, connections.

A message is checked as soon as it arrives: the method is looked up and the arguments are bound, so an invalid call is answered at once.
The call itself runs in a task of its own, with a service scope and a hub instance created for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, Callable, Coroutine
from typing import Any, Final

from signalr_client.core.messages import (
    UNSET,
    CancelInvocation,
    Completion,
    HubMessage,
    Invocation,
    StreamInvocation,
    StreamItem,
)
from signalr_client.core.protocols import JsonHubProtocol
from signalr_client.errors import BindingError, ConnectionClosedError, HubException
from signalr_client.gate import Gate
from signalr_client.server.connections.calls import Call, CallQueue
from signalr_client.server.connections.context import HubConnectionContext
from signalr_client.server.connections.invoker import HubInvoker
from signalr_client.server.connections.uploads import UploadStream
from signalr_client.server.errors import describe
from signalr_client.server.hubs.context import HubCallerContext
from signalr_client.server.hubs.descriptor import HubDescriptor
from signalr_client.server.injection.containers import ServiceScope
from signalr_client.server.log import OccasionalLog, get_logger
from signalr_client.server.options import HubOptions
from signalr_client.server.security.authorization import is_authorized
from signalr_client.user_code import call as call_user_code
from signalr_client.user_code import failure

__all__ = ["HubDispatcher"]

logger: Final = get_logger("dispatcher")

_NO_METHOD: Final = "HubException: Method does not exist."
_TURN: Final = 256  # items of a stream after which other tasks get a turn, should the stream itself never wait


class HubDispatcher:
    """The calls of one connection.

    Args:
        hub: the hub that is called.
        invoker: runs its methods.
        connection: the client.
        context: the client as hub methods see it; replaced when its authentication is renewed.
        spawn: starts a task that outlives the connection if it has to; its owner waits for it.
    """

    def __init__(
        self,
        hub: HubDescriptor,
        invoker: HubInvoker,
        options: HubOptions,
        connection: HubConnectionContext,
        context: HubCallerContext,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.context = context
        self._hub = hub
        self._invoker = invoker
        self._options = options
        self._connection = connection
        self._incoming = connection.incoming
        connection.exact.targets = hub.methods.exact_targets
        self._spawn = spawn
        self._detailed = options.enable_detailed_errors
        self._queue = CallQueue(
            options.maximum_parallel_invocations_per_client,
            connection.incoming,
            self._start,
            max_beside=options.maximum_parallel_streams_per_client,
            refuse=self._refuse,
        )
        self._by_id: dict[str, Call] = {}
        self._running: set[Call] = set()
        self._uploads: dict[str, UploadStream] = {}
        self._mistakes = OccasionalLog(logger)

    def open(self) -> None:
        """Let calls begin."""
        self._queue.open()

    def close(self) -> None:
        """Let no more calls begin, and cancel streams and other cancellable calls; the others run to their end."""
        for call in self._queue.close():
            self._forget(call)
        for call in list(self._running):
            call.cancel()

    def close_uploads(self) -> None:
        """Tell the methods that still read an upload that the connection has ended."""
        for upload in list(self._uploads.values()):
            upload.close()

    async def wait_begun(self) -> None:
        """Return when every call that has arrived has begun."""
        await self._queue.wait_begun()

    # in

    def receive(self, message: HubMessage, size: int) -> Gate | None:
        """Act on a message of *size* bytes; return a full gate that the reader has to wait for before the next one, if any."""
        match message:
            case StreamItem():
                upload = self._uploads.get(message.invocation_id)
                if upload is None:
                    logger.debug("! dropped StreamItem id=%.100r: no such stream", message.invocation_id)
                    return None
                upload.feed(message.item, size)
                if upload.gate.full and upload.begun:
                    return upload.gate
            case Invocation() | StreamInvocation():
                self._receive_call(message, size)
            case Completion():
                self._receive_completion(message)
            case CancelInvocation():
                call = self._by_id.get(message.invocation_id)
                if call is not None:
                    call.cancel()
            case _:  # Close is the handler's; Ping, Ack and Sequence never leave the session
                logger.debug("! ignored a %s", type(message).__name__)
        return self._incoming if self._incoming.full else None

    def _receive_completion(self, completion: Completion) -> None:
        if self._hub.manager.set_connection_result(self._connection, completion):
            return
        upload = self._uploads.pop(completion.invocation_id, None)
        if upload is None:
            logger.debug("! dropped Completion id=%.100r: nothing waits for it", completion.invocation_id)
        else:
            upload.end(HubException(completion.error) if completion.error else None)

    def _receive_call(self, message: Invocation | StreamInvocation, size: int) -> None:
        now = asyncio.get_running_loop().time()
        method = self._hub.methods.find(message.target)
        if method is None:
            self._mistakes.warning(now, "! %s called the unknown method %.100r", self._connection.connection_id, message.target)
            self._reject(message, f"Failed to invoke '{message.target}' due to an error on the server. {_NO_METHOD}")
            return
        try:
            protocol = self._connection.protocol
            arguments = method.bind(
                message.arguments,
                self._connection.binding,
                count_first=protocol.name == "messagepack",
                from_json=type(protocol) is JsonHubProtocol,
            )
        except BindingError as exc:
            reason = exc if exc.__cause__ is None else exc.__cause__
            self._mistakes.warning(
                now, "! a call of '%s' from %s failed: %s", method.name, self._connection.connection_id, reason
            )
            text = describe(f"Failed to invoke '{method.name}' due to an error on the server.", exc, detailed=self._detailed)
            self._reject(message, text)
            return
        call = Call(message, method, arguments, size)
        if call.invocation_id is not None:
            if call.cancellable and call.invocation_id in self._by_id:
                self._reject(message, f"Invocation ID '{call.invocation_id}' is already in use.")
                return
            self._by_id.setdefault(call.invocation_id, call)
        # Registered now, not when the call begins: the first items may be in the same frame.
        capacity, waiting = self._options.stream_buffer_capacity, self._incoming
        for stream_id, item_type in zip(call.stream_ids, method.stream_types, strict=False):
            converter = None if item_type is object else self._connection.binding.converter(item_type)
            if converter is not None and converter.needs_digits:
                self._connection.exact.ids.add(stream_id)
            upload = UploadStream(converter, capacity, waiting, detailed_errors=self._detailed)
            replaced, self._uploads[stream_id] = self._uploads.get(stream_id), upload
            if replaced is not None:  # nothing could end it any more, not even the end of the connection
                replaced.end(HubException(f"Stream ID '{stream_id}' is already in use."))
            call.uploads.append(upload)
        self._queue.put(call)

    # one call

    def _start(self, call: Call) -> None:
        self._running.add(call)
        for upload in call.uploads:
            upload.begun = True
        self._spawn(self._run(call))

    def _refuse(self, call: Call) -> None:
        """Fail a call that would be one too many without a slot."""
        limit = self._too_many_streams
        now = asyncio.get_running_loop().time()
        self._mistakes.warning(
            now, "! a call of '%s' from %s was refused: %s", call.method.name, self._connection.connection_id, limit
        )
        self._reject(
            call.message, f"Failed to invoke '{call.method.name}' due to an error on the server. HubException: {limit}"
        )
        self._forget(call)

    def _leave_slot(self, call: Call) -> None:
        """Let the next call begin, because *call* is going to wait for the result of a client.

        Raises:
            HubException: too many calls do already.
        """
        if not self._queue.leave_slot(call):
            raise HubException(self._too_many_streams)

    @property
    def _too_many_streams(self) -> str:
        limit = self._options.maximum_parallel_streams_per_client
        return (
            f"{limit} streams, calls with uploads, cancellable calls and calls that invoke clients are running for this client, and"
            " maximum_parallel_streams_per_client allows no more."
        )

    async def _run(self, call: Call) -> None:
        call.begin()
        try:
            async with self._invoker.create_scope() as scope:
                await self._invoke(call, scope)
        except BaseException as exc:  # code of the hub, its filters and its services: the connection goes on
            await self._report(call, exc)
        finally:
            self._forget(call)
            try:
                await self._connection.outgoing.wait_room()  # the next call begins when there is room for its answer
            finally:
                self._queue.release(call)

    async def _invoke(self, call: Call, scope: ServiceScope) -> None:
        """Create the hub, check that the call is allowed and possible, run it and answer."""
        method, context = call.method, self.context
        async with self._invoker.instance(context, scope, lambda: self._leave_slot(call)) as hub:
            if method.requirements and not await is_authorized(context.user, method.requirements):
                self._complete(call, f"Failed to invoke '{method.name}' because user is unauthorized")
                return
            if call.streaming is not method.streaming:
                self._complete(call, _wrong_mode(call))
                return
            sent, wanted = len(call.stream_ids), len(method.stream_types)
            if sent != wanted:
                raise HubException(f"Client sent {sent} stream(s), Hub method expects {wanted}.")
            values = method.place(call.arguments, call.uploads, call.token, scope)
            result = await self._invoker.run_method(method, hub, context, scope, values)
            if not method.streaming:
                self._complete(call, result=result)
            elif isinstance(result, AsyncIterable):
                await self._send_stream(call, result)
            else:
                text = f"The value returned by the streaming method '{method.name}' is not a ChannelReader<> or IAsyncEnumerable<>."
                self._complete(call, text)

    async def _send_stream(self, call: Call, items: AsyncIterable[object]) -> None:
        """Send the items of a stream, then its end."""
        connection, outgoing, invocation_id = self._connection, self._connection.outgoing, call.invocation_id or ""
        error: str | None = None
        sent = 0
        try:
            async for item in items:
                if call.cancelled or not connection.writable:
                    break
                connection.send(StreamItem(invocation_id=invocation_id, item=item))
                sent += 1
                if outgoing.full:
                    await outgoing.wait_room()
                elif sent % _TURN == 0:
                    await asyncio.sleep(0)
        except BaseException as exc:  # code of the hub
            reported = failure(exc)
            self._log_failure(call, reported)
            error = describe("An error occurred on the server while streaming results.", reported, detailed=self._detailed)
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await call_user_code(close)
        self._complete(call, error)

    async def _report(self, call: Call, exc: BaseException) -> None:
        """Log what a call raised, and answer it.

        Raises:
            CancelledError: the server stops.
            KeyboardInterrupt, SystemExit: the program ends; the client was answered first.
        """
        text = f"An unexpected error occurred invoking '{call.method.name}' on the server."
        if call.cancelled and isinstance(exc, asyncio.CancelledError):
            self._complete(call, None if call.streaming else text)
            return
        if isinstance(exc, KeyboardInterrupt | SystemExit):
            self._complete(call, text)
            await self._connection.flush()
            raise exc
        reported = failure(exc)
        self._log_failure(call, reported)
        self._complete(call, describe(text, reported, detailed=self._detailed))

    def _log_failure(self, call: Call, error: Exception) -> None:
        """Log what a call raised: a defect of the hub, or what is only to be expected."""
        left = isinstance(error, ConnectionClosedError) and not self._connection.writable  # waited for a client that is gone
        level = logging.INFO if left or isinstance(error, HubException) else logging.ERROR
        logger.log(level, "! '%s' failed", call.method.name, exc_info=error)

    def _complete(self, call: Call, error: str | None = None, result: object = UNSET) -> None:
        """Answer a call, unless that was done."""
        if not call.answered:
            call.answered = True
            self._answer(call.message, error, result)

    def _reject(self, message: Invocation | StreamInvocation, error: str) -> None:
        """Answer a call that does not begin. Nobody waits for room here, so a client that acknowledges nothing has to go."""
        self._answer(message, error)
        if self._connection.outgoing.overdrawn:
            self._connection.give_up()

    def _answer(self, message: Invocation | StreamInvocation, error: str | None = None, result: object = UNSET) -> None:
        """Send the Completion of a call, if the client wants one."""
        if message.invocation_id:
            answer = Completion(invocation_id=message.invocation_id, error=UNSET if error is None else error, result=result)
            self._connection.send(answer)

    def _forget(self, call: Call) -> None:
        """Remove a call that has ended, or will never begin."""
        self._running.discard(call)
        if call.invocation_id is not None and self._by_id.get(call.invocation_id) is call:
            del self._by_id[call.invocation_id]
        for stream_id, upload in zip(call.stream_ids, call.uploads, strict=False):
            upload.release()
            if self._uploads.get(stream_id) is upload:
                del self._uploads[stream_id]
                self._connection.exact.ids.discard(stream_id)


def _wrong_mode(call: Call) -> str:
    if call.method.streaming:
        return f"The client attempted to invoke the streaming '{call.method.name}' method with a non-streaming invocation."
    return f"The client attempted to invoke the non-streaming '{call.method.name}' method with a streaming invocation."

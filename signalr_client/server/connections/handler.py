"""`HubConnectionHandler`: serves the connections of one mapped hub, from the handshake to the end. Room: server, connections.

    handshake -> lifetime manager -> on_connected -> calls ... -> Close -> connection_aborted -> on_disconnected
              -> lifetime manager -> transport closed

Code of the hub runs in tasks of its own, so the task that serves a connection never has to be cancelled to get rid of a hub method, and
`on_disconnected` runs exactly once for each `on_connected` that has returned.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final

from signalr_client.core.handshake import encode_response
from signalr_client.core.messages import Close, Invocation, StreamInvocation
from signalr_client.core.protocols import HubProtocol
from signalr_client.errors import HubException
from signalr_client.server.connections.context import Ending, HubConnectionContext
from signalr_client.server.connections.dispatcher import HubDispatcher
from signalr_client.server.connections.invoker import HubInvoker
from signalr_client.server.connections.state import State
from signalr_client.server.errors import describe
from signalr_client.server.hubs.context import HubCallerContext
from signalr_client.server.hubs.descriptor import HubDescriptor
from signalr_client.server.log import get_logger
from signalr_client.server.options import HubOptions
from signalr_client.server.server_connection import ServerConnection, TransportLostError
from signalr_client.types import seconds
from signalr_client.user_code import call, failure

__all__ = ["HubConnectionHandler"]

logger: Final = get_logger("handler")

_TURN: Final = 64  # messages after which other tasks get a turn: a client may send thousands in one frame
_PIECE: Final = 16_384  # bytes that are decoded in one go: objects take many times the room of their bytes


class HubConnectionHandler:
    """Serves the connections of one hub at one path, with its options."""

    def __init__(self, hub: HubDescriptor, options: HubOptions) -> None:
        self.hub = hub
        self.options = options
        self.invoker: HubInvoker = HubInvoker(hub, options.hub_filters)
        self.protocols: tuple[HubProtocol, ...] = options.protocols()
        self.tasks: set[asyncio.Task[Any]] = set()
        """The tasks that run code of the hub."""
        self._connections: set[HubConnectionContext] = set()
        self._stopping = False

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection to its end; it is closed when this returns.

        Raises:
            Exception: what `Hub.on_disconnected` raised; the transport was closed as after a failure.
        """
        try:
            user_identifier = await call(self.options.user_id_provider, connection)
        except Exception as exc:  # code of the application
            await self._refuse(connection, exc)
            return
        context = HubConnectionContext(connection, user_identifier, self.protocols, self.options)
        self._connections.add(context)
        if self._stopping:
            context.end(Ending(None))
        try:
            await _Service(self, context).run()
        finally:
            self._connections.discard(context)

    def start_up(self) -> None:
        """Serve connections; needed only after `shut_down`."""
        self._stopping = False

    def shut_down(self) -> None:
        """Tell every client that the server stops, and that it may reconnect; later connections end at once."""
        self._stopping = True
        for context in list(self._connections):
            context.end(Ending(Close(allow_reconnect=True)))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run code of the hub in a task of its own."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def _refuse(self, connection: ServerConnection, error: Exception) -> None:
        """End a connection whose user identifier cannot be found out; the client's handshake fails."""
        logger.error("! user_id_provider failed for %s", connection.connection_id, exc_info=error)
        text = describe(
            "An unexpected error occurred during connection handshake.", error, detailed=self.options.enable_detailed_errors
        )
        with contextlib.suppress(OSError):  # the client is gone
            await connection.send(encode_response(text))
        await connection.close(error=True)


class _Service:
    """The service of one connection."""

    def __init__(self, handler: HubConnectionHandler, context: HubConnectionContext) -> None:
        connection = context.connection
        self._handler = handler
        self._context = context
        self._manager = handler.hub.manager
        self._invoker = handler.invoker
        caller = HubCallerContext(
            connection.connection_id,
            user=connection.user,
            user_identifier=context.user_identifier,
            features=connection.features,
            connection_aborted=context.aborted,
            request=lambda: connection.request,
            abort=lambda: context.end(Ending(Close())),
        )
        self._dispatcher = HubDispatcher(handler.hub, handler.invoker, handler.options, context, caller, handler.spawn)
        self._connecting: asyncio.Task[bool] | None = None

    async def run(self) -> None:
        """Serve the connection to its end."""
        context, connection = self._context, self._context.connection
        connection.refreshed = self._refreshed
        context.start()
        reader = asyncio.create_task(self._read(), name=f"signalr reader {context.connection_id}")
        reader.add_done_callback(self._check_reader)
        error = True
        try:
            ending = await context.wait_ending()
            reader.cancel()
            await self._disconnect(ending)
            error = False
        finally:
            connection.refreshed = None
            reader.cancel()
            await asyncio.wait({reader})
            await context.finish(error=error)

    # the parts of a connection's life

    async def _read(self) -> None:
        """Receive what the client sends. Never waits for a hub method, except as back-pressure on this client."""
        context = self._context
        while (data := await self._next_data()) is not None:
            for start in range(0, len(data), _PIECE):
                if start:
                    await asyncio.sleep(0)
                if not await self._receive(data[start : start + _PIECE]):
                    return
        context.receive_end()

    async def _next_data(self) -> bytes | None:
        """Return the client's next bytes, from a new socket if it has lost one, or None when its side has ended."""
        connection = self._context.connection
        while True:
            try:
                return await connection.receive()
            except TransportLostError:
                if not (self._context.detach() and await connection.wait_resumed()):
                    return None
                self._context.resume()

    async def _receive(self, data: bytes) -> bool:
        """Act on the messages that *data* completes; return whether to read on."""
        context, dispatcher, unsent = self._context, self._dispatcher, self._context.outgoing.unsent
        messages = context.receive(data)
        if self._connecting is None and context.state is State.CONNECTING:
            self._connecting = self._handler.spawn(self._connect())
        for number, (message, size) in enumerate(zip(messages, context.sizes, strict=True), 1):
            if isinstance(message, Close):
                await self._client_closed(message)
                return False
            gate = dispatcher.receive(message, size)
            if gate is not None:
                await context.hold_up_reader(gate)
            # A client that calls without reading the answers is not read either. Only calls have to wait: a stream that fills
            # the buffer must still be cancellable.
            if unsent.full and isinstance(message, Invocation | StreamInvocation):
                await context.hold_up_reader(unsent)
            if number % _TURN == 0:
                await asyncio.sleep(0)
            if not context.writable:
                return False
        context.fail_if_broken()
        return True

    async def _connect(self) -> bool:
        """Run `Hub.on_connected` and let calls begin; return whether it accepted the connection."""
        context = self._context
        try:
            await self._manager.on_connected(context)
            await self._invoker.run_connected(self._dispatcher.context)
        except (KeyboardInterrupt, SystemExit) as exc:
            context.refuse(exc)
            await context.flush()
            raise
        except BaseException as exc:  # code of the hub
            reported = failure(exc)
            logger.error("! on_connected of %s failed", self._handler.hub.hub_type.__name__, exc_info=reported)
            context.refuse(reported)
            return False
        if context.accept():
            self._dispatcher.open()
        return True

    async def _client_closed(self, close: Close) -> None:
        """End the connection for the client; the calls that it made before still begin, if they can within a time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds(self._handler.options.disconnect_timeout)):
                await self._dispatcher.wait_begun()
        self._context.end(Ending(Close(), HubException(close.error) if close.error else None))

    async def _disconnect(self, ending: Ending) -> None:
        """Stop dispatching, run `Hub.on_disconnected` if the hub had accepted the connection, and remove it.

        Raises:
            Exception: what `Hub.on_disconnected` raised.
        """
        self._dispatcher.close()
        self._manager.cancel_results(self._context.connection_id)
        connecting = self._connecting
        if connecting is None:
            return
        try:
            await asyncio.wait({connecting})
            if not connecting.cancelled() and connecting.exception() is None and connecting.result():
                run = self._invoker.run_disconnected
                disconnecting = self._handler.spawn(call(run, self._dispatcher.context, ending.exception))
                await asyncio.wait({disconnecting})
                if not disconnecting.cancelled():
                    disconnecting.result()
        finally:
            self._dispatcher.close_uploads()
            await self._manager.on_disconnected(self._context)

    async def _refreshed(self) -> None:
        """Continue with the user that the connection has now."""
        context, dispatcher = self._context, self._dispatcher
        user_identifier = await call(self._handler.options.user_id_provider, context.connection)
        if user_identifier != context.user_identifier:
            await self._manager.change_user(context, user_identifier)
        dispatcher.context = dispatcher.context.for_user(context.connection.user, user_identifier)
        context.expect_expiry()
        if context.state is State.OPEN:
            try:
                await call(self._invoker.run_authentication_refreshed, dispatcher.context)
            except Exception:  # code of the hub; the renewal stands
                logger.exception("! on_authentication_refreshed of %s failed", self._handler.hub.hub_type.__name__)

    def _check_reader(self, reader: asyncio.Task[None]) -> None:
        """End a connection whose reader failed by a defect, so that it does not stay open unread."""
        if reader.cancelled():
            return
        error = reader.exception()
        if error is not None:
            logger.error("! reading from %s failed", self._context.connection_id, exc_info=error)
            self._context.fail(error)

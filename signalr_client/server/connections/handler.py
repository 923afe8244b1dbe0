"""One mapped path of a hub: serves connections, whatever carries them, from the handshake to the end. Room: server.

    handshake -> join -> on_connected -> calls ... -> Close -> connection_aborted -> on_disconnected -> leave -> transport closed

Spec: server-behaviour.md, "C. Handshake", "E. Timers, limits, Close" (the table of ends), "H".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from signalr_client.core.messages import Close, HubMessage, Invocation, StreamInvocation
from signalr_client.errors import HubException
from signalr_client.server.caller import Caller, Ending
from signalr_client.server.dispatcher import Dispatcher
from signalr_client.server.hub import HubCallerContext
from signalr_client.types import seconds

if TYPE_CHECKING:
    from signalr_client.server.authorization import AuthorizeRequirement
    from signalr_client.server.connection import ServerConnection
    from signalr_client.server.mapped_hub import MappedHub
    from signalr_client.server.options import HubOptions

__all__ = ["HubEndpoint"]

logger = logging.getLogger("signalr_client.server.endpoint")


class HubEndpoint:
    """Serves the connections of one hub at one path, with its options."""

    def __init__(self, hub: MappedHub) -> None:
        self.hub = hub
        self._protocols = hub.options.protocols()
        self._callers: set[Caller] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def options(self) -> HubOptions:
        """The options of the hub and of its transports."""
        return self.hub.options

    @property
    def requirements(self) -> tuple[AuthorizeRequirement, ...]:
        """What `authorize` asks of every HTTP request to the hub."""
        return self.hub.requirements

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection to its end; it is closed when this returns.

        Raises:
            Exception: what `Hub.on_disconnected` raised; the transport was closed as after a fault.
        """
        caller = Caller(connection, self._protocols, self.options)
        context = HubCallerContext(
            connection.connection_id,
            user=connection.user,
            user_identifier=caller.user_identifier,
            features=connection.features,
            connection_aborted=caller.aborted,
            request=lambda: connection.request,
            abort=lambda: caller.end(Ending(Close())),
        )
        dispatcher = Dispatcher(self.hub, caller, context, self._spawn)
        connection.refreshed = lambda: self._refreshed(caller, dispatcher)
        self._callers.add(caller)
        caller.start()
        error = True
        reader = asyncio.create_task(self._read(caller, dispatcher), name=f"signalr reader {caller.connection_id}")
        reader.add_done_callback(lambda task: _report(task, caller))
        try:
            ending = await caller.wait_ending()
            logger.debug("= %s ends: %s", caller.connection_id, ending)
            await self._end(caller, dispatcher, ending, reader)
            error = False
        finally:
            connection.refreshed = None
            if not reader.done():
                reader.cancel()
                await asyncio.wait({reader})
            self._callers.discard(caller)
            caller.say_goodbye(None)
            await caller.finish(error=error)

    def shut_down(self) -> None:
        """Tell every client that the server ends, and that it may come back."""
        for caller in self._callers:
            caller.end(Ending(Close(allow_reconnect=True) if caller.shook_hands else None))

    async def aclose(self, grace: float) -> None:
        """Give hub methods that still run *grace* seconds, then cancel them."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # the parts of a connection's life

    async def _read(self, caller: Caller, dispatcher: Dispatcher) -> None:
        """Take what the client sends; never waits for a hub method, but where that is the client's own back-pressure."""
        connection = caller.connection
        shook_hands = False
        while (data := await connection.receive()) is not None:
            messages = caller.receive(data)
            if not shook_hands and caller.shook_hands:
                shook_hands = True
                self.hub.lifetime.join(caller)
                connecting = self._spawn(self._connect(caller, dispatcher))
                connecting.add_done_callback(caller.refuse_unless_accepted)
            for message in messages:
                if isinstance(message, Close):
                    # what the client sent before its goodbye still counts; one call that never ends does not hold it for ever
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(seconds(self.options.disconnect_timeout)):
                            await dispatcher.wait_begun()
                    caller.end(Ending(Close(), HubException(message.error) if message.error else None))
                    return
                await self._handle(caller, dispatcher, message)
        caller.receive_end()

    async def _handle(self, caller: Caller, dispatcher: Dispatcher, message: HubMessage) -> None:
        dispatcher.receive(message)
        # Who asks without taking the answers is not read on. Once is enough for each question, and what asks for nothing does not
        # wait: a stream that fills the buffer all the time must still be heard when it is cancelled.
        unheard = caller.full and isinstance(message, Invocation | StreamInvocation)
        if dispatcher.must_wait or unheard:
            caller.pause_reading()
            try:
                await dispatcher.wait_room()
                if unheard:
                    await caller.wait_written()
            finally:
                caller.resume_reading()

    async def _connect(self, caller: Caller, dispatcher: Dispatcher) -> None:
        """Run `Hub.on_connected`; calls begin when it has returned."""
        try:
            await self.hub.run_connected(dispatcher.context)
        except Exception as exc:  # code of the hub
            logger.exception("! on_connected of %s failed", self.hub.hub_type.__name__)
            caller.refuse(exc)
        else:
            caller.accepted.set_result(True)
            dispatcher.open()

    async def _refreshed(self, caller: Caller, dispatcher: Dispatcher) -> None:
        """Go on with the user that the connection has now."""
        connection = caller.connection
        user_identifier = self.options.user_id_provider(connection)
        if user_identifier != caller.user_identifier:
            self.hub.lifetime.rename(caller, user_identifier)
        dispatcher.context = dispatcher.context.for_user(connection.user, user_identifier)
        caller.expect_expiry()
        if caller.accepted.done() and caller.accepted.result():
            try:
                await self.hub.run_authentication_refreshed(dispatcher.context)
            except Exception:  # code of the hub; the renewal stands
                logger.exception("! on_authentication_refreshed of %s failed", self.hub.hub_type.__name__)

    async def _end(self, caller: Caller, dispatcher: Dispatcher, ending: Ending, reader: asyncio.Task[None]) -> None:
        joined = caller.shook_hands
        caller.say_goodbye(ending.close)
        dispatcher.close()
        self.hub.lifetime.give_up_answers(caller.connection_id)
        if not reader.done():
            reader.cancel()
            await asyncio.wait({reader})
        if not joined:
            return
        try:
            if await caller.accepted:
                await self.hub.run_disconnected(dispatcher.context, ending.exception)
        finally:
            dispatcher.close_uploads()
            self.hub.lifetime.leave(caller)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _report(reader: asyncio.Task[None], caller: Caller) -> None:
    """End a connection whose reader ended by a defect, so that nobody waits for it for ever."""
    if reader.cancelled():
        return
    error = reader.exception()
    if error is not None:
        logger.error("! reading from %s failed", caller.connection_id, exc_info=error)
        caller.fail(error)

"""The public client: `HubConnection`. Room: client.

It keeps what survives a restart (handlers, callbacks, options) and delegates to the current life (life.py) and link (link.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from typing_extensions import TypeForm

from signalr_client.client.access import check_loop, link_or_wait, possible_refresh
from signalr_client.client.calls import OutgoingCall
from signalr_client.client.connection_events import ConnectionEvents
from signalr_client.client.ends import fresh_error
from signalr_client.client.handlers import Handler, Handlers, Subscription, UnhandledHandler, handler_methods
from signalr_client.client.invocations import StreamSink
from signalr_client.client.life import Life
from signalr_client.client.options import ConnectionOptions
from signalr_client.client.proxies import proxy_class
from signalr_client.client.streams import HubStream
from signalr_client.client.waiting import QueuedCall, WaitingCalls
from signalr_client.core.protocols import binding_of
from signalr_client.core.state import Trigger, advance
from signalr_client.errors import InvalidStateError
from signalr_client.transports.base import HttpOptions
from signalr_client.transports.connector import Connector
from signalr_client.types import HubConnectionState

__all__ = ["HubConnection"]

T = TypeVar("T")
HandlerT = TypeVar("HandlerT", bound=Callable[..., object])
UnhandledT = TypeVar("UnhandledT", bound=Callable[[str, list[object]], object])


class HubConnection(ConnectionEvents):
    """A connection to a hub. Created by `HubConnectionBuilder`; all of its coroutines belong to the event loop that started it.

    Handlers run one after another, in the order in which the server's messages arrived, off the read loop: a handler may await
    `invoke`, `stop`, anything. No method takes a timeout: ``async with asyncio.timeout(5)`` is safe around every one of them.
    """

    def __init__(self, http_options: HttpOptions, options: ConnectionOptions, logger: logging.Logger) -> None:
        super().__init__()
        self._http_options = http_options
        self._options = options
        self._logger = logger
        self._binding = binding_of(options.protocol)
        self._handlers = Handlers(self._binding)
        self._life: Life | None = None

    def __repr__(self) -> str:
        """Return the state; the URL may contain secrets."""
        return f"<HubConnection {self.state.value}>"

    # life

    @property
    def state(self) -> HubConnectionState:
        """The state of the connection; docs/architecture.md has a picture of the transitions."""
        return HubConnectionState.DISCONNECTED if self._life is None else self._life.state

    @property
    def connection_id(self) -> str | None:
        """The id by which the server's hubs know this connection; None while not connected, or if negotiation was skipped."""
        link = None if self._life is None else self._life.link
        return None if link is None else link.connection_id

    @property
    def url(self) -> str:
        """The URL of the hub, with http or https as its scheme."""
        return self._http_options.url

    async def start(self) -> None:
        """Connect: negotiate, choose a transport, perform the handshake, run the callbacks of `on_connected`.

        After a failure or `stop` it can be called again. Cancelling closes whatever was opened and leaves the connection
        disconnected.

        Raises:
            InvalidStateError: the connection is not disconnected, or is still in use by another event loop.
            NegotiationError, AggregateTransportError, TransportError, HandshakeError: it could not connect. There is no second
                attempt, unless the retry policy covers the start.
            ConnectionClosedError: `stop` was called meanwhile, or the connection was lost for good before the callbacks had run.
        """
        if self._life is not None and not self._life.task.done():
            check_loop(self._life, "start")
        advance(self.state, Trigger.START)  # raises unless disconnected
        options = self._options
        stateful = options.stateful_buffer_size is not None
        connector = Connector(self._http_options, options.protocol.transfer_format, self._logger, stateful_reconnect=stateful)
        life = self._life = Life(connector, self._options, self._handlers, self._events, self._logger)
        try:
            await life.started
        except asyncio.CancelledError:
            life.request_stop()
            await asyncio.wait({life.task})
            raise

    async def stop(self) -> None:
        """Disconnect in good order: queued messages are sent, then a Close message; pending calls fail. Idempotent.

        Calls that arrived before the end are still handled, and the callbacks of `on_close` run. All of it together takes the
        close timeout at most, and a moment more if tasks have to be cancelled: what is not done by then is dropped, and logged with
        its number. From a handler or a callback, `stop` returns without waiting for handlers and callbacks.

        Cancelling it does not undo it.

        Raises:
            InvalidStateError: the connection belongs to another event loop.
        """
        life = self._life
        if life is None or life.task.done():
            return
        check_loop(life, "stop")
        if life.runs_caller and life.ended.done():
            return
        life.request_stop()
        await asyncio.shield(life.ended)
        if not life.runs_caller:
            await asyncio.wait({life.task})

    async def wait_connected(self) -> None:
        """Return when the connection can be used: once `start`, in whichever task, or a reconnect has succeeded, or at once.

        Like `start`, it waits for the callbacks of `on_connected`; in one of them it returns at once. Cancelling only ends the wait.

        Raises:
            SignalRError: the start failed or the connection has ended, with the reason; a new exception for each caller.
            InvalidStateError: the connection has never been started, or belongs to another event loop.
        """
        if self._life is None:
            text = "The connection has not been started: call start() first, for instance in another task."
            raise InvalidStateError("wait_connected", self.state.value, text)
        check_loop(self._life, "wait_connected")
        await self._life.wait_connected()

    async def wait_closed(self) -> None:
        """Return when the connection has ended for good; at once if it has never been started. Cancelling only ends the wait.

        Raises:
            SignalRError: what ended it, a new exception for each caller; nothing after `stop` or a normal close.
            InvalidStateError: the connection belongs to another event loop.
        """
        life = self._life
        if life is None:
            return
        if not life.ended.done():
            check_loop(life, "wait_closed")
            await asyncio.wait({life.ended})
        error = life.ended.result()
        if error is not None:
            raise fresh_error(error)

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        await self.stop()

    # calls

    @overload
    async def invoke(self, target: str, *args: object, result_type: None = None) -> Any: ...
    @overload
    async def invoke(self, target: str, *args: object, result_type: TypeForm[T]) -> T: ...
    async def invoke(self, target: str, *args: object, result_type: Any = None) -> Any:
        """Call a hub method and wait for its result. Cancelling sends CancelInvocation and drops a late result.

        Args:
            target: name of the hub method.
            args: its arguments. An async iterable is an upload stream, in any position.
            result_type: type to convert the result to; without it the plain decoded value is returned.

        Raises:
            HubException: the method failed; the connection is fine.
            BindingError: the result does not fit; or an argument cannot be encoded, or *result_type* is not supported, and nothing
                was sent.
            ConnectionClosedError: the connection ended first; the method may have run or not.
            InvalidStateError: the connection is not active, or belongs to another event loop; nothing was sent.
        """
        converter = None if result_type is None else self._binding.converter(result_type)
        digits = converter is not None and converter.needs_digits
        loop = asyncio.get_running_loop()
        link = link_or_wait(self._life, "invoke", loop)
        response: asyncio.Future[object] = loop.create_future()
        call: OutgoingCall | QueuedCall
        if link is None:
            call = self._waiting.add("invoke", target, args, response, digits=digits)
        else:
            call = OutgoingCall.begin(link, target, args, response, digits=digits)
        try:
            if link is not None and link.full:
                await link.drain()
            result = await response
        except asyncio.CancelledError:
            call.cancel()
            if not response.cancel() and not response.cancelled():
                response.exception()  # the connection has ended; without this, asyncio logs that nobody retrieved the error
            raise
        return result if converter is None else converter.convert_result(result)

    async def send(self, target: str, *args: object) -> None:
        """Invoke a hub method without waiting for a response. Returns when the message is queued.

        Waits only while more than 48 KiB are queued or in flight. Cancelling that wait does not take the message back.

        Args:
            target: name of the hub method.
            args: its arguments. Upload streams among them continue after `send` has returned.

        Raises:
            BindingError: an argument cannot be encoded; nothing was sent.
            InvalidStateError: the connection is not active, or belongs to another event loop; nothing was sent.
        """
        loop = asyncio.get_running_loop()
        link = link_or_wait(self._life, "send", loop)
        if link is not None:
            OutgoingCall.begin(link, target, args, None)
            if link.full:
                await link.drain()
            return
        sent: asyncio.Future[object] = loop.create_future()
        call = self._waiting.add("send", target, args, sent)
        try:
            await sent
        except asyncio.CancelledError:
            call.cancel()
            raise

    @overload
    def stream(self, target: str, *args: object, item_type: None = None) -> HubStream[Any]: ...
    @overload
    def stream(self, target: str, *args: object, item_type: TypeForm[T]) -> HubStream[T]: ...
    def stream(self, target: str, *args: object, item_type: Any = None) -> HubStream[Any]:
        """Return the items of a streaming hub method, for ``async for``; the call is sent when reading begins.

        Args:
            target: name of the hub method.
            args: its arguments. An async iterable is an upload stream, in any position.
            item_type: type to convert each item to; without it items are plain decoded values.

        Raises:
            UnsupportedTypeError: *item_type* is not a type that values can be converted to.
        """
        converter = None if item_type is None else self._binding.converter(item_type)
        digits = converter is not None and converter.needs_digits

        def begin(sink: StreamSink) -> OutgoingCall | QueuedCall:
            link = link_or_wait(self._life, "stream", asyncio.get_running_loop())
            if link is None:
                return self._waiting.add("stream", target, args, sink, digits=digits)
            return OutgoingCall.begin(link, target, args, sink, streaming=True, digits=digits)

        return HubStream(begin, None if converter is None else converter.convert_item, lambda: self.state.value)

    def proxy(self, protocol: TypeForm[T]) -> T:
        """Return an object with the methods of a Protocol, which describes the hub; see docs/proxies.md.

        An ``async def`` method invokes the hub method of its name, or of the name given with `hub_method`; a ``def`` method that
        returns an AsyncIterator streams. Arguments are checked against their annotations before anything is sent, and results are
        converted to theirs. The proxy may be created before `start`; it survives reconnects and restarts.

        Args:
            protocol: a `typing.Protocol`, or a generic one with its arguments.

        Raises:
            TypeError: it is not a Protocol, or a member is not a method that can be called.
            UnsupportedTypeError: an annotation cannot be resolved, or is not a type that values can be converted to.
        """
        wanted: Any = protocol
        proxy: Any = proxy_class(wanted, self._binding)(self)
        return proxy  # type: ignore[no-any-return]  # it has the methods of the Protocol

    async def refresh_authentication(self) -> float | None:
        """Send the server a new access token for this connection, which then continues with the new token's claims.

        It happens automatically before the token expires, on servers that say when that is. Cancelling leaves the old token in use.

        Returns:
            For how many seconds the new token is accepted; None if the server does not say.

        Raises:
            TransportError: the server refused the token, does not support this, or was not reached. The connection continues.
            InvalidStateError: the connection is not active, belongs to another event loop, or negotiation was skipped.
        """
        return await possible_refresh(self._life).refresh()

    # handlers

    @overload
    def on(self, target: str) -> Callable[[HandlerT], HandlerT]: ...
    @overload
    def on(self, target: str, handler: Handler) -> Subscription: ...
    def on(self, target: str, handler: Handler | None = None) -> Subscription | Callable[[HandlerT], HandlerT]:
        """Run *handler* each time the server calls *target*; without *handler*, decorate one.

        Handlers may be sync or async. Arguments with an annotation are converted to it (docs/types.md); if one does not fit, that is
        logged and the handler is not called. A target may have several handlers: they run in the order of registration, and calls
        run one after another. If the server waits for a result, the return value of the handler is the response (None becomes
        null). Targets are case-sensitive.

        Returns:
            A `Subscription` to unsubscribe with; as a decorator, the function unchanged.

        Raises:
            UnsupportedTypeError: an annotation cannot be resolved, or is not a type that values can be converted to.
        """
        if handler is not None:
            return self._handlers.add(target, handler)

        def register(function: HandlerT) -> HandlerT:
            self._handlers.add(target, function)
            return function

        return register

    def off(self, target: str, handler: Handler | None = None) -> None:
        """Remove one registration of *handler* from *target*, or all handlers of *target*; unknown ones are ignored."""
        self._handlers.remove(target, handler)

    def on_unhandled(self, handler: UnhandledT) -> UnhandledT:
        """Call ``handler(target, arguments)`` for calls that have no handler; several may be registered. Also a decorator."""
        unhandled: UnhandledHandler = handler
        self._handlers.unhandled.append(unhandled)
        return handler

    def register(self, receiver: object) -> list[Subscription]:
        """Register the methods of *receiver* as handlers: every public coroutine method, and every method with `hub_method`.

        The target is the name given with `hub_method`, there or where an overridden method was defined, or else the name of the method:
        a class that derives from a Protocol implements it under the names of the Protocol. Properties are not evaluated.

        Raises:
            TypeError: it has no such method.
        """
        methods = list(handler_methods(receiver))
        if not methods:
            raise TypeError(f"{receiver!r} has no public coroutine method to register.")
        return [self._handlers.add(target, method) for target, method in methods]

    # inside

    @property
    def _waiting(self) -> WaitingCalls:
        """The calls that wait for the connection."""
        assert self._life is not None  # calls wait only in a life
        return self._life.readiness.waiting

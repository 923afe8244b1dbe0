"""The public client: `HubConnection`. Room: client.

It keeps what outlives a connection - handlers, callbacks, options - and passes calls on to the life it is in (supervisor.py) and
to the link of the moment (link.py).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload

from typing_extensions import TypeForm

from signalr_client.client.calls import OutgoingCall
from signalr_client.client.dispatch import Handler, Handlers, Subscription, UnhandledHandler
from signalr_client.client.invocations import StreamSink
from signalr_client.client.link import HubLink
from signalr_client.client.streams import HubStream
from signalr_client.client.supervisor import EventCallback, Events, LifeOptions, Supervisor
from signalr_client.core.binding import bind
from signalr_client.core.state import Trigger, advance
from signalr_client.errors import InvalidStateError
from signalr_client.transports.base import HttpOptions
from signalr_client.transports.connector import Connector
from signalr_client.types import HubConnectionState

__all__ = ["HubConnection"]

T = TypeVar("T")
HandlerT = TypeVar("HandlerT", bound=Callable[..., object])
ErrorCallbackT = TypeVar("ErrorCallbackT", bound=Callable[[Exception | None], object])
FailureCallbackT = TypeVar("FailureCallbackT", bound=Callable[[Exception], object])
IdCallbackT = TypeVar("IdCallbackT", bound=Callable[[str | None], object])
LifetimeCallbackT = TypeVar("LifetimeCallbackT", bound=Callable[[float | None], object])
CallbackT = TypeVar("CallbackT", bound=Callable[..., object])
UnhandledT = TypeVar("UnhandledT", bound=Callable[[str, list[object]], object])


class HubConnection:
    """A connection to a hub; made by `HubConnectionBuilder`, used in one event loop.

    Handlers run one after another in the order in which the server's messages came, off the read loop: a handler may await
    `invoke`, `stop`, anything. No method takes a timeout: ``async with asyncio.timeout(5)`` is safe around every one of them.
    """

    def __init__(self, options: HttpOptions, life_options: LifeOptions, logger: logging.Logger) -> None:
        self._options = options
        self._life_options = life_options
        self._logger = logger
        self._handlers = Handlers()
        self._events = Events()
        self._life: Supervisor | None = None

    def __repr__(self) -> str:
        """Return the state; the URL may hold secrets."""
        return f"<HubConnection {self.state.value}>"

    # life

    @property
    def state(self) -> HubConnectionState:
        """Where the connection is in its life. Spec: client-behaviour.md, "E1. States"."""
        return HubConnectionState.DISCONNECTED if self._life is None else self._life.state

    @property
    def connection_id(self) -> str | None:
        """The id that the server's hubs know this connection by; None while not connected, or if negotiation was skipped."""
        link = None if self._life is None else self._life.link
        return None if link is None else link.connection_id

    @property
    def url(self) -> str:
        """The hub's URL, as given to the builder."""
        return self._options.url

    async def start(self) -> None:
        """Connect: negotiate, choose a transport, shake hands. After a failure, or after `stop`, it can be called again.

        Cancelling it closes whatever was opened and leaves the connection disconnected.

        Raises:
            InvalidStateError: the connection is not disconnected.
            NegotiationError, AggregateTransportError, TransportError, HandshakeError: it could not connect. Nothing is tried
                again, unless the retry policy covers the start.
            ConnectionClosedError: `stop` was called meanwhile.

        Spec: client-behaviour.md, "B. start()".
        """
        advance(self.state, Trigger.START)  # raises where a start makes no sense
        connector = Connector(self._options, self._life_options.protocol.transfer_format, self._logger)
        life = self._life = Supervisor(connector, self._life_options, self._handlers, self._events, self._logger)
        try:
            await life.started
        except asyncio.CancelledError:
            life.request_stop()
            await asyncio.wait({life.task})
            raise

    async def stop(self) -> None:
        """Disconnect in good order: what was sent leaves first, the server is told, pending calls fail.

        Calls that came before the end are still handed to their handlers; handlers that run longer than the close timeout are
        cancelled. Returns when the callbacks of `on_close` have run. From a handler or a callback it may be called too: then it
        does not wait for handlers. Idempotent, and harmless twice at once. Cancelling it does not undo it.

        Spec: client-behaviour.md, "E11. stop()".
        """
        life = self._life
        if life is None:
            return
        life.request_stop()
        await asyncio.shield(life.ended)
        if not life.runs_caller:
            await asyncio.wait({life.task})

    async def wait_closed(self) -> None:
        """Return when the connection has ended for good, at once if it has never been started; cancelling stops the waiting.

        Raises:
            SignalRError: what ended it; nothing is raised after `stop` or a normal close.
        """
        if self._life is None:
            return
        error = await asyncio.shield(self._life.ended)
        if error is not None:
            raise error

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
        """Call a hub method and wait for its result.

        Cancelling sends CancelInvocation and drops a late result.

        Args:
            target: name of the hub method.
            args: its arguments. An async iterable is an upload stream, in any position.
            result_type: type to convert the result to; without it the plain decoded value is returned.

        Raises:
            HubException: the method failed; the connection is fine.
            BindingError: an argument cannot be sent (then nothing was sent), or the result does not fit.
            ConnectionClosedError: the connection ended first; the method may have run or not.
            InvalidStateError: the connection is not active; nothing was sent.

        Spec: client-behaviour.md, "E4. invoke / send / stream".
        """
        link = self._active("invoke")
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        call = OutgoingCall.begin(link, target, args, answer)
        try:
            if link.full:
                await link.drain()
            result = await answer
        except asyncio.CancelledError:
            call.leave()
            raise
        finally:
            call.end()
        return result if result_type is None else bind(result, result_type)

    async def send(self, target: str, *args: object) -> None:
        """Call a hub method and want no answer: returns when the message is queued for the wire.

        Waits only while more than 64 KiB are queued. Cancelling that wait does not take the message back.

        Args:
            target: name of the hub method.
            args: its arguments. Upload streams among them go on after this returned.

        Raises:
            BindingError: an argument cannot be sent; nothing was sent.
            InvalidStateError: the connection is not active; nothing was sent.

        Spec: client-behaviour.md, "E4. invoke / send / stream".
        """
        link = self._active("send")
        OutgoingCall.begin(link, target, args)
        if link.full:
            await link.drain()

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

        Spec: client-behaviour.md, "E4. invoke / send / stream".
        """

        def begin(sink: StreamSink) -> OutgoingCall:
            return OutgoingCall.begin(self._active("stream"), target, args, sink, streaming=True)

        return HubStream(begin, None if item_type is None else lambda item: bind(item, item_type))

    async def refresh_authentication(self) -> float | None:
        """Send the server a new access token for this connection, which goes on with whatever the new token allows.

        It happens by itself before the token expires, on servers that say when that is. Cancelling leaves the old token in use.

        Returns:
            For how many seconds the new token is accepted; None where the server does not tell.

        Raises:
            TransportError: the server refused the token, offers no refresh, or was not reached. The connection goes on.
            InvalidStateError: the connection is not active, or negotiation was skipped.

        Spec: client-behaviour.md, "J. New by version" (authentication refresh).
        """
        self._active("refresh_authentication", "Cannot refresh authentication when the connection is not active.")
        assert self._life is not None  # it is active
        if not self._life.refresh.possible:
            text = "Authentication refresh needs a connection that was negotiated: do without skip_negotiation."
            raise InvalidStateError("refresh_authentication", self.state.value, text)
        return await self._life.refresh.refresh()

    # handlers

    @overload
    def on(self, target: str) -> Callable[[HandlerT], HandlerT]: ...
    @overload
    def on(self, target: str, handler: Handler) -> Subscription: ...
    def on(self, target: str, handler: Handler | None = None) -> Subscription | Callable[[HandlerT], HandlerT]:
        """Run *handler* for each call of *target* by the server; without *handler*, decorate one.

        Handlers may be sync or async, several a target; they run in the order of their registration, each call after the one
        before. What a handler returns answers a server that waits for a result (None answers null). Targets are case-sensitive.

        Returns:
            A `Subscription` to unsubscribe with; as a decorator, the function unchanged.

        Spec: client-behaviour.md, "E6. Dispatch and ordering", "E7. Client results".
        """
        if handler is not None:
            return self._handlers.add(target, handler)

        def register(function: HandlerT) -> HandlerT:
            self._handlers.add(target, function)
            return function

        return register

    def off(self, target: str, handler: Handler | None = None) -> None:
        """Remove one registration of *handler* from *target*, or all of its handlers; unknown ones are no error."""
        self._handlers.remove(target, handler)

    def on_unhandled(self, handler: UnhandledT) -> UnhandledT:
        """Call ``handler(target, arguments)`` for calls that have no handler; several may be registered. Also a decorator."""
        unhandled: UnhandledHandler = handler
        self._handlers.unhandled.append(unhandled)
        return handler

    def register(self, receiver: object) -> list[Subscription]:
        """Register each public coroutine method of *receiver* as the handler of its name.

        Raises:
            TypeError: it has none.
        """
        methods = inspect.getmembers(receiver, inspect.iscoroutinefunction)
        public = [(name, method) for name, method in methods if not name.startswith("_")]
        if not public:
            raise TypeError(f"{receiver!r} has no public coroutine method to register.")
        return [self._handlers.add(name, method) for name, method in public]

    # events

    def on_reconnecting(self, callback: ErrorCallbackT) -> ErrorCallbackT:
        """Call ``callback(error)`` when the connection was lost and a reconnect begins; *error* may be None. Also a decorator."""
        return self._add(self._events.reconnecting, callback)

    def on_reconnected(self, callback: IdCallbackT) -> IdCallbackT:
        """Call ``callback(connection_id)`` after a reconnect; the id is new (None if negotiation was skipped).

        The server has forgotten the groups and other state of the old connection: join groups again here. Also a decorator.
        """
        return self._add(self._events.reconnected, callback)

    def on_close(self, callback: ErrorCallbackT) -> ErrorCallbackT:
        """Call ``callback(error)`` when the connection has ended for good; *error* is None after `stop`. Also a decorator.

        The callback may call `start`.
        """
        return self._add(self._events.close, callback)

    def on_authentication_refreshed(self, callback: LifetimeCallbackT) -> LifetimeCallbackT:
        """Call ``callback(lifetime)`` when a new token was accepted, for *lifetime* seconds or None. Also a decorator."""
        return self._add(self._events.authentication_refreshed, callback)

    def on_authentication_refresh_failed(self, callback: FailureCallbackT) -> FailureCallbackT:
        """Call ``callback(error)`` when an automatic refresh failed; there is no second attempt. Also a decorator."""
        return self._add(self._events.authentication_refresh_failed, callback)

    # inside

    @staticmethod
    def _add(callbacks: list[EventCallback], callback: CallbackT) -> CallbackT:
        if not callable(callback):
            raise TypeError(f"A callback is a function; {callback!r} is none.")
        callbacks.append(cast("EventCallback", callback))
        return callback

    def _active(self, action: str, text: str = "") -> HubLink:
        """Return the link that calls go through.

        Raises:
            InvalidStateError: there is none.
        """
        life = self._life
        if life is not None and life.state is HubConnectionState.CONNECTED:
            link = life.link
            if link is not None and not link.ended:
                return link
        raise InvalidStateError(action, self.state.value, text)

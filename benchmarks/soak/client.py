"""One client of the soak test: its options, its life, and the checks of what it receives and of how it is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from dataclasses import dataclass
from typing import Final

from benchmarks.soak.network import Wire
from benchmarks.soak.oracle import Oracle, Push, Record, content
from benchmarks.soak.tally import Tally
from benchmarks.soak.watch import HungError, watched
from signalr_client import (
    AggregateTransportError,
    ConnectionClosedError,
    ExponentialBackoff,
    HandshakeError,
    HttpTransportType,
    HubConnection,
    HubConnectionBuilder,
    HubConnectionState,
    HubException,
    InvalidStateError,
    JsonHubProtocol,
    MessagePackHubProtocol,
    NegotiationError,
    SignalRError,
    TransportError,
)

__all__ = ["SoakClient", "Traits"]

_START_ERRORS: Final = (NegotiationError, TransportError, AggregateTransportError, HandshakeError, ConnectionClosedError)
_STOP_TIME: Final = 10.0
"""Seconds that `stop` may take: the close timeout of 5 s, 2 s if tasks have to be cancelled, and some more on a busy machine."""


@dataclass(frozen=True, slots=True)
class Traits:
    """The options of one client."""

    name: str
    user: str
    group: str
    path: str
    transport: HttpTransportType
    protocol: str
    stateful: bool
    reconnects: bool
    waits: bool
    slow: bool

    @classmethod
    def draw(cls, name: str, rng: random.Random, oracle: Oracle, paths: tuple[str, ...]) -> Traits:
        """Return options at random."""
        weights = {
            HttpTransportType.WEB_SOCKETS: 10,
            HttpTransportType.ALL: 2,
            HttpTransportType.SERVER_SENT_EVENTS: 4,
            HttpTransportType.LONG_POLLING: 4,
        }
        transport = rng.choices(list(weights), list(weights.values()))[0]
        text_only = transport is HttpTransportType.SERVER_SENT_EVENTS
        reconnects = rng.random() < 0.8
        return cls(
            name=name,
            user=rng.choice(oracle.users),
            group=rng.choice(oracle.groups),
            path=rng.choice(paths),
            transport=transport,
            protocol="json" if text_only else rng.choice(("json", "messagepack")),
            stateful=HttpTransportType.WEB_SOCKETS in transport and rng.random() < 0.6,
            reconnects=reconnects,
            waits=rng.random() < 0.5,
            slow=rng.random() < 0.2,
        )


class SoakClient:
    """One client, which is started and stopped again and again.

    Attributes:
        connection: the current connection.
        up: set while it has been started and is not being stopped.
        ending: set when the soak test ends.
        losses: how often a connection was lost, stopped or not opened; calls may fail whenever this grows.
        record: what the server knows of the connection whose messages are being received.
        recent: what has happened last, for reports.
    """

    def __init__(
        self, traits: Traits, wire: Wire, oracle: Oracle, tally: Tally, rng: random.Random, *, patience: float
    ) -> None:
        self.traits = traits
        self.wire = wire
        self.oracle = oracle
        self.tally = tally
        self.rng = rng
        self.patience = patience
        self.up = asyncio.Event()
        self.ending = asyncio.Event()
        self.losses = 0
        self.record: Record | None = None
        self.recent: deque[str] = deque(maxlen=40)
        self._reconnecting = False
        self._stopping = False
        self.logger = logging.getLogger(f"soak.{traits.name}")
        if traits.waits:
            oracle.waiting_clients.add(traits.name)
        self.connection = self._build()

    def __str__(self) -> str:
        """Return the name and the options."""
        traits = self.traits
        words = [traits.name, traits.transport.name or "?", traits.protocol, traits.path, self.wire.name]
        words += [word for word in ("stateful", "reconnects", "waits", "slow") if getattr(traits, word)]
        return " ".join(words)

    def report(self) -> str:
        """Return what is known of the client, for a failure."""
        connection_id = self.connection.connection_id
        known = "known to the server" if connection_id in self.oracle.connections else "unknown to the server"
        lines = [f"{self}: {self.connection.state.value}, {connection_id} is {known}", *self.recent]
        return "\n    ".join([*lines, "faults:", *self.wire.recent])

    def note(self, text: str) -> None:
        """Remember something that has happened."""
        self.recent.append(f"{self.tally.elapsed:.2f} s: {text}")

    def fail(self, text: str) -> None:
        """Report a failure."""
        self.tally.fail(f"{text}\n    {self.report()}")

    def _build(self) -> HubConnection:
        traits = self.traits
        builder = (
            HubConnectionBuilder()
            .with_url(
                self.wire.proxy.url + traits.path,
                transports=traits.transport,
                access_token_factory=lambda: f"{traits.name}/{traits.user}",
            )
            .with_hub_protocol(JsonHubProtocol() if traits.protocol == "json" else MessagePackHubProtocol())
            .with_keep_alive_interval(5.0)
            .with_server_timeout(15.0)
            .with_calls_while_reconnecting(wait=traits.waits)
            .configure_logging(self.logger)
        )
        if traits.stateful:
            builder.with_stateful_reconnect(self.rng.choice((20_000, 1_048_576)))
        if traits.reconnects:
            builder.with_automatic_reconnect(ExponentialBackoff(max_delay=2.0), retry_start=self.rng.random() < 0.5)
        if traits.slow:
            builder.with_receive_limit(bytes=20_000, messages=50)
        connection = builder.build()
        connection.on("Hello", self._meet)
        connection.on("Push", self._receive_slowly if traits.slow else self._receive)
        connection.on("Answer", self._answer)
        connection.on_unhandled(lambda target, _: self.fail(f"a call of {target!r} had no handler"))
        connection.on_connected(self._connected)
        connection.on_reconnecting(self._on_reconnecting)
        connection.on_reconnected(self._on_reconnected)
        connection.on_close(self._on_close)
        connection.on_detached(lambda error: self._event("detached", error))
        connection.on_resumed(lambda _: self._event("resumed"))
        return connection

    # what the server sends

    def _meet(self, connection_id: str) -> None:
        """Take the first message of a connection."""
        self.record = self.oracle.meet(self.traits.name, connection_id)
        if self.record is None:
            self.fail(f"the first message of {connection_id} came twice, or out of order")

    def _receive(self, number: int, text: str) -> None:
        """Compare a message with the one that the server has sent."""
        record = self.record
        if record is None:
            return  # reported by `_meet`
        expected = record.expected.popleft() if record.expected else None
        if expected is None or number != expected.number or text != content(expected):
            self.record = None  # it has lost track: one report is enough
            self.fail(f"{record.id} got message {number} with {len(text)} characters; the next one is {expected}")
        self.tally.done["message to a client"] += 1

    async def _receive_slowly(self, number: int, text: str) -> None:
        self._receive(number, text)
        chance = self.rng.random()
        if chance < 0.05:
            await asyncio.sleep(self.rng.uniform(0, 0.05))
        elif chance < 0.06:
            try:
                if await self.connection.invoke("Echo", number) != number:
                    self.fail("a handler got a wrong answer")
            except (ConnectionClosedError, InvalidStateError) as exc:
                self.tally.refused["echo in a handler", type(exc).__name__] += 1

    async def _answer(self, question: str) -> str:
        """Answer the server."""
        if question.startswith("fail"):
            raise HubException(question)
        if self.rng.random() < 0.2:
            await asyncio.sleep(self.rng.uniform(0, 0.05))
        return f"{self.traits.name}: {question}"

    # events

    async def _connected(self, connection_id: str | None) -> None:
        self.note(f"connected as {connection_id}")
        try:
            await self.connection.invoke("Join", self.traits.group)
        except (ConnectionClosedError, InvalidStateError) as exc:
            self.note(f"could not join: {exc}")

    def _event(self, name: str, error: Exception | None = None) -> None:
        self.tally.events[name] += 1
        self.note(name if error is None else f"{name}: {error}")

    def _on_reconnecting(self, error: Exception | None) -> None:
        self._event("reconnecting", error)
        self.losses += 1
        self._reconnecting = True
        self._check_loss(error)

    def _on_reconnected(self, _connection_id: str | None) -> None:
        self._event("reconnected")
        if not self._reconnecting:
            self.fail("on_reconnected without on_reconnecting")
        self._reconnecting = False

    def _on_close(self, error: Exception | None) -> None:
        self._event("closed", error)
        self.losses += 1
        if not self._stopping:
            self._check_loss(error)

    @property
    def _expects_losses(self) -> bool:
        """Whether something explains that the connection is lost now."""
        return self.wire.trouble or self.oracle.aborted_lately(self.traits.name)

    def _check_loss(self, error: Exception | None) -> None:
        """Check that something explains why the connection was lost."""
        if not self._expects_losses:
            self.fail(f"the connection was lost without a fault: {error!r}")
        # No fault lasts as long as the attempts to resume; over other transports than WebSockets there are none.
        stateful = self.traits.stateful and self.traits.transport is HttpTransportType.WEB_SOCKETS
        if stateful and not self.oracle.aborted_lately(self.traits.name):
            self.fail(f"a connection with stateful reconnect was lost: {error!r}")

    # life

    async def live(self) -> None:
        """Start and stop, until the soak test ends; then check that everything has arrived, and stop."""
        while not self.ending.is_set():
            if self.rng.random() < 0.5:
                self.connection = self._build()
            if await self._start():
                await self._stay()
            await self._stop()
            await self._sleep(self.rng.uniform(0.0, 2.0))

    async def _start(self) -> bool:
        """Start; return whether it worked. Now and then the start is cancelled."""
        cancelled_after = self.rng.uniform(0, 0.1) if self.rng.random() < 0.1 else None
        self._reconnecting = started = False
        try:
            await watched(self._start_within(cancelled_after), self.patience)
        except TimeoutError as exc:
            self.tally.done["cancelled start"] += 1
            if cancelled_after is None:
                self.fail(f"start failed with {exc!r}")
            started = self.connection.state is HubConnectionState.CONNECTED  # the time was up when it had just started
        except _START_ERRORS as exc:
            self.note(f"start failed: {exc!r}")
            self.tally.refused["start", type(exc).__name__] += 1
            if not self._expects_losses:
                self.fail(f"start failed without a fault: {exc!r}")
        except HungError as exc:
            self.fail(f"start {exc}")
        else:
            started = True
        if started:
            self.tally.done["start"] += 1
            self.note("started")
            self.up.set()
            return True
        self.losses += 1
        if self.connection.state is not HubConnectionState.DISCONNECTED:
            self.fail(f"after a failed start the connection is {self.connection.state.value}")
        return False

    async def _start_within(self, seconds: float | None) -> None:
        """Start, and cancel it after some time, if *seconds* says so."""
        async with asyncio.timeout(seconds):
            await self.connection.start()

    async def _stay(self) -> None:
        """Stay connected for a while, or until the connection has ended for good."""
        closed = asyncio.create_task(self._wait_closed())
        ending = asyncio.create_task(self.ending.wait())
        try:
            await asyncio.wait({closed, ending}, timeout=self.rng.expovariate(1 / 20), return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            ending.cancel()
        if self.ending.is_set():
            await self._await_the_rest()

    async def _await_the_rest(self) -> None:
        """Check that everything that was sent to the connection arrives, now that there are no more faults."""
        losses = self.losses
        try:
            await watched(self.connection.wait_connected(), self.patience)
        except SignalRError as exc:
            self.note(f"wait_connected: {exc!r}")
            return
        except HungError as exc:
            self.fail(f"wait_connected {exc}")
            return
        record = self.record
        if record is None or not record.expected:
            return
        push = record.expected[-1]
        try:
            arrived = await watched(self.settled(push, record), self.patience)
        except HungError:
            self.fail(f"message {record.expected[0]} was not received")
        else:
            if not arrived and self.losses == losses:
                self.fail(f"message {push} was not received, and the connection was not lost")

    async def _wait_closed(self) -> None:
        try:
            await self.connection.wait_closed()
        except Exception as exc:
            self.note(f"wait_closed: {exc!r}")

    async def _stop(self) -> None:
        """Stop, and check that it takes a bounded time."""
        self.losses += 1
        self.up.clear()
        self._stopping = True
        self.note("stop")
        if self.rng.random() < 0.1:
            try:
                async with asyncio.timeout(self.rng.uniform(0, 0.05)):
                    await self.connection.stop()
            except TimeoutError:
                self.tally.done["cancelled stop"] += 1
        try:
            await watched(self.connection.stop(), _STOP_TIME)
            self.tally.done["stop"] += 1
        except HungError as exc:
            self.fail(f"stop {exc}")
        if self.connection.state is not HubConnectionState.DISCONNECTED:
            self.fail(f"after stop the connection is {self.connection.state.value}")
        self._stopping = False
        self.record = None

    async def _sleep(self, seconds: float) -> None:
        """Sleep, or until the soak test ends."""
        try:
            async with asyncio.timeout(seconds):
                await self.ending.wait()
        except TimeoutError:
            pass

    # checks for operations

    async def settled(self, push: Push, record: Record) -> bool:
        """Wait until a message has been received; return False if its connection is lost first."""
        while record.expected and record.expected[0].number <= push.number:
            if record is not self.record or record.over:
                return False
            await asyncio.sleep(0.02)
        return True

    async def lost_since(self, losses: int) -> bool:
        """Return whether the connection was lost after *losses* was noted; the event may come a moment after the error."""
        for _ in range(400):
            if self.losses > losses or self.connection.state is not HubConnectionState.CONNECTED:
                return True
            await asyncio.sleep(0.05)
        return False

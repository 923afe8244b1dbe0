"""The client's side of a connection above the transport: session, calls, streams, handlers, and how it ends."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Sequence
from typing import Final

from signalr_client.client.calls import OutgoingCall
from signalr_client.client.dispatch import Dispatcher
from signalr_client.client.ends import End
from signalr_client.client.handlers import Handlers
from signalr_client.client.intake import Intake
from signalr_client.client.link import HubLink
from signalr_client.client.options import ReceiveLimit
from signalr_client.client.streams import HubStream
from signalr_client.client.tasks import TaskSet
from signalr_client.core import handshake
from signalr_client.core.protocols import binding_of
from signalr_client.core.session import HubSession, SessionOptions
from signalr_client.errors import SignalRError
from signalr_client.transports.base import SocketLostError, Transport
from tests.fuzz.inputs import PATTERNS, Choices, cut
from tests.fuzz.loops import run, turns
from tests.fuzz.properties import check_error
from tests.fuzz.seeds import JSON, JSON_WORDS, MESSAGEPACK, MESSAGEPACK_WORDS, PROTOCOLS, streams

CONTROL: Final = 6
SEEDS: Final = [
    *(stream for protocol in (JSON, MESSAGEPACK) for stream in streams(protocol)),
    b'{"type":2,"invocationId":"2","item":1}\x1e{"type":3,"invocationId":"2"}\x1e{"type":3,"invocationId":"1","result":{}}\x1e',
    b'{"type":1,"invocationId":"a","target":"echo","arguments":[1,2]}\x1e{"type":1,"target":"sum","arguments":[{},[]]}\x1e',
]
WORDS: Final = [
    *JSON_WORDS,
    *MESSAGEPACK_WORDS,
    b'"echo"',
    b'"sum"',
    b"\xa4echo",
    b"\xa3sum",
    b'"1"',
    b'"2"',
    b"\xa11",
    b"\xa12",
]

_LOG: Final = logging.getLogger("signalr_client.fuzz")


class MemoryTransport:
    """Delivers some pieces, and then the end."""

    name = "WebSockets"
    inherent_keep_alive = False

    def __init__(self, pieces: Sequence[bytes], end: SignalRError | None) -> None:
        self._pieces = list(pieces)
        self._end = end

    async def receive(self) -> bytes | None:
        """Return the next piece."""
        if self._pieces:
            return self._pieces.pop(0)
        await turns(count=10)
        if self._end is not None:
            raise self._end
        return None

    async def send(self, data: bytes) -> None:
        """Take *data*."""
        assert data

    async def close(self) -> None:
        """End."""


class Owner:
    """What the link reports to."""

    def __init__(self) -> None:
        self.opened = self.ended = 0

    def link_opened(self, link: HubLink) -> None:
        """Count."""
        self.opened += 1

    def link_detached(self, error: Exception) -> None:
        """Nothing."""

    def link_resumed(self, link: HubLink) -> None:
        """Nothing."""

    def link_ended(self, link: HubLink, end: End) -> None:
        """Count."""
        self.ended += 1


def target(data: bytes) -> None:
    """Whatever a server sends, everybody who waits gets an answer or a documented error, and nothing is left behind."""
    run(connect(Choices(data)))


async def connect(choices: Choices) -> None:
    """Live through one connection."""
    loop = asyncio.get_running_loop()
    protocol, with_handshake = choices.pick(PROTOCOLS), choices.number(8) > 0
    options = SessionOptions(max_message_size=choices.pick((None, 100)), replay_limit=choices.pick((None, 1000)))
    pattern, end = choices.pick(PATTERNS), choices.pick((None, SocketLostError("lost", "WebSockets")))
    stream = (handshake.encode_response() if with_handshake else b"") + choices.rest()
    tasks, handler_tasks, owner = TaskSet("task", _LOG), TaskSet("handler", _LOG), Owner()
    handlers = Handlers(binding_of(protocol))
    handlers.add("echo", lambda *arguments: list(arguments))
    handlers.add("sum", lambda *_arguments: None)
    limit = ReceiveLimit(None, None)
    gate = limit.gate()
    dispatcher = Dispatcher(handlers, gate, limit.requests, handler_tasks, contextvars.copy_context(), _LOG)

    async def reopen(_limit: float) -> Transport:
        raise SocketLostError("gone", "WebSockets", 404)

    link = HubLink(
        MemoryTransport(list(cut(stream, pattern)), end),
        HubSession.client(protocol, options, loop.time()),
        "id",
        reopen,
        owner=owner,
        dispatcher=dispatcher,
        intake=Intake(limit, gate, dispatcher, _LOG),
        tasks=tasks,
        close_timeout=1.0,
        logger=_LOG,
    )
    result: asyncio.Future[object] = loop.create_future()
    items: HubStream[object] = HubStream(lambda sink: OutgoingCall.begin(link, "count", [1], sink, streaming=True))
    OutgoingCall.begin(link, "echo", [1], result)
    reading = loop.create_task(read(items))
    error: SignalRError | None = None
    try:
        await link.open()
    except SignalRError as exc:
        error = exc
        check_error(exc, len(stream))
    ended = await link.ended
    assert ended.error is None or isinstance(ended.error, SignalRError)
    assert (owner.opened, owner.ended) == ((0, 0) if error else (1, 1))
    await turns(count=10)
    assert result.done()
    assert result.exception() is None or isinstance(result.exception(), SignalRError)
    await reading
    await handler_tasks.finish(math.inf)
    await tasks.finish(math.inf)


async def read(items: HubStream[object]) -> None:
    """Read a stream to its end."""
    try:
        async for _item in items:
            pass
    except SignalRError:
        pass
